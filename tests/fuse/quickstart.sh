#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ./quickstart does what it says: from nothing, again on its own mount, after
# the daemon was killed, and --stop leaves nothing.

. "$(dirname "$0")/lib.sh"

here=$SCRATCH/quickstart
META=$here/meta.img
DATA=$here/data.img
MNT=$here/mnt
MNT2=$here/mnt2
text=$SCRATCH/text

quickstart() {
	QUICKSTART_DIR=$here B=$BUILD timeout -k 5 "$LIMIT" \
		"$SRC/quickstart" "$@" >"$text" 2>&1 </dev/null && return
	tail -n 20 "$text"
	return 1
}

# The last inodes of the three walks after the touches.
last_inos() {
	awk '/^\$ touch/ { walk = 1 } /^The second touch/ { exit }
		walk && /^[0-9]/ { ino = $4 }
		walk && (/^$/) && ino { print ino; ino = 0 }' "$text"
}
says() { grep -qF "$1" "$text"; }

ok "from nothing" quickstart
one=$(stat -c %i "$MNT/one")
two=$(stat -c %i "$MNT/two")
is "the walks end with what was touched" "$(last_inos | tr '\n' ' ')" \
	"$one $two $one "
ok "the last walk has all files" says "502 entries"
is "which are there" "$(find "$MNT/lots" -type f | wc -l)" 500
is "contents" "$(cat "$MNT/lots/file77")" 77
ok "what one mount wrote, the other shows" grep -q "^hello [0-9:]*$" "$text"
ok "there are two mounts" test "$(stat -c %d "$MNT")" != \
	"$(stat -c %d "$MNT2")"
is "with the same files" "$(cat "$MNT2/lots/file77")" 77
ok "says how to stop" says "quickstart --stop"

ok "again, on what is mounted" quickstart
ok "uses it" says "Using the volume that is mounted"
is "more files" "$(find "$MNT" -type f | wc -l)" 1002

ok "kill" kill_daemon
ok "again, after the daemon was killed" quickstart
ok "mounts it" says "mount.scoutfs"
is "what was there is there" "$(cat "$MNT/lots/file77")" 77
is "even more files" "$(find "$MNT" -type f | wc -l)" 1502

ok "stop" quickstart --stop
ok "nothing is mounted" test -z "$(findmnt -n -M "$MNT"; findmnt -n -M "$MNT2")"
ok "nothing is left" test ! -e "$here"
ok "stop again" quickstart --stop
refused "unknown arguments" "unknown argument" "$SRC/quickstart" --go

tap_done
