#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What was synced survives the end of the power: cut on command, and in the
# middle of whatever is going on.

. "$(dirname "$0")/lib.sh"

if ! can power_cut; then
	skip "power cuts" "$why"
	tap_done
fi

ok "format" format
for seed in $(seq "$(scaled 3)"); do
	ok "mount, seed $seed" mount_doomed "$seed" || tap_done
	mkdir "$MNT/p$seed"
	"$OPS" fill "$MNT/p$seed/file" 2m "$seed"
	ok "fsync, seed $seed" "$OPS" fsync "$MNT/p$seed/file"
	for i in 1 2 3 4 5; do
		"$OPS" fill "$MNT/p$seed/more$i" 300k 9
	done
	ok "power cut, seed $seed" power_cut
	ok "mount after it, seed $seed" mount_volume
	ok "what was synced is there, seed $seed" \
		"$OPS" verify "$MNT/p$seed/file" 2097152 "$seed"
	ok "unmount, seed $seed" unmount
	ok "check, seed $seed" check_volume
done

# ---- every way to make contents durable

ways="fsync"
! can shared_mmap || ways="$ways msync"
! can syncfs || ways="$ways syncfs"
# these go through the same places
[ "$SCALE" -lt 100 ] || ways="$ways fdatasync osync odsync direct"
# The process stops when it has done it, and is killed after the power cut: its
# end must not be what makes it durable.
durable() { # way
	local pid i

	"$T/data" durable "$1" "$MNT/$1" &
	pid=$!
	stopped=$pid
	for i in $(seq $((LIMIT * 10))); do
		case $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) in
		T) return 0 ;;
		""|Z) break ;;
		esac
		sleep 0.1
	done
	return 1
}
for way in $ways; do
	stopped=
	ok "mount, $way" mount_doomed 5
	ok "$way" durable "$way"
	# shellcheck disable=SC2086
	ok "power cut, $way" power_cut $stopped
	ok "mount after $way" mount_volume
	ok "contents are there after $way" 		"$OPS" verify "$MNT/$way" 262144 4
	ok "unmount after $way" unmount
done
ok "check" check_volume

# ---- in the middle of what is going on

# Creates files one after the other, each synced, until the power fails; says
# how many succeeded.
create_until_dead() { # directory
	local n=0

	while "$OPS" fill "$1/f$n" 20k "$n" && "$OPS" fsync "$1/f$n"; do
		n=$((n + 1))
		[ "$n" -lt 500 ] || break
	done 2>/dev/null
	echo "$n"
}

all_there() { # directory, how many
	local n

	for n in $(seq 0 $(($2 - 1))); do
		"$OPS" verify "$1/f$n" 20480 "$n" || return 1
	done
}

for seed in $(seq 11 $((10 + $(scaled 4)))); do
	ok "mount, cut at event $((seed * 40))" \
		mount_doomed "$seed" $((seed * 40))
	mkdir "$MNT/c$seed"
	"$OPS" fsync "$MNT" 2>/dev/null
	count=$(create_until_dead "$MNT/c$seed")
	echo "# $count files were synced"
	ok "the power has failed, seed $seed" wait_dead
	ok "mount after it, seed $seed" mount_volume
	ok "all of them are there, seed $seed" all_there "$MNT/c$seed" "$count"
	ok "unmount, seed $seed" unmount
	ok "check, seed $seed" check_volume
done

tap_done
