# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests of virtual machines share.  Sourced, not run, in the source tree.
#
# One machine that runs the test itself: a script with two sides, of which the
# inner one is the same file with the argument "inside".
#
#	one_machine SECONDS "$@"
#				outside: boots $KERNEL, runs the script there and
#				exits with its status; inside: returns
#	ok NAME COMMAND...	one test, in a subshell, with the end of the log if
#				it fails
#	tap_done		the last line
#
# Several machines that stay, for tests that run on the host and look at more
# than one of them, or cut their power.  SCRATCH is set.
#
#	start_vm N [OPTION]...	boots machine N; options of scripts/vm
#	vm_run N COMMAND...	runs it there, its output and status
#	stop_vm N		unmounts, unloads, and fails if the kernel of the
#				machine had to complain
#	kill_vm N		cuts its power
#	stop_all		cuts the power of all that are left, for a trap
#
# Disks are shared when several machines get the same --disk.  Commands in one
# machine may run at the same time, with & and wait.

export KERNEL=${KERNEL:-6.1}
export BUILD=${BUILD:-build}
VM=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/scripts/vm
vm_pids=()
nr=0
bad=0

one_machine() { # seconds, arguments of the script
	local why

	[ "${2:-}" != inside ] || return 0
	if why=$("$VM" --check --kernel "$KERNEL"); then
		exec "$VM" --kernel "$KERNEL" --timeout "$1" \
			-- "tests/vm/$(basename "$0")" inside
	fi
	echo "1..0 # SKIP $why"
	exit
}

ok() { # name, command...
	local name=$1 log

	shift
	nr=$((nr + 1))
	if log=$("$@" 2>&1 </dev/null); then
		echo "ok $nr - $name"
		return
	fi
	bad=1
	echo "not ok $nr - $name"
	printf '%s\n' "$log" | tail -n 20 | sed 's/^/# /'
	dmesg | tail -n 5 | sed 's/^/# log: /'
}

tap_done() {
	echo "1..$nr"
	exit "$bad"
}

start_vm() { # number, options
	local nr=$1 dir=$SCRATCH/vm$1 i

	shift
	mkdir -p "$dir"
	"$VM" --kernel "$KERNEL" --serve "$dir" --log "$dir/console" \
		"$@" >"$dir/out" 2>&1 </dev/null &
	vm_pids[nr]=$!
	for i in $(seq 1500); do
		[ ! -S "$dir/socket" ] || return 0
		kill -0 "${vm_pids[nr]}" 2>/dev/null || break
		sleep 0.1
	done
	cat "$dir/out"
	return 1
}

vm_run() { # number, command
	"$VM" --in "$SCRATCH/vm$1" -- "${@:2}"
}

end_vm() { # number, how
	local pid=${vm_pids[$1]} status

	"$VM" "--$2" "$SCRATCH/vm$1"
	wait "$pid"
	status=$?
	unset "vm_pids[$1]"
	[ $status = 0 ] || cat "$SCRATCH/vm$1/out"
	return $status
}

stop_vm() {
	end_vm "$1" quit
}

kill_vm() {
	end_vm "$1" cut
}

stop_all() {
	local nr

	for nr in "${!vm_pids[@]}"; do
		kill_vm "$nr" >/dev/null 2>&1
	done
}
