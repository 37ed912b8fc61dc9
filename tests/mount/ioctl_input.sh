#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Ioctls with input that nobody should give, see ioctl_input.c.

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "input of ioctls" "not root"
	tap_done
fi

ok "format" format
ok "mount" mount_volume || tap_done
chmod 755 "$SCRATCH" "$MNT"
for test in structures results pointers callers compat files unknown own_file
do
	mkdir "$MNT/$test"
	ok "$test" "$T/ioctl_input" "$MNT/$test" "$test"
done
ok "unmount" unmount
ok "check" check_volume
tap_done
