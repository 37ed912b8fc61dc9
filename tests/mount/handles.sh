#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# File handles, see handles.c.

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "file handles" "not root"
	tap_done
fi
handles() { # test, file
	limited "$T/handles" "$MNT/d" "$FIXTURE" "$@"
}

ok "format" format
ok "mount" mount_volume || tap_done
mkdir "$MNT/d"
for test in tree kinds layout by_hand garbage unlinked connect race leaving; do
	ok "$test" handles "$test"
done
ok "handles before a remount" handles save "$SCRATCH/handles"
ok "remount" remount
ok "lead to the same after it" handles load "$SCRATCH/handles"
ok "unmount" unmount
ok "check" check_volume
tap_done
