/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_CRC32C_H
#define _LINUX_CRC32C_H

#include <linux/types.h>

/* Castagnoli; neither the seed nor the result is inverted. */
u32 crc32c(u32 crc, const void *address, unsigned int length);

#endif
