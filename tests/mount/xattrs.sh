#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Extended attributes, see xattrs.c.

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "extended attributes" "not root"
	tap_done
fi

ok "format" format
ok "mount" mount_volume || tap_done
chmod 755 "$SCRATCH" "$MNT"
for test in values names many pointers callers kinds times capability; do
	mkdir -m 777 "$MNT/$test"
	ok "$test" "$T/xattrs" "$MNT/$test" "$test"
done
ok "remount" remount
ok "they are there after it" "$T/xattrs" "$MNT/callers" stay
ok "unmount" unmount
ok "check" check_volume
tap_done
