#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Mounts that can not be: values of options, and devices of every wrong kind.
# Each is refused with a line that names the thing.

. "$(dirname "$0")/lib.sh"

# ---- options
images 64
option() { # options, text
	ok "option $1" refused_mount "$2" "$META" "$DATA" "$1"
}
ok "metadev_path is missing" refused_mount "metadev_path is missing" "" "$DATA"
for o in data_prealloc_blocks:0:4503599627370496 \
	data_prealloc_contig_only:-1:2 ino_alloc_per_lock:0:1025 \
	lock_idle_count:31:100001 log_merge_wait_timeout_ms:99:60001 \
	orphan_scan_delay_ms:99:60001 quorum_heartbeat_timeout_ms:1999:60001 \
	tcp_keepalive_timeout_ms:3000:2147483648 quorum_slot_nr:-1:15 \
	commit_interval_ms:99:60001; do
	IFS=: read -r name low high <<<"$o"
	option "$name=$low" "$name is \"$low\", but must be"
	option "$name=$high" "$name is \"$high\", but must be"
done
option commit_interval_ms=1e3 "commit_interval_ms is \"1e3\""
option quorum_slot_nr=1,quorum_slot_nr=1 "given twice"
option orphan_scan_delay_ms=500,orphan_scan_delay_ms=500 "given twice"
option nonsense "nonsense"
option nonsense=5 "nonsense"

# ---- devices
device() { # text, metadata, data
	ok "device: $1" refused_mount "$1" "$2" "$3"
}
copy() { # from, name: a device with the same contents
	dd if="$1" of="$SCRATCH/$2" bs=1M conv=sparse status=none
	device_of "$SCRATCH/$2"
}
device "no such metadata device" "$SCRATCH/none" "$DATA"
device "no such data device" "$META" "$SCRATCH/none"
device "not a block device" "$SCRATCH" "$DATA"
device "not a block device" "$META" /dev/null
device "the same device" "$META" "$META"
device "holds no scoutfs volume" "$META" "$DATA"
truncate -s 1M "$SCRATCH/small"
small=$(device_of "$SCRATCH/small")
device "too small" "$small" "$DATA"
ok "format" format 64
device "swapped" "$DATA" "$META"
meta2=$(copy "$META" meta2)
data2=$(copy "$DATA" data2)
device "both metadata devices" "$META" "$meta2"
device "both data devices" "$data2" "$DATA"
ok "format again" timeout 60 "$BUILD/mkfs.scoutfs" -f "$META" "$DATA"
device "different volumes" "$meta2" "$DATA"
# the identity block is at 64 KiB
truncate -s 64M "$SCRATCH/damaged"
dd if="$META" of="$SCRATCH/damaged" bs=1M conv=notrunc status=none
printf '\377' | dd of="$SCRATCH/damaged" bs=1 seek=$((65536 + 100)) \
	conv=notrunc 2>/dev/null
damaged=$(device_of "$SCRATCH/damaged")
device "damaged" "$damaged" "$DATA"
ok "format a larger one" format 100
dd if="$DATA" of="$SCRATCH/cut" bs=1M count=80 conv=sparse status=none
truncate -s 80M "$SCRATCH/cut"
cut=$(device_of "$SCRATCH/cut")
device "too small" "$META" "$cut"
if command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -qF "$META" 2>/dev/null
	device "scoutfs volume; is this the right" "$META" "$DATA"
fi
tap_done
