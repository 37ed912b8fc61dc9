/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_TOOLS_SIGNATURE_H
#define SFS_TOOLS_SIGNATURE_H

/*
 * -EEXIST with a line that names the filesystem or partition table that is on
 * @path, 0 when there is none.
 */
int signature_check(const char *path);
/* Removes all that signature_check() would find, but scoutfs's own. */
int signature_wipe(const char *path);

#endif
