#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Full devices: what does not fit is refused, what is there stays, and what is
# removed makes room.

. "$(dirname "$0")/lib.sh"

ok "format the smallest volume" format 64
ok "mount" mount_volume commit_interval_ms=500 || tap_done

fill_data() { # directory
	local i

	mkdir -p "$1"
	for i in $(seq 200); do
		"$OPS" fill "$1/f$i" 1m "$i" 128k 2>"$SCRATCH/err" || break
	done
	echo "# $i files"
	# the last one did not fit, the others are whole
	grep -q "No space left" "$SCRATCH/err" || return 1
	last=$((i - 1))
}

verify_all() { # directory, how many
	local i

	for i in $(seq "$2"); do
		"$OPS" verify "$1/f$i" 1048576 "$i" || return 1
	done
}

free_blocks() { stat -f -c %f "$MNT"; }

# Space of removed files comes back in the background.
room_again() { # blocks
	local i

	for i in $(seq 300); do
		[ "$(free_blocks)" -lt "$1" ] || return 0
		sleep 0.1
	done
	free_blocks
	return 1
}

room=$(free_blocks)
for round in $(seq "$(scaled 3)"); do
	last=0
	ok "data fills up, round $round" fill_data "$MNT/data"
	ok "to more than half, round $round" test "$last" -gt 32
	ok "what is there is whole, round $round" verify_all "$MNT/data" "$last"
	ok "sync, round $round" "$OPS" fsync "$MNT/data"
	ok "removing, round $round" rm -r "$MNT/data"
	ok "makes room, round $round" room_again $((room * 9 / 10))
done

ok_if mmap_room "stores fill up, too" "$T/data" full "$MNT/stores" 512m
rm -f "$MNT/stores"
ok "which makes room, too" room_again $((room * 9 / 10))

fill_names() {
	local n=0

	mkdir -p "$MNT/names" || return 1
	# with values that are metadata, so that it does not take forever
	"$OPS" names_until_full "$MNT/names"
}
ok "metadata fill up" fill_names
ok "the volume is still there" ls "$MNT/names"
ok "removing from a full volume" rm -r "$MNT/names"
ok "unmount" unmount
ok "mount" mount_volume
ok "new names have room again" mkdir "$MNT/new"
ok "so have contents" "$OPS" fill "$MNT/new/f" 1m 5
ok "unmount" unmount
ok "check finds nothing" check_volume

tap_done
