#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The helper and the daemon: options, mount points, signals, the status directory.
# (What every host says of wrong options and devices: tests/mount/refusals.sh.)

. "$(dirname "$0")/lib.sh"

helper=$BUILD/mount.scoutfs

# ---- options, before any device is looked at
bad_option() { # options, text
	refused "option $1" "$2" "$helper" "$DATA" "$MNT" -o "$1"
}
bad_option rw "metadev_path is missing"
bad_option commit_interval_ms "commit_interval_ms needs a value"
bad_option acl=1 "acl takes no value"
bad_option nonsense "unknown mount option \"nonsense\""
bad_option nonsense=5 "unknown mount option \"nonsense=5\""
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
device "not a block device or a regular file" /dev/null "$DATA"
images 64
device "not a block device or a regular file" "$META" "$SCRATCH"
ln -s "$META" "$SCRATCH/alias"
device "the same device" "$META" "$SCRATCH/alias"
truncate -s 1M "$SCRATCH/small"
ok "format" format
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
refused "once on a directory" "mounted on $MNT already" \
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
