#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Devices that fail: reads, writes and flushes of either device, once and for
# good, at different times.  Callers see EIO, nothing hangs, the log says so,
# unmounting works, and when the devices are well again the volume is: it is
# clean for `scoutfs check`, and everything that was synced before the failure
# is there.
#
# AFTER ("0 7") lists after how many good requests.

. "$(dirname "$0")/disks-lib.sh"
SEED=${SEED:-1}
STEPS=15
# after how many good ones
AFTER=${AFTER:-0 7}

# What promise said last, of "done" or "issued".
last_mark() { # word, file
	awk -v word="$1" '$1 == "mark" && $2 == word { n = $3 }
		END { print n + 0 }' "$2"
}

# The log has a line about it since a mark in it.
said_so() {
	dmesg | sed '1,/scoutfs-test: fault/d' | grep -qi scoutfs ||
		[ "$FIXTURE" != kernel ]
}

fault() { # words of a command for disks
	echo "scoutfs-test: fault $*" >/dev/kmsg
	tell_disks "fail $*"
}

# An empty volume each time: an earlier case proves nothing about this one.
fresh() {
	tell_disks heal && tell_disks restore && mount_volume
}

failed_so_far() { ask_disks | cut -d ' ' -f 2; }

# Only EIO, or what follows from a mount that has stopped.
only_errors() { # file
	grep -q '(errno \(5\|30\) ' "$1"
}

# A workload meets a failing write or flush.
writing() { # kind, disk, after, count
	local before after status=0 out=$SCRATCH/run.out err=$SCRATCH/run.err

	fresh || return
	before=$(failed_so_far)
	fault "$@"
	limited "$T/promise" run "$MNT" - "$SEED" "$STEPS" >"$out" 2>"$err" ||
		status=$?
	[ $status -lt 124 ] || { echo "it hangs"; return 1; }
	[ $status = 0 ] || only_errors "$err" || { cat "$err"; return 1; }
	# umount writes, too, and may say that it could not
	limited umount "$MNT" || { echo "umount failed"; return 1; }
	[ "$FIXTURE" = kernel ] || wait_daemon
	after=$(failed_so_far)
	if [ "$after" != "$before" ] && ! said_so; then
		echo "$((after - before)) failures, and not a line in the log"
		return 1
	fi
	tell_disks heal
	mount_volume || { echo "mount after it failed"; return 1; }
	if [ -e "$MNT/b" ] || [ "$(last_mark issued "$out")" -gt 0 ]; then
		limited "$T/promise" verify "$MNT" "$SEED" \
			"$(last_mark done "$out")" \
			"$(last_mark issued "$out")" || return
	fi
	unmount || return
	check_images $META $DATA || return
	echo "# $* : $((after - before)) failures, run status $status," \
		"$(cat "$err")" >>"$SCRATCH/notes"
}

# Reads fail while everything is looked at; then they do not, and all is there.
reading() { # disk, after, count
	local status=0 err=$SCRATCH/run.err

	fresh || return
	limited "$T/promise" run "$MNT" - "$SEED" "$STEPS" >/dev/null || return
	unmount && mount_volume || return
	fault read "$@"
	drop_caches
	limited "$T/promise" verify "$MNT" "$SEED" "$STEPS" "$STEPS" \
		2>"$err" || status=$?
	[ $status -lt 124 ] || { echo "it hangs"; return 1; }
	[ $status = 0 ] || only_errors "$err" || { cat "$err"; return 1; }
	if [ $status != 0 ] && ! said_so; then
		echo "EIO, and not a line in the log"
		return 1
	fi
	tell_disks heal
	limited "$T/promise" verify "$MNT" "$SEED" "$STEPS" "$STEPS" ||
		{ echo "an error stayed"; return 1; }
	unmount || return
	check_images $META $DATA || return
	echo "# read $* : status $status, $(cat "$err")" >>"$SCRATCH/notes"
}

# A volume that can not be read at all is refused in time.
no_mount() { # disk
	tell_disks heal && tell_disks restore || return
	fault read "$1" 0 1000000
	drop_caches
	if mount_volume; then
		echo "it mounted"
		limited umount "$MNT"
		return 1
	fi
	tell_disks heal
	mount_volume && unmount
}

in_all() {
	local kind disk after count

	ok "saved" tell_disks save
	for kind in write flush; do
		for disk in 0 1; do
			for after in $AFTER; do
				ok "$kind $disk fails once after $after" \
					writing $kind $disk "$after" 1
				ok "$kind $disk fails from $after on" \
					writing $kind $disk "$after" 1000000
			done
		done
	done
	for disk in 0 1; do
		ok "read $disk fails once" reading $disk 1 1
		ok "read $disk fails" reading $disk 0 1000000
	done
	ok "mount without metadata" no_mount 0
	cat "$SCRATCH/notes"
	tap_done
}

outside() {
	ok "format" make_images 64 >"$SCRATCH/out" ||
		{ cat "$SCRATCH/out"; tap_done; }
	start_disks || { echo "Bail out! disks"; exit 1; }
	# failing devices are what the kernel itself complains about, too
	inside "${LIMIT_ALL:-500}" all --allow "I/O error" --env AFTER
}

two_sides "$@"
