/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_COMPAT_H
#define SFS_KERNEL_COMPAT_H

/*
 * What differs between the kernels that are supported, Debian 12's 6.1 and its
 * 6.12: the only place of the tree that looks at the kernel's version.  Each
 * entry names the release that made it needed.
 */

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "scoutfs needs Linux 6.1 or later"
#endif

/* 6.3: operations are given the mount's mapping of ids, not a user namespace. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define mnt_idmap user_namespace
#endif

#endif
