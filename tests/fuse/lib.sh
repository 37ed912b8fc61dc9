# SPDX-License-Identifier: GPL-2.0-only
#
# Fixture of the tests of the daemon: sourced, not run.
#
# A test has one volume on two image files in $SCRATCH, mounted at $MNT.  The
# environment gives BUILD (where the programs are) and may give SCRATCH.
# Every wait has an end; whatever is left at the end is removed.

set -u
export LC_ALL=C
BUILD=${BUILD:-build}
BUILD=$(cd "$BUILD" && pwd) || exit 1
own_scratch=
[ -n "${SCRATCH:-}" ] || own_scratch=1
SCRATCH=${SCRATCH:-$(mktemp -d)}
SCRATCH=$(cd "$SCRATCH" && pwd -P) || exit 1
META=$SCRATCH/meta.img
DATA=$SCRATCH/data.img
MNT=$SCRATCH/mnt
OPS=$BUILD/tests/fuse/ops
LIMIT=${LIMIT:-60}
tap_nr=0
tap_bad=0

# the daemon's log, shown when something fails
export SCOUTFS_LOG=$SCRATCH/daemon.log
# what race reports of a build with ThreadSanitizer begin with
RACES=$SCRATCH/race
export TSAN_OPTIONS="${TSAN_OPTIONS:-} log_path=$RACES history_size=5"

mkdir -p "$MNT"

# ---- TAP

# One line for a command's success.  External commands have a time limit.
ok() { # name, command...
	local name=$1 status
	shift
	tap_nr=$((tap_nr + 1))
	if [ "$(type -t "$1")" = file ]; then
		timeout -k 5 "$LIMIT" "$@" >"$SCRATCH/log" 2>&1 </dev/null
	else
		"$@" >"$SCRATCH/log" 2>&1 </dev/null
	fi
	status=$?
	if [ "$status" = 0 ]; then
		echo "ok $tap_nr - $name"
		return 0
	fi
	echo "not ok $tap_nr - $name"
	tap_bad=1
	echo "# status $status of: $*"
	head -n 20 "$SCRATCH/log" | sed 's/^/# /'
	tail -n 5 "$SCOUTFS_LOG" 2>/dev/null | sed 's/^/# log: /'
	return 1
}

is() { # name, value, has to be
	ok "$1" test "$2" = "$3" && return
	printf '# is: %s\n# has to be: %s\n' "$2" "$3"
}

# A command fails, and what it says contains a text.
refused() { # name, text, command...
	ok "$1" refused_check "${@:2}"
}

refused_check() { # text, command...
	local text=$1 out
	shift
	if out=$(timeout -k 5 "$LIMIT" "$@" 2>&1 </dev/null); then
		echo "succeeded: $*"
		return 1
	fi
	printf '%s\n' "$out"
	[ "$(printf '%s\n' "$out" | wc -l)" = 1 ] || return 1
	[[ $out == *"$text"* ]]
}

skip() { # name, reason
	tap_nr=$((tap_nr + 1))
	echo "ok $tap_nr - $1 # SKIP $2"
}

tap_done() {
	local file

	for file in "$RACES".*; do
		[ -e "$file" ] || continue
		tap_nr=$((tap_nr + 1))
		tap_bad=1
		echo "not ok $tap_nr - data races"
		head -n 60 "$file" | sed 's/^/# /'
	done
	echo "1..$tap_nr"
	exit "$tap_bad"
}

# ---- the volume

images() { # megabytes
	rm -f "$META" "$DATA"
	truncate -s "${1:-256}M" "$META" "$DATA"
}

format() { # megabytes
	images "${1:-256}"
	timeout -k 5 "$LIMIT" "$BUILD/mkfs.scoutfs" -f "$META" "$DATA" \
		>"$SCRATCH/mkfs.log" 2>&1 </dev/null && return
	cat "$SCRATCH/mkfs.log"
	return 1
}

mount_volume() { # options
	timeout -k 5 "$LIMIT" "$BUILD/mount.scoutfs" "$DATA" "$MNT" \
		-o "metadev_path=$META${1:+,$1}" </dev/null
}

unmount() {
	timeout -k 5 "$LIMIT" umount "$MNT" && wait_daemon
}

remount() {
	unmount && mount_volume "$@"
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

# The daemon's devices lose what was not flushed, see host/powercut.c; it must
# have been mounted with SCOUTFS_POWERCUT in the environment.
power_cut() {
	local pid

	pid=$(daemon_pid) || return 1
	kill -USR2 "$pid" && wait_daemon
}

check_volume() {
	timeout -k 5 "$LIMIT" "$BUILD/scoutfs" check "$META" "$DATA" </dev/null
}

# ---- cleaning up

cleanup() {
	local pid i

	cd /
	for i in $(seq 100); do
		timeout 10 umount -l "$MNT" 2>/dev/null || break
	done
	pid=$(daemon_pid) && {
		# it may still be publishing what was just unmounted
		for i in $(seq 20); do
			[ -n "$(daemon_pid)" ] || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null
	}
	if [ -n "$own_scratch" ]; then
		rm -rf --one-file-system "$SCRATCH"
	else
		rm -f "$META" "$DATA"
	fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
