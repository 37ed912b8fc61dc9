#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Mounting and unmounting: the helper, options, wrong devices, signals, the
# status directory.

. "$(dirname "$0")/lib.sh"

helper=$BUILD/mount.scoutfs

# ---- options, before any device is looked at
bad_option() { # options, text
	refused "option $1" "$2" "$helper" "$DATA" "$MNT" -o "$1"
}
bad_option rw "metadev_path is missing"
for o in data_prealloc_blocks:0:4503599627370496 \
	data_prealloc_contig_only:-1:2 ino_alloc_per_lock:0:1025 \
	lock_idle_count:31:100001 log_merge_wait_timeout_ms:99:60001 \
	orphan_scan_delay_ms:99:60001 quorum_heartbeat_timeout_ms:1999:60001 \
	tcp_keepalive_timeout_ms:3000:2147483648 quorum_slot_nr:-1:15 \
	commit_interval_ms:99:60001; do
	IFS=: read -r name low high <<<"$o"
	bad_option "$name=$low" "$name is \"$low\", but must be"
	bad_option "$name=$high" "$name is \"$high\", but must be"
done
bad_option commit_interval_ms= "commit_interval_ms is \"\""
bad_option commit_interval_ms=1e3 "commit_interval_ms is \"1e3\""
bad_option commit_interval_ms "commit_interval_ms needs a value"
bad_option acl=1 "acl takes no value"
bad_option nonsense "unknown mount option \"nonsense\""
bad_option nonsense=5 "unknown mount option \"nonsense=5\""
bad_option quorum_slot_nr=1,quorum_slot_nr=1 "given twice"
bad_option orphan_scan_delay_ms=500,orphan_scan_delay_ms=500 "given twice"
ok "a fake mount only looks at options" "$helper" -f "$DATA" "$MNT" \
	-o "metadev_path=$META,noacl,commit_interval_ms=100"
ok "which may be ignored when unknown" "$helper" -s -f "$DATA" "$MNT" \
	-o "metadev_path=$META,nonsense"
refused "usage" "usage" sh -c "$helper 2>&1 | head -n 1; exit 1"
status_of() {
	"$@" >/dev/null 2>&1 </dev/null
	echo $?
}
is "status of wrong usage" "$(status_of "$helper")" 1
is "status of a failed mount" \
	"$(status_of "$helper" "$DATA" "$MNT" -o nonsense)" 32

# ---- devices
device() { # text, metadata, data
	refused "device: $1" "$1" "$helper" "$3" "$MNT" -o "metadev_path=$2"
}
device "no such metadata device" "$SCRATCH/none" "$DATA"
images 64
device "no such data device" "$META" "$SCRATCH/none"
device "not a block device or a regular file" /dev/null "$DATA"
device "not a block device or a regular file" "$META" "$SCRATCH"
device "the same device" "$META" "$META"
ln -s "$META" "$SCRATCH/alias"
device "the same device" "$META" "$SCRATCH/alias"
device "holds no scoutfs volume" "$META" "$DATA"
if command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -qF "$META" 2>/dev/null
	device "ext4" "$META" "$DATA"
fi
truncate -s 1M "$SCRATCH/small"
device "too small" "$SCRATCH/small" "$DATA"
ok "format" format
device "swapped" "$DATA" "$META"
cp --sparse=always "$META" "$SCRATCH/meta2"
cp --sparse=always "$DATA" "$SCRATCH/data2"
device "both metadata devices" "$META" "$SCRATCH/meta2"
device "both data devices" "$SCRATCH/data2" "$DATA"
cp --sparse=always "$META" "$SCRATCH/old"
ok "format again" format
device "different volumes" "$SCRATCH/old" "$DATA"
truncate -s 128M "$SCRATCH/meta2" && cp --sparse=always "$DATA" "$SCRATCH/cut"
truncate -s 100M "$SCRATCH/cut"
device "too small" "$META" "$SCRATCH/cut"
cp --sparse=always "$META" "$SCRATCH/damaged"
# the identity block is at 64 KiB
printf '\377' | dd of="$SCRATCH/damaged" bs=1 seek=$((65536 + 40)) \
	conv=notrunc 2>/dev/null
device "damaged" "$SCRATCH/damaged" "$DATA"
refused "mount point is missing" "No such file" "$helper" "$DATA" \
	"$SCRATCH/nowhere" -o "metadev_path=$META"
refused "mount point is a file" "not a directory" "$helper" "$DATA" \
	"$SCRATCH/small" -o "metadev_path=$META"

# ---- a mount and what it shows
ok "mount" mount_volume data_prealloc_blocks=77,noacl || tap_done
run=/run/scoutfs
[ "$(id -u)" = 0 ] || run=$XDG_RUNTIME_DIR/scoutfs
status=
for s in "$run"/f.*.r.*; do
	[ "$(cat "$s/mount_options/metadev_path" 2>/dev/null)" = "$META" ] &&
		status=$s
