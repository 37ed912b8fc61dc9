#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module in a kernel: it comes and goes, refuses what it can not mount, and
# the kernel's names mean what the shim says (tests/conformance).
#
# KERNEL is what the machine boots; the inner side is the same file there.

set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/vm/lib.sh
one_machine 300 "$@"

KO=$BUILD/kernel/$(uname -r)
MNT=$SCRATCH/mnt

come_and_go() {
	local i

	for i in $(seq 20); do
		rmmod scoutfs || return
		! grep -qw scoutfs /proc/filesystems || return
		insmod "$KO/scoutfs.ko" || return
		grep -qw scoutfs /proc/filesystems || return
	done
}

# Fails within a moment, mounts nothing, and holds on to nothing.
refused() { # mount's arguments
	if timeout 60 mount -i -t scoutfs "$@" "$MNT"; then
		umount "$MNT"
		echo "it was mounted"
		return 1
	fi
	! mountpoint -q "$MNT" || return
	[ "$(cat /sys/module/scoutfs/refcnt)" = 0 ] && return
	echo "the module is in use"
	return 1
}

devices() {
	mkdir -p "$MNT" &&
		truncate -s 64M "$SCRATCH/meta.img" "$SCRATCH/data.img" &&
		META=$(losetup -f --show "$SCRATCH/meta.img") &&
		DATA=$(losetup -f --show "$SCRATCH/data.img")
}

# Its lines go on with our numbers.
conformance() {
	local deps file=/sys/kernel/debug/conformance

	deps=$(modinfo -F depends "$KO/conformance.ko") &&
		{ [ -z "$deps" ] || modprobe -a ${deps//,/ }; } &&
		insmod "$KO/conformance.ko" &&
		cat $file >"$SCRATCH/conformance" && rmmod conformance &&
		grep -q '^1\.\.[1-9]' "$SCRATCH/conformance"
}

ok "comes and goes twenty times" come_and_go
# not in a subshell: it sets META and DATA
devices || bad=1
ok "no device" refused none
ok "a device that is not there" refused /dev/nothing
ok "no metadev_path" refused "$DATA"
ok "a metadata device that is not there" \
	refused -o metadev_path=/dev/nothing "$DATA"
ok "devices without a volume" refused -o "metadev_path=$META" "$DATA"
ok "one device for both" refused -o "metadev_path=$DATA" "$DATA"
ok "an unknown option" refused -o "metadev_path=$META,nonsense=1" "$DATA"
ok "the devices are free again" losetup -d "$META" "$DATA"

ok "the conformance cases run" conformance
while read -r line; do
	case $line in
	"ok "*|"not ok "*)
		nr=$((nr + 1))
		[[ $line = ok* ]] || bad=1
		echo "${line%%ok *}ok $nr - ${line#*- }"
		;;
	"#"*) echo "$line" ;;
	esac
done <"$SCRATCH/conformance"
tap_done
