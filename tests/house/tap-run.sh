#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The runner of tests sees every way in which a test program can fail.

set -u
run=$SRC/scripts/tap-run
nr=0
bad=0

check() { # name, expected "passed failed skipped", expected words, program
	local got out

	nr=$((nr + 1))
	rm -f "$SCRATCH/results"
	out=$(printf 'x\t2\t%s\n' "$4" | "$run" -l "$SCRATCH/logs" \
		-s "$SCRATCH/s" -r "$SCRATCH/results" g 2>&1)
	got=$(cat "$SCRATCH/results")
	if [ "$got" = "$2" ] && [[ $out == *"$3"* ]]; then
		echo "ok $nr - $1"
		return
	fi
	sed 's/^/# /' <<<"$out"
	echo "# wanted $2 and '$3', got $got"
	echo "not ok $nr - $1"
	bad=1
}

check "passing tests" "2 0 0" "2 passed" 'echo 1..2; echo ok 1; echo ok 2 - b'
check "a failed test" "1 1 0" "not ok: name" \
	'echo 1..2; echo ok 1; echo "not ok 2 - name"; exit 1'
check "a failed test with status 0" "0 1 0" "not ok: name" \
	'echo 1..1; echo "not ok 1 - name"'
check "a skipped test" "1 0 1" "skipped: no disk" \
	'echo 1..2; echo ok 1; echo "ok 2 - b # SKIP no disk"'
check "a skipped program" "0 0 1" "skipped: no fuse" 'echo "1..0 # SKIP no fuse"'
check "a plan that is not kept" "1 1 0" "1 of 2 planned" 'echo 1..2; echo ok 1'
check "no plan" "1 1 0" "no plan" 'echo ok 1'
check "a status without a failed test" "1 1 0" "exit status 3" \
	'echo 1..1; echo ok 1; exit 3'
check "a signal" "1 1 0" "killed by SIGSEGV" \
	'echo 1..1; echo ok 1; kill -SEGV $$'
check "a time limit" "0 1 0" "time limit" 'echo 1..1; sleep 30; echo ok 1'
check "giving up" "1 1 0" "Bail out! no" 'echo 1..1; echo ok 1; echo "Bail out! no"'
check "output at the failure" "0 1 0" "the reason" \
	'echo 1..1; echo the reason; echo not ok 1'
check "a process that stays behind" "1 1 0" "left running" \
	"echo 1..1; echo ok 1; setsid sleep 30 & echo \$! >$SCRATCH/pid"
nr=$((nr + 1))
if kill -0 "$(cat "$SCRATCH/pid")" 2>/dev/null; then
	echo "not ok $nr - what stays behind is removed"
	bad=1
else
	echo "ok $nr - what stays behind is removed"
fi
echo "1..$nr"
exit $bad
