/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_SERVER_SERVER_H
#define SFS_SERVER_SERVER_H

#include "server/server_types.h"

/* server.c */
/* Room for the state item is part of what callers reserve. */
void sfs_srv_put_state(struct sfs_server *srv, struct sfs_store_txn *txn);
/*
 * Next version of the manifest out of @edit (version and stable are filled
 * in), the slice items, and the message to all mounts, queued.  @edit->add and
 * del are as many items; the store is locked.
 */
int sfs_srv_new_version(struct sfs_server *srv, struct sfs_store_txn *txn,
			struct sfs_edit *edit, struct sfs_srv_post *post);
struct sfs_srv_post *sfs_srv_post_alloc(const struct sfs_edit *edit);
void sfs_srv_post_free(struct sfs_srv_post *post);
/* Items and bytes that sfs_srv_new_version() needs room for. */
void sfs_srv_version_room(struct sfs_server *srv, const struct sfs_edit *edit,
			  u32 *items, u32 *bytes);
/* Waits for @ticket, then sends what may be sent. */
int sfs_srv_commit(struct sfs_server *srv, u64 ticket);
u64 sfs_srv_stable(struct sfs_server *srv);
/* Tells mounts that lag which versions were sent. */
void sfs_srv_nudge_worker(struct work_struct *work);
void sfs_srv_kick_nudge(struct sfs_server *srv);

/* recover.c */
int sfs_srv_load_sessions(struct sfs_server *srv);
/* Serves, once no mount is missing that may still come. */
void sfs_srv_try_thaw(struct sfs_server *srv);
/* The mount of @rid says who it is; *ret_sess is referenced. */
struct sfs_msg *sfs_srv_greet(struct sfs_server *srv, const struct sfs_msg *req,
			      struct sfs_session **ret_sess);
/* Into the reply: versions after it are sent to the link that it goes to. */
void sfs_srv_greet_version(struct sfs_server *srv, struct sfs_msg *reply);
struct sfs_msg *sfs_srv_restate_flocks(struct sfs_server *srv,
				       const struct sfs_msg *req);
struct sfs_msg *sfs_srv_restate(struct sfs_server *srv,
				const struct sfs_msg *req);
struct sfs_msg *sfs_srv_greeted(struct sfs_server *srv,
				const struct sfs_msg *req);

/*
 * locks.c: what a mount restates of its locks; the store is locked.  Without a
 * message: it begins, and what it has restated before counts no more.
 */
int sfs_srv_locks_recover(struct sfs_session *sess, const struct sfs_msg *msg);

/* slots.c: what a slot's last request was answered */
#define SFS_SRV_SLOT_ROOM(reply_len) ((u32)(sizeof(struct sfs_srv_slot) + (reply_len)))
void sfs_srv_slot_put(struct sfs_session *sess, struct sfs_store_txn *txn,
		      const struct sfs_msg *req, const struct sfs_msg *reply);
void sfs_srv_slots_del(struct sfs_session *sess, struct sfs_store_txn *txn);
int sfs_srv_slots_load(struct sfs_session *sess);

/* link.c */
int sfs_srv_accept(void *arg, struct sfs_conn *conn);
/* Ends all connections; waits until nothing runs on behalf of one. */
void sfs_srv_shut_links(struct sfs_server *srv);
void sfs_srv_wait_links(struct sfs_server *srv);

/* gone.c: mounts that went without leaving */
void sfs_srv_kick_gone(struct sfs_server *srv);
void sfs_srv_gone_worker(struct work_struct *work);
int sfs_srv_take_back_gone(struct sfs_server *srv);
/*
 * All that the mount of @sess had comes back, its record goes, and it is in
 * the list no more.  May be repeated after an error, also by another server.
 */
int sfs_srv_take_back(struct sfs_session *sess);

/* session.c */
struct sfs_session *sfs_session_create(struct sfs_server *srv, u64 rid);
void sfs_session_get(struct sfs_session *sess);
void sfs_session_put(struct sfs_session *sess);
/* The store is locked; a reference or NULL. */
struct sfs_session *sfs_session_find(struct sfs_server *srv, u64 rid);
/* Requests that came while the server was recovering. */
void sfs_session_kick_all(struct sfs_server *srv);
/* It takes no request any more, and none is being handled. */
void sfs_session_shut(struct sfs_session *sess);
/* No links are left, and all sessions go: from memory alone. */
void sfs_session_drop_all(struct sfs_server *srv);
/* A message of its mount, owned; does not wait. */
void sfs_session_recv(struct sfs_session *sess, struct sfs_msg *msg);
/* To its mount, owned; lost when that is not connected. */
void sfs_srv_send(struct sfs_session *sess, struct sfs_msg *msg);
/* @reply, or a negative errno as ERR_PTR(), as the answer to @req. */
struct sfs_msg *sfs_srv_answer_to(const struct sfs_msg *req,
				  struct sfs_msg *reply);
/* A sequence the mount may stamp with; 0 when it has too many. */
/* locks.c */
void sfs_srv_locks_init(struct sfs_server *srv);
/* With the state that was loaded. */
void sfs_srv_locks_begin(struct sfs_server *srv);
void sfs_srv_locks_stop(struct sfs_server *srv);
/* A request or a release; does not wait. */
void sfs_srv_lock_message(struct sfs_session *sess, const struct sfs_msg *msg);
/*
 * A publish that made @version, with stamps up to @stamp, is durable, and
 * releases @nr locks.
 */
