# SPDX-License-Identifier: GPL-2.0-only
#
# lib.sh with the daemon: image files in $SCRATCH.  Sourced, not run.

META=$SCRATCH/meta.img
DATA=$SCRATCH/data.img
# where the status directories are
STATUS=/run/scoutfs
[ "$(id -u)" = 0 ] || STATUS=${XDG_RUNTIME_DIR:-}/scoutfs

# REVOKE=N: cluster locks are given up after one of so many uses
[ -z "${REVOKE:-}" ] || export SCOUTFS_REVOKE=$REVOKE

# the daemon's log, shown when something fails
export SCOUTFS_LOG=$SCRATCH/daemon.log
# what race reports of a build with ThreadSanitizer begin with
RACES=$SCRATCH/race
export TSAN_OPTIONS="${TSAN_OPTIONS:-} log_path=$RACES history_size=5"

images() { # megabytes
	rm -f "$META" "$DATA"
	truncate -s "${1:-256}M" "$META" "$DATA"
}

mount_volume() { # options
	limited "$BUILD/mount.scoutfs" "$DATA" "$MNT" \
		-o "metadev_path=$META${1:+,$1}" </dev/null
}

mount_elsewhere() { # directory, options
	limited "$BUILD/mount.scoutfs" "$DATA" "$1" \
		-o "metadev_path=$META${2:+,$2}" </dev/null
}

# The daemon's threads; with a debugger, where they are in it.
host_stacks() {
	local pid task

	pid=$(daemon_pid) || return
	if command -v gdb >/dev/null; then
		timeout 60 gdb -batch -p "$pid" -ex "thread apply all bt 16"
	fi
	for task in /proc/"$pid"/task/*; do
		echo "$task $(cat "$task/comm" "$task/wchan" 2>/dev/null)"
		cat "$task/stack" 2>/dev/null
	done
}

unmount() {
	limited umount "$MNT" && wait_daemon
}

# The process that has our device open; a zombie has nothing open.
daemon_pid() { # metadata device, if it is another
	local fd

	fd=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "${1:-$META}" -print \
		-quit 2>/dev/null)
	[ -n "$fd" ] || return 1
	fd=${fd#/proc/}
	echo "${fd%%/*}"
}

# Until it has released the devices.
wait_daemon() { # metadata device, if it is another
	local i

	for i in $(seq 300); do
		[ -n "$(daemon_pid "$@")" ] || return 0
		sleep 0.1
	done
	echo "# the daemon does not end"
	return 1
}

kill_daemon() {
	local pid

	pid=$(daemon_pid) || return 1
	kill -KILL "$pid" && wait_daemon
}

# The daemon's devices lose what was not flushed, see host/powercut.c.
mount_doomed() { # seed, after how many writes and flushes
	SCOUTFS_POWERCUT=seed=$1${2:+,after=$2} mount_volume
}

power_cut() { # processes that have files open
	local pid

	pid=$(daemon_pid) || return 1
	kill -USR2 "$pid" && wait_daemon && kill_all "$@"
}

wait_dead() {
	wait_daemon
}

device_of() { # file
	echo "$1"
}

refused_mount() { # text, metadata, data, options
	refused_check "$1" "$BUILD/mount.scoutfs" "$3" "$MNT" \
		-o "${2:+metadev_path=$2}${4:+${2:+,}$4}"
}

host_log() {
	cat "$SCOUTFS_LOG" 2>/dev/null
}

# Or later.
kernel_is() { # major, minor
	local major minor

	IFS=.- read -r major minor _ <<<"$(uname -r)"
	[ "$major" -gt "$1" ] || [ "$major" = "$1" -a "$minor" -ge "$2" ]
}

can() { # feature
	case $1 in
	power_cut)
		return 0 ;;
	shared_mmap|btime)
		kernel_is 6 6 && return
		why="FUSE of this kernel has no $1" ;;
	remount_options)
		why="a remount of FUSE does not reach the server" ;;
	mmap_behind)
		why="the kernel does not clear FUSE's pages behind the end" ;;
	mmap_room)
		why="a FUSE server learns of stores when pages are written" ;;
	mmap_times)
		why="a page of a mapping is one more write for a FUSE server" ;;
	mmap_holes)
		why="a FUSE server does not know what was stored in a mapping" ;;
	mmap_between)
		why="mappings are coherent within one FUSE mount only" ;;
	fiemap)
		why="the kernel answers FIEMAP of FUSE without asking us" ;;
	syncfs)
		why="sync and syncfs do not reach a FUSE server" ;;
	stores)
		why="a FUSE server learns of stores when pages are written" ;;
	exact_end)
		why="the kernel may believe in the old end of a file" ;;
	several_mounts)
		return 0 ;;
	esac
	return 1
}

fixture_last_words() {
	local file

	for file in "$RACES".*; do
		[ -e "$file" ] || continue
		tap_nr=$((tap_nr + 1))
		tap_bad=1
		echo "not ok $tap_nr - data races"
		head -n 60 "$file" | sed 's/^/# /'
	done
}

fixture_cleanup() {
	local pid dir i

	for dir in "$MNT" ${MNT2:+"$MNT2"} "$SCRATCH/other" "$SCRATCH"/mnt[0-9]*; do
		for i in $(seq 100); do
			timeout 10 umount -l "$dir" 2>/dev/null || break
		done
	done
	pid=$(daemon_pid) && {
		# it may still be publishing what was just unmounted
		for i in $(seq 20); do
			[ -n "$(daemon_pid)" ] || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null
	}
	[ -n "$own_scratch" ] || rm -f "$META" "$DATA"
}
