# SPDX-License-Identifier: GPL-2.0-only
#
# Fixture of the tests of a mounted volume: sourced, not run.
#
# A test has one volume on two devices, mounted at $MNT.  FIXTURE says who
# serves it: "fuse", the daemon on two image files (with-fuse.sh), or "kernel",
# the module on two loop devices (with-kernel.sh), which is meant for a virtual
# machine.  A test is written once and says with skip what can not be there:
# `can FEATURE` answers that, and sets $why when it is not.
#
# The environment gives BUILD (where the programs are) and may give SCRATCH,
# an empty directory, and SCALE, the percentage of the sizes to work with; a
# machine that is emulated is slow.  Every wait has an end; whatever is left
# at the end is removed.
#
# Both fixtures have these functions:
#
#	images MB		two empty devices, $META and $DATA
#	format MB		the same with a volume on them
#	mount_volume [OPTIONS]
#	unmount			returns when the devices are released
#	remount [OPTIONS]	unmounts and mounts
#	mount_doomed SEED [N]	mounts so that power can be cut; with N that
#				happens by itself after about N writes
#	power_cut [PID]...	cuts it, kills processes that have files open,
#				and returns when nothing is in use
#	wait_dead		waits for the cut that comes by itself
#	device_of FILE		what to call an image file as a device
#	refused_mount TEXT METADATA DATA [OPTIONS]
#				mounting fails and a line says TEXT
#	check_volume		scoutfs check
#	host_log		what the host had to say
#	mount_elsewhere DIRECTORY [OPTIONS]
#				the same volume once more
#	host_stacks		what each thread of the host waits for
#	can FEATURE

