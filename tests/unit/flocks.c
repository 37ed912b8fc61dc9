// SPDX-License-Identifier: GPL-2.0-only
/*
 * File locks: mounts and a server over wires that lose, double and reorder
 * messages, and a server that is replaced by another one at any moment.
 *
 * Alone and without losses, every answer is compared with a model of what
 * flock(2) and fcntl(2) say.  Many at once, each notes what it holds for
 * certain, and nobody may hold what is in another's way; nobody waits for ever;
 * and when all have unlocked, the server has nothing left.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mount/flocks.h"
#include "server/flocks.h"
#include "tests/unit/lib/unit.h"

#define NR_MOUNTS 3
#define NR_ACTORS 9
#define NR_INOS 2
#define NR_BYTES 24

struct parcel {
	struct list_head head;
	struct sfs_msg *msg;
	u64 at_ns;
	u64 term;
	u32 mount;
	bool to_server;
};

struct net {
	struct vol vol;
	struct rng rng;
	struct workqueue_struct *wq;
	struct sfs_counters *cnt;
	struct sfs_srv_flocks srv;
	struct sfs_flocks mount[NR_MOUNTS];
	struct sfs_fl_session *ses[NR_MOUNTS];
	struct list_head wire;
	u64 term;
	u32 lose;		/* one message in so many; 0 none */
	u32 sent;
	bool stop;
	int down;		/* what mounts answer */
	bool deaf;		/* answers to mount 0 are lost */
	struct shim_task *carrier;
};

static struct net net;

struct end {
	u32 mount;
	bool to_server;
	u64 term;
};

static struct end to_server[NR_MOUNTS];
static struct end to_mount[NR_MOUNTS];

/* ---- wires -------------------------------------------------------------- */

static void post(const struct end *end, const struct sfs_msg *msg)
{
	struct parcel *p = unit_alloc(sizeof(*p));
	u32 len = sfs_msg_len(msg);

	p->msg = sfs_msg_alloc_wait(le16_to_cpu(msg->hdr.type), len);
	memcpy(p->msg->payload, msg->payload, len);
	p->mount = end->mount;
	p->to_server = end->to_server;
	p->term = end->term;
	if (net.lose)
		p->at_ns = shim_clock_ns() + rng_below(&net.rng, 30000000);
	list_add_tail(&p->head, &net.wire);
}

static void send(void *arg, struct sfs_msg *msg)
{
	struct end *end = arg;

	net.sent++;
	if (net.deaf && !end->to_server && end->mount == 0)
		goto lost;
	if (!net.lose || rng_below(&net.rng, net.lose))
		post(end, msg);
	if (net.lose && rng_below(&net.rng, net.lose) == 0)
		post(end, msg);
lost:
	sfs_msg_free(msg);
}

static int error(void *arg)
{
	return net.down;
}

static struct parcel *next_parcel(void)
{
	struct parcel *p;

	list_for_each_entry(p, &net.wire, head) {
		if (p->at_ns > shim_clock_ns())
			continue;
		list_del(&p->head);
		return p;
	}
	return NULL;
}

/* As connections do: nothing of another term arrives. */
static void deliver(struct parcel *p)
{
	if (p->term == net.term && p->to_server) {
		sfs_fl_session_recv(net.ses[p->mount], p->msg);
		p->msg = NULL;
	} else if (p->term == net.term) {
		sfs_flocks_answer(&net.mount[p->mount], p->msg);
	}
	sfs_msg_free(p->msg);
	unit_free(p);
}

static void carrier(void *arg)
{
	struct parcel *p;

	while (!net.stop) {
		p = next_parcel();
		if (p)
			deliver(p);
		else
			shim_sleep_ns(200000);
	}
}

/* ---- servers ------------------------------------------------------------ */

static void start_server(void)
{
	u32 i;

	sfs_srv_flocks_init(&net.srv, net.vol.host, net.cnt);
	sfs_srv_flocks_start(&net.srv, net.wq);
	for (i = 0; i < NR_MOUNTS; i++) {
		to_mount[i] = (struct end){ i, false, net.term };
		to_server[i] = (struct end){ i, true, net.term };
		net.ses[i] = sfs_fl_session_create(&net.srv, 100 + i, send,
						   &to_mount[i]);
		if (!net.ses[i])
			bail_out("session");
	}
}

