#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The rig itself: two machines that share a disk, a power cut, and that a kernel
# which complains is noticed.

set -u
cd "$(dirname "$0")/../.." || exit 1
export KERNEL=${KERNEL:-6.1}
. tests/vm/lib.sh
nr=0
bad=0

if ! why=$("$VM" --check --kernel "$KERNEL"); then
	echo "1..0 # SKIP $why"
	exit
fi
trap stop_all EXIT

ok() { # name, command...
	local name=$1

	shift
	nr=$((nr + 1))
	if "$@" >"$SCRATCH/log" 2>&1 </dev/null; then
		echo "ok $nr - $name"
		return
	fi
	bad=1
	echo "not ok $nr - $name"
	tail -n 20 "$SCRATCH/log" | sed 's/^/# /'
}

# $1 writes, $2 reads; neither through its cache.
passes_on() { # writer, reader
	vm_run "$1" sh -c "printf 'from %s %510s' $1 | dd bs=512 count=1 \
		oflag=direct of=/dev/vda" &&
		vm_run "$2" dd bs=512 count=1 iflag=direct if=/dev/vda |
		grep -q "from $1"
}

status_and_output() {
	local out

	out=$(vm_run 1 sh -c 'echo out; echo err >/dev/stderr; exit 7' \
		2>"$SCRATCH/err")
	[ $? = 7 ] && [ "$out" = out ] && [ "$(cat "$SCRATCH/err")" = err ]
}

# Two commands in one machine at the same time: each waits for the other.
at_once() {
	timeout 60 "$VM" --in "$SCRATCH/vm1" -- \
		sh -c 'until [ -e /run/two ]; do sleep 0.1; done; : >/run/one' &
	timeout 60 "$VM" --in "$SCRATCH/vm1" -- \
		sh -c ': >/run/two; until [ -e /run/one ]; do sleep 0.1; done'
	wait $!
}

# A client that gives up takes its command with it.
gives_up() {
	timeout 3 "$VM" --in "$SCRATCH/vm1" -- sh -c 'exec sleep 987'
	timeout 60 "$VM" --in "$SCRATCH/vm1" -- \
		sh -c 'while pgrep -f "sleep 98[7]"; do sleep 0.1; done'
}

# The machine ends with a complaint, and so does the one that runs it.
complains() {
	"$VM" --kernel "$KERNEL" --no-module --log "$SCRATCH/oops" -- \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
	[ $? = 125 ]
}

DISK=$SCRATCH/disk.img
truncate -s 16M "$DISK"
start_vm 1 --no-module --memory 512 --disk "$DISK" >"$SCRATCH/one" 2>&1
ok "a machine comes up" test $? = 0
start_vm 2 --no-module --memory 512 --disk "$DISK" >"$SCRATCH/two" 2>&1
ok "another comes up" test $? = 0
ok "status and output of a command" status_and_output
ok "what one writes the other reads" passes_on 1 2
ok "and back" passes_on 2 1
ok "two commands at once" at_once
ok "a command whose client has gone ends" gives_up
kill_vm 2 >"$SCRATCH/kill" 2>&1
ok "power is cut" test $? = 0
ok "the other goes on" passes_on 1 1
stop_vm 1 >"$SCRATCH/stop" 2>&1
ok "a machine ends" test $? = 0
ok "an oops is a failure" complains
echo "1..$nr"
exit $bad
