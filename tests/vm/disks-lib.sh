# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Fixture of the tests whose disks are served by `disks`: sourced, not run.
#
# Such a test is one file with two sides.  The outer side makes the images and
# starts the machine; `inside` there runs the same file with the arguments
# "inside NAME", which call the function in_NAME of it.  In the machine $META
# and $DATA are the volume's devices and $CONTROL is the control disk (disks.c),
# all of them not cached by QEMU.
#
# FIXTURE: who serves the volume in the machine, the module (kernel, the
# default) or the daemon (fuse).  KERNEL: what the machine boots, see scripts/vm.

set -u
export LC_ALL=C
export FIXTURE=${FIXTURE:-kernel}
export KERNEL=${KERNEL:-6.1}
export BUILD=${BUILD:-build}
BUILD=$(cd "$BUILD" && pwd) || exit 1
export SRC=${SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
own_scratch=
[ -n "${SCRATCH:-}" ] || own_scratch=1
export SCRATCH=${SCRATCH:-$(mktemp -d)}
SCRATCH=$(cd "$SCRATCH" && pwd -P) || exit 1
SELF=$SRC/tests/vm/$(basename "$0")
T=$BUILD/tests/vm
MNT=$SCRATCH/mnt
# how many times as long the debug kernel may take
SLOW=1
[ "$KERNEL" != debug ] || SLOW=3
LIMIT=${LIMIT:-$((100 * SLOW))}
tap_nr=0
tap_bad=0
disks_pid=

# ---- TAP

ok() { # name, command...
	local name=$1 status
	shift
	tap_nr=$((tap_nr + 1))
	"$@" >"$SCRATCH/log" 2>&1 </dev/null
	status=$?
	if [ "$status" = 0 ]; then
		echo "ok $tap_nr - $name"
		return 0
	fi
	echo "not ok $tap_nr - $name"
	tap_bad=1
	echo "# status $status of: $*"
	head -n 40 "$SCRATCH/log" | sed 's/^/# /'
	return 1
}

tap_done() {
	echo "1..$tap_nr"
	exit "$tap_bad"
}

limited() { timeout -k 5 "$LIMIT" "$@" </dev/null; }

# ---- outside

# Two images with a volume on them, and copies of them as they were.
make_images() { # megabytes
	rm -f "$SCRATCH"/*.img
	truncate -s "${1}M" "$SCRATCH/meta.img" "$SCRATCH/data.img"
	limited "$BUILD/mkfs.scoutfs" -f "$SCRATCH/meta.img" \
		"$SCRATCH/data.img" || return
	cp --sparse=always "$SCRATCH/meta.img" "$SCRATCH/meta0.img" &&
		cp --sparse=always "$SCRATCH/data.img" "$SCRATCH/data0.img"
}

start_disks() {
	local i

	"$T/disks" "$SCRATCH/disks.sock" "$SCRATCH/disks.log" \
		"$SCRATCH/meta.img" "$SCRATCH/data.img" &
	disks_pid=$!
	for i in $(seq 100); do
		[ -S "$SCRATCH/disks.sock" ] && return
		sleep 0.05
	done
	return 1
}

stop_disks() {
	[ -n "$disks_pid" ] || return
	kill "$disks_pid" 2>/dev/null
	wait "$disks_pid" 2>/dev/null
	disks_pid=
}

# Runs in_NAME in a machine.
inside() { # seconds, name, option of scripts/vm...
	local seconds=$1 name=$2 module=() disks=() export

	shift 2
	[ "$FIXTURE" = kernel ] || module=(--no-module)
	if [ -n "$disks_pid" ]; then
		for export in 0 1 control; do
			disks+=(--disk
				"nbd+unix:///$export?socket=$SCRATCH/disks.sock")
		done
	fi
	"$SRC/scripts/vm" --kernel "$KERNEL" --timeout "$seconds" \
		"${module[@]}" "${disks[@]}" --env KERNEL --env SEED \
		"$@" -- "$SELF" inside "$name" </dev/null
}

check_images() {
	limited "$BUILD/scoutfs" check "${1:-$SCRATCH/meta.img}" \
		"${2:-$SCRATCH/data.img}"
}

# ---- inside

META=/dev/vda
DATA=/dev/vdb
CONTROL=/dev/vdc

# A command for `disks`.
tell_disks() { # words
	printf '%-511s\n' "$*" | dd of=$CONTROL bs=512 count=1 oflag=direct \
		iflag=fullblock status=none
}

# What `disks` has to say: "failed N flipped OFFSET".
ask_disks() {
	dd if=$CONTROL bs=512 count=1 iflag=direct status=none | head -n 1
}

mount_volume() { # options
	mkdir -p "$MNT"
	if [ "$FIXTURE" = kernel ]; then
		limited mount -i -t scoutfs -o "metadev_path=$META${1:+,$1}" \
			$DATA "$MNT"
	else
		limited "$BUILD/mount.scoutfs" $DATA "$MNT" \
			-o "metadev_path=$META${1:+,$1}"
	fi
}

unmount() {
	limited umount "$MNT" || return
	[ "$FIXTURE" = kernel ] || wait_daemon
}

# Until it has released the devices.
wait_daemon() {
	local i

	for i in $(seq 300); do
		[ -n "$(find /proc/[0-9]*/fd -maxdepth 1 -lname "$META" \
			-print -quit 2>/dev/null)" ] || return 0
		sleep 0.1
	done
	return 1
}

drop_caches() { echo 3 >/proc/sys/vm/drop_caches; }

# ---- both

cleanup() {
	[ "${side:-}" = inside ] && return
	stop_disks
	if [ -n "$own_scratch" ]; then
		rm -rf --one-file-system "$SCRATCH"
	fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# The last line of a test: which side this is.
two_sides() { # arguments of the script
	if [ "${1:-}" = inside ]; then
		side=inside
		mkdir -p "$SCRATCH"
		"in_$2"
	elif [ $# -gt 0 ]; then
		# what a test has commands of its own for
		side=inside
		"do_$1" "${@:2}"
	else
		outside
	fi
}
