#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Times, versions and sequences: what moves them, what does not, and that they
# survive writeback and a mount.

. "$(dirname "$0")/lib.sh"

attr() { "$T/attr" "$@"; }
version() { stat_more data_version "$1"; }
last_ino() { # index
	limited "$BUILD/scoutfs" walk-inodes "$1" 0 -1 "$MNT" |
		awk '$1 != "#" { ino = $4 } END { print ino }'
}
old=2001-09-09T01:46:40.000000007Z
mtime() { date -u -d "@$(stat -c %.9Y "$1")" +%Y-%m-%dT%H:%M:%S.%NZ; }

ok "format" format 128
ok "mount" mount_volume || tap_done
cd "$MNT" || exit 1

# ---- times
ok "what moves times of a file" attr moves moves
ok_if mmap_times "stores move them, too" attr moves mmoves mmap
ok "what moves times of a directory" attr dirmoves dirmoves
ok "times that are set stay behind a write" attr kept kept
ok_if mmap_times "and behind stores" attr kept mkept mmap
ok "reading moves a time of access that is old" attr atime atime moves
ok_if btime "birth" test "$(stat -c %W kept)" -gt 1600000000

# as archive software restores a file
"$OPS" fill restored 1m 3 5000
touch -d "$old" restored
is "a file that is restored" "$(mtime restored)" "$old"
touch -d "$old" .
is "a directory" "$(mtime .)" "$old"

# ---- versions
ino() { stat -c %i "$1"; }
"$OPS" fill v 10000 1
"$OPS" fsync v
v=$(version v)
changes() { # name, command...
	local was=$v

	ok "$1" "${@:2}"
	v=$(version v)
	ok "$1: another version" test "$v" -gt "$was"
	"$OPS" fsync v
	is "$1: is the last in data_seq" "$(last_ino data_seq)" "$(ino v)"
	# so that the next has to take the place back
	echo x >other
	"$OPS" fsync other
}
changes_nothing() { # name, command...
	local seq

	seq=$(stat_more data_seq v)
	ok "$1" "${@:2}"
	"$OPS" fsync v
	is "$1: the same version" "$(version v)" "$v"
	is "$1: the same data_seq" "$(stat_more data_seq v)" "$seq"
}
changes "overwriting" dd if=/dev/zero of=v bs=5000 count=1 conv=notrunc
changes "appending" dd if=/dev/zero of=v bs=100 count=1 oflag=append \
	conv=notrunc
changes "direct I/O" dd if=/dev/zero of=v bs=4096 count=1 conv=notrunc \
	oflag=direct
changes "truncating" truncate -s 5000 v
changes "growing" truncate -s 50000 v
if can shared_mmap; then
	store() {
		python3 -c '
import mmap, sys
with open("v", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[4096] = m[4096] ^ 255
    m.flush()'
	}
	changes "storing" store
else
	skip "storing" "$why"
fi
changes_nothing "reading" cat v
changes_nothing "a mode" chmod 600 v
changes_nothing "a time" touch -d "$old" v
changes_nothing "another name" ln v w

# ---- from the devices
cd /
ok "unmount and mount again" remount
cd "$MNT" || exit 1
is "the file that was restored" "$(mtime restored)" "$old"
is "its contents" "$("$OPS" verify restored 1048576 3; echo $?)" 0
is "the version" "$(version v)" "$v"
cd /
if [ -w /proc/sys/vm/drop_caches ]; then
	"$OPS" fill "$MNT/again" 1m 3 5000
	touch -d "$old" "$MNT/again"
	"$OPS" fsync "$MNT"
	drop_caches
	is "after dropped caches" "$(mtime "$MNT/again")" "$old"
else
	skip "after dropped caches" "they can not be"
fi
ok "unmount" unmount
ok "check finds nothing" check_volume
tap_done
