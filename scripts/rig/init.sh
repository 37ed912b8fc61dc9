#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The first process of a machine of scripts/vm, in its initramfs: loads the
# drivers that were packed, lays a tmpfs over the host's root, and goes on with
# the agent there.

/bin/busybox mkdir -p /proc /sys /dev /lower /top /root
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

case " $(cat /proc/cmdline) " in
*" scoutfs_vm=probe "*) die alive ;;
esac

for module in $(cat /modules/order); do
	insmod "/modules/$module" || die "insmod $module failed"
done

mount -t virtiofs -o ro hostroot /lower || die "no root of the host"
mount -t tmpfs -o size=90%,mode=755 tmpfs /top
mkdir /top/upper /top/work
mount -t overlay -o lowerdir=/lower,upperdir=/top/upper,workdir=/top/work \
	overlay /root || die "no overlay over the root of the host"

mount -t tmpfs -o mode=1777,size=90% tmpfs /root/tmp
mount -t tmpfs -o mode=755 tmpfs /root/run
mkdir -p /root/run/scoutfs-vm /root/run/lock /root/run/shm
cp /bin/busybox /agent.sh /root/run/scoutfs-vm/
for dir in proc sys dev; do
	mkdir -p /root/$dir
	mount --move /$dir /root/$dir
done
exec switch_root /root /run/scoutfs-vm/busybox sh /run/scoutfs-vm/agent.sh
