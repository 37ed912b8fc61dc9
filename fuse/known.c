/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel may remember of this mount, and taking it back.
 *
 * For each group of 1,024 inode numbers there are bits that say of which
 * inodes the kernel may have attributes, of which pages, and whether names of
 * the group's directories were given out.  When the mount gives up its
 * cluster lock on the group (sfs_known_sweep()), the kernel is told of those
 * and no others, and the bits are gone.
 *
 * An answer that is on its way meanwhile must not be believed for long.  Who
 * answers notes how many sweeps there were before he asked the core (seq),
 * sets the bit before he replies, and states a time of validity only if no
 * sweep has begun since.  A sweep that begins after that finds the bit.  Its
 * notification may still overtake the reply; then the kernel sees that the
 * inode has changed since it asked, and does not believe the reply.  There
 * are three cases in which the kernel does not see that:
 *  - replies that make an inode or change it, and lookups of an inode that the
 *    kernel does not have yet.  The former state no validity while there are
 *    several mounts; after the latter, whoever looks for the name again asks
 *    us again (see names), and who opens the inode makes us drop its
 *    attributes once more (op_open())
 *  - entries that come with their attributes when a directory is read: none
 *    are given out while there are several mounts
 *  - pages: they are locked while they are read, the bit is set and the reply
 *    sent within a late use, and who sweeps waits for the page and is called
 *    again when there was such a use
 *
 * How long a file is the kernel learns from attributes, and does not when it
 * does not believe them: a read then ends where the file once did.  So the
 * size of an open file is pushed besides, by storing its last byte, before
 * the first attributes after a sweep (sfs_known_end()); that a file has
 * become shorter can not be pushed.  So attributes of open files, and reads
 * that find the end, are replied within a use, and a sweep begins a
 * millisecond after the last of them: time for who asked to take them in.  If
 * that takes longer, a read may end, or go on with zeroes, where the file
 * once ended.
 *
 * Names: an epoch (7.44) makes the kernel ask again for every name, lazily.
 * Before that, names are valid for no time while there are several mounts and
 * for NAME_S while there is one; a second mount begins after these have
 * passed (conn.c).  A notification about one name would need the directory's
 * mutex, which an operation that waits for a cluster lock may hold.
 *
 * The watcher.  Telling the kernel to drop a page waits for who has it
 * locked: a READ that we have to answer.  Queues do that as long as the lock
 * is held, without waiting for anything but the device (op_file.c).  READs
 * that came when the lock was not held wait for it on a pool of threads, and
 * if all of these wait for other locks, one that could be answered now may be
 * stuck behind them.  So a thread looks after sweeps that take long and
 * answers these, and has truncations done that are in the way of writing back
 * (op_attr.c).  A sweep that does not end even so is somebody's bug, and
 * aborting that mount's connection is what frees everybody else.
 *
 * Locks: that of a bucket, and known->lock, both leaves.
 */
#include "fuse/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUP_SHIFT 10
#define GROUP_INODES (1U << GROUP_SHIFT)
#define GROUP_WORDS (GROUP_INODES / 64)
#define NAME_S 1
#define RECENT_NS 10000000000ULL
#define WATCH_MS 50
#define ANSWER_NS 1000000
#define HURRY_NS 300000000ULL
#define WARN_NS 10000000000ULL
#define ABORT_NS 60000000000ULL

struct sfs_known_group {
	struct sfs_known_group *next;
	uint64_t nr;
	bool names;
	uint64_t attr[GROUP_WORDS];
	uint64_t pages[GROUP_WORDS];
};

