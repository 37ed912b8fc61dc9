#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Several mounts in one daemon: how they come and go, what is told apart, and
# that one which fails leaves the others alone.  (What they see of each other:
# tests/mount/coherent.sh.)

. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	skip "several mounts" "not root"
	tap_done
fi
helper=$BUILD/mount.scoutfs
run=/run/scoutfs

# Says something to the daemon and prints the words of its answer.
ask() { # word...
	timeout 20 python3 - "$socket" "$@" <<'PY'
import socket, sys
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.connect(sys.argv[1])
sock.send(b"".join(w.encode() + b"\0" for w in sys.argv[2:]))
print(" ".join(w.decode() for w in sock.recv(16384).split(b"\0")))
PY
}
# Connects, says nothing, and stays.
silent() {
	exec timeout 60 python3 - "$socket" <<'PY'
import socket, sys, time
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.connect(sys.argv[1])
sock.send(b"mount\0")
time.sleep(50)
PY
}
status_dirs() {
	local dir nr=0

	for dir in "$run"/f."${fsid:0:6}".r.*; do
		[ ! -d "$dir" ] || nr=$((nr + 1))
	done
	echo "$nr"
}
# The status directory of a mount.
status_of() { # directory
	local rid

	rid=$("$BUILD/scoutfs" statfs -s rid -p "$1") || return
	echo "$run/f.${fsid:0:6}.r.${rid:0:6}"
}
test_dirs() { [ "$(status_dirs)" = "$1" ]; }
fails() { ! "$@" 2>/dev/null; }

ok "format" format 128
ok "three mounts" mount_several 3 || tap_done
fsid=$("$BUILD/scoutfs" statfs -s fsid -p "$MNT")
socket=$run/$fsid.sock
pid=$(daemon_pid)
is "are one process" "$(find /proc/[0-9]*/fd -maxdepth 1 -lname "$META" \
	2>/dev/null | cut -d / -f 3 | sort -u)" "$pid"
is "have three status directories" "$(status_dirs)" 3
is "and three ids" "$(for i in 1 2 3; do "$BUILD/scoutfs" statfs -s rid \
	-p "$(mnt $i)"; done | sort -u | wc -l)" 3
is "of one volume" "$(for i in 1 2 3; do "$BUILD/scoutfs" statfs -s fsid \
	-p "$(mnt $i)"; done | sort -u | wc -l)" 1

# ---- options and counters are a mount's own
ok "a fourth with options of its own" mount_nr 4 commit_interval_ms=777
is "shows them" "$(cat "$(status_of "$(mnt 4)")"/mount_options/commit_interval_ms
	)" 777
is "which the first has not" "$(cat \
	"$(status_of "$MNT")"/mount_options/commit_interval_ms)" 5000
creates() { "$BUILD/scoutfs" counters -p "$1" -s op_create; }
before=$(creates "$(mnt 2)")
touch "$MNT/a" "$MNT/b" "$MNT/c"
is "counters are those of the mount" "$(creates "$(mnt 2)")" "$before"
ok "also of the first" test "$(creates "$MNT")" -ge 3
refused "wrong options" "commit_interval_ms" "$helper" "$DATA" \
	"$(mkdir -p "$(mnt 5)" && mnt 5)" \
	-o "metadev_path=$META,commit_interval_ms=1"

# ---- what is told apart
cp "$META" "$SCRATCH/meta2.img"
cp "$DATA" "$SCRATCH/data2.img"
refused "a copy of the volume" "has the id of a volume that is mounted from" \
	"$helper" "$SCRATCH/data2.img" "$(mnt 5)" \
	-o "metadev_path=$SCRATCH/meta2.img"
refused "a copy of one device" "$SCRATCH/data2.img has the id" \
	"$helper" "$SCRATCH/data2.img" "$(mnt 5)" -o "metadev_path=$META"
rm -f "$SCRATCH/meta2.img" "$SCRATCH/data2.img"
ln -s "$META" "$SCRATCH/alias"
ok "another name of the device" "$helper" "$DATA" "$(mnt 5)" \
	-o "metadev_path=$SCRATCH/alias"
refused "twice on one directory" "is mounted on $(mnt 5) already" \
	"$helper" "$DATA" "$(mnt 5)" -o "metadev_path=$META"
