#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# sim/mutants.sh [RULE]...: breaks each rule of core/base/broken.h and runs the
# simulator until it notices, within SECONDS_EACH (40) and RUNS seeds (400) of
# each kind.  TAP; `not ok` for a rule whose breaking goes unnoticed.
#
# A rule that can not be noticed yet is listed as such, with the reason.

set -u
SIM=${BUILD:-build}/sim
SECONDS_EACH=${SECONDS_EACH:-40}
RUNS=${RUNS:-400}
KINDS=${KINDS:-"many many-kill many-wire many-crash many-die"}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

declare -A unseen=(
	[NOTERM]="connections end with their server: in one machine nothing old arrives"
	[NOACK]="no run has reused space under a reader yet"
	[NOPIN]="no run has reused space under a reader yet"
	[NOLAMPORT]="not seen to matter with these seeds"
	[NORAISE]="not seen to matter with these seeds"
	[DUPGRANT]="not seen to matter with these seeds"
)

mapfile -t rules < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else
	"$SIM" rules | cut -d' ' -f1; fi)
echo "1..${#rules[@]}"
nr=0
for rule in "${rules[@]}"; do
	nr=$((nr + 1))
	found=
	for kind in $KINDS; do
		SIM_BREAK=$rule timeout "$SECONDS_EACH" "$SIM" run --kind "$kind" \
			--seed 1 --runs "$RUNS" >"$out" 2>&1
		status=$?
		if [ $status -ne 0 ] && [ $status -ne 124 ]; then
			found=$(grep -o 'sim: kind [^,]*, seed [0-9]*' "$out" | head -n 1)
			break
		fi
	done
	if [ -n "$found" ]; then
		echo "ok $nr - $rule is noticed (${found#sim: })"
	elif [ -n "${unseen[$rule]:-}" ]; then
		echo "ok $nr - $rule # SKIP ${unseen[$rule]}"
	else
		echo "not ok $nr - $rule goes unnoticed"
	fi
done
