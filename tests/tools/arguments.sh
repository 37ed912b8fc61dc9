#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Wrong, missing and excess arguments of every command: exit status and the
# line that says what is wrong, to the letter.

. "$(dirname "$0")/tap-lib.sh"
cd "$SCRATCH" || exit 1
plain=$SCRATCH/plain
: >"$plain"

usage() { # message, arguments...
	local message=$1 want
	shift
	run "$scoutfs" "$@"
	want="$1: $message
Try \`$1 --help' or \`$1 --usage' for more information."
	same "scoutfs $*: exit status" "$status" 64
	same "scoutfs $*: message" "$err" "$want"
	same "scoutfs $*: no output" "$out" ""
}

failure() { # line, strerror and errno, arguments...
	local line=$1 reason=$2
	shift 2
	run "$scoutfs" "$@"
	same "scoutfs $*: exit status" "$status" 1
	same "scoutfs $*: message" "$err" "$line
scoutfs: $1 failed: $reason"
	same "scoutfs $*: no output" "$out" ""
}

# ---- the frame

run "$scoutfs"
same "no command: exit status" "$status" 1
same "no command: usage" "${err%%$'\n'*}" "usage: scoutfs COMMAND [ARGUMENTS]"
same "no command: no output" "$out" ""
for word in nothing --help -h mkfs.scoutfs ""; do
	run "$scoutfs" "$word"
	same "command '$word': exit status" "$status" 1
	same "command '$word': message" "$(head -n 2 <<<"$err")" \
		"scoutfs: unrecognized command: '$word'
usage: scoutfs COMMAND [ARGUMENTS]"
done
for cmd in check counters df ino-path mkfs print stat statfs walk-inodes; do
	for opt in --help --usage; do
		run "$scoutfs" $cmd $opt
		same "$cmd $opt: exit status" "$status" 0
		same "$cmd $opt: nothing on stderr" "$err" ""
		ok "$cmd $opt: names the command" \
			grep -q "^Usage: $cmd " <<<"$out"
	done
	usage "unrecognized option '--nonsense'" $cmd --nonsense
	usage "invalid option -- '%'" $cmd -%
done

# ---- each command

usage "missing INDEX argument" walk-inodes
usage "missing FIRST argument" walk-inodes meta_seq
usage "missing LAST argument" walk-inodes meta_seq 0
usage "missing LAST argument" walk-inodes meta_seq -1
usage "unexpected argument 'more'" walk-inodes meta_seq 0 -1 . more
usage "unknown index 'size', it has to be meta_seq or data_seq" \
	walk-inodes size 0 -1
usage "FIRST 'x' is not a position MAJOR[.MINOR[.INO]]" \
	walk-inodes meta_seq x -1
usage "LAST '1.2.3.4' is not a position MAJOR[.MINOR[.INO]]" \
	walk-inodes meta_seq 0 1.2.3.4
usage "LAST '-1x' is not a position MAJOR[.MINOR[.INO]]" \
	walk-inodes meta_seq 0 -1x
usage "a path is given twice: 'a' and 'b'" \
	walk-inodes -p a meta_seq 0 -1 b
usage "option requires an argument -- 'p'" walk-inodes meta_seq 0 1 -p
usage "option '--path' requires an argument" walk-inodes meta_seq 0 1 --path

usage "missing FILE argument" stat
usage "unexpected argument 'b'" stat a b
usage "option requires an argument -- 's'" stat a -s
usage "unexpected argument '/'" statfs /
usage "unexpected argument '/'" df /
usage "missing INO argument" ino-path
usage "'x' is not an inode number" ino-path x
usage "unexpected argument '2'" ino-path 1 2
usage "missing META argument" print
usage "unexpected argument 'data'" print meta data
usage "missing META argument" check
usage "missing DATA argument" check meta
usage "unexpected argument 'c'" check a b c

usage "missing META argument" mkfs
usage "missing DATA argument" mkfs meta
usage "missing DATA argument" mkfs -f -A meta
usage "unexpected argument 'c'" mkfs a b c
usage "a quorum slot is NR,ADDR,PORT" mkfs -Q 2 meta data
usage "quorum slot number '15' is not in 0..14" \
	mkfs -Q 15,10.0.0.1,12345 meta data
usage "'localhost' is not a numeric IPv4 address" \
	mkfs -Q 0,localhost,12345 meta data
usage "'0.0.0.0' is not the address of one host" \
	mkfs -Q 0,0.0.0.0,12345 meta data
usage "port '0' is not in 1..65535" mkfs -Q 0,10.0.0.1,0 meta data
usage "quorum slot 0 is given twice" \
	mkfs -Q 0,10.0.0.1,12345 -Q 0,10.0.0.2,12345 meta data
usage "quorum slots 0 and 1 have the same address and port" \
	mkfs -Q 0,10.0.0.1,12345 -Q 1,10.0.0.1,12345 meta data
usage "format version '3' is not in 1..2" mkfs -V 3 meta data
usage "format version '0' is not in 1..2" mkfs meta data -V 0
usage "'64Q' is not a size of the metadata device" mkfs -m 64Q meta data
usage "'0' is not a size of the data device" mkfs -d 0 meta data
usage "'-1' is not a size of the data device" mkfs -d -1 meta data
usage "'0' is not a number of blocks of a zone" mkfs -z 0 meta data

# ---- paths

for args in "stat PATH" "statfs -p PATH" "counters -p PATH" "df -p PATH" "ino-path -p PATH 1" \
	"walk-inodes meta_seq 0 -1 PATH" "walk-inodes meta_seq 0 1 --path=PATH"
do
	# shellcheck disable=SC2086
	failure "failed to open '$SCRATCH/none': No such file or directory (2)" \
		"No such file or directory (2)" ${args/PATH/$SCRATCH/none}
	# shellcheck disable=SC2086
	failure "'$plain' is not on a scoutfs filesystem" \
		"Inappropriate ioctl for device (25)" ${args/PATH/$plain}
done
failure "failed to open '': No such file or directory (2)" \
	"No such file or directory (2)" stat ""
mkfifo "$SCRATCH/fifo"
failure "'$SCRATCH/fifo' is not on a scoutfs filesystem" \
	"Inappropriate ioctl for device (25)" stat "$SCRATCH/fifo"

# ---- the other names

for link in mkfs.scoutfs fsck.scoutfs; do
	run "$BUILD/$link" --help
	same "$link --help: exit status" "$status" 0
	ok "$link --help: names itself" grep -q "^Usage: $link " <<<"$out"
done
run "$BUILD/mkfs.scoutfs" meta
same "mkfs.scoutfs: exit status of usage errors" "$status" 64
same "mkfs.scoutfs: message" "${err%%$'\n'*}" \
	"mkfs.scoutfs: missing DATA argument"
for args in "" "-x data" "a b c"; do
	# shellcheck disable=SC2086
	run "$BUILD/fsck.scoutfs" $args
	same "fsck.scoutfs $args: exit status of usage errors" "$status" 16
done

tap_done
