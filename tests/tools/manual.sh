#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Manual pages and completion have the options that the commands have: no more,
# no fewer.  What --help prints comes from the table that parses the command
# line, so it is the truth here.  Manual pages are free of what man and mandoc
# warn about.

. "$(dirname "$0")/tap-lib.sh"
cd "$SRC" || exit 1

# One option a line.
options() {
	grep -oE -- '(^|[ ,])--?[A-Za-z?][A-Za-z_-]*' | tr -d ' ,' |
		grep -vxE -- '-\?|--help|--usage' | LC_ALL=C sort -u
}

help_options() { # command line
	"$@" --help | sed -n 's/^  \+\(-\)/\1/p' | sed 's/   .*//' | options
}

# The tags of paragraphs, without fonts and escapes; @2 names a subsection.
page_options() { # page, command
	awk -v cmd="$2" '
		/^\.SH/ { on = cmd == "" }
		/^\.SS/ { on = cmd != "" && index($0, ".SS " cmd " ") == 1 }
		on && tag { print }
		{ tag = $0 == ".TP" }' "$1" |
		sed -n 's/\\f.//g; s/\\-/-/g; s/"//g; s/^\.[BIR]*  *\(-\)/ \1/p' |
		sed 's/=.*//; s/ \+,/,/g; s/ NAMESPACE.*//' | options
}

completion_options() { # command
	bash -c '. tools/completion/scoutfs; _scoutfs_options "$1"' - "$1" |
		tr ' ' '\n' | options
}

complete_words() { # word...: the last is being completed
	bash -c '. tools/completion/scoutfs
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_scoutfs; echo "${COMPREPLY[@]}"' - "$@"
}

commands=$("$scoutfs" 2>&1 | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort)
same "completion of commands" "$(complete_words scoutfs "" | tr ' ' '\n')" \
	"$commands"
same "commands in scoutfs(8)" "$(sed 's/\\-/-/g' man/scoutfs.8 |
	sed -n 's/^\.SS \([a-z-]*\) .*/\1/p')" "$commands"
for cmd in $commands; do
	has=$(help_options "$scoutfs" "$cmd")
	ok "$cmd has options" test -n "$has"
	if [ "$cmd" = mkfs ]; then
		page=$(page_options man/mkfs.scoutfs.8 "")
	else
		page=$(sed 's/^\(\.SS .*\)\\-/\1-/' man/scoutfs.8 \
			>"$SCRATCH/page" && page_options "$SCRATCH/page" "$cmd")
	fi
	same "options of $cmd in the manual" "$page" "$has"
	same "options of $cmd in the completion" \
		"$(completion_options "$cmd")" "$has"
done
has=$(help_options "$BUILD/fsck.scoutfs")
same "options of fsck.scoutfs in the manual" \
	"$(page_options man/fsck.scoutfs.8 "")" "$has"
same "options of fsck.scoutfs in the completion" \
	"$(completion_options fsck)" "$has"

same "completion of a value" "$(complete_words scoutfs stat -s crt)" crtime
same "completion of an index" "$(complete_words scoutfs walk-inodes d)" \
	data_seq
same "completion of an option" "$(complete_words mkfs.scoutfs --fo)" \
	"--force --format-version"

# The mount options that hosts know, one a line.
mount_options() {
	sed -n '/^#define SFS_OPTIONS(X)/,$p' core/options.h | tr -d '\n\t\\' |
		grep -oE 'X\([a-z_]+,[^)]*\)'
}
same "mount options in scoutfs(5)" \
	"$(sed -n '/^\.SS Mount/,/^\.SS Seq/p' man/scoutfs.5 | grep -A 1 '^\.TP' |
		sed -n 's/^\.BR* \([a-z_]*\).*/\1/p' | sort)" \
	"$(mount_options | sed 's/X(\([a-z_]*\),.*/\1/' | sort)"
same "mount options without effect in scoutfs(5)" \
	"$(sed -n '/have no effect/,/^\.SS Seq/p' man/scoutfs.5 |
		grep -A 1 '^\.TP' | sed -n 's/^\.BR* \([a-z_]*\).*/\1/p' | sort)" \
	"$(mount_options | sed -n 's/X(\([a-z_]*\),.*OPT_INERT.*/\1/p' | sort)"

for page in man/*.[0-9]; do
	if command -v man >/dev/null && command -v groff >/dev/null; then
		same "man has no warnings for $page" "$(LC_ALL=C.UTF-8 MANWIDTH=80 \
			man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)" ""
	else
		ok "man has no warnings for $page # SKIP no man or groff" true
	fi
	if command -v mandoc >/dev/null; then
		same "mandoc has no warnings for $page" \
			"$(mandoc -Tlint -W warning "$page" 2>&1)" ""
	else
		ok "mandoc has no warnings for $page # SKIP no mandoc" true
	fi
	for ref in $(sed 's/\\-/-/g' "$page" |
		grep -oE '([a-z]+\.)?scoutfs(-fuse)? \([58]\)' | tr -d ' '); do
		name=${ref%(*}
		section=${ref##*(}
		ok "$page refers to $ref, which is there" \
			test -e "man/$name.${section%)}"
	done
done

tap_done
