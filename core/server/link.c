// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: connections as the server sees them.
 *
 * A link is nobody's until its mount has introduced itself; then its messages
 * belong to the session of that mount.  A session outlives its links, and uses
 * the newest that it has.
 *
 * The receiving side takes a message off the connection and queues it to its
 * slot, so nothing waits behind work: introductions have a worker of the link,
 * requests one of their slot.
 *
 * A link is freed by a work item of its own once its connection has ended,
 * since whoever notices that runs on behalf of the connection.
 *
 * Locks: link_lock, link->lock, leaves.
 */
#include "server/server.h"

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include "base/broken.h"
#include "base/report.h"

#define MAX_GREETINGS 4

struct sfs_link {
	struct sfs_server *srv;		/* I */
	struct list_head head;		/* L(link_lock) */
	struct sfs_conn *conn;		/* I: referenced, until the last answer */
	u64 nr;				/* I: counts links */
	spinlock_t lock;
	struct sfs_session *sess;	/* L(lock): referenced; set once */
	struct list_head greetings;	/* L(lock) */
	u32 nr_greetings;		/* L(lock) */
	struct work_struct greet_work;
	struct work_struct free_work;
};

static void link_send(struct sfs_link *link, struct sfs_msg *msg)
{
	msg->hdr.term = cpu_to_le64(sfs_store_term(link->srv->store));
	sfs_conn_send(link->conn, SFS_CONN_SERVER, msg);
}

/* ---- introductions ---------------------------------------------------------- */

/* From now on the link is the session's, and the session's is this one. */
static void link_bind(struct sfs_link *link, struct sfs_session *sess)
{
	struct sfs_conn *old = NULL;

	spin_lock(&link->lock);
	if (!link->sess) {
		sfs_session_get(sess);
		link->sess = sess;
	}
	spin_unlock(&link->lock);
	spin_lock(&sess->lock);
	/* a link that is late may be an older one */
	if (!sess->conn || sess->link_nr < link->nr) {
		old = sess->conn;
		sfs_conn_get(link->conn);
		sess->conn = link->conn;
		sess->link_nr = link->nr;
	}
	spin_unlock(&sess->lock);
	if (old) {
		sfs_conn_shut(old);
		sfs_conn_put(old);
	}
}

static struct sfs_msg *greet(struct sfs_link *link, struct sfs_msg *msg)
{
	struct sfs_server *srv = link->srv;
	struct sfs_session *sess = NULL;
	struct sfs_msg *reply;

	switch (le16_to_cpu(msg->hdr.type)) {
	case SFS_MSG_JOIN:
		reply = sfs_srv_join(srv, msg, &sess);
		break;
	case SFS_MSG_GREET:
		reply = sfs_srv_greet(srv, msg, &sess);
		break;
	case SFS_MSG_RESTATE:
		return sfs_srv_restate(srv, msg);
	case SFS_MSG_FLOCK_RESTATE:
		return sfs_srv_restate_flocks(srv, msg);
	case SFS_MSG_GREETED:
		return sfs_srv_greeted(srv, msg);
	default:
		reply = ERR_PTR(-EOPNOTSUPP);
	}
	if (sess) {
		/* before the answer, so that nothing that follows is lost */
		if (!IS_ERR(reply))
			link_bind(link, sess);
		if (!IS_ERR(reply) &&
		    le16_to_cpu(msg->hdr.type) == SFS_MSG_GREET)
			sfs_srv_greet_version(srv, reply);
		sfs_session_put(sess);
	}
	return reply;
}

static struct sfs_msg *next_greeting(struct sfs_link *link)
{
	struct sfs_msg *msg;

	spin_lock(&link->lock);
	msg = list_first_entry_or_null(&link->greetings, struct sfs_msg, head);
	if (msg) {
		list_del_init(&msg->head);
		link->nr_greetings--;
	}
	spin_unlock(&link->lock);
	return msg;
}

static void greet_worker(struct work_struct *work)
{
	struct sfs_link *link = container_of(work, struct sfs_link,
					     greet_work);
	struct sfs_msg *reply;
	struct sfs_msg *msg;

	while ((msg = next_greeting(link))) {
		reply = greet(link, msg);
		if (!READ_ONCE(link->srv->dead))
			link_send(link, sfs_srv_answer_to(msg, reply));
		else if (!IS_ERR(reply))
			sfs_msg_free(reply);
		sfs_msg_free(msg);
	}
}

/* ---- the receiving side ------------------------------------------------------- */