static void stop_server(void)
{
	u32 i;

	net.term++;
	for (i = 0; i < NR_MOUNTS; i++)
		sfs_fl_session_destroy(net.ses[i]);
	sfs_srv_flocks_exit(&net.srv);
}

static void restate(u32 i, u32 of)
{
	struct list_head msgs;
	struct sfs_msg *msg;
	u32 nr = 0;

	if (sfs_flocks_restate(&net.mount[i], &msgs) < 0)
		bail_out("restate");
	while ((msg = list_first_entry_or_null(&msgs, struct sfs_msg, head))) {
		list_del(&msg->head);
		if (nr < of && sfs_fl_session_restate(net.ses[i], msg) < 0)
			bail_out("restate is refused");
		/* the answer was lost */
		if (nr++ < of && rng_below(&net.rng, 2) &&
		    sfs_fl_session_restate(net.ses[i], msg) < 0)
			bail_out("restate is refused");
		sfs_msg_free(msg);
	}
	if (!nr)
		bail_out("a mount with nothing says nothing");
}

static void restart(void)
{
	u32 i;

	stop_server();
	start_server();
	sfs_srv_flocks_freeze(&net.srv);
	for (i = 0; i < NR_MOUNTS; i++) {
		shim_sleep_ns(rng_below(&net.rng, 40000000));
		/* one that is cut off begins again */
		if (rng_below(&net.rng, 4) == 0)
			restate(i, rng_below(&net.rng, 2));
		restate(i, U32_MAX);
		sfs_flocks_resume(&net.mount[i]);
	}
	shim_sleep_ns(rng_below(&net.rng, 40000000));
	sfs_srv_flocks_thaw(&net.srv);
}

static void start_mount(u32 i)
{
	sfs_flocks_init(&net.mount[i], net.vol.host, 100 + i);
	sfs_flocks_start(&net.mount[i], net.wq, net.cnt, send, error,
			 &to_server[i]);
}

/* Another one comes in its place. */
static void leave(u32 i)
{
	sfs_fl_session_release(net.ses[i]);
	sfs_flocks_exit(&net.mount[i]);
	start_mount(i);
}

