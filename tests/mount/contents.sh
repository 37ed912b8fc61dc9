#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Contents in every way one can get at them: mappings, direct I/O, truncation,
# extents, readers and writers at once.  (Random mixtures: random-data.sh.)

. "$(dirname "$0")/lib.sh"

data() { "$T/data" "$@"; }
verify() { "$OPS" verify "$@"; }

ok "format" format 256
ok "mount" mount_volume commit_interval_ms=500 || tap_done
cd "$MNT" || exit 1

# ---- mappings
ok_if shared_mmap "mappings, reads and writes agree" data mapped mapped
ok_if shared_mmap "SIGBUS behind the end only" data bus bus
ok_if mmap_behind "what is stored behind the end is not in the file" \
	data behind behind
ok_if shared_mmap "a file by a mapping" data stored stored

# ---- direct I/O
ok "direct I/O beside the page cache" data direct direct
ok "direct I/O that is not aligned" data unaligned unaligned
ok "64 requests at a time" data aio aio

# ---- truncation and extents
ok "what was cut off never comes back" data cut cut
ok_if fiemap "FIEMAP" data fiemap fiemap

# ---- writers that are killed leave a beginning of what they wrote
killed_writer() { # file
	local pid

	"$OPS" fill "$1" 64m 5 100k &
	pid=$!
	eventually grows "$1" 1000000
	kill -KILL "$pid"
	wait "$pid"
	verify "$1" "$(stat -c %s "$1")" 5
}
grows() { # file, at least
	[ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}
for i in 1 2 3; do
	ok "a killed writer leaves what it wrote, $i" killed_writer "killed$i"
done

# ---- many at once
large=$(scaled 67108864)
"$OPS" fill large "$large" 9 1m
both_read() {
	local pid status=0 pids=

	[ ! -w /proc/sys/vm/drop_caches ] || drop_caches
	for _ in 1 2 3; do
		verify large "$large" 9 &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || status=1
	done
	return "$status"
}
ok "three readers of a large file" both_read
write_some() { # first
	local i

	for i in 1 2 3 4; do
		"$OPS" fill "w$1.$i" "$(scaled 4194304)" "$1$i" 33333 || return
	done
}
both_write() {
	local pid status=0 pids=

	for i in 1 2 3; do
		write_some "$i" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || status=1
	done
	return "$status"
}
read_all() {
	local i k

	for i in 1 2 3; do
		for k in 1 2 3 4; do
			verify "w$i.$k" "$(scaled 4194304)" "$i$k" || return
		done
	done
}
ok "three writers" both_write
ok "what they wrote" read_all

# ---- all of it again from the devices
cd /
ok "unmount and mount again" remount
cd "$MNT" || exit 1
ok_if shared_mmap "the file of the mapping" data restored stored
ok "the large file" both_read
ok "what three wrote" read_all
cd /
ok "unmount" unmount
ok "check finds nothing" check_volume
tap_done
