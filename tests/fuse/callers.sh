#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Callers of ioctls whose memory the daemon does not reach.

. "$(dirname "$0")/lib.sh"

ok "format" format
ok "mount" mount_volume || tap_done
touch "$MNT/a" "$MNT/b"

# A daemon that cannot see its callers, so cannot reach their memory: the
# command gets the answers inside the structure.
if unshare -pf true 2>/dev/null; then
	walk() { "$BUILD/scoutfs" walk-inodes meta_seq 0 -1 "$MNT"; }
	walk >"$SCRATCH/seen" 2>&1
	ok "unmount" unmount
	unshare -pf "$BUILD/scoutfs-fuse" --foreground "$META" "$DATA" \
		"$MNT" >/dev/null 2>&1 &
	for _ in $(seq 100); do
		mountpoint -q "$MNT" && break
		sleep 0.1
	done
	is "a walk through a daemon in a pid namespace" "$(walk 2>&1)" \
		"$(cat "$SCRATCH/seen")"
	ok "df there" "$BUILD/scoutfs" df -p "$MNT"
	ok "unmount" unmount
	wait
else
	skip "a daemon in a pid namespace" "unshare is not permitted"
fi
tap_done
