#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The first process of a machine of scripts/vm, in its initramfs: loads the
# drivers that were packed, lays a tmpfs over the host's root, and goes on with
# the agent there.

/bin/busybox mkdir -p /proc /sys /dev /lower /top /new
/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

die() {
	echo "scoutfs-vm: $*" >/dev/kmsg
	sleep 1
	poweroff -f
}

# Only asks whether a kernel boots here (accel.py).
grep -qw scoutfs_vm=0 /proc/cmdline && die alive

for module in $(cat /modules/order); do
	insmod "/modules/$module" || die "insmod $module failed"
done

mount -t virtiofs -o ro hostroot /lower || die "no root of the host"
mount -t tmpfs -o size=90%,mode=755 tmpfs /top
mkdir /top/upper /top/work
mount -t overlay -o lowerdir=/lower,upperdir=/top/upper,workdir=/top/work \
	overlay /new || die "no overlay over the root of the host"

mount -t tmpfs -o mode=755 tmpfs /new/run
mkdir -p /new/run/scoutfs-vm /new/run/lock /new/run/shm
cp /bin/busybox /agent.sh /new/run/scoutfs-vm/
[ ! -e /modules/scoutfs ] || mv /modules/scoutfs /new/run/scoutfs-vm/scoutfs.ko
for dir in proc sys dev; do
	mkdir -p /new/$dir
	mount --move /$dir /new/$dir
done
exec switch_root /new /run/scoutfs-vm/busybox sh /run/scoutfs-vm/agent.sh