ok "unmount it" umount "$(mnt 5)"
if command -v python3 >/dev/null; then
	says() { [[ $(ask "${@:2}") == *"$1"* ]]; }
	ok "another version of the protocol" says "speaks version" \
		mount 1 "$META" "$DATA" "$(mnt 5)" "" "" 0
	ok "a program from before there were versions" says "error" \
		mount "$META" "$DATA" "$(mnt 5)" "" ""
	ok "half a request" says "error" mount
	ok "no request at all" says "does not know" hello
	ok "counters of nobody" says "no mount with this id" counters 1234
	silent &
	mute=$!
	ok "with a client that says nothing" mount_nr 5
	ok "and unmount" umount "$(mnt 5)"
	kill "$mute"
	wait "$mute" 2>/dev/null
	# what one that dies in the middle leaves behind
	ok "a client that goes after its first word" says "go" \
		mount 2 "$META" "$DATA" "$(mnt 5)" "" "" 0
	ok "is forgotten" eventually test_dirs 4
else
	skip "what the daemon says to others" "there is no python3"
fi

# ---- at once
at_once() {
	local i pids= pid bad=0

	for i in 5 6 7 8 9; do
		mount_nr "$i" & pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || bad=1
	done
	return "$bad"
}
ok "five more at once" at_once
five() {
	local i

	for i in 5 6 7 8 9; do
		[ -e "$(mnt $i)/a" ] || return
	done
}
ok "all have it" five
ok "and go at once" umount "$(mnt 5)" "$(mnt 6)" "$(mnt 7)" "$(mnt 8)" \
	"$(mnt 9)"
ok "their status goes" eventually test_dirs 4
is "the daemon is the same" "$(daemon_pid)" "$pid"

# ---- one that fails
exec 5<>"$(mnt 2)/held"
echo held >&5
ok "by force, in use" umount -f -l "$(mnt 2)"
echo first >"$MNT/first"
is "the others go on" "$(cat "$(mnt 3)/first")" first
exec 5>&-
ok "until the last one has closed it" eventually test_dirs 3
minor=$(findmnt -n -o MAJ:MIN -M "$(mnt 3)")
abort=/sys/fs/fuse/connections/${minor#*:}/abort
if [ -w "$abort" ]; then
	sleep 60 <"$(mnt 3)/first" &
	sleeper=$!
	ok "abort of a connection" sh -c "echo 1 >$abort"
	ok "that mount is dead" fails ls "$(mnt 3)"
	is "the others go on" "$(cat "$MNT/first")" first
	ok "its status goes" eventually test_dirs 2
	kill "$sleeper"
	wait "$sleeper" 2>/dev/null
	ok "mount over it" mount_nr 3
	is "lives" "$(cat "$(mnt 3)/first")" first
else
	skip "abort of a connection" "fusectl is not mounted"
	umount "$(mnt 3)"
	mount_nr 3
fi

# ---- the end
ok "unmount the first" umount "$MNT"
ok "and the third" umount "$(mnt 3)"
is "the fourth has it all" "$(cat "$(mnt 4)/first")" first
ok "unmount the last" umount "$(mnt 4)"
ok "the daemon ends" wait_daemon
ok "nothing is left" test_dirs 0
ok "and no socket" test ! -e "$socket"
ok "three mounts" mount_several 3
ok "SIGTERM" kill -TERM "$(daemon_pid)"
ok "ends the daemon" wait_daemon
ok "and all mounts" sh -c "! grep -q ' $SCRATCH/' /proc/mounts"

# ---- as it is ending, and starting
again() {
	local i

	for i in $(seq 10); do
		mount_volume && mount_nr 2 && umount "$MNT" "$(mnt 2)" ||
			return
	done
}
ok "mount twice and unmount, again and again" again
race() {
	local i

	for i in $(seq 10); do
		mount_volume || return
		umount "$MNT" &
		mount_nr 2 || return
		wait $!
		[ -e "$(mnt 2)/first" ] || return
		umount "$(mnt 2)" || return
	done
}
ok "one goes while another comes" race
ok "the last one ends" wait_daemon
ok "check finds nothing" check_volume
tap_done
