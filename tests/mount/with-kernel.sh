# SPDX-License-Identifier: GPL-2.0-only
#
# lib.sh with the module: loop devices over image files in $SCRATCH, which is
# in memory in the machines of scripts/vm.  The module is loaded and loop
# devices are free for us.  Sourced, not run.
#
# Power is cut with device mapper: from one moment on nothing reaches the
# devices any more and every access fails.  What had been written before that
# stays, whether flushed or not: lost and torn writes are another test's.

META=
DATA=
# where the status directories are
STATUS=/sys/fs/scoutfs
# where the mount finds them while power can be cut
DOOMED=sfs-$$
doomed_mount=
cut_pid=

if [ "$(id -u)" != 0 ]; then
	echo "Bail out! the module's fixture needs root"
	exit 1
fi
if ! grep -qw scoutfs /proc/filesystems; then
	echo "Bail out! the module is not loaded"
	exit 1
fi
modprobe -q loop
# Whatever comes after this in the kernel's log is ours.
log_begin="sfs-test $$ $RANDOM"
echo "$log_begin" >/dev/kmsg

# Devices of device_of(), one a line.
LOOPS=$SCRATCH/loops

drop_images() {
	local dev

	while read -r dev; do
		losetup -d "$dev" 2>/dev/null
	done 2>/dev/null <"$LOOPS"
	rm -f "$LOOPS"
	[ -z "$META" ] || losetup -d "$META" 2>/dev/null
	[ -z "$DATA" ] || losetup -d "$DATA" 2>/dev/null
	META=
	DATA=
	rm -f "$SCRATCH/meta.img" "$SCRATCH/data.img"
}

images() { # megabytes
	drop_images
	truncate -s "${1:-256}M" "$SCRATCH/meta.img" "$SCRATCH/data.img" &&
		META=$(losetup -f --show "$SCRATCH/meta.img") &&
		DATA=$(losetup -f --show "$SCRATCH/data.img")
}

# The same volume once more, with a superblock of its own.
mount_elsewhere() { # directory, options
	limited mount -i -t scoutfs -o "metadev_path=$META,separate${2:+,$2}" \
		"$DATA" "$1" </dev/null
}

# Tasks that wait, in the kernel's log.
host_stacks() {
	echo w >/proc/sysrq-trigger
	dmesg | tail -n 400
}

# The same superblock once more.
mount_shared() { # directory, options
	limited mount -i -t scoutfs -o "metadev_path=$META${2:+,$2}" \
		"$DATA" "$1" </dev/null
}

# REVOKE=N: a cluster lock is given up after each Nth use, of those that were the
# last one at their time, or kept for reading alone.  Triggers are the volume's.
arm_revokes() {
	local dir=/sys/kernel/debug/scoutfs trigger

	[ -n "${REVOKE:-}" ] || return 0
	mountpoint -q /sys/kernel/debug ||
		mount -t debugfs none /sys/kernel/debug || return
	for trigger in "$dir"/*/trigger; do
		echo "$REVOKE" >"$trigger/REVOKE" &&
			echo $((REVOKE + 1)) >"$trigger/DOWNGRADE" || return
	done
}

# -i: not through the helper, which is for FUSE.
mount_devices() { # metadata, data, options
	limited mount -i -t scoutfs \
		-o "metadev_path=$1${3:+,$3}" "$2" "$MNT" </dev/null &&
		arm_revokes
}

mount_volume() { # options
	mount_devices "$META" "$DATA" "$@"
}

# Without a process that has anything open there: those that were killed may
# take a moment.
unmount() {
	local i

	for i in $(seq 50); do
		limited umount "$MNT" 2>"$SCRATCH/umount" &&
			return
		grep -q busy "$SCRATCH/umount" || break
		sleep 0.1
	done
	cat "$SCRATCH/umount"
	return 1
}

# ---- power cuts

mount_doomed() { # seed, after how many writes
	local dev

	doomed_mount=1
	for dev in META DATA; do
		dmsetup create "$DOOMED-$dev" --table \
			"0 $(blockdev --getsz "${!dev}") linear ${!dev} 0" ||
			return
	done
	# where no udev does it
	dmsetup mknodes
	mount_devices "/dev/mapper/$DOOMED-META" "/dev/mapper/$DOOMED-DATA" ||
		return
	[ -n "${2:-}" ] || return 0
	# Writes are not counted; about 200 a second are made.
	( sleep "$(($2 / 200)).$(($2 % 200 / 20))"; power_off ) &
	cut_pid=$!
}

# Both devices stop before either fails, so that it is one moment.
power_off() {
	local dev

	for dev in META DATA; do
		dmsetup suspend --nolockfs --noflush "$DOOMED-$dev" || return
	done
	for dev in META DATA; do
		dmsetup load "$DOOMED-$dev" --table \
			"0 $(blockdev --getsz "${!dev}") error" &&
			dmsetup resume "$DOOMED-$dev" || return
	done
}

power_cut() { # processes that have files open
	power_off && kill_all "$@" && wait_dead
}

wait_dead() {
	local dev

	if [ -n "$cut_pid" ]; then
		wait "$cut_pid" || return
		cut_pid=
	fi
	unmount || return
	for dev in META DATA; do
		dmsetup remove --retry "$DOOMED-$dev" || return
	done
	doomed_mount=
}

# ----

device_of() { # file
	losetup -f --show "$1" | tee -a "$LOOPS"
}

refused_mount() { # text, metadata, data, options
	local before

	before=$(host_log | wc -l)
	if limited mount -i -t scoutfs \
		-o "${2:+metadev_path=$2}${4:+${2:+,}$4}" "$3" "$MNT"; then
		echo "succeeded"
		return 1
	fi
	host_log | tail -n +$((before + 1)) | tee "$SCRATCH/said"
	grep -qF -- "$1" "$SCRATCH/said"
}

host_log() {
	dmesg | sed "1,/$log_begin/d"
}

can() { # feature
	case $1 in
	power_cut)
		command -v dmsetup >/dev/null && modprobe -q dm-mod && return
		why="no device mapper to cut the power with" ;;
	shared_mmap|stores|exact_end|mmap_*|btime|fiemap|syncfs|remount_options|several_mounts)
		return 0 ;;
	esac
	return 1
}

fixture_last_words() {
	:
}

fixture_cleanup() {
	local i dir dev

	[ -z "$cut_pid" ] || wait "$cut_pid"
	for dir in "$MNT" "$SCRATCH/other" "$SCRATCH"/mnt[0-9]*; do
		for i in $(seq 100); do
			timeout 10 umount "$dir" 2>/dev/null ||
				timeout 10 umount -l "$dir" 2>/dev/null || break
		done
	done
	if [ -n "$doomed_mount" ]; then
		for dev in META DATA; do
			dmsetup remove --retry "$DOOMED-$dev" 2>/dev/null
		done
	fi
	drop_images
}
