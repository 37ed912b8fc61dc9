#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many processes on several mounts, see storm.c.  STORM is how many seconds each
# kind lasts.

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "several mounts" "not root"
	tap_done
fi
seconds=${STORM:-$(scaled 6 3)}
# what a storm may take to end is the storm's business
export LIMIT=$((LIMIT > seconds + 30 ? LIMIT : seconds + 60))

dirs() { # name
	local dir

	for dir in "${MNTS[@]}"; do
		echo "$dir/$1"
	done
}
storm() { # way, processes
	mkdir "$MNT/$1" || return
	# shellcheck disable=SC2046
	watched "$T/storm" "$1" "$seconds" "$2" $(dirs "$1")
}

ok "format" format 256
ok "three mounts" mount_several 3 commit_interval_ms=300 || tap_done
for way in private shared lock tokens append pages grow; do
	ok "$way" storm "$way" 6
done
ok "unmount" unmount_several
ok "check finds nothing" check_volume
tap_done
