#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two mounts of a volume see one filesystem, see coherent.c.

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "several mounts" "not root"
	tap_done
fi
both() { # test
	rm -rf "${MNT:?}/$1" && mkdir "$MNT/$1" &&
		limited "$T/coherent" "$1" "$MNT/$1" "$(mnt 2)/$1"
}

ok "format" format
ok "mount twice" mount_several 2 || tap_done
for test in names replaced directories symlinks attributes rights xattrs data \
	append truncation mapping open_unlinked cwd; do
	ok "$test" both "$test"
done
ok_if shared_mmap "stores" both stores

# ---- mounts that come and go
ok "a third mount" mount_nr 3
echo third >"$(mnt 3)/third"
is "is seen by the first" "$(cat "$MNT/third")" third
ok "unmount the first" umount "$MNT"
is "the second has it all" "$(cat "$(mnt 2)/third")" third
ok "names, on the others" "$T/coherent" names \
	"$(mnt 2)/names" "$(mnt 3)/names"
ok "the first again" mount_volume
is "has it all" "$(cat "$MNT/third")" third
exec 5<"$(mnt 3)/third"
ok "the third goes, in use" umount -l "$(mnt 3)"
is "what is open lives on" "$(cat <&5)" third
exec 5<&-
ok "data" both data
ok "unmount" unmount_several
ok "check finds nothing" check_volume
tap_done
