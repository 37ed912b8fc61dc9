#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# flock() and fcntl() between processes, and between mounts where the host can
# have several of them: locks.c.

. "$(dirname "$0")/lib.sh"

other=$SCRATCH/other
all="${LOCK_TESTS:-posix ofd flock order signal kill ranges getlk deadlock ofd_owner close
	flock_owner refused random}"

locks() { # test, directory...
	limited "$T/locks" "$1" "$FIXTURE" "${@:2}"
}

ok "format" format 128
ok "mount" mount_volume || tap_done
for test in $all; do
	ok "$test" locks "$test" "$MNT"
done
if can several_mounts; then
	mkdir -p "$other"
	ok "mount it again elsewhere" mount_elsewhere "$other"
	for test in $all; do
		ok "$test, two mounts" locks "$test" "$MNT" "$other"
	done
	ok "unmount that" umount "$other"
else
	skip "several mounts" "$why"
fi
ok "unmount" unmount
ok "check finds nothing" check_volume
tap_done
