#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# SQLite in both journal modes, by several processes at once, also on two
# mounts: sqlite.py.  The write-ahead log needs memory that all processes
# share, which two mounts can only give where mappings are coherent.

. "$(dirname "$0")/lib.sh"

other=$SCRATCH/other
seconds=$(scaled 8 4)

if ! python3 -c "import sqlite3" 2>/dev/null; then
	skip "SQLite" "python3 has no sqlite3 here"
	tap_done
fi

sqlite() { # journal mode, directory...
	rm -f "$MNT"/accounts.db*
	limited python3 "$(dirname "$0")/sqlite.py" "$1" "$seconds" 6 "${@:2}"
}

ok "format" format 256
ok "mount" mount_volume || tap_done
ok "rollback journal" sqlite delete "$MNT"
ok_if shared_mmap "write-ahead log" sqlite wal "$MNT"
if can several_mounts; then
	mkdir -p "$other"
	ok "mount it again elsewhere" mount_elsewhere "$other"
	ok "rollback journal, two mounts" sqlite delete "$MNT" "$other"
	ok_if mmap_between "write-ahead log, two mounts" \
		sqlite wal "$MNT" "$other"
	ok "unmount that" umount "$other"
else
	skip "several mounts" "$why"
fi
ok "unmount" unmount
ok "check finds nothing" check_volume
tap_done
