#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Commands that read and write devices: mkfs, print, check and fsck.scoutfs on
# image files, what they refuse and that they change nothing then.

. "$(dirname "$0")/tap-lib.sh"
cd "$SCRATCH" || exit 1

# Fresh images; the file system keeps nothing but what was written.
images() { # bytes of metadata, of data
	rm -f meta data
	truncate -s "${1:-64M}" meta && truncate -s "${2:-64M}" data
}

succeeds() { # arguments...
	run "$scoutfs" "$@"
	same "scoutfs $*: exit status" "$status" 0
	same "scoutfs $*: nothing on stderr" "$err" ""
}

refuses() { # what the line has to contain, strerror and errno, arguments...
	local line=$1 reason=$2 before
	shift 2
	before=$(written)
	run "$scoutfs" "$@"
	ok "scoutfs $*: fails" test "$status" -ne 0
	ok "scoutfs $*: says $line" grep -qF -- "$line" <<<"$err"
	same "scoutfs $*: last line" "$(tail -n 1 <<<"$err")" \
		"scoutfs: $1 failed: $reason"
	same "scoutfs $*: two lines" "$(wc -l <<<"$err")" 2
	same "scoutfs $*: no output" "$out" ""
	same "scoutfs $*: devices are as they were" "$(written)" "$before"
}

# Every write moves the time of the last one.
written() {
	stat -c '%n %s %y' meta data 2>/dev/null
}

value() { # label; of $out
	sed -n "s/^  $1: *//p" <<<"$out"
}

put() { # file, offset, bytes for printf
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

EINVAL="Invalid argument (22)"

# ---- mkfs

images
succeeds mkfs meta data
same "mkfs: first line" "${out%%$'\n'*}" "Created scoutfs filesystem:"
same "mkfs: labels" "$(sed -n 's/^  \([^:]*\): .*/\1/p' <<<"$out")" \
"meta device path
data device path
fsid
uuid
format version
64KB metadata blocks
4KB data blocks
quorum config version"
same "mkfs: values are in one column" "$(sed '1d; s/^\(  [^:]*: *\).*/\1/' \
	<<<"$out" | awk '{ print length }' | sort -u | wc -l)" 1
same "mkfs: metadata blocks" "$(value '64KB metadata blocks')" \
	"1024 (64.00 MB)"
same "mkfs: data blocks" "$(value '4KB data blocks')" "16384 (64.00 MB)"
same "mkfs: format version" "$(value 'format version')" 2
ok "mkfs: uuid" grep -qxE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' \
	<<<"$(value uuid)"
ok "mkfs: fsid" grep -qxE '[1-9a-f][0-9a-f]{0,15}' <<<"$(value fsid)"
first=$(value uuid)

refuses "'meta' appears to contain an existing scoutfs superblock" "$EINVAL" \
	mkfs meta data
succeeds mkfs -f meta data
ok "mkfs: another volume has another uuid" test "$(value uuid)" != "$first"

succeeds mkfs -Q 0,10.0.0.1,12345 -f meta -Q 14,10.0.0.2,1 data -A -V 1
same "mkfs: quorum slots" "$(sed -n '/quorum slots/,$p' <<<"$out" |
	sed 's/^ *\(quorum slots:\)\? *//')" "0: 10.0.0.1:12345
14: 10.0.0.2:1"
same "mkfs -V 1" "$(value 'format version')" 1

succeeds mkfs --json -f meta data
ok "mkfs --json: one object" python3 -c '
import json, sys
v = json.loads(sys.argv[1])
assert v["meta_device"] == "meta" and v["data_device"] == "data"
assert v["format_version"] == 2 and v["meta_blocks"] == 1024
assert v["data_blocks"] == 16384 and "quorum_slots" not in v
assert int(v["fsid"], 16) and len(v["uuid"]) == 36' "$out"