set -u
export LC_ALL=C
FIXTURE=${FIXTURE:-fuse}
BUILD=${BUILD:-build}
BUILD=$(cd "$BUILD" && pwd) || exit 1
SRC=${SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
own_scratch=
[ -n "${SCRATCH:-}" ] || own_scratch=1
SCRATCH=${SCRATCH:-$(mktemp -d)}
SCRATCH=$(cd "$SCRATCH" && pwd -P) || exit 1
MNT=$SCRATCH/mnt
MNTS=("$MNT")
T=$BUILD/tests/mount
OPS=$T/ops
LIMIT=${LIMIT:-60}
SCALE=${SCALE:-100}
why=
tap_nr=0
tap_bad=0

mkdir -p "$MNT"

# Programs have a time limit.  Not in an emulated machine, where starting one
# more program takes long and the machine has a limit of its own.
limited() { # command...
	if [ "$SCALE" -lt 100 ] || [ "$(type -t "$1")" != file ]; then
		"$@"
	else
		timeout -k 5 "$LIMIT" "$@"
	fi
}

# ---- TAP

# One line for a command's success.
ok() { # name, command...
	local name=$1 status
	shift
	tap_nr=$((tap_nr + 1))
	limited "$@" >"$SCRATCH/log" 2>&1 </dev/null
	status=$?
	if [ "$status" = 0 ]; then
		echo "ok $tap_nr - $name"
		return 0
	fi
	echo "not ok $tap_nr - $name"
	tap_bad=1
	echo "# status $status of: $*"
	head -n 20 "$SCRATCH/log" | sed 's/^/# /'
	host_log | tail -n 5 | sed 's/^/# log: /'
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
	if out=$(limited "$@" 2>&1 </dev/null); then
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

# ok, if the host has what it needs.
ok_if() { # feature, name, command...
	if can "$1"; then
		ok "${@:2}"
	else
		skip "$2" "$why"
	fi
}

tap_done() {
	fixture_last_words
	echo "1..$tap_nr"
	exit "$tap_bad"
}

# ---- sizes

# A number, smaller where everything takes longer.
scaled() { # number, least
	local n=$(($1 * SCALE / 100))

	echo $((n > ${2:-1} ? n : ${2:-1}))
}

# ---- the volume

format() { # megabytes
	images "${1:-256}" || return
	limited "$BUILD/mkfs.scoutfs" -f "$META" "$DATA" \
		>"$SCRATCH/mkfs.log" 2>&1 </dev/null && return
	cat "$SCRATCH/mkfs.log"
	return 1
}

remount() { # options
	unmount && mount_volume "$@"
}

check_volume() {
	limited "$BUILD/scoutfs" check "$META" "$DATA" </dev/null
}

# Pages and inodes that are clean leave memory.
drop_caches() {
	echo 3 >/proc/sys/vm/drop_caches
}

# Repeats a command until it succeeds, for as long as a test may take.
eventually() { # command...
	local end=$((SECONDS + LIMIT))

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

kill_all() { # pid...
	local pid

	for pid; do
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
	done
	return 0
}

# One number of `scoutfs stat` or `scoutfs statfs`.
stat_more() { # field, file
	limited "$BUILD/scoutfs" stat -s "$1" "$2" </dev/null
}

# ---- several mounts of the volume

# The directory of mount number N; the first is $MNT.
mnt() { # N
	[ "$1" = 1 ] && echo "$MNT" || echo "$SCRATCH/mnt$1"
}

# Mount number N, from 2 on.
mount_nr() { # N, options
	local dir

	dir=$(mnt "$1")
	mkdir -p "$dir" && mount_elsewhere "$dir" "${@:2}"
}

# Mounts 1 to N; $MNTS has the directories.
mount_several() { # N, options
	local i

	mount_volume "${@:2}" || return
	MNTS=("$MNT")
	for ((i = 2; i <= $1; i++)); do
		mount_nr "$i" "${@:2}" || return
		MNTS+=("$(mnt "$i")")
	done
}

unmount_several() {
	local i

	for ((i = ${#MNTS[@]} - 1; i > 0; i--)); do
		limited umount "${MNTS[i]}" || return
	done
	MNTS=("$MNT")
	unmount
}

# Paths of one thing on all mounts, with colons between them.
on_all() { # name
	local dir all=

	for dir in "${MNTS[@]}"; do
		all=$all${all:+:}$dir/$1
	done
	echo "$all"
}

# Runs a program that says HANG when it hangs; then the host's stacks are shown.
watched() { # command...
	local status

	"$@" >"$SCRATCH/watched" 2>&1 </dev/null
	status=$?
	if grep -q ^HANG "$SCRATCH/watched"; then
		host_stacks >"$SCRATCH/stacks" 2>&1
		sed 's/^/# /' "$SCRATCH/watched" "$SCRATCH/stacks"
	fi
	cat "$SCRATCH/watched"
	return "$status"
}

# ---- cleaning up

cleanup() {
	cd /
	fixture_cleanup
	if [ -n "$own_scratch" ]; then
		rm -rf --one-file-system "$SCRATCH"
	fi
}

case $FIXTURE in
fuse|kernel)
	# shellcheck source=/dev/null
	. "$(dirname "${BASH_SOURCE[0]}")/with-$FIXTURE.sh"
	;;
*)
	echo "Bail out! there is no fixture called $FIXTURE"
	exit 1
	;;
esac
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# After a first `round` of a test on a mounted volume: more rounds of it, without
# caches, after another mount and after a power cut, and check.
rounds_after() {
	if [ -w /proc/sys/vm/drop_caches ]; then
		drop_caches
		ok "after the caches were dropped" round
	else
		skip "after the caches were dropped" "they can not be"
	fi
	ok "mount again" remount
	ok "after that" round
	ok "unmount" unmount
	ok "check finds nothing" check_volume
	if can power_cut; then
		ok "mount" mount_doomed 7
		ok "with devices that can fail" round
		ok "power cut" power_cut
		ok "mount after it" mount_volume
		ok "everything that was synced is there" round
		ok "unmount" unmount
		ok "check finds nothing" check_volume
	else
		skip "power cut" "$why"
	fi
}
