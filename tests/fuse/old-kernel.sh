#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon agrees on an old version of the protocol, as with Linux 5.4 and
# 6.1, and does itself what newer kernels do for it.

. "$(dirname "$0")/lib.sh"

ok "format" format
for minor in 31 38; do
	export SCOUTFS_FUSE_MINOR=$minor
	ok "mount, 7.$minor" mount_volume || tap_done
	d=$MNT/v$minor
	mkdir "$d"
	ok "names, 7.$minor" sh -c "mkdir $d/n && $OPS names $d/n"
	ok "contents, 7.$minor" "$OPS" fill "$d/f" 5m 3
	ok "read back, 7.$minor" "$OPS" verify "$d/f" 5242880 3
	ok "cached reads see every write, 7.$minor" \
		"$OPS" stale "$d/stale" 1000
	ok "mappings, 7.$minor" "$OPS" mmap "$d/mmap"
	ok "appending, 7.$minor" "$OPS" append "$d/append" 3 200
	ok "O_SYNC, 7.$minor" "$OPS" osync "$d/osync"
	ok "writes under signals, 7.$minor" "$OPS" signals "$d/signals"
	ok "times, 7.$minor" "$OPS" times "$d/times"
	ok "unlinked, 7.$minor" sh -c "mkdir $d/u && $OPS unlinked $d/u"
	ok "unmount, 7.$minor" unmount
done

tap_done
