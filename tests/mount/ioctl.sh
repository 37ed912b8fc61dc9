#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The ioctl interface: answers, errors, and callers of every kind.

. "$(dirname "$0")/lib.sh"

ok "format" format
ok "mount" mount_volume || tap_done
mkdir "$MNT/a" "$MNT/b"
ok "answers and errors" "$T/ioctls" "$MNT/a" "$FIXTURE"
if unshare -pf --mount-proc true 2>/dev/null; then
	ok "from another pid namespace" unshare -pf --mount-proc \
		"$T/ioctls" "$MNT/b" "$FIXTURE"
else
	skip "from another pid namespace" "unshare is not permitted"
fi

ok "unmount" unmount

tap_done