done
ok "there is a status directory" test -d "$status"
ok "named after fsid and rid" test "$(basename "$status")" = \
	"f.$(cut -c 1-6 "$status/fsid").r.$(cut -c 1-6 "$status/rid")"
is "fsid is 16 digits" "$(tr -d '[0-9a-f\n]' <"$status/fsid" |
	wc -c) $(wc -c <"$status/fsid")" "0 17"
is "interface version" "$(cat "$status/format_version")" 2
is "options as given" "$(cat "$status/mount_options/data_prealloc_blocks"
	)$(cat "$status/mount_options/acl")" 770
is "options without a newline" \
	"$(wc -c <"$status/mount_options/data_prealloc_blocks")" 2
ok "a kind that programs look for" \
	grep -q " $MNT fuse.scoutfs " /proc/mounts
refused "one mount at a time" "mounted on $MNT already" \
	"$helper" "$DATA" "$MNT" -o "metadev_path=$META"
refused "mkfs refuses" "in use" sh -c \
	"$BUILD/mkfs.scoutfs -f $META $DATA 2>&1 | head -n 1; exit 1"
ok "unmount" unmount
ok "the status directory is gone" test ! -e "$status"

# ---- again and again, at once
again() {
	local i

	for i in $(seq 10); do
		mount_volume && touch "$MNT/t$i" && umount "$MNT" || return 1
	done
}
ok "unmount and mount at once, ten times" again
ok "the last one ends" wait_daemon

# ---- signals
ok "mount" mount_volume
touch "$MNT/file"
ok "SIGTERM" kill -TERM "$(daemon_pid)"
ok "ends the daemon" wait_daemon
ok "and the mount" sh -c "! grep -q ' $MNT ' /proc/mounts"
ok "mount after it" mount_volume
ok "with everything" test -e "$MNT/file"
sleep 30 <"$MNT" &
sleeper=$!
ok "SIGTERM while in use" kill -TERM "$(daemon_pid)"
ok "ends the daemon nevertheless" wait_daemon
ok "and the mount nevertheless" sh -c "! grep -q ' $MNT ' /proc/mounts"
kill "$sleeper"
wait "$sleeper" 2>/dev/null

# ---- in the foreground
"$BUILD/scoutfs-fuse" --foreground "$META" "$DATA" "$MNT" \
	>"$SCRATCH/foreground.log" 2>&1 &
daemon=$!
for i in $(seq 100); do
	grep -q " $MNT " /proc/mounts && break
	sleep 0.1
done
ok "foreground" test -e "$MNT/file"
ok "SIGINT" kill -INT "$daemon"
wait "$daemon"
is "ends it with success" "$?" 0
ok "help" "$BUILD/scoutfs-fuse" --help
ok "version" "$BUILD/scoutfs-fuse" --version

# ---- mount(8)
links=
link_helper() { # name
	[ "$(id -u)" = 0 ] && [ ! -e "$1" ] && [ -w "${1%/*}" ] || return
	ln -s "$helper" "$1" && links="$links $1"
}
link_helper /sbin/mount.scoutfs
link_helper /sbin/mount.fuse.scoutfs
trap 'rm -f $links; cleanup' EXIT
if [ "$(readlink /sbin/mount.scoutfs)" = "$helper" ]; then
	ok "mount -t scoutfs" mount -t scoutfs \
		-o "metadev_path=$META,nosuid,ro" "$DATA" "$MNT"
	ok "the file is there" test -e "$MNT/file"
	ok "mount(8)'s options arrive" \
		grep -q " $MNT fuse.scoutfs ro,nosuid" /proc/mounts
	refused "read-only" "Read-only" touch "$MNT/new"
	ok "mount -o remount,rw" mount -o remount,rw "$MNT"
	ok "not read-only" touch "$MNT/new"
	ok "unmount" unmount
else
	skip "mount -t scoutfs" "no link can be made in /sbin"
fi

# ---- block devices
loops=
if [ "$(id -u)" = 0 ] && loop_a=$(losetup -f --show "$META" 2>/dev/null) &&
   loop_b=$(losetup -f --show "$DATA" 2>/dev/null); then
	loops="$loop_a $loop_b"
	trap 'rm -f $links; cleanup; losetup -d $loops' EXIT
	ok "mount of block devices" "$helper" "$loop_b" "$MNT" \
		-o "metadev_path=$loop_a"
	ok "the file is there" test -e "$MNT/file"
	ok "device numbers are shown" sh -c \
		"cat $run/f.*/data_device_maj_min | grep -qx 7:${loop_b##*loop}"
	ok "unmount" umount "$MNT"
	ok "the devices are released" wait_daemon "$loop_a"
else
	skip "block devices" "no loop devices"
fi

tap_done
