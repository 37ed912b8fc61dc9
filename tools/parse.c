/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values in arguments: numbers, sizes, positions, quorum slots.
 *
 * strtoull() skips leading blanks and accepts a plus sign and an empty string;
 * none of that is a value here.
 */
#include "parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "scoutfs/ioctl.h"

/* A number at the start of @str; @ret_end is behind it. */
static int parse_prefix(const char *str, bool neg, __u64 *ret_val,
			const char **ret_end)
{
	const char *digits = str + (neg && str[0] == '-');
	unsigned long long val;
	char *end;

	if (!isdigit((unsigned char)digits[0]))
		return -EINVAL;
	errno = 0;
	val = strtoull(str, &end, 0);
	if (errno)
		return -errno;
	*ret_val = val;
	*ret_end = end;
	return 0;
}

int parse_u64(const char *str, __u64 *ret_val)
{
	const char *end;
	__u64 val;
	int ret = parse_prefix(str, true, &val, &end);

	if (ret == 0 && *end != '\0')
		ret = -EINVAL;
	if (ret == 0)
		*ret_val = val;
	return ret;
}

int parse_u64_range(const char *str, __u64 min, __u64 max, __u64 *ret_val)
{
	__u64 val;
	int ret = parse_u64(str, &val);

	if (ret == 0 && (str[0] == '-' || val < min || val > max))
		ret = -ERANGE;
	if (ret == 0)
		*ret_val = val;
	return ret;
}

int parse_size(const char *str, __u64 *ret_bytes)
{
	static const char units[] = "KMGTP";
	const char *unit;
	const char *end;
	int shift = 0;
	__u64 val;
	int ret;

	ret = parse_prefix(str, false, &val, &end);
	if (ret)
		return ret;
	if (*end != '\0') {
		unit = strchr(units, *end++);
		if (!unit || *end != '\0')
			return -EINVAL;
		shift = 10 * (int)(unit - units + 1);
	}
	if (val << shift >> shift != val)
		return -ERANGE;
	*ret_bytes = val << shift;
	return 0;
}

/* ---- positions ---------------------------------------------------------- */

/* Returns how many parts there were. */
static int parse_dotted(const char *str, __u64 *parts, int max)
{
	const char *end = str;
	int nr = 0;
	int ret;

	for (;;) {
		if (nr == max)
			return -EINVAL;
		ret = parse_prefix(str, true, &parts[nr++], &end);
		if (ret)
			return ret;
		if (*end == '\0')
			return nr;
		if (*end != '.')
			return -EINVAL;
		str = end + 1;
	}
}

/* Returns how many parts there were. */
static int parse_walk(const char *str,
		      struct scoutfs_ioctl_walk_inodes_entry *ret_pos)
{
	__u64 parts[3] = { 0 };
	int nr = parse_dotted(str, parts, 3);

	if (nr < 0)
		return nr;
	/* a negative number wraps at the width of its field */
	if (parts[1] > ~0U && (__s64)parts[1] >= 0)
		return -ERANGE;
	memset(ret_pos, 0, sizeof(*ret_pos));
	ret_pos->major = parts[0];
	ret_pos->minor = (__u32)parts[1];
	ret_pos->ino = parts[2];
	return nr;
}

int parse_walk_first(const char *str,
		     struct scoutfs_ioctl_walk_inodes_entry *ret_pos)
{
	int ret = parse_walk(str, ret_pos);

	return ret < 0 ? ret : 0;
}

int parse_walk_last(const char *str,
		    struct scoutfs_ioctl_walk_inodes_entry *ret_pos)
{
	int ret = parse_walk(str, ret_pos);

	if (ret == 1) {
		ret_pos->minor = ~0U;
		ret_pos->ino = ~0ULL;
	}
	return ret < 0 ? ret : 0;
}

/* ---- quorum slots ------------------------------------------------------- */

static int parse_slot_addr(const char *str, struct sfs_quorum_slot *slot,
			   char *msg, size_t msg_size)
{
	struct in_addr in;
	__u32 host;

	if (inet_pton(AF_INET, str, &in) != 1) {
		snprintf(msg, msg_size, "'%s' is not a numeric IPv4 address",
			 str);
		return -EINVAL;
	}
	host = ntohl(in.s_addr);
	if (host == INADDR_ANY || host == INADDR_BROADCAST ||
	    IN_MULTICAST(host)) {
		snprintf(msg, msg_size, "'%s' is not the address of one host",
			 str);
		return -EINVAL;
	}
	slot->family = 4;
	memcpy(slot->addr, &in.s_addr, sizeof(in.s_addr));
	return 0;
}

static int check_slot_unique(const struct sfs_quorum_slot *slots, __u64 nr,
			     const struct sfs_quorum_slot *slot, char *msg,
			     size_t msg_size)
{
	int i;

	if (slots[nr].used) {
		snprintf(msg, msg_size, "quorum slot %d is given twice",
			 (int)nr);
		return -EINVAL;
	}
	for (i = 0; i < SFS_MAX_SLOTS; i++) {
		if (!slots[i].used || slots[i].port != slot->port ||
		    memcmp(slots[i].addr, slot->addr, sizeof(slot->addr)))
			continue;
		snprintf(msg, msg_size,
			 "quorum slots %d and %d have the same address and port",
			 i, (int)nr);
		return -EINVAL;
	}
	return 0;
}

/* Cuts @str at its first comma and returns what is behind it. */
static char *cut(char *str)
{
	char *comma = strchr(str, ',');

	if (comma)
		*comma++ = '\0';
	return comma;
}

static int parse_slot_parts(char *str, struct sfs_quorum_slot *slots,
			    char *msg, size_t msg_size)
{
	struct sfs_quorum_slot slot = { .used = 1 };
	char *addr = cut(str);
	char *port = addr ? cut(addr) : NULL;
	__u64 nr, port_nr;
	int ret;

	if (!port) {
		snprintf(msg, msg_size, "a quorum slot is NR,ADDR,PORT");
		return -EINVAL;
	}
	if (parse_u64_range(str, 0, SFS_MAX_SLOTS - 1, &nr)) {
		snprintf(msg, msg_size,
			 "quorum slot number '%s' is not in 0..%d",
			 str, SFS_MAX_SLOTS - 1);
		return -EINVAL;
	}
	ret = parse_slot_addr(addr, &slot, msg, msg_size);
	if (ret)
		return ret;
	if (parse_u64_range(port, 1, 65535, &port_nr)) {
		snprintf(msg, msg_size, "port '%s' is not in 1..65535", port);
		return -EINVAL;
	}
	slot.port = (__u16)port_nr;
	ret = check_slot_unique(slots, nr, &slot, msg, msg_size);
	if (ret == 0)
		slots[nr] = slot;
	return ret;
}

int parse_quorum_slot(const char *str, struct sfs_quorum_slot *slots,
		      char *msg, size_t msg_size)
{
	char *copy = strdup(str);
	int ret;

	if (!copy)
		abort();
	ret = parse_slot_parts(copy, slots, msg, msg_size);
	free(copy);
	return ret;
}
