#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# bench/guest.sh WORK SCALE TYPE GROUP...: the part of bench/vm that runs in the
# machine.  Formats the disks and lets the program do a group, for each; a line
# of JSON says where one begins.  scoutfs has metadata on the first disk, data
# on the second; the others have the one disk.
#
# Features are mkfs's defaults, but everything that a filesystem would leave to
# a thread after its first mount is done at once: it would be counted.

set -u
work=$1 scale=$2 type=$3
shift 3
export PATH=/usr/sbin:/sbin:$PATH
dir=/run/bench
mkdir -p $dir

# All of them have checksums, and the fast implementation loads on its own only
# where there is an udevd.  What has found the slow one keeps it.
fast_checksums() {
	local loaded

	loaded=$(grep -c '^scoutfs ' /proc/modules)
	[ "$loaded" = 0 ] || rmmod scoutfs || return
	rmmod libcrc32c 2>/dev/null
	modprobe -q crc32c-intel
	modprobe libcrc32c
	[ "$loaded" = 0 ] || insmod /run/scoutfs-vm/scoutfs.ko
}

format() {
	case $type in
	ext4)
		mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 \
			/dev/vda ;;
	xfs) mkfs.xfs -q -f /dev/vda ;;
	scoutfs) "$BUILD/scoutfs" mkfs --force /dev/vda /dev/vdb ;;
	esac
}

case $type in
scoutfs) source=/dev/vdb options=metadev_path=/dev/vda ;;
*) source=/dev/vda options= ;;
esac

fast_checksums || exit 1
for group; do
	log=$(format 2>&1) || { echo "$log" >&2; exit 1; }
	sync
	echo "{\"begin\": \"$group\"}"
	"$work" -s "$scale" $type $source "$options" $dir "$group" || exit 1
	echo "{\"end\": \"$group\"}"
done
