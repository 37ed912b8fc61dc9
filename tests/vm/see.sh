#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What operators see of a mount by the module (docs/operating.md): status files,
# options that are written, counters, dumps, triggers, tracepoints, notes; who
# may see what; and that none of it outlives the mount or keeps it, however long
# somebody reads.
#
# KERNEL is what the machine boots; the inner side is the same file there.

set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/lib.sh
one_machine 480 "$@"

KO=$BUILD/kernel/$(uname -r)
case $KO in
/*) ;;
*) KO=$PWD/$KO ;;
esac
MNT=$SCRATCH/mnt
EVENTS=/sys/kernel/tracing
CYCLES=${CYCLES:-4}

prepare() {
	mkdir -p "$MNT" &&
		truncate -s 128M "$SCRATCH/meta.img" "$SCRATCH/data.img" &&
		META=$(losetup -f --show "$SCRATCH/meta.img") &&
		DATA=$(losetup -f --show "$SCRATCH/data.img") &&
		"$BUILD/mkfs.scoutfs" -Q 0,127.0.0.1,45000 "$META" "$DATA" \
			>/dev/null || return
	mountpoint -q /sys/kernel/debug ||
		mount -t debugfs none /sys/kernel/debug
	mountpoint -q $EVENTS || mount -t tracefs none $EVENTS
	[ -d $EVENTS/events ]
}

# Sets DIR and DEBUG.
mount_it() {
	timeout 60 mount -i -t scoutfs -o "metadev_path=$META" "$DATA" "$MNT" ||
		return
	DIR=$(echo /sys/fs/scoutfs/f.*)
	DEBUG=/sys/kernel/debug/scoutfs/${DIR##*/}
	[ -d "$DIR" ] && [ -d "$DEBUG" ]
}

is() { # what, have
	[ "$1" = "$2" ] && return
	echo "have '$2', want '$1'"
	return 1
}

count() { cat "$DIR/counters/$1"; }

# ---- the tests ----------------------------------------------------------------

notes() {
	local dir=/sys/module/scoutfs/notes

	is 1 "$(cat $dir/.note.scoutfs_format_version_min)" &&
		is 2 "$(cat $dir/.note.scoutfs_format_version_max)" &&
		[ -n "$(cat $dir/.note.git_describe)" ] &&
		is "$(modinfo -F git_describe "$KO/scoutfs.ko")" \
			"$(cat $dir/.note.git_describe)"
}

status() {
	local fsid rid

	fsid=$(cat "$DIR/fsid")
	rid=$(cat "$DIR/rid")
	is "f.${fsid:0:6}.r.${rid:0:6}" "${DIR##*/}" &&
		[[ $fsid$rid =~ ^[0-9a-f]{32}$ ]] &&
		is 2 "$(cat "$DIR/format_version")" &&
		is 1 "$(cat "$DIR/engine_version")" &&
		is "7:${DATA##*loop}" "$(cat "$DIR/data_device_maj_min")" &&
		is "" "$(cat "$DIR/volume_options/data_alloc_zone_blocks")" &&
		is "$META" "$(cat "$DIR/mount_options/metadev_path")" &&
		is 0 "$(wc -l <"$DIR/mount_options/acl")" &&
		is 1 "$(wc -l <"$DIR/mount_options/quorum_slot_nr")"
}

option_taken() {
	local file=$DIR/mount_options/commit_interval_ms

	echo 7000 >"$file" && is 7000 "$(cat "$file")" &&
		printf 100 >"$file" && is 100 "$(cat "$file")" &&
		is 0 "$(wc -l <"$file")"
}

options_refused() {
	local file=$DIR/mount_options/commit_interval_ms text

	for text in abc -1 99 60001 18446744073709551616 ' ' '5000 6000' \
			0x1388 '5000\0' '\0' '\n'; do
		if printf %b "$text" >"$file"; then
			echo "'$text' was taken"
			return 1
		fi
	done
	! head -c 4096 /dev/zero >"$file" || return
	! head -c 100000 /dev/urandom >"$file" || return
	for file in fsid counters/holds mount_options/metadev_path \
			mount_options/quorum_slot_nr; do
		! echo 1 >"$DIR/$file" || return
	done
	is 100 "$(cat "$DIR/mount_options/commit_interval_ms")"
}

