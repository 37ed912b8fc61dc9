#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A volume goes back and forth between the module and the daemon.  In each round
# one of them makes and changes files of all kinds; the other finds every name,
# number, attribute, time and byte as the first one showed them, answers the
# same queries with the same lines, and goes on.  `scoutfs check` is clean
# after each.

. "$(dirname "$0")/disks-lib.sh"
ROUNDS=${ROUNDS:-4}
STEPS=40

# Everything that can be seen of the tree, in an order of its own.
manifest() {
	local file

	cd "$MNT" || return
	find . -printf '%P %i %y %m %U:%G %n %s %b %T@ %l\n' | sort
	find . -type f -print0 | sort -z | xargs -0 -r sha256sum
	find . \( -type f -o -type d \) -print0 | sort -z |
		xargs -0 -r getfattr -h -d -m - -e hex 2>/dev/null
	for file in round*/big round*/sparse round*/direct; do
		echo "$file $("$BUILD/scoutfs" stat "$file" | tr '\n' ' ')"
	done
	cd / || return
}

# What the indexes say.
queries() {
	local index

	for index in meta_seq data_seq; do
		"$BUILD/scoutfs" walk-inodes $index 0 -1 "$MNT" || return
	done
}

fill() { # round
	local d=$MNT/round$1 i

	mkdir -p "$d/sub/deeper" "$MNT/p$1" && cd "$d" || return
	for i in $(seq 40); do
		echo "$1 $i" >"sub/file$i" || return
	done
	head -c 300000 /dev/urandom >big && ln big sub/hard &&
		ln -s ../nowhere sub/link && mkfifo pipe && mknod null c 1 3 &&
		truncate -s 5M sparse && printf end |
		dd of=sparse bs=1 seek=3000000 conv=notrunc status=none &&
		setfattr -n user.round -v "$1" big &&
		chown 12:34 sub/file2 && chmod 6751 sub/file3 &&
		touch -d '1999-12-31 23:59:59.123456789' sub/file4 &&
		: >"$(printf 'n%.0s' $(seq 255))" &&
		dd if=/dev/zero of=direct bs=64k count=8 oflag=direct \
			status=none || return
	# and something of the round before
	if [ -d "../round$(($1 - 1))" ]; then
		cd "../round$(($1 - 1))" || return
		rm sub/file5 && mv sub/file6 sub/file7 && echo more >>big &&
			truncate -s 100000 sparse && mv sub/deeper . &&
			chmod 600 sub/file8 &&
			setfattr -x user.round big || return
	fi
	cd /
	limited "$T/promise" run "$MNT/p$1" - "$1" $STEPS >/dev/null
}

verify_promises() { # rounds
	local i

	for i in $(seq "$1"); do
		limited "$T/promise" verify "$MNT/p$i" "$i" $STEPS $STEPS ||
			return
	done
}

same() { # what
	"$1" >"$SCRATCH/$1.now" || return
	diff "$SCRATCH/$1.before" "$SCRATCH/$1.now" | head -n 20
	cmp -s "$SCRATCH/$1.before" "$SCRATCH/$1.now"
}

in_all() {
	local round hosts=(fuse kernel) host what

	for round in $(seq "$ROUNDS"); do
		host=${hosts[$((round % 2))]}
		FIXTURE=$host
		ok "round $round: mount, $host" mount_volume || break
		if [ "$round" -gt 1 ]; then
			for what in manifest queries; do
				ok "round $round: the same $what" same $what
			done
			ok "round $round: what was synced" \
				verify_promises $((round - 1))
		fi
		ok "round $round: fill" fill "$round"
		sync -f "$MNT"
		manifest >"$SCRATCH/manifest.before"
		queries >"$SCRATCH/queries.before"
		ok "round $round: queries have answers" \
			test "$(wc -l <"$SCRATCH/queries.before")" -gt 40
		ok "round $round: unmount" unmount
		ok "round $round: check" check_images $META $DATA
	done
	tap_done
}

outside() {
	ok "format" make_images 128 >"$SCRATCH/out" ||
		{ cat "$SCRATCH/out"; tap_done; }
	inside "${LIMIT_ALL:-400}" all --disk "$SCRATCH/meta.img" \
		--disk "$SCRATCH/data.img" --env ROUNDS
}

two_sides "$@"
