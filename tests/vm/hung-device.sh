#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Devices that take requests and complete none: whoever waits for them can be
# killed, umount -f ends all the same, and when they complete again everything
# is torn down and the volume is well.  They are suspended by the device mapper.
#
# KERNEL is what the machine boots; the inner side is the same file there.

set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/lib.sh
one_machine 900 "$@"

MNT=$SCRATCH/mnt
META=/dev/mapper/hung-meta
DATA=/dev/mapper/hung-data
FILES=24
# with long names, so that metadata is several blocks
OTHERS=400
# guest seconds for what must not wait for a device
SOON=20

mapped() { # name, MiB
	local dev

	truncate -s "$2M" "$SCRATCH/$1.img" &&
		dev=$(losetup -f --show "$SCRATCH/$1.img") &&
		dmsetup create "hung-$1" --noudevsync --table \
			"0 $(($2 * 2048)) linear $dev 0" &&
		dmsetup mknodes "hung-$1"
}

prepare() {
	mkdir -p "$MNT" && modprobe dm-mod && modprobe loop &&
		mapped meta 64 && mapped data 128 &&
		"$BUILD/mkfs.scoutfs" "$META" "$DATA" >/dev/null
}

hang() { # devices
	local dev

	for dev in "$@"; do
		dmsetup suspend --noflush --nolockfs "$dev" || return
	done
}

resume() {
	dmsetup resume "$META" && dmsetup resume "$DATA"
}

mount_volume() {
	timeout 60 mount -i -t scoutfs -o "metadev_path=$META" "$DATA" "$MNT"
}

# Nothing is left of the last test, and nothing of the volume is in memory but
# what the root directory needs, and its "dir".
fresh() {
	local pids

	resume
	if [ -s "$SCRATCH/pids" ]; then
		mapfile -t pids <"$SCRATCH/pids"
		kill -KILL "${pids[@]}" 2>/dev/null
		all_gone "${pids[@]}" || return
	fi
	: >"$SCRATCH/pids"
	! mountpoint -q "$MNT" || timeout 60 umount "$MNT" || return
	mount_volume && stat "$MNT/dir" >/dev/null
}

fill() {
	local i name

	mount_volume && mkdir "$MNT/dir" || return
	name=$(printf '%0220d' 0)
	for i in $(seq $OTHERS); do
		: >"$MNT/dir/$name$i" || return
	done
	for i in $(seq $FILES); do
		yes "file $i" | head -c 100000 >"$MNT/dir/f$i" || return
	done
	fresh
}

contents() {
	local i

	for i in $(seq "${1:-1}" $FILES); do
		yes "file $i" | head -c 100000 | timeout 60 cmp - "$MNT/dir/f$i" ||
			return
	done
}

# A process that is to hang: sets pid.
start() { # command...
	"$@" >/dev/null 2>&1 </dev/null &
	pid=$!
	echo $pid >>"$SCRATCH/pids"
}

lives() { # pid
	[ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status"
}

# Until none of the processes is there.
all_gone() { # pids
	local i p

	for p in "$@"; do
		for i in $(seq 75); do
			lives "$p" || break
			sleep 0.2
		done
		lives "$p" || continue
		cat "/proc/$p/stack" "/proc/$p/status"
		return 1
	done
}

# They wait, and killing them is all it takes.
killed() { # pids
	local p

	sleep 2
	for p in "$@"; do
		lives "$p" || { echo "$p did not hang"; return 1; }
	done
	kill -KILL "$@" && all_gone "$@"
}

reads_are_killed() { # devices
	local pids=()

	fresh && hang "$@" || return
	start cat "$MNT/dir/f3"
	pids+=("$pid")
	start ls -l "$MNT/dir"
	pids+=("$pid")
	start stat "$MNT/dir/f7"
	pids+=("$pid")
	start touch "$MNT/dir/new"
	pids+=("$pid")
	killed "${pids[@]}" || return
	resume && rm -f "$MNT/dir/new" && contents 2
}

data_read_is_killed() {
	fresh && stat "$MNT/dir/f3" >/dev/null && hang "$DATA" || return
	start cat "$MNT/dir/f3"
	killed "$pid" && resume && contents 2
}

fsync_is_killed() { # devices
	fresh && echo changed >"$MNT/dir/f1" && hang "$@" || return
	start sync "$MNT/dir/f1"
	killed "$pid" && resume && timeout 60 sync "$MNT/dir/f1" &&
		[ "$(tail -n 1 "$MNT/dir/f1")" = changed ]
}

# The forced unmount of a mount that is in use ends, too.
forced() { # status that is wanted
	local start=$SECONDS status=0

	timeout -s KILL 100 umount -f "$MNT" || status=$?
	echo "status $status after $((SECONDS - start)) s"
	[ $((SECONDS - start)) -lt $SOON ] || return
	if [ "$1" = 0 ]; then
		[ $status = 0 ]
	else
		[ $status != 0 ] && [ $status -lt 124 ]
	fi
}

in_use() { [ "$(cat /sys/module/scoutfs/refcnt)" != 0 ]; }

torn_down() {
	local i

	for i in $(seq 150); do
		in_use || return 0
		sleep 0.2
	done
	return 1
}

# What was written is lost or not; what was there is.
forced_unmount() { # devices
	local pids=() before

	fresh || return
	head -c 1000000 /dev/urandom >"$MNT/dirty" &&
		mkdir -p "$MNT/another" || return
	start sh -c "exec sleep 600 3<'$MNT/dir'"
	pids+=("$pid")
	sleep 1
	hang "$@" || return
	start sync "$MNT/dirty"
	pids+=("$pid")
	start cat "$MNT/dir/f20"
	pids+=("$pid")
	start ls -l "$MNT/dir"
	pids+=("$pid")
	forced 1 || { echo "while it was in use"; return 1; }
	kill -KILL "${pids[@]}" 2>/dev/null
	all_gone "${pids[@]}" || return
	forced 0 || return
	mountpoint -q "$MNT" && return 1
	in_use || { echo "the module is not in use"; return 1; }
	before=$(dmesg | wc -l)
	! mount_volume || { echo "it mounted"; return 1; }
	dmesg | tail -n "+$((before + 1))" | grep -q 'does not answer' || return
	resume && torn_down && mount_volume && contents 2
}

# Devices that work: as an unmount.
forced_well() {
	fresh && echo more >"$MNT/more" && forced 0 && ! in_use &&
		mount_volume && [ "$(cat "$MNT/more")" = more ]
}

checked() {
	fresh && umount "$MNT" && ! in_use && rmmod scoutfs &&
		"$BUILD/scoutfs" check "$META" "$DATA" >/dev/null &&
		insmod "$BUILD/kernel/$(uname -r)/scoutfs.ko"
}

ok "devices" prepare
ok "a volume with files" fill
ok "reads of hung devices are killed" reads_are_killed "$META" "$DATA"
ok "reads of a hung metadata device are killed" reads_are_killed "$META"
ok "a read of a hung data device is killed" data_read_is_killed
ok "fsync to hung devices is killed" fsync_is_killed "$META" "$DATA"
ok "fsync to a hung metadata device is killed" fsync_is_killed "$META"
ok "umount -f with devices that work" forced_well
ok "umount -f with hung devices" forced_unmount "$META" "$DATA"
ok "umount -f with a hung metadata device" forced_unmount "$META"
ok "umount -f with a hung data device" forced_unmount "$DATA"
resume
ok "the volume is well, and the module goes" checked
dmsetup remove "$META" "$DATA"
losetup -D
tap_done
