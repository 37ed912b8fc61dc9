# SPDX-License-Identifier: GPL-2.0-only
#
# Fixture of the tests of commands: sourced, not run.

set -u
export LC_ALL=C
unset SCOUTFS_MOUNT_PATH
BUILD=${BUILD:-build}
BUILD=$(cd "$BUILD" && pwd) || exit 1
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
SCRATCH=${SCRATCH:-$(mktemp -d)}
scoutfs=$BUILD/scoutfs
[ -x "$scoutfs" ] || { echo "Bail out! there is no $scoutfs"; exit 1; }
tap_nr=0
tap_bad=0

ok() { # name, command...
	local name=$1
	shift
	tap_nr=$((tap_nr + 1))
	if "$@"; then
		echo "ok $tap_nr - $name"
	else
		echo "not ok $tap_nr - $name"
		tap_bad=1
	fi
}

same() { # name, is, has to be
	ok "$1" test "$2" = "$3" && [ "$2" = "$3" ] && return
	printf '# is\n%s\n# has to be\n%s\n' "$2" "$3" | sed 's/^/# /'
}

# Runs a command; leaves $out, $err and $status.
run() { # command...
	"$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
	status=$?
	out=$(cat "$SCRATCH/out")
	err=$(cat "$SCRATCH/err")
}

tap_done() {
	echo "1..$tap_nr"
	exit "$tap_bad"
}
