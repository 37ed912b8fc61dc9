#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/tidy finds each kind of violation when it is planted in a small tree,
# and finds nothing in that tree before.

set -u
nr=0
bad=0
tree=$SCRATCH/tree
spdx='/* SPDX-License-Identifier: GPL-2.0-only */'

plant() { # file, lines...
	local file=$tree/$1
	shift
	mkdir -p "$(dirname "$file")"
	printf '%s\n' "$@" >"$file"
}

fresh() {
	rm -rf "$tree"
	mkdir -p "$tree/scripts"
	cp "$SRC/Makefile" "$SRC/.gitignore" "$tree/"
	cp "$SRC/scripts/tidy" "$SRC/scripts/closed-list" "$tree/scripts/"
	plant core/base/a.h "$spdx" 'int sfs_a(void);'
	plant core/base/a.c "$spdx" '/* Prose. */' '#include "base/a.h"' '' \
		'static const char *const t[] = { "x" };' \
		'int sfs_a(void)' '{' "	return t[0][0];" '}'
	plant core/fs/b.h "$spdx" '#include "base/a.h"'
	plant core/fs/b.c "$spdx" '/* Prose. */' '#include "fs/b.h"'
	plant host/h.h "$spdx"
	plant host/h.c "$spdx" '/* Prose. */' '#include "h.h"' \
		'#include <stdio.h>'
	mkdir -p "$tree/shim/include/linux"
}

# Runs tidy; its findings must be of the given rule alone, "" for none.
check() { # name, rule
	local out rules

	nr=$((nr + 1))
	(cd "$tree" && git init -q . 2>/dev/null &&
		make -s objects >/dev/null 2>&1)
	out=$("$tree/scripts/tidy" -B build 2>/dev/null)
	rules=$(awk '{ sub(":", "", $2); print $2 }' <<<"$out" | sort -u |
		tr '\n' ' ')
	if [ "${rules% }" = "$2" ]; then
		echo "ok $nr - $1"
		return
	fi
	sed 's/^/# /' <<<"$out"
	echo "not ok $nr - $1: wanted '$2', found '${rules% }'"
	bad=1
}

fresh
check "a tidy tree" ""

fresh; plant host/h.h "$spdx" 'int x; '
check "white space at the end" text
fresh; plant host/h.h "$spdx" "/* FIX""ME later */"
check "unfinished work" unfinished
fresh; plant host/h.h "$spdx" "/* see /wo""rk/x */"
check "a path of one machine" machine
fresh; plant host/h.h "$spdx" "/* $(printf '%0120d' 0) */"
check "a long line" columns
fresh; plant host/h.h "$spdx" 'struct s {' '        int x;' '};'
check "spaces for tabs" tabs
fresh; plant host/h.h '/* nothing */'
check "no licence" license
fresh; plant host/h.c "$spdx" '#include "h.h"'
check "no prose" prose
fresh; plant core/base/a.h "$spdx" '#include "fs/b.h"' 'int sfs_a(void);'
plant core/fs/b.h "$spdx"
check "a higher floor" floors
fresh; plant core/fs/b.h "$spdx" '#include <linux/xarray.h>'
check "a header outside of the closed list" closed-list
fresh; plant host/h.h "$spdx" '#include "base/a.h"'
check "a private header of the core in the libc world" includes
fresh; plant core/base/a.c "$spdx" '/* Prose. */' '#include "fs/b.h"' \
	'#include "base/a.h"'
check "own header not first" "floors includes"
fresh; plant core/fs/b.h "$spdx" '#ifdef __KERNEL__' '#endif'
check "kernel or not in the core" worlds
fresh; plant host/other.h "$spdx"
check "a header that nobody includes" dead
fresh; plant bench/x.c "$spdx" '/* Prose. */'
check "a source that nothing builds" dead
fresh; plant core/fs/b.c "$spdx" '/* Prose. */' '#include "fs/b.h"' \
	'int sfs_counter;'
check "a global that can be written" globals
fresh; plant core/fs/b.c "$spdx" '/* Prose. */' '#include "fs/b.h"' \
	'void b(void);' 'void b(void) { }'
check "a global name without the prefix" names
fresh; plant README.md '[docs](docs/missing.md)'
check "a link that leads nowhere" links
fresh; plant docs/operating.md '| `gone_long_ago` | counts nothing |'
check "a counter that is only described" documented
fresh; plant docs/operating.md '# Nothing'
plant core/base/counters.h "$spdx" '#define SFS_COUNTERS(X) X(new_one, "new")'
plant core/base/a.h "$spdx" '#include "base/counters.h"' 'int sfs_a(void);'
check "a counter that nobody describes" documented

echo "1..$nr"
exit $bad