/* Something that waits for pages of the kernel; on the stack of who does. */
struct sfs_sweep {
	struct sfs_sweep *next;
	uint64_t first;
	uint64_t last;
	uint64_t begin_ns;
	bool warned;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void sfs_known_init(struct sfs_known *kn)
{
	unsigned int i;

	memset(kn, 0, sizeof(*kn));
	pthread_mutex_init(&kn->lock, NULL);
	pthread_cond_init(&kn->changed, NULL);
	for (i = 0; i < NR_KNOWN; i++)
		pthread_mutex_init(&kn->bucket[i].lock, NULL);
}

void sfs_known_exit(struct sfs_known *kn)
{
	struct sfs_known_group *g;
	unsigned int i;

	for (i = 0; i < NR_KNOWN; i++) {
		while ((g = kn->bucket[i].groups)) {
			kn->bucket[i].groups = g->next;
			free(g);
		}
		pthread_mutex_destroy(&kn->bucket[i].lock);
	}
	pthread_cond_destroy(&kn->changed);
	pthread_mutex_destroy(&kn->lock);
}

/* ---- remembering -------------------------------------------------------- */

/* With the bucket's lock.  NULL: no memory. */
static struct sfs_known_group *get_group(struct sfs_known_bucket *b,
					 uint64_t nr)
{
	struct sfs_known_group *g = b->groups;

	while (g && g->nr != nr)
		g = g->next;
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (g) {
		g->nr = nr;
		g->next = b->groups;
		b->groups = g;
	}
	return g;
}

enum kind {
	ATTR,
	PAGES,
	NAMES,
};

static bool remember(struct sfs_known *kn, uint64_t ino, enum kind kind)
{
	uint64_t nr = ino >> GROUP_SHIFT, i = ino % GROUP_INODES;
	struct sfs_known_bucket *b = &kn->bucket[nr % NR_KNOWN];
	struct sfs_known_group *g;

	pthread_mutex_lock(&b->lock);
	g = get_group(b, nr);
	if (g && kind == NAMES)
		g->names = true;
	else if (g && kind == ATTR)
		g->attr[i / 64] |= 1ULL << i % 64;
	else if (g)
		g->pages[i / 64] |= 1ULL << i % 64;
	pthread_mutex_unlock(&b->lock);
	return g;
}

uint64_t sfs_known_seq(struct sfs_known *kn)
{
	return atomic_load(&kn->seq);
}

uint64_t sfs_known_attr(struct sfs_req *req, uint64_t ino)
{
	struct sfs_known *kn = &req->conn->known;

	return remember(kn, ino, ATTR) && atomic_load(&kn->seq) == req->seq ?
	       TIMEOUT_S : 0;
}

uint64_t sfs_known_names(struct sfs_req *req, uint64_t dir)
{
	struct sfs_conn *conn = req->conn;
	struct sfs_known *kn = &conn->known;
	bool epoch = conn->session.minor >= FW_MINOR_EPOCH;

	if (!epoch && atomic_load(&conn->vol->several))
		return 0;
	if (!remember(kn, dir, NAMES) || atomic_load(&kn->seq) != req->seq)
		return 0;
	return epoch ? TIMEOUT_S : NAME_S;
}

int sfs_known_pages(struct sfs_conn *conn, uint64_t ino)
{
	return remember(&conn->known, ino, PAGES) ? 0 : -1;
}

bool sfs_known_recent(struct sfs_conn *conn)
{
	uint64_t last = atomic_load(&conn->known.last_ns);

	return last && now_ns() - last < RECENT_NS;
}

void sfs_known_names_expire(unsigned int *ret_ms)
{
	/* and who has just looked at what was valid */
	*ret_ms = NAME_S * 1000 + 200;
}

/* ---- taking it back ----------------------------------------------------- */

/* The bits of @word, of inodes from @ino on, that are within the sweep. */
static uint64_t word_mask(const struct sfs_sweep *sw, uint64_t ino)
{
	uint64_t mask = ~0ULL;

	if (sw->last < ino || sw->first > ino + 63)
		return 0;
	if (sw->first > ino)
		mask &= ~0ULL << (sw->first - ino);
	if (sw->last < ino + 63)
		mask &= ~0ULL >> (63 - (sw->last - ino));
	return mask;
}

/* With the bucket's lock: moves what is within the sweep to @taken. */
static void take_bits(struct sfs_known_group *g, const struct sfs_sweep *sw,
		      struct sfs_known_group *taken)
{
	uint64_t mask, ino = g->nr << GROUP_SHIFT;
	unsigned int i;

