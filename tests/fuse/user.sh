#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Somebody without privileges mounts a volume of his own.

. "$(dirname "$0")/lib.sh"

if ! command -v fusermount3 >/dev/null; then
	skip "mounting without privileges" "no fusermount3"
	tap_done
fi
ok "format" format 64
if [ "$(id -u)" = 0 ]; then
	# on a new volume only root may make files
	ok "mount as root" mount_volume || tap_done
	chown nobody "$MNT"
	ok "unmount" unmount
	bin=$SCRATCH/bin
	mkdir -p "$bin" "$SCRATCH/run"
	install -m 755 "$BUILD/scoutfs-fuse" "$BUILD/mount.scoutfs" "$OPS" \
		"$T/ioctls" "$bin"
	chown nobody "$META" "$DATA" "$MNT" "$SCRATCH" "$SCRATCH/run" \
		"$SCOUTFS_LOG"
	user() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
else
	bin=$BUILD
	mkdir -p "$SCRATCH/run"
	user() { "$@"; }
fi
export XDG_RUNTIME_DIR=$SCRATCH/run
reachable() {
	user test -x "$bin/mount.scoutfs" && user test -w "$META"
}
if ! reachable; then
	skip "mounting without privileges" "the user cannot get there"
	tap_done
fi

cd / || exit 1
ok "mount" user timeout 30 "$bin/mount.scoutfs" "$DATA" "$MNT" \
	-o "metadev_path=$META"
ok "the socket is in the user's own directory" \
	sh -c "ls $SCRATCH/run/scoutfs/*.sock"
ok "contents" user "$bin/ops" fill "$MNT/file" 300k 1
ok "are read back" user "$bin/ops" verify "$MNT/file" 307200 1
ok "fsync" user "$bin/ops" fsync "$MNT/file"
ok "ioctls" user sh -c "mkdir $MNT/i && $bin/ioctls $MNT/i fuse user weak"
ok "unmount" user timeout 30 fusermount3 -u "$MNT"
ok "the daemon ends" wait_daemon
ok "mount" user timeout 30 "$bin/mount.scoutfs" "$DATA" "$MNT" \
	-o "metadev_path=$META"
ok "SIGTERM" user kill -TERM "$(daemon_pid)"
ok "ends the daemon" wait_daemon
ok "and the mount" sh -c "! grep -q ' $MNT ' /proc/mounts"
chmod 600 "$META" "$DATA"
refused "without permission for a device" "Permission denied" \
	setpriv --reuid 4321 --regid 4321 --clear-groups \
	"$bin/mount.scoutfs" "$DATA" "$MNT" -o "metadev_path=$META"

tap_done
