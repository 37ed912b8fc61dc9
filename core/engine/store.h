/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_ENGINE_STORE_H
#define SFS_ENGINE_STORE_H

#include "base/identity.h"
#include "engine/engine.h"
#include "engine/log.h"

struct sfs_store;

/*
 * The server's private item store: an engine with a log, kept in the server
 * region.  One transaction at a time; what it changed is visible to the next
 * one at once and durable when sfs_store_wait() says so.
 */
struct sfs_store_txn {
	u8 *mem;		/* cut out of the active generation */
	u32 mem_left;
	struct sfs_store_batch *batch;
};

/* Writes the roots of an empty store; all of the region may be overwritten. */
int sfs_store_format(struct sfs_host *host, const struct sfs_identity *ident);

/*
 * Reads roots and log, begins a new term and makes it current.  -EIO with a
 * line when something that must be readable is not.
 */
int sfs_store_open(struct sfs_host *host, const struct sfs_identity *ident,
		   struct sfs_store **ret_store);
/* As it is on the device, without writing anything: for check and print. */
int sfs_store_open_readonly(struct sfs_host *host,
			    const struct sfs_identity *ident,
			    struct sfs_store **ret_store);
/* Checkpoints unless an error forbids it. */
void sfs_store_close(struct sfs_store *store);

/* Counts what it does in @cnt from now on. */
void sfs_store_count(struct sfs_store *store, struct sfs_counters *cnt);
struct sfs_engine *sfs_store_engine(struct sfs_store *store);
u64 sfs_store_term(const struct sfs_store *store);
/* First error; nothing becomes durable after one. */
int sfs_store_error(struct sfs_store *store);

/*
 * begin takes the store's mutex and room for @items changes with @val_bytes of
 * values; puts and deletions can not fail; end releases the mutex and returns
 * the ticket to wait for.  abort is for transactions without changes.
 */
int sfs_store_begin(struct sfs_store *store, struct sfs_store_txn *txn,
		    u32 items, u32 val_bytes);
void sfs_store_put(struct sfs_store *store, struct sfs_store_txn *txn,
		   const struct sfs_key *key, const void *val, u32 len);
void sfs_store_del(struct sfs_store *store, struct sfs_store_txn *txn,
		   const struct sfs_key *key);
u64 sfs_store_end(struct sfs_store *store, struct sfs_store_txn *txn);
void sfs_store_abort(struct sfs_store *store, struct sfs_store_txn *txn);
/* What end will return, once something was changed. */
u64 sfs_store_ticket(struct sfs_store *store);
/* In place of end, when half of the changes were made: nothing goes on. */
void sfs_store_poison(struct sfs_store *store, struct sfs_store_txn *txn,
		      int err);
/* Nothing is written any more, but what is under way; not an error to log. */
void sfs_store_kill(struct sfs_store *store);
int sfs_store_wait(struct sfs_store *store, u64 ticket);
/* The last ticket that is durable. */
u64 sfs_store_durable(struct sfs_store *store);

/* Reading without a transaction. */
void sfs_store_lock(struct sfs_store *store);
bool sfs_store_trylock(struct sfs_store *store);
void sfs_store_unlock(struct sfs_store *store);

/* Room in the region, in bytes, for check and statfs. */
u64 sfs_store_region_used(struct sfs_store *store);
/* Bytes that are given out at a time. */
u32 sfs_store_region_unit(const struct sfs_store *store);

/* Where the log that was replayed begins, how many records it has. */
void sfs_store_log(struct sfs_store *store, struct sfs_log_place *ret_from,
		   u64 *ret_records);
/* The segments of the log that was replayed, oldest first; stops at an error. */
int sfs_store_log_segments(struct sfs_store *store,
			   int (*fn)(void *arg, u64 addr, u64 bytes),
			   void *arg);

/* The state it is in now, a line; returns the length.  Waits for nothing. */
int sfs_store_to_text(struct sfs_store *store, char *buf, u32 size);
/* Everything about roots and log, as lines. */
void sfs_store_print(struct sfs_store *store,
		     void (*line)(void *arg, const char *text), void *arg);

#endif
