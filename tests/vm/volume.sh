#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The volumes of the module: which devices it refuses and what it says then;
# who may own a volume; and that one which another host took is not touched any
# more.  Other hosts are played by writing over the owner block.
#
# KERNEL is what the machine boots; the inner side is the same file there.

set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/lib.sh
one_machine 480 "$@"

A=$SCRATCH/a
B=$SCRATCH/b

loop_of() { # name, MiB
	truncate -s "$2M" "$SCRATCH/$1.img" &&
		losetup -f --show "$SCRATCH/$1.img"
}

prepare() {
	mkdir -p "$A" "$B" &&
		META=$(loop_of meta 64) && DATA=$(loop_of data 128) &&
		META2=$(loop_of meta2 64) && DATA2=$(loop_of data2 128) &&
		EMPTY=$(loop_of empty 64) && SMALL=$(loop_of small 63) || return
	"$BUILD/mkfs.scoutfs" "$META" "$DATA" >/dev/null &&
		"$BUILD/mkfs.scoutfs" "$META2" "$DATA2" >/dev/null
}

mount_at() { # metadata, data, where
	timeout 60 mount -i -t scoutfs -o "metadev_path=$1" "$2" "$3"
}

said() { # words
	dmesg | tail -n "+$((seen + 1))" | grep -qF "$1"
}

# Does not mount, and says why in these words.
refused() { # words, metadata, data, [where]
	seen=$(dmesg | wc -l)
	if mount_at "$2" "$3" "${4:-$A}"; then
		umount "${4:-$A}"
		echo "it was mounted"
		return 1
	fi
	said "$1" && return
	echo "the log does not say '$1'"
	return 1
}

cut() {
	truncate -s 64M "$SCRATCH/data2.img" && losetup -c "$DATA2" || return
	refused "was it cut?" "$META2" "$DATA2" || return
	truncate -s 128M "$SCRATCH/data2.img" && losetup -c "$DATA2"
}

readonly_device() {
	blockdev --setro "$DATA" || return
	refused "the data device is read-only" "$META" "$DATA" || return
	blockdev --setrw "$DATA"
}

damaged() {
	dd if="$META2" of="$SCRATCH/block" bs=4096 skip=16 count=1 status=none &&
		dd if=/dev/urandom of="$META2" bs=64 seek=1025 count=1 \
			conv=notrunc,fsync status=none || return
	refused "is damaged" "$META2" "$DATA2" || return
	dd if="$SCRATCH/block" of="$META2" bs=4096 seek=16 conv=notrunc,fsync \
		status=none
}

# Another path to what is mounted at $A.
other_nodes() {
	local meta data ret

	meta=$(losetup -f --show "$SCRATCH/meta.img") &&
		data=$(losetup -f --show "$SCRATCH/data.img") || return
	refused "is mounted here already, through other devices" "$meta" \
		"$data" "$B"
	ret=$?
	losetup -d "$meta" "$data"
	return $ret
}

# Half of a block, as a machine that lost power leaves it, or one that writes.
scribble() {
	head -c 512 /dev/urandom | dd of="$META" bs=512 seek=257 \
		conv=notrunc,fsync oflag=direct iflag=fullblock status=none
}

left_by_a_dead_host() {
	local since=$SECONDS

	scribble && mount_at "$META" "$DATA" "$A" || return
	umount "$A" && [ $((SECONDS - since)) -ge 6 ] && return
	echo "taken after $((SECONDS - since)) seconds"
	return 1
}

in_use_by_another_host() {
	local pid ret

	scribble
	while sleep 0.3; do scribble; done &
	pid=$!
	refused "in use by scoutfs on host" "$META" "$DATA"
	ret=$?
	kill $pid
	wait $pid 2>/dev/null
	return $ret
}

# The owner block with any magic but ours is a block that is free.
release() {
	dd if=/dev/zero of="$META" bs=4096 seek=32 count=1 conv=notrunc,fsync \
		oflag=direct status=none
}

killed_while_watching() {
	scribble
	timeout -s KILL 2 mount -i -t scoutfs -o "metadev_path=$META" \
		"$DATA" "$A"
	[ $? = 137 ] && ! mountpoint -q "$A" && release
}

lose() {
	local i

	mount_at "$META" "$DATA" "$A" && echo before >"$A/before" &&
		sync "$A/before" || return
	seen=$(dmesg | wc -l)
	scribble
	for i in $(seq 150); do
		said "no longer the owner" && return
		sleep 0.2
	done
	echo "nobody noticed"
	return 1
}

nothing_written() {
	local before

	before=$(sha256sum <"$SCRATCH/meta.img"; sha256sum <"$SCRATCH/data.img")
	if dd if=/dev/zero of="$A/after" bs=4096 count=1 conv=fsync \
			status=none; then
		echo "a write succeeded"
		return 1
	fi
	umount "$A" || return
	[ "$before" = "$(sha256sum <"$SCRATCH/meta.img"
		sha256sum <"$SCRATCH/data.img")" ] && return
	echo "something was written"
	return 1
}

all_as_before() {
	release && mount_at "$META" "$DATA" "$A" || return
	[ "$(cat "$A/before")" = before ] && [ ! -e "$A/after" ] || return
	umount "$A" && "$BUILD/scoutfs" check "$META" "$DATA"
}

# Whoever comes while the last user leaves, or the first one comes.
at_once() {
	local i pids=()

	for i in $(seq 6); do
		{ mount_at "$META" "$DATA" "$A" && umount "$A"; } &
		pids+=($!)
		{ mount_at "$META" "$DATA" "$B" && umount "$B"; } &
		pids+=($!)
		for pid in "${pids[@]}"; do
			wait "$pid" || return
		done
		pids=()
	done
}

prepare || { echo "Bail out! cannot make the devices"; exit 1; }

ok "no such device" refused "there is no such metadata device" \
	"$SCRATCH/none" "$DATA"
ok "a file" refused "not a block device" "$SCRATCH/meta.img" "$DATA"
ok "the same device twice" refused "are the same device" "$META" "$META"
ok "swapped" refused "devices are swapped" "$DATA" "$META"
ok "two metadata devices" refused "are both metadata devices" "$META" "$META2"
ok "two data devices" refused "are both data devices" "$DATA2" "$DATA"
ok "two volumes" refused "belong to different volumes" "$META" "$DATA2"
ok "no volume" refused "holds no scoutfs volume" "$EMPTY" "$DATA"
ok "too small for any" refused "too small" "$SMALL" "$DATA"
ok "smaller than its volume" cut
ok "read-only" readonly_device
ok "a damaged identity" damaged

ok "a volume" mount_at "$META" "$DATA" "$A"
ok "mounted twice" mount_at "$META" "$DATA" "$B"
ok "its data device with another one" refused "in use with another" \
	"$META2" "$DATA" "$B"
ok "its metadata device with another one" refused "in use with another" \
	"$META" "$DATA2" "$B"
ok "its devices in other roles" refused "in use in other roles" "$DATA" \
	"$META" "$B"
ok "the same disks by other nodes" other_nodes
ok "unmounted" umount "$B" "$A"
ok "mounts that come and go at once" at_once

ok "a host that died is given time" left_by_a_dead_host
ok "a host that lives keeps it" in_use_by_another_host
ok "who is killed does not wait" killed_while_watching
ok "a volume that is lost is noticed" lose
ok "no mount joins it" refused "another host took this volume" "$META" \
	"$DATA" "$B"
ok "nothing is written to it" nothing_written
ok "what was published is there" all_as_before

losetup -D
tap_done
