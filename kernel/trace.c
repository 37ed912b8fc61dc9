// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints' definitions, and the port by which the core reaches one of
 * them.
 */
#include "port.h"
#include "host.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void sfs_port_trace(struct sfs_host *host, int event, __s64 a, __s64 b,
		    __s64 c)
{
	trace_sfs_core(READ_ONCE(host->name), event, a, b, c);
}