images 66M 8G
run "$scoutfs" mkfs -m 67174399 -d 5T -z 1048576 meta data
same "mkfs -m -d -z: exit status" "$status" 0
same "mkfs -m: rounded down" "$(value '64KB metadata blocks')" \
	"1024 (64.00 MB)"
same "mkfs -d: no more than there is" "$(value '4KB data blocks')" \
	"2097152 (8.00 GB)"
same "mkfs -m -d: notes" "$err" \
"rounding the size of metadata device 'meta' down to a multiple of 64KB
ignoring the limit of 5497558138880 bytes, data device 'data' has only 8589934592"
images 64M 8G
succeeds mkfs -d 4G meta data
same "mkfs -d" "$(value '4KB data blocks')" "1048576 (4.00 GB)"
rm -f data
truncate -s 64M data
images

refuses "too few, the minimum is 67108864 (64 MiB)" "$EINVAL" \
	mkfs -m 1M meta data
refuses "too few for zones of at least 1048576; leave out -z" "$EINVAL" \
	mkfs -z 2097152 meta data
truncate -s 67108863 small
refuses "small: too small" "$EINVAL" mkfs meta small
refuses "small: too small" "$EINVAL" mkfs small data
refuses "are the same device" "$EINVAL" mkfs meta meta
ln -s meta link
refuses "are the same device" "$EINVAL" mkfs link meta
refuses "none: there is no such metadata device" \
	"No such file or directory (2)" mkfs none data
refuses "none: there is no such data device" "No such file or directory (2)" \
	mkfs meta none
mkdir dir
refuses "dir: not a block device or a regular file" \
	"Block device required (15)" mkfs dir data
refuses "/dev/null: not a block device or a regular file" \
	"Block device required (15)" mkfs meta /dev/null

# Somebody else's: a swap area and a partition table.
images
mkswap data >/dev/null 2>&1
refuses "'data' appears to contain an existing swap superblock; use -f" \
	"$EINVAL" mkfs meta data
succeeds mkfs -f meta data
same "mkfs -f: the signature has gone" "$(od -An -c -j 4086 -N 10 data)" \
	"$(od -An -c -N 10 /dev/zero)"
images
put meta 446 '\0\0\0\0\203\0\0\0\0\010\0\0\0\020\0\0'
put meta 510 '\125\252'
refuses "'meta' appears to contain a partition table (dos); use -f" \
	"$EINVAL" mkfs meta data
succeeds mkfs -f meta data
same "mkfs -f: the table has gone" "$(od -An -tx1 -j 510 -N 2 meta)" " 00 00"

# ---- locked by another program

locked() { # command...
	python3 -c '
import fcntl, subprocess, sys
f = open("data", "r+b")
fcntl.lockf(f, fcntl.LOCK_EX)
sys.exit(subprocess.call(sys.argv[1:]))' "$@"
}
for cmd in "mkfs -f" check; do
	# shellcheck disable=SC2086
	run locked "$scoutfs" $cmd meta data
	ok "$cmd: refuses a device in use" test "$status" -ne 0
	ok "$cmd: says that it is in use" grep -q '^[a-z]*: data: in use' \
		<<<"$err"
	same "$cmd: errno of a device in use" "$(tail -n 1 <<<"$err")" \
		"scoutfs: ${cmd%% *} failed: Device or resource busy (16)"
done

# ---- block devices

images
loops=
trap 'for loop in $loops; do losetup -d "$loop"; done' EXIT
if a=$(losetup -f --show meta 2>/dev/null); then
	loops=$a
	b=$(losetup -f --show data) && loops="$a $b"
	succeeds mkfs "$a" "$b"
	succeeds check "$a" "$b"
	ln -s "$a" node
	run "$scoutfs" mkfs -f "$a" node
	ok "mkfs: one block device by two names" \
		grep -q 'are the same device' <<<"$err"
	python3 -c '
