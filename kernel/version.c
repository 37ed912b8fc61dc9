// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which version this module is, for programs that look at the file or at
 * /sys/module/scoutfs/notes/: the range of format versions, as the rest of the
 * world counts them, that volumes may show; and which commit it was built
 * from.
 *
 * The notes are lines of text in sections of their own, since programs read
 * these files like others and expect no ELF note's header in them.  An
 * assembler gives sections of such names the type that makes them notes.
 *
 * scripts/build-module tells the commit to the compiler for this file alone, so
 * a new one does not make the others stale.
 */
#include <linux/module.h>
#include <linux/stringify.h>

#ifndef SFS_GIT_DESCRIBE
#define SFS_GIT_DESCRIBE unknown
#endif

#define FORMAT_VERSION_MIN "1"
#define FORMAT_VERSION_MAX "2"
#define GIT_DESCRIBE __stringify(SFS_GIT_DESCRIBE)

#define NOTE(name, text)						\
	asm(".pushsection .note." #name ", \"a\"\n"			\
	    "\t.ascii \"" text "\\n\"\n"				\
	    "\t.popsection\n");						\
	MODULE_INFO(name, text)

NOTE(scoutfs_format_version_min, FORMAT_VERSION_MIN);
NOTE(scoutfs_format_version_max, FORMAT_VERSION_MAX);
NOTE(git_describe, GIT_DESCRIBE);