static void queue_greeting(struct sfs_link *link, struct sfs_msg *msg)
{
	spin_lock(&link->lock);
	if (link->nr_greetings < MAX_GREETINGS) {
		list_add_tail(&msg->head, &link->greetings);
		link->nr_greetings++;
		queue_work(link->srv->wq, &link->greet_work);
		msg = NULL;
	}
	spin_unlock(&link->lock);
	sfs_msg_free(msg);
}

static void link_recv(void *arg, struct sfs_msg *msg)
{
	struct sfs_link *link = arg;
	struct sfs_server *srv = link->srv;
	struct sfs_session *sess;

	if (msg->hdr.slot == SFS_SLOT_GREET) {
		queue_greeting(link, msg);
		return;
	}
	spin_lock(&link->lock);
	sess = link->sess;
	spin_unlock(&link->lock);
	if (!sess || le64_to_cpu(msg->hdr.rid) != sess->rid ||
	    (le64_to_cpu(msg->hdr.term) != sfs_store_term(srv->store) &&
	     !sfs_broken(srv->host, NOTERM))) {
		sfs_count(srv->cnt, server_msgs_dropped);
		sfs_msg_free(msg);
		return;
	}
	sfs_session_recv(sess, msg);
}

static void link_closed(void *arg)
{
	struct sfs_link *link = arg;

	queue_work(link->srv->end_wq, &link->free_work);
}

static const struct sfs_conn_ops link_ops = {
	.recv = link_recv,
	.closed = link_closed,
};

/* ---- beginning and end ---------------------------------------------------------- */

static void free_worker(struct work_struct *work)
{
	struct sfs_link *link = container_of(work, struct sfs_link, free_work);
	struct sfs_server *srv = link->srv;
	struct sfs_session *sess;
	struct sfs_conn *conn = NULL;
	struct sfs_msg *msg;

	spin_lock(&srv->link_lock);
	list_del(&link->head);
	spin_unlock(&srv->link_lock);
	sfs_conn_detach(link->conn, SFS_CONN_SERVER);
	flush_work(&link->greet_work);
	/* nobody else sets it now */
	sess = link->sess;
	if (sess) {
		spin_lock(&sess->lock);
		if (sess->conn == link->conn && sess->link_nr == link->nr) {
			conn = sess->conn;
			sess->conn = NULL;
		}
		spin_unlock(&sess->lock);
		if (conn)
			sfs_conn_put(conn);
		sfs_session_put(sess);
		/* it may have come while its mount went */
		sfs_srv_kick_gone(srv);
	}
	while ((msg = next_greeting(link)))
		sfs_msg_free(msg);
	sfs_conn_put(link->conn);
	kfree(link);
	spin_lock(&srv->link_lock);
	srv->nr_live_links--;
	spin_unlock(&srv->link_lock);
	wake_up_all(&srv->wait);
}

int sfs_srv_accept(void *arg, struct sfs_conn *conn)
{
	struct sfs_server *srv = arg;
	struct sfs_link *link;

	link = kzalloc(sizeof(*link), GFP_NOFS);
	if (!link)
		return -ENOMEM;
	link->srv = srv;
	sfs_conn_get(conn);
	link->conn = conn;
	spin_lock_init(&link->lock);
	INIT_LIST_HEAD(&link->greetings);
	INIT_WORK(&link->greet_work, greet_worker);
	INIT_WORK(&link->free_work, free_worker);
	spin_lock(&srv->link_lock);
	link->nr = ++srv->nr_links;
	srv->nr_live_links++;
	list_add_tail(&link->head, &srv->links);
	spin_unlock(&srv->link_lock);
	sfs_conn_attach(conn, SFS_CONN_SERVER, &link_ops, link);
	return 0;
}

static bool no_links(struct sfs_server *srv)
{
	bool none;

	spin_lock(&srv->link_lock);
	none = srv->nr_live_links == 0;
	spin_unlock(&srv->link_lock);
	return none;
}

/* One that has not ended yet, referenced; NULL when all have. */
static struct sfs_conn *open_conn(struct sfs_server *srv)
{
	struct sfs_conn *conn = NULL;
	struct sfs_link *link;

	spin_lock(&srv->link_lock);
	list_for_each_entry(link, &srv->links, head) {
		if (!sfs_conn_is_shut(link->conn)) {
			conn = link->conn;
			sfs_conn_get(conn);
			break;
		}
	}
	spin_unlock(&srv->link_lock);
	return conn;
}

void sfs_srv_shut_links(struct sfs_server *srv)
{
	struct sfs_conn *conn;

	while ((conn = open_conn(srv))) {
		sfs_conn_shut(conn);
		sfs_conn_put(conn);
	}
}

void sfs_srv_wait_links(struct sfs_server *srv)
{
	wait_event(srv->wait, no_links(srv));
}