import os, subprocess, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
sys.exit(subprocess.call(sys.argv[2:]))' "$b" "$scoutfs" mkfs -f "$a" "$b" \
		2>"$SCRATCH/err"
	same "mkfs: a block device that is in use" \
		"$(tail -n 1 "$SCRATCH/err")" \
		"scoutfs: mkfs failed: Device or resource busy (16)"
else
	ok "mkfs of block devices # SKIP no loop devices" true
fi

# ---- print

images
succeeds mkfs -f meta data
uuid=$(value uuid)
succeeds print meta
ok "print: shows the volume" grep -qF "$uuid" <<<"$out"
lines=$(wc -l <<<"$out")
succeeds print -S meta
ok "print -S: prints less" test "$(wc -l <<<"$out")" -lt "$lines"
refuses "data: the data device of a volume" "$EINVAL" print data
refuses "dir: not a block device" "Block device required (15)" print dir
run locked "$scoutfs" print meta
same "print: takes no locks" "$status" 0

# ---- check, fsck.scoutfs

fsck() { # exit status, arguments...
	local want=$1
	shift
	run "$BUILD/fsck.scoutfs" "$@"
	same "fsck.scoutfs $*: exit status" "$status" "$want"
}

before=$(written)
succeeds check meta data
same "check: no errors" "${out%%$'\n'*}" "errors:                 0"
ok "check: counts the root" grep -q '^inodes: *1$' <<<"$out"
succeeds check --json meta data
ok "check --json: one object" python3 -c '
import json, sys
v = json.loads(sys.argv[1])
assert v["errors"] == 0 and v["inodes"] == 1' "$out"
fsck 0 -f meta data
fsck 0 -af meta data
same "fsck.scoutfs -af: says nothing" "$out$err" ""
fsck 0 -p meta data
same "fsck.scoutfs -p: says nothing" "$out$err" ""
fsck 0 -n meta data
same "check changes nothing" "$(written)" "$before"

export LIBMOUNT_FSTAB=$SCRATCH/fstab
fsck 8 data
ok "fsck.scoutfs: no line in fstab" \
	grep -q "fstab has no line .* for 'data'; name" <<<"$err"
cat >fstab <<END
# comment
tmpfs /tmp tmpfs defaults 0 0
$SCRATCH/meta /a scoutfs metadev_path=none 0 0
$SCRATCH/data /b ext4 metadev_path=none 0 0
$SCRATCH/data /c scoutfs noauto,metadev_path=$SCRATCH/meta,acl 0 2
END
fsck 0 -f data
same "fsck.scoutfs: found the metadata device" "${out%%$'\n'*}" \
	"errors:                 0"

fsck 8 data meta
ok "fsck.scoutfs: swapped devices" grep -q 'devices are swapped' <<<"$err"
fsck 8 meta small
fsck 8 -a meta none
cp meta copy
fsck 8 meta copy
ok "fsck.scoutfs: two metadata devices" \
	grep -q 'both metadata devices' <<<"$err"
"$scoutfs" mkfs -f copy data >/dev/null
fsck 8 meta data
ok "fsck.scoutfs: devices of two volumes" \
	grep -q 'belong to different volumes' <<<"$err"
"$scoutfs" mkfs -f meta data >/dev/null

# Both roots, then the identity.
cp meta copy
for offset in 196608 262144; do
	put copy $((offset + 100)) '\377\377\377\377'
done
run "$scoutfs" check copy data
ok "check: damaged roots are not fine" test "$status" -eq 4 -o "$status" -eq 8
put meta 65600 '\377\377\377\377'
fsck 8 -f meta data
ok "fsck.scoutfs: a damaged identity" grep -q '^fsck.scoutfs: meta: ' <<<"$err"
same "fsck.scoutfs: errno of a damaged identity" "$(tail -n 1 <<<"$err")" \
	"scoutfs: fsck failed: Structure needs cleaning (117)"

tap_done
