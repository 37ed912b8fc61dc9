#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What POSIX expects of files, directories and attributes, through a mount.

. "$(dirname "$0")/lib.sh"

ok "format" format
ok "mount" mount_volume || tap_done

d=$MNT/d
large=$(scaled 104857600)
entries=$(scaled 10000 2000)
mkdir "$d"
ok "names and what operations answer" sh -c "mkdir $d/n && $OPS names $d/n"
ok "contents in odd chunks" "$OPS" fill "$d/odd" 5m 1
ok "contents are read back" "$OPS" verify "$d/odd" 5242880 1
ok "large file" "$OPS" fill "$d/large" "$large" 2 1m
ok "large file is read back" "$OPS" verify "$d/large" "$large" 2
ok "sparse file, holes, truncation" "$OPS" sparse "$d/sparse"
ok "appending from four processes" "$OPS" append "$d/append" 4 "$(scaled 500)"
ok "mappings" "$OPS" mmap "$d/mmap"
ok "cached reads see every write" "$OPS" stale "$d/stale" "$(scaled 2000)"
ok "O_SYNC and O_DSYNC" "$OPS" osync "$d/osync"
ok "fsync of a file" "$OPS" fsync "$d/odd"
ok "fsync of a directory" "$OPS" fsync "$d"
ok "fsync under signals" "$OPS" signals "$d/signals"
ok "extended attributes" "$OPS" xattr "$d/xattr"
ok "times with nanoseconds and birth" "$OPS" times "$d/times"
ok "rename over a name in use" \
	sh -c "mkdir $d/r && $OPS rename $d/r 3 $(scaled 300)"
ok "directories move through each other" \
	sh -c "mkdir $d/m && $OPS moves $d/m 4 $(scaled 300)"
ok "reading $entries entries during deletes" \
	sh -c "mkdir $d/big && $OPS readdir $d/big $entries"
ok "unlinked while open" sh -c "mkdir $d/u && $OPS unlinked $d/u"

statfs_adds_up() {
	local size blocks bfree bavail files ffree

	read -r size blocks bfree bavail files ffree \
		<<<"$(stat -f -c '%S %b %f %a %c %d' "$MNT")"
	echo "$size $blocks $bfree $bavail $files $ffree"
	[ "$size" = 4096 ] && [ "$blocks" -gt 0 ] &&
		[ "$bfree" -lt "$blocks" ] && [ "$bavail" -le "$bfree" ] &&
		[ "$bavail" -gt 0 ] && [ "$ffree" -le "$files" ]
}
ok "statfs" statfs_adds_up
ok "df" df "$MNT"

ok "a tree is copied" cp -a "$SRC/core" "$d/copy"
ok "the copy is the same" diff -r "$SRC/core" "$d/copy"

# everything again from the devices
ok "unmount and mount again" remount
ok "the copy is still the same" diff -r "$SRC/core" "$d/copy"
ok "contents are still there" "$OPS" verify "$d/large" "$large" 2
is "all even files are still there" "$(ls "$d/big" | wc -l)" \
	$((entries / 2))
ok "everything can be removed" rm -r "$d"
is "nothing is left" "$(ls -A "$MNT")" ""
ok "unmount" unmount
ok "check finds nothing" check_volume

tap_done
