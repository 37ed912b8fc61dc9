#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The machines notice: a module that does one bad thing (bad_module/) makes
# scripts/vm fail, with a reason that fits.  A boot for each, because the
# first report ends some kinds of watching.
#
# On the debug kernel the things that only it sees, else those all kernels do.

. "$(dirname "$0")/disks-lib.sh"

build_bad() {
	local kdir

	if [ "$KERNEL" = debug ]; then
		kdir=$(cd "$SRC" && scripts/debug-kernel --path)/build
	else
		kdir=$(cd "$SRC" && . scripts/kernels.sh &&
			kernel_headers "$KERNEL")
	fi
	mkdir -p "$BAD" && cp "$SRC"/tests/vm/bad_module/* "$BAD/" &&
		make -C "$kdir" M="$BAD" W=1 modules
}

load() { # kind
	"$SRC/scripts/vm" --kernel "$KERNEL" --timeout 60 --memory 768 \
		--no-module --log "$SCRATCH/console.$1" -- \
		sh -c "insmod $BAD/bad.ko kind=$1 && sleep 0.2 &&
			{ [ $1 = stay ] || rmmod bad; }" </dev/null
}

# Nothing is noticed where nothing is wrong.
well() { load none; }

noticed() { # kind, expression that the console or the answer has
	local out status=0

	out=$(load "$1" 2>&1) || status=$?
	printf '%s\n' "$out"
	[ "$status" = 125 ] &&
		printf '%s\n' "$out" | cat - "$SCRATCH/console.$1" | grep -qE "$2"
}

outside() {
	# not below SCRATCH, which is another one in the machine
	BAD=$BUILD/tests/vm/bad-$KERNEL
	ok "build" build_bad || tap_done
	ok "a good module" well
	if [ "$KERNEL" = debug ]; then
		ok "use after free" noticed uaf 'KASAN: slab-use-after-free|KASAN: use-after-free'
		ok "overrun" noticed overrun 'KASAN: slab-out-of-bounds'
		ok "sleeping under a spin lock" noticed sleep \
			'sleeping function called from invalid context'
		ok "locks the other way round" noticed lock \
			'possible circular locking'
		ok "leak" noticed leak 'unreferenced object'
	else
		ok "warning" noticed warn 'bad: a warning'
		ok "oops" noticed oops 'NULL pointer dereference'
		ok "objects left at unloading" noticed slab 'bad_objects'
	fi
	tap_done
}

two_sides "$@"
