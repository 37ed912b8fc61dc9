#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A crowd of processes on one mount with short transactions: small files, then
# more than fits, then small files again, with a check after each unmount.
# Under ThreadSanitizer (BUILD=build/tsan) this is the test of the daemon.

. "$(dirname "$0")/lib.sh"

seconds=$(scaled 4)
options=commit_interval_ms=100,orphan_scan_delay_ms=100

ok "format" format 64
for bytes in 20000 9000000 20001; do
	ok "mount" mount_volume "$options"
	ok "writes of $bytes bytes" "$T/crowd" "$MNT" "${CROWD_SECONDS:-$seconds}" \
		8 "$bytes"
	[ "$bytes" != 20001 ] ||
		ok "everything can be removed" \
			find "$MNT" -mindepth 1 -delete
	ok "unmount" unmount
	ok "nothing to find" check_volume
done
tap_done
