#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Mounting and unmounting as mount(8) does it: read-only and back, in use,
# lazily, by force, in several places, with options that change.  (The helper
# of FUSE and its options: tests/fuse/mount.sh.)

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "mounts" "not root"
	tap_done
fi
change() { limited mount -i -o "remount,$1" "$MNT"; }
shown() { # option=value
	findmnt -n -o OPTIONS -M "$MNT" | tee /dev/stderr | grep -q "$1"
}
fails() { ! "$@" 2>/dev/null; }

ok "format" format 128
ok "mount" mount_volume || tap_done
is "empty" "$(ls -A "$MNT")" ""
is "of root, for all to read" "$(stat -c %a:%u:%g "$MNT")" 755:0:0
echo one >"$MNT/one"

# ---- read-only
ok "read-only" change ro
refused "files are not made" "Read-only" touch "$MNT/two"
refused "nor removed" "Read-only" rm -f "$MNT/one"
refused "nor written" "Read-only" truncate -s 0 "$MNT/one"
refused "nor renamed" "Read-only" mv -T "$MNT/one" "$MNT/two"
is "but read" "$(cat "$MNT/one")" one
ok "and back" change rw
ok "files are made" touch "$MNT/two"
ok "mount again, read-only" remount ro
refused "files are not made" "Read-only" touch "$MNT/three"
is "but listed" "$(ls "$MNT" | tr '\n' ' ')" "one two "
ok "unmount" unmount

# ---- options
ok "mount" mount_volume commit_interval_ms=400,data_prealloc_blocks=64
if can remount_options; then
	ok "options are shown" shown commit_interval_ms=400
	ok "another interval" change commit_interval_ms=600
	ok "is shown" shown commit_interval_ms=600
	ok "the other one is not forgotten" \
		shown data_prealloc_blocks=64
	ok "unknown options" fails change nonsense=1
	ok "values out of range" fails change commit_interval_ms=50
	ok "no numbers" fails change commit_interval_ms=soon
	ok "the interval stays" shown commit_interval_ms=600
	ok "another metadata device" fails change metadev_path=/dev/null
	is "the volume is still there" "$(cat "$MNT/one")" one
else
	skip "options that change" "$why"
fi

# ---- in use
exec 5<"$MNT/one"
ok "in use" fails umount "$MNT"
is "reading goes on" "$(cat <&5)" one
exec 5<&-
ok "not in use" unmount

# ---- lazily: what is open lives on, and then it is over
ok "mount" mount_volume
exec 5<>"$MNT/lazy"
ok "lazily" umount -l "$MNT"
ok "it is not to be seen" test ! -e "$MNT/one"
echo lazy >&5
exec 5>&-
ok "mount as soon as it is free" eventually mount_volume
is "what was written after it" "$(cat "$MNT/lazy")" lazy

# ---- in several places
mkdir -p "$SCRATCH/other"
ok "bind" mount --bind "$MNT" "$SCRATCH/other"
echo bound >"$SCRATCH/other/bound"
is "the same files" "$(cat "$MNT/bound")" bound
ok "unmount the first" umount "$MNT"
is "the other is there" "$(cat "$SCRATCH/other/bound")" bound
ok "and the last" umount "$SCRATCH/other"
if can several_mounts; then
	ok "mount" eventually mount_volume
	ok "mount it again elsewhere" mount_elsewhere "$SCRATCH/other"
	echo two >"$MNT/by the first"
	is "a file of the first" "$(cat "$SCRATCH/other/by the first")" two
	echo three >"$SCRATCH/other/by the first"
	is "written by the second" "$(cat "$MNT/by the first")" three
	ok "renamed by the second" mv "$SCRATCH/other/by the first" \
		"$SCRATCH/other/b"
	ok "gone for the first" test ! -e "$MNT/by the first"
	ok "unmount the first" umount "$MNT"
	is "the second is there" "$(cat "$SCRATCH/other/b")" three
	ok "mount the first again" mount_volume
	ok "unmount the second" umount "$SCRATCH/other"
	is "the first is there" "$(cat "$MNT/b")" three
	ok "unmount" unmount
else
	skip "several mounts" "$why"
fi
if [ "$FIXTURE" = kernel ]; then
	ok "mount" mount_volume
	ok "the same mount elsewhere" mount_shared "$SCRATCH/other"
	is "is the same" "$(stat -c %d "$SCRATCH/other")" \
		"$(stat -c %d "$MNT")"
	ok "unmount the first" umount "$MNT"
	ok "one of its own" mount_elsewhere "$MNT"
	ok "is another" test "$(stat -c %d "$SCRATCH/other")" != \
		"$(stat -c %d "$MNT")"
	is "with a status of its own" "$(ls -d "$STATUS"/f.*.r.* | wc -l)" 2
	is "and the same inodes" "$(stat -c %i "$SCRATCH/other/b")" \
		"$(stat -c %i "$MNT/b")"
	is "and as much room" "$(stat -f -c '%i %b' "$SCRATCH/other")" \
		"$(stat -f -c '%i %b' "$MNT")"
	exec 5<"$MNT/b"
	ok "by force, while the other one is used" timeout 30 umount -f -l "$MNT"
	exec 5<&-
	is "the other goes on" "$(cat "$SCRATCH/other/b")" three
	ok "and writes" touch "$SCRATCH/other/after"
	ok "unmount" umount "$SCRATCH/other"
fi

# ---- by force
ok "mount" eventually mount_volume
"$OPS" fill "$MNT/synced" 1m 3
"$OPS" fsync "$MNT/synced"
"$OPS" fill "$MNT/maybe" 1m 4
ok "by force" timeout 30 umount -f "$MNT"
ok "mount" eventually mount_volume
ok "what was synced is there" "$OPS" verify "$MNT/synced" 1048576 3
ok "unmount" unmount

# ---- again and again
again() {
	local i

	for i in $(seq "$(scaled 10 3)"); do
		mount_volume && touch "$MNT/again$i" && unmount || return
	done
}
ok "mount and unmount again and again" again
ok "check finds nothing" check_volume
tap_done
