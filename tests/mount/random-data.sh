#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations on contents against a model in memory (randfile.c): several
# files at once, in several ways, then again after the caches were dropped, the
# volume was mounted again, and the power was cut.
#
# Each run has new seeds, unless SEED gives the first.

. "$(dirname "$0")/lib.sh"

seed=${SEED:-$((RANDOM * 32768 + RANDOM + 1))}
count=$(scaled 4000 300)
echo "# SEED=$seed"

msync=msync
! can mmap_holes || msync=

ways_of() { # file
	case $1 in
	plain) ;;
	direct) echo direct ;;
	mmap) echo mmap $msync ;;
	all|small) echo mmap direct $msync ;;
	esac
}
size_of() { # file
	case $1 in
	small) echo 20k ;;
	*) echo 2m ;;
	esac
}
files="plain direct"
if can shared_mmap; then
	files="$files mmap all small"
else
	skip "mappings" "$why"
fi

# All files at once; what each said if it failed.
round() {
	local file pids= pid status=0

	seed=$((seed + 1))
	for file in $files; do
		# shellcheck disable=SC2046
		timeout -k 5 $((LIMIT * 2)) "$T/randfile" "$MNT/$file" \
			"$SCRATCH/$file.model" "$seed" "$count" \
			"$(size_of "$file")" $(ways_of "$file") \
			>"$SCRATCH/$file.out" 2>&1 </dev/null &
		pids="$pids $!"
	done
	set -- $files
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
ok "mount" mount_volume commit_interval_ms=300 || tap_done
ok "new files" round
rounds_after
tap_done
