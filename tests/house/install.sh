#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `make install` puts everything where mount(8), mkfs(8), man(1) and compilers
# look for it, and nothing anywhere else.

set -u
cd "$SRC" || exit 1
dest=$SCRATCH/dest
nr=0
bad=0

check() { # name, command...
	local name=$1
	shift
	nr=$((nr + 1))
	if "$@"; then
		echo "ok $nr - $name"
	else
		echo "not ok $nr - $name"
		bad=1
	fi
}

check "make install" make B="$BUILD" install DESTDIR="$dest" PREFIX=/usr
for prog in scoutfs scoutfs-fuse mount.scoutfs; do
	check "sbin/$prog can be run" test -x "$dest/usr/sbin/$prog"
done
for link in mkfs.scoutfs fsck.scoutfs; do
	check "sbin/$link is the command" \
		test "$(readlink "$dest/usr/sbin/$link")" = scoutfs
done
check "the public header compiles alone" gcc -fsyntax-only -Wall -Werror \
	-x c -I"$dest/usr/include" - <<<'#include <scoutfs/ioctl.h>'
for page in man/*.[578]; do
	name=${page#man/}
	check "manual page $name" gzip -t \
		"$dest/usr/share/man/man${name##*.}/$name.gz"
done
check "completion for bash" bash -n \
	"$dest/usr/share/bash-completion/completions/scoutfs"
check "nothing outside of the prefix" \
	test "$(ls "$dest")" = usr
echo "1..$nr"
exit $bad
