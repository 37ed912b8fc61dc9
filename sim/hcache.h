/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_HCACHE_H
#define SIM_HCACHE_H

#include "api.h"

/*
 * What a host keeps of a mount: contents in pages, some of them dirty,
 * attributes and names.  It is as strict as the contract of api.h and port.h
 * allows: what is valid is used without asking the core.
 */
struct hcache;

struct hcache *hcache_create(struct sfs_fs *fs, u64 seed);
/* What is dirty is lost. */
void hcache_destroy(struct hcache *hc);

/* Calls that change inodes: before and after, whatever comes of it. */
void hcache_change_begin(struct hcache *hc, const u64 *inos, u32 nr);
void hcache_change_end(struct hcache *hc, const u64 *inos, u32 nr);

/* Reads through the cache; as sfs_file_read(). */
s64 hcache_read(struct hcache *hc, u64 ino, u64 off, u8 *buf, u32 len);
/* Writes into it; -EOPNOTSUPP: this can not be done there. */
s64 hcache_write(struct hcache *hc, u64 ino, u64 off, const u8 *buf, u32 len,
		 bool append, u64 *ret_off);
/* As sfs_getattr(); *ret_dirty: contents have not been written back. */
int hcache_getattr(struct hcache *hc, u64 ino, struct sfs_attr *ret_attr,
		   bool *ret_dirty);
/* What the host's view of an inode adds to attributes of the core. */
bool hcache_overlay(struct hcache *hc, struct sfs_attr *attr);
bool hcache_is_dirty(struct hcache *hc, u64 ino);
int hcache_lookup(struct hcache *hc, const struct sfs_cred *cred, u64 dir,
		  const char *name, u32 len, struct sfs_attr *ret_attr,
		  bool *ret_dirty);
/* Excl(ino): writes back, and forgets pages when @drop. */
int hcache_flush(struct hcache *hc, u64 ino, bool drop);
int hcache_flush_all(struct hcache *hc);

/* The upcalls of port.h. */
void hcache_writeback(struct hcache *hc, u64 first, u64 last);
/* @dead: what is dirty is lost. */
void hcache_invalidate(struct hcache *hc, u64 first, u64 last, bool dead);

#endif