counters_move() {
	local names

	is 0 "$(count op_symlink)" &&
		mkdir "$MNT/a" && ln -s x "$MNT/a/s" && echo text >"$MNT/a/f" &&
		sync -f "$MNT" && is 1 "$(count op_symlink)" || return
	for names in op_create holds publishes publish_bytes msg_publish \
			edits_applied log_bytes vfs_write vfs_writebacks \
			vfs_ioends vfs_iget op_map_write op_map_written; do
		[ "$(count $names)" -gt 0 ] && continue
		echo "$names is $(count $names)"
		return 1
	done
	# numbers, all of them
	! cat "$DIR"/counters/* | grep -vqx '[0-9]*'
}

dumps() {
	local f

	for f in manifest transactions space cache sessions server; do
		[ -n "$(cat "$DEBUG/$f")" ] || return
	done
	grep -q "^level 0\|^level 1" "$DEBUG/manifest" &&
		grep -q "rid $(cat "$DIR/rid")" "$DEBUG/sessions"
}

triggers() {
	local file=$DEBUG/trigger/FREEZE

	is "0, fired 0" "$(cat "$file")" && echo once >"$file" &&
		is "once, fired 0" "$(cat "$file")" && mkdir "$MNT/once" &&
		is "0, fired 1" "$(cat "$file")" && mkdir "$MNT/twice" &&
		is "0, fired 1" "$(cat "$file")" && echo 2 >"$file" &&
		mkdir "$MNT/every1" "$MNT/every2" "$MNT/every3" &&
		echo 0 >"$file" || return
	[[ $(cat "$file") =~ ^0,\ fired\ [2-9]$ ]] || return
	! echo -1 >"$file" && ! echo 99999999999 >"$file" && ! echo x >"$file"
}

events() {
	local f

	echo 1 >$EVENTS/events/scoutfs/enable
	echo more >"$MNT/traced"
	mv "$MNT/traced" "$MNT/moved"
	dd if=/dev/zero of="$MNT/direct" bs=64k count=2 oflag=direct 2>/dev/null
	sync -f "$MNT"
	ls -R "$MNT" >/dev/null
	rm "$MNT/moved"
	echo 0 >$EVENTS/events/scoutfs/enable
	cp $EVENTS/trace "$SCRATCH/trace"
	echo >$EVENTS/trace
	for f in lookup create rename_from rename_to unlink readdir write \
			direct_write writeback ioend map_write map_written \
			iget core; do
		grep -q "sfs_$f: " "$SCRATCH/trace" && continue
		echo "no event sfs_$f"
		return 1
	done
	grep -q 'sfs_create: dev .* name traced ino [0-9]* ret 0' "$SCRATCH/trace" &&
		grep -q 'sfs_core: .* published ' "$SCRATCH/trace"
}

others() {
	su nobody -s /bin/sh -c "cat $DIR/fsid $DIR/counters/holds \
		$DIR/mount_options/*" >/dev/null || return
	! su nobody -s /bin/sh -c "echo 200 >$DIR/mount_options/commit_interval_ms" &&
		! su nobody -s /bin/sh -c "cat $DEBUG/manifest"
}

# Files that stay open are no reason to wait, and answer that it is over.
open_files() {
	local err

	exec 5<"$DIR/counters/holds" 6>"$DIR/mount_options/commit_interval_ms" \
		7<"$DEBUG/manifest" 8<>"$DEBUG/trigger/FREEZE"
	timeout 60 umount "$MNT" || return
	err=$(LC_ALL=C cat <&5 2>&1)
	is "cat: -: No such device" "$err" || return
	! echo 200 >&6 && ! cat <&7 && ! echo 1 >&8 || return
	# what debugfs opened keeps the module, what sysfs did does not
	! rmmod scoutfs || return
	exec 7<&- 8<&-
	rmmod scoutfs || return
	! cat <&5 || return
	exec 5<&- 6<&-
	insmod "$KO/scoutfs.ko"
}

# Two who read everything and one who writes options, all the time.
crowd() {
	local stop=$SCRATCH/stop i d

	rm -f "$stop"
	for i in 1 2; do
		while [ ! -e "$stop" ]; do
			cat /sys/fs/scoutfs/*/* /sys/fs/scoutfs/*/*/* \
				/sys/kernel/debug/scoutfs/*/* \
				/sys/kernel/debug/scoutfs/*/trigger/*
		done >/dev/null 2>&1 &
	done
	while [ ! -e "$stop" ]; do
		for d in /sys/fs/scoutfs/f.*/mount_options; do
			echo 6000 >"$d/commit_interval_ms"
			echo 999999 >"$d/ino_alloc_per_lock"
		done
		# not for ever: nothing gets through when all messages are lost
		for d in /sys/kernel/debug/scoutfs/*/trigger/*; do
			case $d in
			*/NET_*) ;;
			*) echo 2 >"$d" ;;
			esac
		done
	done >/dev/null 2>&1 &
	for i in $(seq "$CYCLES"); do
		mount_it && mkdir "$MNT/c$i" && : >"$MNT/c$i/f" &&
			timeout 60 umount "$MNT" || break
		i=done
	done
	: >"$stop"
	wait
	is done "$i"
}

nothing_left() {
	is "" "$(ls /sys/fs/scoutfs)" &&
		is "" "$(ls /sys/kernel/debug/scoutfs)" &&
		rmmod scoutfs && [ ! -e /sys/fs/scoutfs ] &&
		[ ! -e /sys/kernel/debug/scoutfs ] &&
		losetup -d "$META" "$DATA" && insmod "$KO/scoutfs.ko"
}

# not in subshells: they set variables
prepare && mount_it || bad=1
ok "notes of the module" notes
ok "status files" status
ok "an option takes a new value" option_taken
ok "options refuse all else" options_refused
ok "counters move" counters_move
ok "dumps" dumps
ok "triggers" triggers
ok "events" events
ok "others may read, and no more" others
ok "open files end with the mount" open_files
ok "read while mounts come and go" crowd
ok "nothing is left" nothing_left
tap_done
