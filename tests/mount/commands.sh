#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The commands on a real mount: the change index as archive software polls it,
# paths, counters and free space.  What they print to the letter is tested in
# tests/tools.

. "$(dirname "$0")/lib.sh"

scoutfs=$BUILD/scoutfs
run() { limited "$scoutfs" "$@" </dev/null; }

# Rows of a walk as "major ino", without headers.
walk() { # index, first, last
	run walk-inodes "$1" "$2" "$3" "$MNT" |
		awk '$1 != "#" { print $2, $4 }'
}
last_major() { walk meta_seq 0 -1 | tail -n 1 | cut -d ' ' -f 1; }
last_ino() { walk "$1" 0 -1 | tail -n 1 | cut -d ' ' -f 2; }
ino() { stat -c %i "$1"; }
sorted() { sort -c -n -k 1,1 -k 2,2; }

ok "format" format 128
ok "mount" mount_volume || tap_done

# ---- the quick start

is "an empty volume has its root" "$(walk meta_seq 0 -1)" "0 1"
is "and no file" "$(walk data_seq 0 -1)" ""
touch "$MNT/one"
sync "$MNT/one"
is "a new file is the last" "$(last_ino meta_seq)" "$(ino "$MNT/one")"
touch "$MNT/two"
sync "$MNT/two"
is "the next is the last" "$(last_ino meta_seq)" "$(ino "$MNT/two")"
before=$(last_major)
touch "$MNT/one"
sync "$MNT/one"
is "a file that is touched moves to the end" "$(last_ino meta_seq)" \
	"$(ino "$MNT/one")"
ok "with a larger number" test "$(last_major)" -gt "$before"
is "and leaves its place" "$(walk meta_seq 0 -1 | grep -c " $(ino "$MNT/one")$")" 1
is "forms of arguments" "$(run walk-inodes -p "$MNT" meta_seq 0 -- -1)" \
	"$(run walk-inodes meta_seq 0 -1 "$MNT")"
is "the path of the environment" \
	"$(SCOUTFS_MOUNT_PATH=$MNT run walk-inodes meta_seq 0 -1)" \
	"$(run walk-inodes meta_seq 0 -1 "$MNT")"
is "the path of a file" "$(run walk-inodes meta_seq 0 -1 "$MNT/two")" \
	"$(run walk-inodes meta_seq 0 -1 "$MNT")"

# ---- more than a batch

many() {
	mkdir "$MNT/many" && (cd "$MNT/many" && seq "$files" | xargs touch) &&
		sync "$MNT/many"
}
files=$(scaled 1500 300)
made=$(run counters -s op_create -p "$MNT")
ok "$files files" many
is "each of them is counted" "$(run counters -s op_create -p "$MNT")" \
	$((made + files + 1))
is "all counters have numbers" "$(run counters -p "$MNT" |
	grep -vc '^[a-z0-9_]* *[0-9]*$')" 0
walk meta_seq 0 -1 >"$SCRATCH/all"
is "all are shown once" "$(cut -d ' ' -f 2 "$SCRATCH/all" | sort -n)" \
	"$(find "$MNT" -printf '%i\n' | sort -n)"
ok "in order" sorted "$SCRATCH/all"
run walk-inodes --json meta_seq 0 -1 "$MNT" |
	python3 -c '
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(row["major"], row["ino"])' >"$SCRATCH/json"
ok "the same in JSON" cmp "$SCRATCH/all" "$SCRATCH/json"

# An agent that keeps its last position.
tail=$(tail -n 1 "$SCRATCH/all")
position="${tail% *}.0.$((${tail#* } + 1))"
is "nothing behind the last position" "$(walk meta_seq "$position" -1)" ""
echo data >"$MNT/many/7"
sync "$MNT/many/7"
is "then what has changed" "$(walk meta_seq "$position" -1 | cut -d ' ' -f 2)" \
	"$(ino "$MNT/many/7")"
is "the index of contents has it, too" "$(last_ino data_seq)" \
	"$(ino "$MNT/many/7")"
chmod 600 "$MNT/many/8"
sync "$MNT/many/8"
is "a change of mode is none of contents" "$(last_ino data_seq)" \
	"$(ino "$MNT/many/7")"
major=$(last_major)
is "a major alone as LAST means its end" \
	"$(walk meta_seq "$major" "$major")" \
	"$(walk meta_seq "$major.0.0" "$major.0.-1")"
gone=$(ino "$MNT/many/9")
rm "$MNT/many/9"
sync "$MNT/many"
is "a deleted file has gone" "$(walk meta_seq 0 -1 | grep -c " $gone$")" 0

# ---- stat, statfs

