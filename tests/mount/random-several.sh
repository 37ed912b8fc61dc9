#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations, each on a random one of several mounts, against a model:
# names against another filesystem (randname.c), contents against memory
# (randfile.c).  Each run has new seeds, unless SEED gives the first.

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "several mounts" "not root"
	tap_done
fi
seed=${SEED:-$((RANDOM * 32768 + RANDOM + 1))}
echo "# SEED=$seed"
MODEL=$SCRATCH/model
mkdir -p "$MODEL"
mapped=mapread
! can stores || mapped=mmap
late=
can exact_end || late=late_end

names() {
	seed=$((seed + 1))
	timeout -k 5 $((LIMIT * 2)) "$T/randname" "$(on_all names)" "$MODEL" \
		"$seed" "$(scaled 4000 300)"
}

# Several files at once.
contents() {
	local pids= pid status=0 way

	seed=$((seed + 1))
	for way in plain "$mapped" direct; do
		timeout -k 5 $((LIMIT * 2)) "$T/randfile" \
			"$(on_all "$way")" "$SCRATCH/$way.model" "$seed" \
			"$(scaled 1500 150)" 1m "$way" $late \
			>"$SCRATCH/$way.out" 2>&1 </dev/null &
		pids="$pids $!"
	done
	set -- plain "$mapped" direct
	for pid in $pids; do
		wait "$pid" || {
			status=$?
			echo "$1, seed $seed, status $status:"
			tail -n 45 "$SCRATCH/$1.out"
		}
		shift
	done
	return "$status"
}

ok "format" format 256
for nr in 2 3 5; do
	ok "$nr mounts" mount_several "$nr" commit_interval_ms=300 || tap_done
	mkdir -p "$MNT/names"
	ok "names on $nr mounts" names
	ok "contents on $nr mounts" contents
	ok "unmount" unmount_several
done
ok "check finds nothing" check_volume
tap_done
