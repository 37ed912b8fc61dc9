#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Commands that talk to a mounted filesystem, against a library that answers
# their ioctls (fake_ioctl.c): what they print, to the letter, as text and as
# JSON, and what they do with cursors and with errors.

. "$(dirname "$0")/tap-lib.sh"
cd "$SCRATCH" || exit 1
mkdir a b

fake() { # command...
	run env LD_PRELOAD="$BUILD/tests/tools/fake_ioctl.so" "$@"
}

prints() { # what is printed, arguments...
	local want=$1
	shift
	fake "$scoutfs" "$@"
	same "scoutfs $*: exit status" "$status" 0
	same "scoutfs $*: output" "$out" "$want"
	same "scoutfs $*: nothing on stderr" "$err" ""
}

# ---- walk-inodes

row='%-20s %-20s %-10s %-20s\n'
header() {
	# shellcheck disable=SC2059
	printf "$row" '#' major minor ino
}
# The inodes of fake_ioctl.c from number I to J, with rows from 0 on.
rows() { # I, J, step
	local i nr=0
	for ((i = $1; i <= $2; i += ${3:-1})); do
		[ $((nr % 25)) = 0 ] && header
		# shellcheck disable=SC2059
		printf "$row" $nr $((1 + i / 3)) 0 $((1000 + i))
		nr=$((nr + 1))
	done
}

export FAKE_INODES=0
prints "" walk-inodes meta_seq 0 -1
export FAKE_INODES=80
all=$(rows 0 79)
prints "$all" walk-inodes meta_seq 0 -1
prints "$all" walk-inodes meta_seq 0 -- -1
prints "$all" walk-inodes -- meta_seq 0 -1
prints "$all" walk-inodes meta_seq 0 18446744073709551615
prints "$all" walk-inodes meta_seq 0.0.0 -1.-1.-1
prints "$(rows 0 79 2)" walk-inodes data_seq 0 -1
prints "$(rows 6 11)" walk-inodes meta_seq 3 4
prints "$(rows 6 9)" walk-inodes meta_seq 3 4.0.1009
prints "$(rows 6 9)" walk-inodes meta_seq 3.0.1006 4.0.1009
prints "$(rows 7 9)" walk-inodes meta_seq 3.0.1007 4.0.1009
prints "$(rows 6 8)" walk-inodes meta_seq 3 4.0
prints "" walk-inodes meta_seq 4 3
prints "" walk-inodes meta_seq -1 -1
prints '{"major": 1, "minor": 0, "ino": 1000}
{"major": 1, "minor": 0, "ino": 1001}' walk-inodes --json meta_seq 0 1.0.1001
prints "" walk-inodes --json meta_seq 100 -1

# More than three batches: nothing lost, nothing twice, no end too early.
export FAKE_INODES=3500
fake "$scoutfs" walk-inodes meta_seq 0 -1
same "a long walk: exit status" "$status" 0
same "a long walk: every inode once, in order" \
	"$(awk '$1 != "#" { print $4 }' <<<"$out")" "$(seq 1000 4499)"
same "a long walk: rows are numbered through" \
	"$(awk '$1 != "#" { print $1 }' <<<"$out")" "$(seq 0 3499)"
same "a long walk: headers" "$(grep -c '^#' <<<"$out")" 140

# ---- where a path comes from

export FAKE_INODES=0
FAKE_WANT=. prints "" walk-inodes meta_seq 0 -1
FAKE_WANT=a prints "" walk-inodes meta_seq 0 -1 a
FAKE_WANT=a prints "" walk-inodes -p a meta_seq 0 -1
FAKE_WANT=a prints "" walk-inodes meta_seq 0 -1 --pa a
FAKE_WANT=a prints "" walk-inodes meta_seq 0 -1 --path=a
FAKE_WANT=b SCOUTFS_MOUNT_PATH=b prints "" walk-inodes meta_seq 0 -1
FAKE_WANT=a SCOUTFS_MOUNT_PATH=b prints "" walk-inodes meta_seq 0 -1 a
FAKE_WANT=a SCOUTFS_MOUNT_PATH=b prints "" walk-inodes -pa meta_seq 0 -1
FAKE_WANT=. SCOUTFS_MOUNT_PATH='' prints "" walk-inodes meta_seq 0 -1
FAKE_WANT=b SCOUTFS_MOUNT_PATH=b prints "" ino-path 1
SCOUTFS_MOUNT_PATH=none run "$scoutfs" df
same "SCOUTFS_MOUNT_PATH that is not there" "${err%%$'\n'*}" \
	"failed to open 'none': No such file or directory (2)"