field() { run stat -s "$1" "$2"; }
is "contents have not changed" "$(field data_version "$MNT/many/8")" 0
is "contents have changed" "$(field data_version "$MNT/many/7")" 1
is "the block that was written" "$(field online_blocks "$MNT/many/7")" 1
is "no block is offline" "$(field offline_blocks "$MNT/many/7")" 0
is "meta_seq is where the index has it" "$(field meta_seq "$MNT/many/7")" \
	"$(walk meta_seq 0 -1 |
		awk -v ino="$(ino "$MNT/many/7")" '$2 == ino { print $1 }')"
is "crtime is the time of birth" "$(field crtime "$MNT/one")" \
	"$(python3 -c '
import re, subprocess, sys
t = subprocess.check_output(["stat", "-c", "%.9W", sys.argv[1]], text=True)
print(t.strip() if not t.startswith("0.") else sys.argv[2])' \
	"$MNT/one" "$(field crtime "$MNT/one")")"
# a deletion is published, too, and leaves no entry: so not equal
last=$(last_major)
ok "the stable sequence covers the index" \
	test "$(run statfs -s committed_seq -p "$MNT")" -ge "$last"
is "total data blocks" "$(run statfs -s total_data_blocks -p "$MNT")" 32768
is "fsid as in the status directory" "$(run statfs -s fsid -p "$MNT")" \
	"$(cat "$STATUS"/f.*.r."$(run statfs -s rid -p "$MNT" |
		cut -c 1-6)"/fsid)"

# ---- df

data_free() { run df -p "$MNT" | awk '$1 == "Data" { print $5 }'; }
free=$(data_free)
dd if=/dev/zero of="$MNT/big" bs=1M count=8 status=none
sync "$MNT/big"
ok "8 MiB take 2048 blocks or more" test "$((free - $(data_free)))" -ge 2048
is "total is used and free" "$(run df -p "$MNT" |
	awk '$1 == "Data" { print $3 - $4 - $5 }')" 0
# Space comes back when the deletion has been published.
comes_back() {
	local i

	rm "$MNT/big"
	for i in $(seq 100); do
		sync "$MNT"
		[ "$(data_free)" -ge "$((free - 64))" ] && return
		sleep 0.1
	done
	run df -p "$MNT"
	return 1
}
ok "removing the file frees them" comes_back

# ---- ino-path

mkdir -p "$MNT/a/b"
ln "$MNT/one" "$MNT/a/b/one again"
is "every link has a path" \
	"$(run ino-path -p "$MNT" "$(ino "$MNT/one")" | sort)" "a/b/one again
one"
is "a directory" "$(run ino-path -p "$MNT" "$(ino "$MNT/a/b")")" a/b
mv "$MNT/a" "$MNT/c"
is "after a rename above it" "$(run ino-path -p "$MNT" "$(ino "$MNT/c/b")")" c/b
is "the root has none" "$(run ino-path -p "$MNT" 1)" ""
is "nor has what is deleted" "$(run ino-path -p "$MNT" "$gone")" ""
if setpriv --bounding-set -dac_read_search true 2>/dev/null; then
	is "it needs a capability" "$(setpriv --bounding-set -dac_read_search \
		"$scoutfs" ino-path -p "$MNT" 1024 2>&1 | tail -n 1)" \
		"scoutfs: ino-path failed: Operation not permitted (1)"
else
	skip "it needs a capability" "setpriv can not take it away here"
fi

# ---- what a mounted volume refuses

refused_by() { # status, command...
	local want=$1
	shift
	limited "$@" "$META" "$DATA" >"$SCRATCH/out" 2>&1
	is "${1##*/}${2:+ $2}: status on a mounted volume" $? "$want"
	is "${1##*/}${2:+ $2}: two lines" "$(wc -l <"$SCRATCH/out")" 2
	ok "${1##*/}${2:+ $2}: names the device" grep -q "$META: in use" \
		"$SCRATCH/out"
}
refused_by 1 "$scoutfs" mkfs
refused_by 1 "$BUILD/mkfs.scoutfs" -f
refused_by 8 "$scoutfs" check
refused_by 8 "$BUILD/fsck.scoutfs" -p
ok "print looks at a mounted volume" run print "$META"

ok "unmount" unmount
is "clean: fsck -p has nothing to do" \
	"$("$BUILD/fsck.scoutfs" -p "$META" "$DATA" 2>&1; echo $?)" 0
ok "check after it all" check_volume
ok "not on scoutfs any more" test "$(run statfs -p "$MNT" 2>&1 | head -n 1)" = \
	"'$MNT' is not on a scoutfs filesystem"
tap_done
