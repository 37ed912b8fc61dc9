#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A workload in a machine, then every crash it could have had: at each write of
# either device all, some or none of what no flush has covered is lost.  Each
# state is clean for `scoutfs check`; some are mounted, and everything that was
# synced before is there.
#
# REPLAY_SECONDS (45) bounds it, REPLAY_STEPS (120, less on the debug kernel) is
# the length of the workload, SEED (1) its seed.

. "$(dirname "$0")/disks-lib.sh"
export SEED=${SEED:-1}
STEPS=${REPLAY_STEPS:-$((120 / SLOW))}
# the owner block, which everybody would watch for some seconds in each state
OWNER_OFFSET=131072
SECONDS_OF_REPLAY=${REPLAY_SECONDS:-45}

in_workload() {
	mount_volume || return
	limited "$T/promise" run "$MNT" $CONTROL "$SEED" "$STEPS" || return
	# the judge sees when something is missing
	if limited "$T/promise" verify "$MNT" "$SEED" $((STEPS + 9)) \
			$((STEPS + 9)); then
		echo "steps that were not done are there"
		return 1
	fi
	unmount
}

# A state behind the daemon.
do_look() {
	local meta=$SCRATCH/replay-meta.img data=$SCRATCH/replay-data.img bad=0

	mkdir -p "$MNT"
	limited "$BUILD/mount.scoutfs" "$data" "$MNT" \
		-o "metadev_path=$meta" || return
	promises "$DONE" "$ISSUED" || bad=1
	limited umount "$MNT" || return
	META=$meta wait_daemon || return
	check_images "$meta" "$data" && [ $bad = 0 ]
}

promises() { # done, issued
	if [ "$1" = 0 ] && [ ! -d "$MNT/b" ]; then
		return 0	# before the workload's beginning
	fi
	limited "$T/promise" verify "$MNT" "$SEED" "$1" "$2"
}

outside() {
	ok "format" make_images 64 || tap_done
	ok "disks" start_disks || tap_done
	ok "workload" inside $((300 * SLOW)) workload || tap_done
	stop_disks
	ok "check after it" check_images
	mv "$SCRATCH/meta0.img" "$SCRATCH/replay-meta.img"
	mv "$SCRATCH/data0.img" "$SCRATCH/replay-data.img"
	export BUILD SCRATCH
	ok "all crashes" "$T/replay" -s "$SEED" -t "$SECONDS_OF_REPLAY" -d 40 \
		-x "0:$OWNER_OFFSET:4096" \
		-c "$BUILD/scoutfs check $SCRATCH/replay-meta.img \
			$SCRATCH/replay-data.img 2>&1" \
		-D "$SELF look 2>&1" \
		"$SCRATCH/disks.log" "$SCRATCH/replay-meta.img" \
		"$SCRATCH/replay-data.img"
	grep -E '^(not )?ok|^# ' "$SCRATCH/log" | sed 's/^#* */# /'
	tap_done
}

two_sides "$@"