# ---- stat, statfs

prints "meta_seq          11
data_seq          7
data_version      3
online_blocks     8
offline_blocks    18446744073709551615
crtime            1500000000.000000042" stat .
prints '{"meta_seq": 11, "data_seq": 7, "data_version": 3, "online_blocks": 8, '\
'"offline_blocks": "18446744073709551615", "crtime": "1500000000.000000042"}' \
	stat --json .
prints 3 stat -s data_version .
prints 1500000000.000000042 stat . -s crtime
prints '{"data_seq": 7}' stat --json -s data_seq .
prints "fsid              0000000000000abc
rid               fedcba9876543210
committed_seq     12
total_meta_blocks 16384
total_data_blocks 1048576" statfs
prints 0000000000000abc statfs -s fsid -p a
prints '{"fsid": "0000000000000abc", "rid": "fedcba9876543210", '\
'"committed_seq": 12, "total_meta_blocks": 16384, "total_data_blocks": 1048576}' \
	statfs --json
for args in "stat -s size ." "statfs -s size"; do
	# shellcheck disable=SC2086
	fake "$scoutfs" $args
	same "$args: exit status" "$status" 1
	same "$args: message" "${err%%$'\n'*}" "unknown field 'size'"
done

# ---- df

# Lines end in blanks, so a bar marks their ends here.
table() { # what is printed, arguments...
	local want=$1
	shift
	fake "$scoutfs" "$@"
	same "scoutfs $*: output" "$(sed 's/$/|/' <<<"$out")" "$want"
}
table "    Type  Size    Total    Used    Free  Use%  |
MetaData  64KB    16384    8384    6976    51  |
    Data   4KB  1048576  548576  500000    52  |" df
table "    Type  Size   Total      Used      Free  Use%  |
MetaData  64KB  1.00GB  524.00MB  436.00MB    51  |
    Data   4KB  4.00GB    2.09GB    1.91GB    52  |" df -h
prints '{"type": "MetaData", "block_bytes": 65536, "total": 16384, '\
'"used": 8384, "free": 6976, "used_percent": 51}
{"type": "Data", "block_bytes": 4096, "total": 1048576, "used": 548576, '\
'"free": 500000, "used_percent": 52}' df --json

# ---- ino-path

prints one ino-path 1000
prints "dir/first
dir/last in its directory
other/"$'\xff' ino-path 0x3e9
prints "" ino-path 1
prints '{"path": "dir/first"}
{"path": "dir/last in its directory"}
{"path": "other/'$'\xef\xbf\xbd''", "path_hex": "6f746865722fff"}' \
	ino-path --json 1001

# ---- errors

failure() { # ioctl, arguments...
	local name=$1
	shift
	FAKE_ERRNO=1 fake "$scoutfs" "$@"
	same "scoutfs $* fails: exit status" "$status" 1
	same "scoutfs $* fails: message" "$err" \
		"$name ioctl on '.' failed: Operation not permitted (1)
scoutfs: $1 failed: Operation not permitted (1)"
	same "scoutfs $* fails: no output" "$out" ""
}
failure WALK_INODES walk-inodes meta_seq 0 -1
failure INO_PATH ino-path 1000
failure STAT_MORE stat .
failure STATFS_MORE statfs
failure STATFS_MORE df

export FAKE_INODES=3500
full() { # what, command...
	local what=$1
	shift
	env LD_PRELOAD="$BUILD/tests/tools/fake_ioctl.so" "$@" \
		>/dev/full 2>"$SCRATCH/err"
	same "$what to a full device: exit status" $? 1
	same "$what to a full device: message" "$(head -n 1 "$SCRATCH/err")" \
		"failed to write to standard output"
}
full walk-inodes "$scoutfs" walk-inodes meta_seq 0 -1
full stat "$scoutfs" stat .
full df "$scoutfs" df

tap_done
