#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Single bits of live metadata that are wrong: in a volume that is mounted and
# has nothing cached, and in one that is going to be mounted.  Nothing oopses or
# hangs; what is not EIO is right; EIO comes with a line in the log.
#
# FLIPS (12, less on the debug kernel) is how many of each, SEED (1) where.

. "$(dirname "$0")/disks-lib.sh"
export SEED=${SEED:-1}
FLIPS=${FLIPS:-$((12 / SLOW))}
STEPS=40
eios=0

said_so() {
	dmesg | sed '1,/scoutfs-test: flip/d' | grep -qi scoutfs ||
		[ "$FIXTURE" != kernel ]
}

# Looks at everything; what it finds is right or EIO.
look() {
	local err=$SCRATCH/look.err status=0

	limited "$T/promise" verify "$MNT/p" 1 $STEPS $STEPS 2>"$err" ||
		status=$?
	[ $status -lt 124 ] || { echo "it hangs"; return 1; }
	if [ $status != 0 ]; then
		eios=$((eios + 1))
		grep -q '(errno 5 ' "$err" || { cat "$err"; return 1; }
		said_so || { echo "EIO, and not a line in the log"; return 1; }
	fi
	status=0
	limited find "$MNT" -ls >/dev/null 2>"$err" || status=$?
	[ $status -lt 124 ] || { echo "find hangs"; return 1; }
	if [ $status != 0 ]; then
		eios=$((eios + 1))
		said_so || { echo "EIO, and not a line in the log"; return 1; }
	fi
	! grep -v 'Input/output error' "$err"
}

# Changes meet the bad block, too.
change() {
	local status=0

	limited bash -c 'cd "$0" && mkdir new && for i in 1 2 3 4 5; do
			echo $i >new/$i; done; rm -rf p/a; sync -f .' \
		"$MNT" >/dev/null 2>&1 || status=$?
	[ $status -lt 124 ] || { echo "changes hang"; return 1; }
}

flip() { # seed
	echo "scoutfs-test: flip $1" >/dev/kmsg
	tell_disks flip 0 "$1"
}

leave() {
	limited umount "$MNT" || { echo "umount failed"; return 1; }
	[ "$FIXTURE" = kernel ] || wait_daemon
}

while_mounted() { # seed
	tell_disks restore && mount_volume || return
	flip "$1"
	drop_caches
	look && change
	leave
}

between_mounts() { # seed
	local status=0

	tell_disks restore && flip "$1" && drop_caches || return
	mount_volume >"$SCRATCH/mount.log" 2>&1 || status=$?
	if [ $status != 0 ]; then
		[ $status -lt 124 ] || { echo "mount hangs"; return 1; }
		said_so || { echo "no line in the log"; return 1; }
		eios=$((eios + 1))
		return 0
	fi
	look && change
	leave
}

in_all() {
	local i

	ok "fill" fill || tap_done
	for i in $(seq $((SEED * 1000)) $((SEED * 1000 + FLIPS - 1))); do
		ok "flip $i while mounted" while_mounted "$i"
		ok "flip $i between mounts" between_mounts "$i"
	done
	echo "# $eios times EIO"
	ok "some flips were seen" test "$eios" -gt 0
	tap_done
}

fill() {
	local i

	mount_volume && mkdir "$MNT/p" "$MNT/many" || return
	limited "$T/promise" run "$MNT/p" - 1 $STEPS >/dev/null || return
	for i in $(seq 1500); do
		echo "$i" >"$MNT/many/a-file-with-a-longer-name-$i"
	done
	unmount && tell_disks save
}

outside() {
	ok "format" make_images 64 >"$SCRATCH/out" ||
		{ cat "$SCRATCH/out"; tap_done; }
	start_disks || { echo "Bail out! disks"; exit 1; }
	inside $((500 * SLOW)) all --env FLIPS
}

two_sides "$@"
