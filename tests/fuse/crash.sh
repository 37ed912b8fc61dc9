#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What was synced survives the end of the daemon and of the power.

. "$(dirname "$0")/lib.sh"

ok "format" format
ok "mount" mount_volume || tap_done

# A killed daemon: what the kernel was told is on the devices or it is not,
# and what was synced is.
for i in 1 2 3; do
	mkdir "$MNT/k$i"
	"$OPS" fill "$MNT/k$i/file" 3m "$i"
	ln "$MNT/k$i/file" "$MNT/k$i/link"
	ok "fsync $i" "$OPS" fsync "$MNT/k$i/file"
	echo "not synced" >"$MNT/k$i/maybe"
	ok "kill $i" kill_daemon
	ok "mount over the dead one $i" mount_volume
	is "the dead one is gone $i" "$(grep -c " $MNT " /proc/mounts)" 1
	ok "what was synced is there $i" "$OPS" verify "$MNT/k$i/link" 3145728 "$i"
done
ok "unmount" unmount
[ -x "$BUILD/scoutfs" ] && ok "check finds nothing" check_volume

# Power cuts on command, and in the middle of whatever is going on.
for seed in 1 2 3; do
	export SCOUTFS_POWERCUT=seed=$seed
	ok "mount, seed $seed" mount_volume commit_interval_ms=200
	mkdir "$MNT/p$seed"
	"$OPS" fill "$MNT/p$seed/file" 2m "$seed"
	ok "fsync, seed $seed" "$OPS" fsync "$MNT/p$seed/file"
	for i in 1 2 3 4 5; do
		"$OPS" fill "$MNT/p$seed/more$i" 300k 9
	done
	ok "power cut, seed $seed" power_cut
	unset SCOUTFS_POWERCUT
	ok "mount after it, seed $seed" mount_volume
	ok "what was synced is there, seed $seed" \
		"$OPS" verify "$MNT/p$seed/file" 2097152 "$seed"
	ok "unmount, seed $seed" unmount
	[ -x "$BUILD/scoutfs" ] && ok "check, seed $seed" check_volume
done

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

for seed in 11 12 13 14; do
	export SCOUTFS_POWERCUT=seed=$seed,after=$((seed * 40))
	ok "mount, cut at event $((seed * 40))" mount_volume
	unset SCOUTFS_POWERCUT
	mkdir "$MNT/c$seed"
	"$OPS" fsync "$MNT" 2>/dev/null
	count=$(create_until_dead "$MNT/c$seed")
	echo "# $count files were synced"
	ok "the power has failed, seed $seed" wait_daemon
	ok "mount after it, seed $seed" mount_volume
	ok "all of them are there, seed $seed" all_there "$MNT/c$seed" "$count"
	ok "unmount, seed $seed" unmount
	[ -x "$BUILD/scoutfs" ] && ok "check, seed $seed" check_volume
done

tap_done