void sfs_srv_locks_published(struct sfs_session *sess, u64 version, u64 stamp,
			     const struct sfs_msg_lock_release *rels, u32 nr);
/* The lock of a group that nobody knows yet, for writing: its epoch, 0: no memory. */
u64 sfs_srv_lock_new(struct sfs_session *sess, u64 id);
/* The mount has gone: all it held and waited for. */
void sfs_srv_locks_forget(struct sfs_session *sess);

/* session.c: a sequence the mount may stamp with; 0 when it has too many */
u64 sfs_srv_open_seq(struct sfs_session *sess);
bool sfs_srv_close_seq(struct sfs_session *sess, u64 seq);

/* join.c: *ret_sess is referenced, also with some errors. */
struct sfs_msg *sfs_srv_join(struct sfs_server *srv, const struct sfs_msg *req,
			     struct sfs_session **ret_sess);
/* publish.c, requests.c, join.c: handlers; the reply or a negative errno. */
struct sfs_msg *sfs_srv_manifest(struct sfs_session *sess,
				 struct sfs_msg *req);
struct sfs_msg *sfs_srv_leave(struct sfs_session *sess, struct sfs_msg *req);
struct sfs_msg *sfs_srv_publish(struct sfs_session *sess, struct sfs_msg *req);
/* A duplicate: what it did to volatile state is done again. */
void sfs_srv_publish_again(struct sfs_session *sess, const struct sfs_msg *req);
struct sfs_msg *sfs_srv_meta_space(struct sfs_session *sess,
				   struct sfs_msg *req);
struct sfs_msg *sfs_srv_data_space(struct sfs_session *sess,
				   struct sfs_msg *req);
struct sfs_msg *sfs_srv_ino_group(struct sfs_session *sess,
				  struct sfs_msg *req);
struct sfs_msg *sfs_srv_query_stable(struct sfs_session *sess,
				     struct sfs_msg *req);
struct sfs_msg *sfs_srv_statfs(struct sfs_session *sess, struct sfs_msg *req);
struct sfs_msg *sfs_srv_alloc_detail(struct sfs_session *sess,
				     struct sfs_msg *req);
void sfs_srv_ack(struct sfs_session *sess, struct sfs_msg *msg);

/* segs.c: the store is locked */
int sfs_segs_init(struct sfs_server *srv);
void sfs_segs_exit(struct sfs_server *srv);
/* References of a slice's pieces come and go. */
int sfs_segs_add_slice(struct sfs_server *srv, const struct sfs_slice *slice);
void sfs_segs_del_slice(struct sfs_server *srv, struct sfs_store_txn *txn,
			const struct sfs_slice *slice, u64 version);
/* One segment for @owner; -ENOSPC when only @reserve or fewer are free. */
int sfs_segs_own(struct sfs_server *srv, struct sfs_store_txn *txn, u64 owner,
		 u64 reserve, u64 *ret_addr);
/* Whether a run of @owner may have @piece, -EINVAL when not. */
int sfs_segs_may_use(struct sfs_server *srv, u64 owner,
		     const struct sfs_piece *piece);
/* Whether sfs_segs_close() would: -EINVAL when not. */
int sfs_segs_may_close(struct sfs_server *srv, u64 owner, u64 addr);
/* The owner is done with the segment at @addr. */
int sfs_segs_close(struct sfs_server *srv, struct sfs_store_txn *txn,
		   u64 owner, u64 addr, u64 version);
/* All that @owner has; as many items as it owns, twice. */
int sfs_segs_close_all(struct sfs_server *srv, struct sfs_store_txn *txn,
		       u64 owner, u64 version);
/* The same of any number, in steps of its own. */
int sfs_segs_reclaim_owner(struct sfs_server *srv, u64 owner);
void sfs_segs_reclaim_worker(struct work_struct *work);
void sfs_srv_kick_reclaim(struct sfs_server *srv);
/* Segment map of the items there are; what no job writes any more is closed. */
int sfs_segs_load(struct sfs_server *srv);

/* data.c: the store is locked; how many items each needs is in the comment */
int sfs_data_load(struct sfs_server *srv);
int sfs_data_give(struct sfs_server *srv, struct sfs_store_txn *txn, u64 rid,
		  u64 want, u64 goal, u64 *ret_start, u64 *ret_count); /* 3 */
/* Whether sfs_data_take() would: -EINVAL when not. */
int sfs_data_may_take(struct sfs_server *srv, u64 rid, u64 start, u64 count);
/* The first extent that @rid owns, or that is free, with no end below @block. */
int sfs_data_next(struct sfs_server *srv, bool owned, u64 rid, u64 block,
		  u64 *ret_start, u64 *ret_count);
int sfs_data_take(struct sfs_server *srv, struct sfs_store_txn *txn, u64 rid,
		  u64 start, u64 count); /* 3: consumed by files */
int sfs_data_return(struct sfs_server *srv, struct sfs_store_txn *txn,
		    u64 start, u64 count); /* 3: free again */
/* Everything a mount owns is free again; in steps of its own. */
int sfs_data_reclaim(struct sfs_server *srv, u64 rid);

/* compact.c */
void sfs_compact_worker(struct work_struct *work);
void sfs_compact_kick(struct sfs_server *srv);
void sfs_compact_fed(struct sfs_server *srv);
/* Whether compaction or acknowledgements may still free space. */
bool sfs_compact_may_free(struct sfs_server *srv);

#endif
