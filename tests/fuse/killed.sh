#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What was synced survives the end of the daemon: what the kernel was told is
# on the devices or it is not, and what was synced is.

. "$(dirname "$0")/lib.sh"

ok "format" format
ok "mount" mount_volume || tap_done
for i in 1 2 3; do
	mkdir "$MNT/k$i"
	"$OPS" fill "$MNT/k$i/file" 3m "$i"
	ln "$MNT/k$i/file" "$MNT/k$i/link"
	ok "fsync $i" "$OPS" fsync "$MNT/k$i/file"
	echo "not synced" >"$MNT/k$i/maybe"
	ok "kill $i" kill_daemon
	ok "mount over the dead one $i" mount_volume
	is "the dead one is gone $i" "$(grep -c " $MNT " /proc/mounts)" 1
	ok "what was synced is there $i" "$OPS" verify "$MNT/k$i/link" 3145728 "$i"
done
ok "unmount" unmount
ok "check finds nothing" check_volume
tap_done
