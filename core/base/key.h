/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_BASE_KEY_H
#define SFS_BASE_KEY_H

#include <asm/byteorder.h>
#include <linux/string.h>
#include <linux/types.h>

/*
 * Keys of items: six fields compared in the order zone, f1, type, f2, f3, f4.
 * On disk a key is 27 bytes, the fields in that order and big endian, so that
 * comparing bytes compares keys.
 */
struct sfs_key {
	u8 zone;
	u8 type;
	u8 f4;
	u64 f1;
	u64 f2;
	u64 f3;
};

#define SFS_KEY_BYTES 27

enum sfs_key_zone {
	SFS_ZONE_INDEX = 4,	/* change indexes */
	SFS_ZONE_WORK = 8,	/* unfinished work */
	SFS_ZONE_QUOTA = 10,
	SFS_ZONE_TOTALS = 12,
	SFS_ZONE_SORTED = 14,	/* sorted tags */
	SFS_ZONE_SEARCH = 15,
	SFS_ZONE_FS = 16,
	SFS_ZONE_LOCK = 20,	/* names of locks, never stored */
	SFS_ZONE_FEED = 24,
	SFS_ZONE_SERVER = 128,	/* from here on: the server's own engine */
};

/* types in SFS_ZONE_INDEX (f1 = 0, f2 = stamp, f3 = ino) */
enum sfs_index_type {
	SFS_INDEX_META_SEQ = 4,
	SFS_INDEX_DATA_SEQ = 8,
};

/* types in SFS_ZONE_WORK (f1 = ino) */
enum sfs_work_type {
	SFS_WORK_ORPHAN = 4,
	SFS_WORK_TRUNCATE = 8,
};

/* types in SFS_ZONE_FS (f1 = ino) */
enum sfs_fs_type {
	SFS_FS_INODE = 4,
	SFS_FS_XATTR = 8,	/* f2 = name hash, f3 = id, f4 = part */
	SFS_FS_DIRENT = 12,	/* f2 = name hash, f3 = position */
	SFS_FS_READDIR = 16,	/* f2 = position */
	SFS_FS_BACKREF = 20,	/* f2 = directory, f3 = position */
	SFS_FS_SYMLINK = 24,	/* f2 = part */
	SFS_FS_EXTENT = 28,	/* f2 = last logical block */
	SFS_FS_CHECKSUM = 32,
};

#define SFS_KEY(z, a, t, b, c, d)					\
	((struct sfs_key) { .zone = (z), .f1 = (a), .type = (t),	\
			    .f2 = (b), .f3 = (c), .f4 = (d) })
#define SFS_KEY_MIN SFS_KEY(0, 0, 0, 0, 0, 0)
#define SFS_KEY_MAX SFS_KEY(U8_MAX, U64_MAX, U8_MAX, U64_MAX, U64_MAX, U8_MAX)

int sfs_key_cmp(const struct sfs_key *a, const struct sfs_key *b);
bool sfs_key_equal(const struct sfs_key *a, const struct sfs_key *b);

/* Next and previous key of the whole space; both wrap around at its ends. */
void sfs_key_inc(struct sfs_key *key);
void sfs_key_dec(struct sfs_key *key);

/* @buf has SFS_KEY_BYTES bytes. */
void sfs_key_encode(const struct sfs_key *key, u8 *buf);
void sfs_key_decode(struct sfs_key *key, const u8 *buf);

/* Eight bytes of an encoded key, as a number that compares as they do. */
static inline u64 sfs_key_word(const u8 *p)
{
	__be64 be;

	memcpy(&be, p, sizeof(be));
	return be64_to_cpu(be);
}

/* As memcmp() of two encoded keys. */
static inline int sfs_key_bytes_cmp(const u8 *a, const u8 *b)
{
	u64 x = sfs_key_word(a);
	u64 y = sfs_key_word(b);

	if (x == y) {
		x = sfs_key_word(a + 8);
		y = sfs_key_word(b + 8);
	}
	if (x == y) {
		x = sfs_key_word(a + 16);
		y = sfs_key_word(b + 16);
	}
	/* the last word overlaps the one before it */
	if (x == y) {
		x = sfs_key_word(a + SFS_KEY_BYTES - 8);
		y = sfs_key_word(b + SFS_KEY_BYTES - 8);
	}
	return x < y ? -1 : x > y;
}

/* printf("key " SFS_KEY_FMT, SFS_KEY_ARG(&key)): zone.f1.type.f2.f3.f4 */
#define SFS_KEY_FMT "%u.%llu.%u.%llu.%llu.%u"
#define SFS_KEY_ARG(k)							\
	(k)->zone, (unsigned long long)(k)->f1, (k)->type,		\
	(unsigned long long)(k)->f2, (unsigned long long)(k)->f3, (k)->f4

#endif
