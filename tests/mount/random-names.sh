#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations on names, compared with another filesystem (randname.c):
# three processes with trees of their own, then again after the caches were
# dropped, the volume was mounted again, and the power was cut.
#
# Each run has new seeds, unless SEED gives the first.

. "$(dirname "$0")/lib.sh"

seed=${SEED:-$((RANDOM * 32768 + RANDOM + 1))}
count=$(scaled 8000 800)
echo "# SEED=$seed"

# Some way down: a symlink may lead above the directory.
round() {
	local i pids= pid status=0

	for i in 1 2 3; do
		seed=$((seed + 1))
		mkdir -p "$MNT/$i/a/b/c" "$SCRATCH/$i/a/b/c"
		timeout -k 5 $((LIMIT * 2)) "$T/randname" "$MNT/$i/a/b/c" \
			"$SCRATCH/$i/a/b/c" "$seed" "$count" \
			>"$SCRATCH/$i.out" 2>&1 </dev/null &
		pids="$pids $!"
	done
	set -- 1 2 3
	for pid in $pids; do
		wait "$pid" || {
			status=$?
			echo "seed $((seed - 3 + $1)), status $status:"
			tail -n 32 "$SCRATCH/$1.out"
			rm -rf "$MNT/$1" "$SCRATCH/$1"
		}
		shift
	done
	return "$status"
}

ok "format" format 256
ok "mount" mount_volume commit_interval_ms=300 || tap_done
[ "$(id -u)" = 0 ] || umask 0
ok "new trees" round
rounds_after
tap_done
