/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_BYTEORDER_H
#define _ASM_BYTEORDER_H

#include <linux/types.h>

#define swab16(x) ((__u16)__builtin_bswap16((__u16)(x)))
#define swab32(x) ((__u32)__builtin_bswap32((__u32)(x)))
#define swab64(x) ((__u64)__builtin_bswap64((__u64)(x)))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#ifndef __LITTLE_ENDIAN
#define __LITTLE_ENDIAN 1234
#endif
#define __shim_le(bits, x) ((__u##bits)(x))
#define __shim_be(bits, x) swab##bits(x)
#else
#ifndef __BIG_ENDIAN
#define __BIG_ENDIAN 4321
#endif
#define __shim_le(bits, x) swab##bits(x)
#define __shim_be(bits, x) ((__u##bits)(x))
#endif

#define cpu_to_le16(x) ((__force __le16)__shim_le(16, x))
#define cpu_to_le32(x) ((__force __le32)__shim_le(32, x))
#define cpu_to_le64(x) ((__force __le64)__shim_le(64, x))
#define le16_to_cpu(x) __shim_le(16, (__force __u16)(__le16)(x))
#define le32_to_cpu(x) __shim_le(32, (__force __u32)(__le32)(x))
#define le64_to_cpu(x) __shim_le(64, (__force __u64)(__le64)(x))
#define cpu_to_be16(x) ((__force __be16)__shim_be(16, x))
#define cpu_to_be32(x) ((__force __be32)__shim_be(32, x))
#define cpu_to_be64(x) ((__force __be64)__shim_be(64, x))
#define be16_to_cpu(x) __shim_be(16, (__force __u16)(__be16)(x))
#define be32_to_cpu(x) __shim_be(32, (__force __u32)(__be32)(x))
#define be64_to_cpu(x) __shim_be(64, (__force __u64)(__be64)(x))

static inline void le16_add_cpu(__le16 *var, __u16 val)
{
	*var = cpu_to_le16(le16_to_cpu(*var) + val);
}

static inline void le32_add_cpu(__le32 *var, __u32 val)
{
	*var = cpu_to_le32(le32_to_cpu(*var) + val);
}

static inline void le64_add_cpu(__le64 *var, __u64 val)
{
	*var = cpu_to_le64(le64_to_cpu(*var) + val);
}

static inline void be32_add_cpu(__be32 *var, __u32 val)
{
	*var = cpu_to_be32(be32_to_cpu(*var) + val);
}

static inline void be64_add_cpu(__be64 *var, __u64 val)
{
	*var = cpu_to_be64(be64_to_cpu(*var) + val);
}

#endif