	taken->nr = g->nr;
	taken->names = g->names;
	g->names = false;
	for (i = 0; i < GROUP_WORDS; i++, ino += 64) {
		mask = word_mask(sw, ino);
		taken->attr[i] = g->attr[i] & mask;
		taken->pages[i] = g->pages[i] & mask;
		g->attr[i] &= ~mask;
		g->pages[i] &= ~mask;
	}
}

static bool is_empty(const struct sfs_known_group *g)
{
	uint64_t any = g->names;
	unsigned int i;

	for (i = 0; i < GROUP_WORDS; i++)
		any |= g->attr[i] | g->pages[i];
	return !any;
}

/* The next group of the bucket from *@pos on; false at the end. */
static bool take_group(struct sfs_known_bucket *b, const struct sfs_sweep *sw,
		       struct sfs_known_group *taken)
{
	struct sfs_known_group **p, *g;
	bool found = false;

	pthread_mutex_lock(&b->lock);
	for (p = &b->groups; (g = *p) && !found;) {
		if (g->nr >= sw->first >> GROUP_SHIFT &&
		    g->nr <= sw->last >> GROUP_SHIFT) {
			take_bits(g, sw, taken);
			found = !is_empty(taken);
			if (is_empty(g)) {
				*p = g->next;
				free(g);
				continue;
			}
		}
		p = &g->next;
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}

/* Without any lock: this may wait for pages. */
static void tell_kernel(struct sfs_conn *conn,
			const struct sfs_known_group *taken)
{
	uint64_t ino = taken->nr << GROUP_SHIFT, bits;
	unsigned int i, bit;
	bool pages;

	if (taken->names && conn->session.minor >= FW_MINOR_EPOCH)
		sfs_notify_epoch(conn);
	for (i = 0; i < GROUP_WORDS; i++, ino += 64) {
		bits = taken->attr[i] | taken->pages[i];
		for (; bits; bits &= bits - 1) {
			bit = __builtin_ctzll(bits);
			pages = taken->pages[i] >> bit & 1;
			if (pages && sfs_reqs_resizing(conn, ino + bit))
				pages = false;
			sfs_notify_inval(conn, ino + bit, pages ? 0 : -1, 0);
		}
	}
}

/* The watcher is to look after it. */
static void add_sweep(struct sfs_known *kn, struct sfs_sweep *sw)
{
	sw->begin_ns = now_ns();
	pthread_mutex_lock(&kn->lock);
	sw->next = kn->sweeps;
	kn->sweeps = sw;
	/* the watcher sleeps when there are none */
	if (!sw->next)
		pthread_cond_broadcast(&kn->changed);
	pthread_mutex_unlock(&kn->lock);
}

static void remove_sweep(struct sfs_known *kn, struct sfs_sweep *sw)
{
	struct sfs_sweep **p;

	pthread_mutex_lock(&kn->lock);
	for (p = &kn->sweeps; *p != sw; p = &(*p)->next)
		;
	*p = sw->next;
	if (!kn->sweeps)
		pthread_cond_broadcast(&kn->changed);
	pthread_mutex_unlock(&kn->lock);
}

void sfs_known_answered(struct sfs_conn *conn)
{
	atomic_store(&conn->known.attr_ns, now_ns());
}

/* See "How long a file is". */
static void let_answers_arrive(struct sfs_known *kn)
{
	uint64_t age = now_ns() - atomic_load(&kn->attr_ns);
	struct timespec ts = { .tv_nsec = ANSWER_NS };

	if (age >= ANSWER_NS)
		return;
	ts.tv_nsec -= age;
	nanosleep(&ts, NULL);
}

void sfs_known_sweep(struct sfs_conn *conn, uint64_t first, uint64_t last)
{
	struct sfs_sweep sw = { .first = first, .last = last };
	struct sfs_known *kn = &conn->known;
	struct sfs_known_group taken;
	uint64_t nr, span = (last >> GROUP_SHIFT) - (first >> GROUP_SHIFT);
	unsigned int i;

	let_answers_arrive(kn);
	atomic_fetch_add(&kn->seq, 1);
	add_sweep(kn, &sw);
	atomic_store(&kn->last_ns, sw.begin_ns);
	sfs_rights_forget(conn, first, last);
	for (i = 0; i < NR_KNOWN && i <= span; i++) {
		nr = (first >> GROUP_SHIFT) + i;
		while (take_group(&kn->bucket[nr % NR_KNOWN], &sw, &taken))
			tell_kernel(conn, &taken);
	}
	remove_sweep(kn, &sw);
}

void sfs_known_end(struct sfs_conn *conn, uint64_t ino, uint64_t off,
		   char byte)
{
	struct sfs_sweep sw = { .first = ino, .last = ino };

	if (!remember(&conn->known, ino, PAGES))
		return;
	add_sweep(&conn->known, &sw);
	sfs_notify_store(conn, ino, off, byte);
	remove_sweep(&conn->known, &sw);
}

/* ---- the watcher -------------------------------------------------------- */

/* With kn->lock: one that takes long, copied. */
static bool find_slow(struct sfs_known *kn, uint64_t now, struct sfs_sweep *ret)
{
	struct sfs_sweep *sw = kn->sweeps;

	while (sw && now - sw->begin_ns < WATCH_MS * 1000000ULL)
		sw = sw->next;
	if (!sw)
		return false;
	*ret = *sw;
	if (now - sw->begin_ns > WARN_NS)
		sw->warned = true;
	return true;
}

static void help(struct sfs_conn *conn, const struct sfs_sweep *sw,
		 uint64_t now)
{
	uint64_t age = now - sw->begin_ns;

	sfs_reads_help(conn, sw->first, sw->last);
	sfs_stores_help(conn);
	if (age > HURRY_NS)
		sfs_reqs_hurry(conn, sw->first, sw->last);
	if (age > WARN_NS && !sw->warned)
		sfs_log(SFS_LOG_WARN,
			"%s: the kernel has not dropped what it knows of inodes %llu to %llu for %llu s",
			conn->dir, (unsigned long long)sw->first,
			(unsigned long long)sw->last,
			(unsigned long long)(age / 1000000000));
	if (age > ABORT_NS) {
		sfs_log(SFS_LOG_ERR,
			"%s: the kernel does not drop what it knows: aborting this mount",
			conn->dir);
		sfs_conn_abort(conn);
	}
}

static void *watch_main(void *arg)
{
	struct timespec step = { .tv_nsec = WATCH_MS * 1000000L };
	struct sfs_conn *conn = arg;
	struct sfs_known *kn = &conn->known;
	struct sfs_sweep sw;
	uint64_t now;
	bool slow;

	pthread_mutex_lock(&kn->lock);
	while (!kn->stop) {
		if (!kn->sweeps) {
			pthread_cond_wait(&kn->changed, &kn->lock);
			continue;
		}
		pthread_mutex_unlock(&kn->lock);
		nanosleep(&step, NULL);
		pthread_mutex_lock(&kn->lock);
		now = now_ns();
		slow = find_slow(kn, now, &sw);
		pthread_mutex_unlock(&kn->lock);
		if (slow)
			help(conn, &sw, now);
		pthread_mutex_lock(&kn->lock);
	}
	pthread_mutex_unlock(&kn->lock);
	return NULL;
}

int sfs_known_watch(struct sfs_conn *conn)
{
	struct sfs_known *kn = &conn->known;
	int ret;

	ret = -pthread_create(&kn->watcher, NULL, watch_main, conn);
	kn->watched = ret == 0;
	return ret;
}

void sfs_known_unwatch(struct sfs_conn *conn)
{
	struct sfs_known *kn = &conn->known;
	struct timespec end;

	if (!kn->watched)
		return;
	/* of a connection that is gone, no page is locked for long */
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 5;
	pthread_mutex_lock(&kn->lock);
	while (kn->sweeps &&
	       pthread_cond_timedwait(&kn->changed, &kn->lock, &end) == 0)
		;
	kn->stop = true;
	pthread_cond_broadcast(&kn->changed);
	pthread_mutex_unlock(&kn->lock);
	pthread_join(kn->watcher, NULL);
	kn->watched = false;
}
