/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_REPORT_H
#define SFS_BASE_REPORT_H

#include <linux/bug.h>
#include "port.h"

#define sfs_err(host, fmt, ...)						\
	sfs_port_log(host, SFS_LOG_ERR, fmt, ##__VA_ARGS__)
#define sfs_warn(host, fmt, ...)					\
	sfs_port_log(host, SFS_LOG_WARN, fmt, ##__VA_ARGS__)
#define sfs_info(host, fmt, ...)					\
	sfs_port_log(host, SFS_LOG_INFO, fmt, ##__VA_ARGS__)

/*
 * Assertions about our own state, never about what was read from a device or
 * a peer.  Userspace aborts with the place, the kernel warns with a trace.
 */
#define SFS_ASSERT(cond) WARN_ON(!(cond))
#define SFS_ASSERT_CMP(a, op, b)					\
	WARN(!((a) op (b)), "%s:%d: %s %s %s: %llu, %llu\n", __FILE__,	\
	     __LINE__, #a, #op, #b, (unsigned long long)(a),		\
	     (unsigned long long)(b))

#endif