static void net_start(u32 lose)
{
	u32 i;

	memset(&net, 0, sizeof(net));
	net.rng.state = shim_seed() * 3 + 1;
	vol_create(&net.vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	INIT_LIST_HEAD(&net.wire);
	net.wq = alloc_workqueue("flocks", WQ_UNBOUND, 0);
	net.cnt = sfs_counters_create();
	net.lose = lose;
	start_server();
	for (i = 0; i < NR_MOUNTS; i++)
		start_mount(i);
	net.carrier = shim_go("carrier", carrier, NULL);
}

static void net_stop(void)
{
	struct parcel *p;
	u32 i;

	/* what is abandoned comes to its end */
	shim_sleep_ns(20000000000ULL);
	net.stop = true;
	shim_join(net.carrier);
	is_u64(net.srv.table.nr_held, 0, "nothing is held at the end");
	is_u64(net.srv.table.nr_waits, 0, "nobody waits at the end");
	for (i = 0; i < NR_MOUNTS; i++)
		sfs_flocks_exit(&net.mount[i]);
	while ((p = list_first_entry_or_null(&net.wire, struct parcel,
					     head))) {
		list_del(&p->head);
		sfs_msg_free(p->msg);
		unit_free(p);
	}
	stop_server();
	destroy_workqueue(net.wq);
	sfs_counters_free(net.cnt);
	vol_destroy(&net.vol);
}

/* ---- alone: the model --------------------------------------------------- */

static struct sfs_flock lock_of(u32 ino, u64 owner, u8 kind, u8 type,
				u64 start, u64 end)
{
	return (struct sfs_flock){
		.ino = ino, .owner = owner, .kind = kind, .type = type,
		.start = start, .end = end, .pid = (u32)owner,
	};
}

#define NR_OWNERS 5
struct model {
	u8 type[NR_INOS][2][NR_OWNERS][NR_BYTES];
};

static bool model_conflict(const struct model *m, u32 ino, int space, u32 o,
			   const struct sfs_flock *lk)
{
	u32 other;
	u64 b;
	u8 t;

	for (other = 0; other < NR_OWNERS; other++) {
		for (b = lk->start; other != o && b <= lk->end &&
				    b < NR_BYTES; b++) {
			t = m->type[ino][space][other][b];
			if (t && lk->type &&
			    (t == SFS_FLOCK_WRITE || lk->type == SFS_FLOCK_WRITE))
				return true;
		}
	}
	return false;
}

static int model_set(struct model *m, u32 ino, int space, u32 o,
		     const struct sfs_flock *lk)
{
	u8 *own = m->type[ino][space][o];
	u64 b;

	if (space && own[0] != lk->type)
		memset(own, 0, NR_BYTES);
	if (model_conflict(m, ino, space, o, lk))
		return -EAGAIN;
	for (b = lk->start; b <= lk->end && b < NR_BYTES; b++)
		own[b] = lk->type;
	return 0;
}

/* What each side says that an owner holds, byte by byte. */
static bool model_fits(const struct model *m, u32 ino, u32 o, u8 kind)
{
	struct sfs_flock lk = lock_of(ino + 10, o + 1, kind, 0, 0, U64_MAX);
	u8 is[NR_BYTES] = {};
	struct sfs_flock r;
	u64 b;

	while (sfs_flocks_held(&net.mount[o % NR_MOUNTS], &lk, &r)) {
		for (b = r.start; b <= r.end && b < NR_BYTES; b++)
			is[b] = r.type;
		if (r.end >= NR_BYTES)
			break;
		lk.start = r.end + 1;
	}
	return !memcmp(is, m->type[ino][kind == SFS_FLOCK_FLOCK][o], NR_BYTES);
}

/* The last byte stands for all that follow. */
static u64 random_range(u64 *start)
{
	u64 a = rng_below(&net.rng, NR_BYTES);
	u64 b = rng_below(&net.rng, NR_BYTES);

	*start = min(a, b);
	return max(a, b) == NR_BYTES - 1 ? U64_MAX : max(a, b);
}

static bool model_step(struct model *m)
{
	u32 o = rng_below(&net.rng, NR_OWNERS);
	u32 ino = rng_below(&net.rng, NR_INOS);
	u8 kind = o < 2 ? SFS_FLOCK_POSIX : o < 3 ? SFS_FLOCK_OFD :
							SFS_FLOCK_FLOCK;
	int space = kind == SFS_FLOCK_FLOCK;
	struct sfs_flock lk;
	bool conflict;
	int want;
	int ret;

	lk = lock_of(ino + 10, o + 1, kind, (u8)rng_below(&net.rng, 3), 0, 0);
	lk.end = random_range(&lk.start);
	if (space) {
		lk.start = 0;
		lk.end = U64_MAX;
	}
	if (rng_below(&net.rng, 4) == 0) {
		conflict = model_conflict(m, ino, space, o, &lk);
		ret = sfs_flocks_wait(&net.mount[o % NR_MOUNTS], SFS_FLOCK_GET,
				      &lk);
		return ret == 0 && conflict == (lk.type != SFS_FLOCK_NONE);
	}
	want = model_set(m, ino, space, o, &lk);
	ret = sfs_flocks_wait(&net.mount[o % NR_MOUNTS], SFS_FLOCK_SET, &lk);
	if (ret != want)
		diag("owner %u ino %u kind %u type %u %llu-%llu: %d, not %d", o,
		     ino, kind, lk.type, lk.start, lk.end, ret, want);
	return ret == want && model_fits(m, ino, o, kind);
}

static void test_model(void)
{
	struct model *m = unit_alloc(sizeof(*m));
	struct sfs_flock lk;
	bool good = true;
	u32 i;

	net_start(0);
	for (i = 0; i < 3000 && good; i++) {
		good = model_step(m);
		if (i % 500 == 499)
			restart();
	}
	ok(good, "%u calls answer as the model", i);
	for (i = 0; i < NR_OWNERS * NR_INOS; i++) {
		lk = lock_of(10 + i % NR_INOS, 1 + i / NR_INOS,
			     i / NR_INOS < 3 ? SFS_FLOCK_OFD : SFS_FLOCK_FLOCK,
			     SFS_FLOCK_NONE, 0, U64_MAX);
		sfs_flocks_wait(&net.mount[i / NR_INOS % NR_MOUNTS],
				SFS_FLOCK_SET, &lk);
	}
	net_stop();
	unit_free(m);
}

/* ---- one after the other ------------------------------------------------ */

struct call {
	struct sfs_flock lk;
	struct shim_task *task;
	u32 mount;
	int call;
	int ret;
	bool over;
	u64 over_ns;
};

static void call_main(void *arg)
{
	struct call *c = arg;

	c->ret = sfs_flocks_wait(&net.mount[c->mount], c->call, &c->lk);
	c->over_ns = shim_clock_ns();
	c->over = true;
}

static void go(struct call *c, u32 mount, int call, struct sfs_flock lk)
{
	*c = (struct call){ .lk = lk, .mount = mount, .call = call };
	c->task = shim_go("call", call_main, c);
	shim_sleep_ns(100000000);
}

static int now(u32 mount, int call, struct sfs_flock lk)
{
	struct call c;

	go(&c, mount, call, lk);
	shim_join(c.task);
	return c.ret;
}

#define POSIX SFS_FLOCK_POSIX
#define WRITE SFS_FLOCK_WRITE
#define READ SFS_FLOCK_READ
#define NONE SFS_FLOCK_NONE
#define SET SFS_FLOCK_SET
#define WAIT SFS_FLOCK_WAIT

static void test_order(void)
{
	struct call c[4];
	u32 i;

	is_int(now(0, SET, lock_of(10, 1, POSIX, WRITE, 0, 9)), 0, "locked");
	for (i = 0; i < 4; i++)
		go(&c[i], i % NR_MOUNTS, WAIT,
		   lock_of(10, 2 + i, POSIX, i % 2 ? READ : WRITE, i, 9));
	ok(!c[0].over && !c[3].over, "four wait");
	is_int(now(0, SET, lock_of(10, 1, POSIX, NONE, 0, U64_MAX)), 0,
	       "unlocked");
	for (i = 0; i < 4; i++) {
		shim_join(c[i].task);
		ok(c[i].ret == 0 && (i == 3 || !c[i + 1].over),
		   "number %u is next", i);
		now(i % NR_MOUNTS, SET,
		    lock_of(10, 2 + i, POSIX, NONE, 0, U64_MAX));
	}
	/* a writer is not starved by readers, nor stopped for ever by fairness */
	now(0, SET, lock_of(10, 1, POSIX, READ, 0, 0));
	go(&c[0], 1, WAIT, lock_of(10, 2, POSIX, WRITE, 0, 0));
	go(&c[1], 2, WAIT, lock_of(10, 3, POSIX, READ, 0, 0));
	ok(!c[1].over, "a reader does not overtake a writer at once");
	is_int(now(0, WAIT, lock_of(10, 1, POSIX, READ, 0, 5)), 0,
	       "who holds something does not wait for fairness");
	shim_sleep_ns(2000000000ULL);
	ok(c[1].over && !c[0].over, "later it does");
	shim_join(c[1].task);
	now(0, SET, lock_of(10, 1, POSIX, NONE, 0, U64_MAX));
	now(2, SET, lock_of(10, 3, POSIX, NONE, 0, U64_MAX));
	shim_join(c[0].task);
	is_int(c[0].ret, 0, "and the writer has it");
	now(1, SET, lock_of(10, 2, POSIX, NONE, 0, U64_MAX));
}

static void test_deadlock(void)
{
	struct call c[2];
	u32 i;

	for (i = 0; i < 3; i++)
		now(i, SET, lock_of(20 + i, 1 + i, POSIX, WRITE, 0, 0));
	go(&c[0], 0, WAIT, lock_of(21, 1, POSIX, READ, 0, 0));
	go(&c[1], 1, WAIT, lock_of(22, 2, POSIX, WRITE, 0, 0));
	is_int(now(2, WAIT, lock_of(20, 3, POSIX, READ, 0, 0)), -EDEADLK,
	       "three in a ring");
	now(2, SET, lock_of(22, 3, POSIX, NONE, 0, U64_MAX));
	shim_join(c[1].task);
	now(1, SET, lock_of(21, 2, POSIX, NONE, 0, U64_MAX));
	now(1, SET, lock_of(22, 2, POSIX, NONE, 0, U64_MAX));
	shim_join(c[0].task);
	ok(c[0].ret == 0 && c[1].ret == 0, "the others go on");
	now(0, SET, lock_of(20, 1, POSIX, NONE, 0, U64_MAX));
	now(0, SET, lock_of(21, 1, POSIX, NONE, 0, U64_MAX));
}

static void cancelled(void *arg, int ret, const struct sfs_flock *lk)
{
	struct call *c = arg;

	c->ret = ret;
	c->over = true;
}

static void test_ends(void)
{
	struct sfs_flock lk;
	struct call c;
	u64 ticket;

	now(0, SET, lock_of(10, 1, POSIX, WRITE, 0, 9));
	/* killed */
	go(&c, 1, WAIT, lock_of(10, 2, POSIX, WRITE, 5, 20));
	shim_task_kill(c.task, 1);
	shim_join(c.task);
	is_int(c.ret, -EINTR, "killed");
	/* by a signal, having read already */
	now(1, SET, lock_of(10, 2, POSIX, READ, 30, 40));
	lk = lock_of(10, 2, POSIX, WRITE, 5, 35);
	c.over = false;
	sfs_flocks_begin(&net.mount[1], WAIT, &lk, cancelled, &c, &ticket);
	shim_sleep_ns(100000000);
	ok(!c.over, "it waits");
	sfs_flocks_cancel(&net.mount[1], ticket);
	shim_sleep_ns(100000000);
	ok(c.over && c.ret == -EINTR, "cancelled");
	sfs_flocks_cancel(&net.mount[1], ticket);
	is_int(now(2, SET, lock_of(10, 3, POSIX, WRITE, 30, 30)), -EAGAIN,
	       "what it had it still has");
	is_int(now(2, SET, lock_of(10, 3, POSIX, WRITE, 20, 29)), 0,
	       "and nothing more");
	/* a mount that goes */
	go(&c, 1, WAIT, lock_of(10, 2, POSIX, WRITE, 0, 3));
	leave(0);
	shim_join(c.task);
	is_int(c.ret, 0, "a mount's locks go with it");
	leave(1);
	leave(2);
	/* down */
	now(0, SET, lock_of(11, 1, POSIX, WRITE, 0, 9));
	go(&c, 1, WAIT, lock_of(11, 2, POSIX, WRITE, 0, 3));
	net.down = -EIO;
	shim_join(c.task);
	is_int(c.ret, -EIO, "a mount that is down");
	net.down = 0;
	leave(0);
	leave(1);
}

static void test_limit(void)
{
	struct sfs_flock lk;
	u64 i;
	int ret = 0;

	net.ses[0]->holder.nr += SFS_FL_MAX - 50;
	for (i = 0; i < 100 && ret == 0; i++) {
		lk = lock_of(10, 1, POSIX, WRITE, 2 * i, 2 * i);
		ret = sfs_flocks_wait(&net.mount[0], SET, &lk);
	}
	is_int(ret, -ENOLCK, "there is a limit");
	is_u64(i, 51, "and it is where it should be");
	is_u64(sim_host_logged(net.vol.host, SFS_LOG_WARN, "file locks"), 1,
	       "with one line in the log");
	is_int(now(1, SET, lock_of(10, 2, POSIX, WRITE, 500, 500)), 0,
	       "of each mount");
	net.ses[0]->holder.nr -= SFS_FL_MAX - 50;
	leave(0);
	leave(1);
}

/* The type of what an owner holds at a byte, as its mount has it. */
static u8 held(u32 mount, u32 ino, u64 owner, u64 byte)
{
	struct sfs_flock lk = lock_of(ino, owner, POSIX, 0, byte, byte);

	return sfs_flocks_held(&net.mount[mount], &lk, &lk) ? lk.type : NONE;
}

/* An answer that is late does not bring back what has been changed since. */
static void test_late(void)
{
	struct call c;

	now(1, SET, lock_of(10, 2, POSIX, WRITE, 0, 9));
	go(&c, 0, WAIT, lock_of(10, 1, POSIX, WRITE, 0, 9));
	net.deaf = true;
	now(1, SET, lock_of(10, 2, POSIX, NONE, 0, 9));
	net.deaf = false;
	is_int(now(0, SET, lock_of(10, 1, POSIX, NONE, 0, 4)), 0,
	       "unlocked by another thread");
	ok(!c.over, "before the lock is known");
	shim_join(c.task);
	ok(held(0, 10, 1, 2) == NONE && held(0, 10, 1, 7) == WRITE,
	   "what is known then is right");
	now(0, SET, lock_of(10, 1, POSIX, NONE, 0, U64_MAX));
	/* killed when it has the lock already: it does not keep it */
	now(1, SET, lock_of(10, 2, POSIX, WRITE, 0, 9));
	go(&c, 0, WAIT, lock_of(10, 1, POSIX, WRITE, 0, 9));
	net.deaf = true;
	now(1, SET, lock_of(10, 2, POSIX, NONE, 0, 9));
	shim_task_kill(c.task, 1);
	shim_join(c.task);
	is_int(c.ret, -EINTR, "killed with a lock");
	net.deaf = false;
	shim_sleep_ns(3000000000ULL);
	is_u64(net.srv.table.nr_held, 0, "which is unlocked");
}

/* What the old server did and no answer told. */
static void test_unheard(u8 type)
{
	struct call c[2];
	u8 other = type == NONE ? WRITE : READ;

	now(0, SET, lock_of(10, 1, POSIX, WRITE, 0, 20));
	net.deaf = true;
	go(&c[0], 0, SET, lock_of(10, 1, POSIX, type, 5, 9));
	is_int(now(1, SET, lock_of(10, 2, POSIX, other, 3, 9)), -EAGAIN,
	       "not all of it");
	is_int(now(1, SET, lock_of(10, 2, POSIX, other, 7, 8)), 0,
	       "made way for others");
	sim_host_log_forget(net.vol.host);
	restart();
	net.deaf = false;
	shim_join(c[0].task);
	is_int(c[0].ret, 0, "the answer comes from the next server");
	is_u64(sim_host_logged(net.vol.host, SFS_LOG_ERR, "both say"), 0,
	       "nothing is held twice");
	ok(held(0, 10, 1, 7) == type && held(0, 10, 1, 10) == WRITE &&
	   held(0, 10, 1, 4) == WRITE && held(1, 10, 2, 7) == other,
	   "both have what they should");
	is_int(now(2, SET, lock_of(10, 3, POSIX, READ, 4, 4)), -EAGAIN,
	       "left of it");
	is_int(now(2, SET, lock_of(10, 3, POSIX, WRITE, 7, 7)), -EAGAIN,
	       "in it");
	is_int(now(2, SET, lock_of(10, 3, POSIX, READ, 9, 9)), 0,
	       "and beside it");
	now(0, SET, lock_of(10, 1, POSIX, NONE, 0, U64_MAX));
	now(1, SET, lock_of(10, 2, POSIX, NONE, 0, U64_MAX));
	now(2, SET, lock_of(10, 3, POSIX, NONE, 0, U64_MAX));
}

/* One message there and one back. */
static void test_messages(void)
{
	u32 before = net.sent;

	now(0, SET, lock_of(10, 1, POSIX, WRITE, 0, 9));
	is_u64(net.sent - before, 2, "a lock is one round trip");
	now(0, SET, lock_of(10, 1, POSIX, NONE, 0, U64_MAX));
	is_u64(net.sent - before, 4, "so is an unlock");
	now(0, SET, lock_of(10, 1, POSIX, NONE, 0, U64_MAX));
	is_u64(net.sent - before, 4, "nothing to unlock, nothing to say");
}

/* ---- many at once ------------------------------------------------------- */

/* What is held for certain: from after a call that got it to before one that may change it. */
static u8 certain[NR_INOS][2][NR_ACTORS][NR_BYTES];
static bool broken;
static u32 nr_killed;
static u32 nr_granted;
static u32 nr_deadlocks;
static u32 nr_restarts;

struct actor {
	struct rng rng;
	struct shim_task *task;
	u32 nr;
	u32 mount;
	u8 kind;
	u64 owner;
	bool killed;
	bool done;
	u64 ticket;
	u32 holds[NR_INOS];
};

static void check_alone(u32 ino, int space, u32 a)
{
	u32 o;
	u32 b;
	u8 x;
	u8 y;

	for (o = 0; o < NR_ACTORS; o++) {
		for (b = 0; o != a && b < NR_BYTES; b++) {
			x = certain[ino][space][a][b];
			y = certain[ino][space][o][b];
			if (!x || !y || (x == READ && y == READ))
				continue;
			if (!broken)
				diag("actors %u and %u hold byte %u of %u: %u and %u",
				     a, o, b, ino, x, y);
			broken = true;
		}
	}
}

static void lower(u8 *own, const struct sfs_flock *lk, bool whole)
{
	u64 b;

	for (b = lk->start; b <= lk->end && b < NR_BYTES; b++)
		own[b] = whole && own[b] != lk->type ? NONE :
						       min(own[b], lk->type);
}

/* What the mount says it holds, at the end of a call. */
static void note(struct actor *a, u32 ino, u8 *own)
{
	struct sfs_flock lk = lock_of(10 + ino, a->owner, a->kind, 0, 0,
				      U64_MAX);
	struct sfs_flock r;
	u64 b;

	memset(own, 0, NR_BYTES);
	while (sfs_flocks_held(&net.mount[a->mount], &lk, &r)) {
		for (b = r.start; b <= r.end && b < NR_BYTES; b++)
			own[b] = r.type;
		if (r.end >= NR_BYTES)
			break;
		lk.start = r.end + 1;
	}
}

static int act_call(struct actor *a, int call, struct sfs_flock *lk)
{
	int ret;

	a->done = false;
	ret = sfs_flocks_wait(&net.mount[a->mount], call, lk);
	a->done = true;
	return ret;
}

static void unlock_all(struct actor *a, u32 ino)
{
	struct sfs_flock lk = lock_of(10 + ino, a->owner, a->kind, NONE, 0,
				      U64_MAX);
	int ret;

	memset(certain[ino][a->kind == SFS_FLOCK_FLOCK][a->nr], 0, NR_BYTES);
	ret = act_call(a, SET, &lk);
	/* killed on its way: then it happens behind our back */
	if (ret && ret != -EINTR)
		broken = true;
	a->holds[ino] = 0;
}

static void act(struct actor *a)
{
	u32 ino = rng_below(&a->rng, NR_INOS);
	bool file = a->kind == SFS_FLOCK_FLOCK;
	u8 *own = certain[ino][file][a->nr];
	struct sfs_flock lk;
	u8 before[NR_BYTES];
	int call = SET;
	u64 b;
	int ret;

	lk = lock_of(10 + ino, a->owner, a->kind, (u8)rng_below(&a->rng, 3), 0,
		     0);
	lk.end = random_range(&lk.start);
	if (file) {
		lk.start = 0;
		lk.end = U64_MAX;
	}
	/* whoever has no deadlock detection holds nothing while it waits */
	if (rng_below(&a->rng, 2) &&
	    (a->kind == POSIX || !(a->holds[0] + a->holds[1])))
		call = WAIT;
	memcpy(before, own, NR_BYTES);
	lower(own, &lk, file);
	ret = act_call(a, call, &lk);
	if (ret == -EINTR) {
		/* dead, and another one of that number is born */
		nr_killed++;
		shim_task_kill(a->task, 0);
		a->killed = false;
		unlock_all(a, 0);
		unlock_all(a, 1);
		return;
	}
	if (ret == 0) {
		nr_granted++;
		for (b = lk.start; b <= lk.end && b < NR_BYTES; b++)
			own[b] = lk.type;
		if (lk.type)
			a->holds[ino] = 1;
	} else if (ret == -EAGAIN || ret == -EDEADLK) {
		nr_deadlocks += ret == -EDEADLK;
		if (!file)
			memcpy(own, before, NR_BYTES);
	} else {
		diag("unexpected %d", ret);
		broken = true;
	}
	check_alone(ino, file, a->nr);
	note(a, ino, before);
	if (memcmp(before, own, NR_BYTES)) {
		if (!broken)
			diag("actor %u: the mount's idea differs", a->nr);
		broken = true;
	}
}

static void actor(void *arg)
{
	struct actor *a = arg;
	u32 i;

	for (i = 0; i < 120 && !broken; i++) {
		act(a);
		shim_sleep_ns(rng_below(&a->rng, 20000000));
		if (rng_below(&a->rng, 3) == 0) {
			unlock_all(a, 0);
			unlock_all(a, 1);
		}
	}
	shim_task_kill(a->task, 0);
	a->killed = true;
	unlock_all(a, 0);
	unlock_all(a, 1);
}

static void test_many(u32 lose, bool restarts, bool kills)
{
	struct actor actors[NR_ACTORS];
	struct actor *a;
	u32 i;

	net_start(lose);
	memset(certain, 0, sizeof(certain));
	broken = false;
	nr_killed = nr_granted = nr_deadlocks = nr_restarts = 0;
	memset(actors, 0, sizeof(actors));
	for (i = 0; i < NR_ACTORS; i++) {
		a = &actors[i];
		a->rng.state = shim_seed() + 1000 * i + lose;
		a->nr = i;
		a->mount = i % NR_MOUNTS;
		/* numbers of owners are each mount's own */
		a->owner = 1 + i / NR_MOUNTS;
		a->kind = i < 5 ? POSIX : i < 6 ? SFS_FLOCK_OFD :
						  SFS_FLOCK_FLOCK;
		a->task = shim_go("actor", actor, a);
	}
	for (i = 0; i < 60; i++) {
		shim_sleep_ns(rng_below(&net.rng, 300000000));
		if (restarts && rng_below(&net.rng, 4) == 0) {
			restart();
			nr_restarts++;
		}
		a = &actors[rng_below(&net.rng, NR_ACTORS)];
		if (kills && !a->killed && !a->done) {
			a->killed = true;
			shim_task_kill(a->task, 1);
		}
	}
	for (i = 0; i < NR_ACTORS; i++)
		shim_join(actors[i].task);
	ok(!broken, "nobody is in another's way");
	diag("losing one in %u: %u granted, %u killed, %u deadlocks, %u restarts, %u messages",
	     lose, nr_granted, nr_killed, nr_deadlocks, nr_restarts, net.sent);
	net_stop();
}

/* ---- garbage ------------------------------------------------------------ */

static void random_flock(struct sfs_msg_flock *m)
{
	u64 *word = (u64 *)m;
	u32 i;

	for (i = 0; i < sizeof(*m) / sizeof(*word); i++)
		word[i] = rng_u64(&net.rng) >> rng_below(&net.rng, 64);
	m->ino = cpu_to_le64(rng_below(&net.rng, 3));
	m->owner = cpu_to_le64(rng_below(&net.rng, 3));
	m->place = cpu_to_le32(rng_below(&net.rng, 20));
	if (rng_below(&net.rng, 8) == 0)
		m->place = cpu_to_le32((u32)rng_u64(&net.rng));
	m->op = (u8)rng_below(&net.rng, 9);
	m->kind = (u8)rng_below(&net.rng, 4);
	m->type = (u8)rng_below(&net.rng, 4);
}

static struct sfs_msg *random_msg(bool restate)
{
	u32 nr = restate ? rng_below(&net.rng, 5) : 1;
	u32 head = restate ? sizeof(struct sfs_msg_flock_restate) : 0;
	struct sfs_msg *msg = sfs_msg_alloc_wait(0, head + nr * 56);
	struct sfs_msg_flock_restate *body;
	u32 i;

	for (i = 0; i < nr; i++)
		random_flock((struct sfs_msg_flock *)
			     (msg->payload + head + i * 56));
	if (restate) {
		body = (struct sfs_msg_flock_restate *)msg->payload;
		body->nr = cpu_to_le64(rng_below(&net.rng, 20));
		body->part = cpu_to_le32(rng_below(&net.rng, 3));
		body->nr_ents = cpu_to_le32(nr + rng_below(&net.rng, 8) / 7);
	}
	if (rng_below(&net.rng, 8) == 0)
		msg->hdr.len = cpu_to_le32(rng_below(&net.rng,
						     sfs_msg_len(msg) + 1));
	return msg;
}

static void test_garbage(void)
{
	struct sfs_msg *msg;
	u32 round;
	u32 i;

	for (round = 0; round < 20; round++) {
		sfs_srv_flocks_freeze(&net.srv);
		for (i = 0; i < 60; i++) {
			msg = random_msg(true);
			sfs_fl_session_restate(net.ses[i % NR_MOUNTS], msg);
			sfs_msg_free(msg);
		}
		sfs_srv_flocks_thaw(&net.srv);
		for (i = 0; i < 200; i++)
			sfs_fl_session_recv(net.ses[i % NR_MOUNTS],
					    random_msg(false));
		shim_sleep_ns(3000000000ULL);
		for (i = 0; i < 20; i++) {
			msg = random_msg(false);
			sfs_flocks_answer(&net.mount[0], msg);
			sfs_msg_free(msg);
		}
	}
	for (i = 0; i < NR_MOUNTS; i++)
		sfs_fl_session_release(net.ses[i]);
	is_int(now(0, SET, lock_of(10, 1, POSIX, WRITE, 0, 9)), 0,
	       "garbage does no harm");
	leave(0);
}

int shim_main(int argc, char **argv)
{
	test_model();
	net_start(0);
	test_messages();
	test_order();
	test_deadlock();
	test_ends();
	test_limit();
	test_late();
	test_unheard(NONE);
	test_unheard(READ);
	test_garbage();
	net_stop();
	test_many(0, false, false);
	test_many(6, false, false);
	test_many(6, false, true);
	test_many(0, true, false);
	test_many(4, true, true);
	return done_testing();
}
