/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which locks a task holds, and whether their order can deadlock.
 *
 * Every lock has a class (place of initialisation, or lockdep_set_class(),
 * times subclass).  Taking B while holding A makes an edge A -> B of a graph
 * that lives as long as the process; a path B -> .. -> A that exists already
 * means that some schedule deadlocks, and the program ends, whether or not
 * this one would have.  Try-locks make no edges to what they take: they can
 * not wait.  Readers count as writers: a waiting writer stops new readers.
 *
 * What is held is tracked in every build, the graph only where shim_strict is
 * set.  Graph and classes are guarded by graph_lock.
 */
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/string.h>
#include <linux/bug.h>
#include "task.h"
#include "dep.h"

#define MAX_CLASSES 768
#define HASH_SIZE 2048

struct lock_class {
	const char *key;	/* address of the class key plus subclass */
	const char *name;
};

static unsigned int graph_lock;
static struct lock_class classes[MAX_CLASSES];	/* L(graph_lock); 0 unused */
static unsigned short class_hash[HASH_SIZE];	/* L(graph_lock) */
static unsigned int nr_classes = 1;		/* L(graph_lock) */
/* where B was first taken under A; L(graph_lock), NULL no edge */
static const void *edges[MAX_CLASSES][MAX_CLASSES];
static unsigned short came_from[MAX_CLASSES];	/* L(graph_lock): search */
static unsigned short queue[MAX_CLASSES];	/* L(graph_lock): search */

void lockdep_init_map(struct lockdep_map *map, const char *name,
		      const struct lock_class_key *key, int subclass)
{
	map->key = key;
	map->name = name;
	map->cls = 0;
	map->subclass = subclass;
}

static unsigned int find_class(const char *key, const char *name)
{
	unsigned int h = ((unsigned long)key * 0x9e3779b97f4a7c15UL) >> 53;
	unsigned int c;

	for (;; h = (h + 1) % HASH_SIZE) {
		c = class_hash[h];
		if (!c)
			break;
		if (classes[c].key == key)
			return c;
	}
	BUG_ON(nr_classes == MAX_CLASSES);
	c = nr_classes++;
	classes[c].key = key;
	classes[c].name = name;
	class_hash[h] = c;
	return c;
}

static unsigned int class_of(struct lockdep_map *map, unsigned int subclass)
{
	bool plain = subclass == 0;
	unsigned int c;

	if (plain) {
		c = READ_ONCE(map->cls);
		if (c)
			return c;
		subclass = map->subclass;
	}
	BUG_ON(subclass >= MAX_LOCKDEP_SUBCLASSES);
	if (!map->key)
		shim_fail("lock %p was never initialised", map);
	shim_raw_lock_word(&graph_lock);
	c = find_class(map->key->subkeys + subclass, map->name);
	shim_raw_unlock_word(&graph_lock);
	if (plain)
		WRITE_ONCE(map->cls, c);
	return c;
}

/* breadth first, so that the shortest cycle is reported */
static bool find_path(unsigned int from, unsigned int to)
{
	unsigned int head = 0;
	unsigned int tail = 0;
	unsigned int c;
	unsigned int i;

	memset(came_from, 0, sizeof(came_from));
	came_from[from] = from;
	queue[tail++] = from;
	while (head < tail) {
		c = queue[head++];
		if (c == to)
			return true;
		for (i = 1; i < nr_classes; i++) {
			if (edges[c][i] && !came_from[i]) {
				came_from[i] = c;
				queue[tail++] = i;
			}
		}
	}
	return false;
}

static void report_cycle(const struct shim_held *held, unsigned int cls)
{
	unsigned int c;
	void *ip;

	shim_report_begin();
	shim_eprintf("lock order: takes %s while it holds %s, but elsewhere:\n",
		     classes[cls].name, held->name);
	for (c = held->cls; c != cls; c = came_from[c]) {
		shim_eprintf("  %s was taken under %s at\n", classes[c].name,
			     classes[came_from[c]].name);
		ip = (void *)edges[came_from[c]][c];
		shim_os_symbolize(&ip, 1);
	}
	shim_report_end();
}

static void add_edges(struct shim_task *self, unsigned int cls, const void *ip)
{
	struct shim_held *h;
	unsigned int i;

	for (i = 0; i < self->nr_held; i++) {
		h = &self->held[i];
		if (__atomic_load_n(&edges[h->cls][cls], __ATOMIC_RELAXED))
			continue;
		shim_raw_lock_word(&graph_lock);
		if (find_path(cls, h->cls))
			report_cycle(h, cls);
		__atomic_store_n(&edges[h->cls][cls], ip, __ATOMIC_RELAXED);
		shim_raw_unlock_word(&graph_lock);
	}
}

void shim_dep_acquire(struct shim_task *self, struct lockdep_map *map,
		      unsigned int subclass, unsigned int flags,
		      const void *ip)
{
	struct shim_held *h;
	unsigned int cls = 0;
	unsigned int i;

	for (i = 0; i < self->nr_held; i++) {
		if (unlikely(self->held[i].map == map))
			shim_fail("recursive lock: %s is held already",
				  map->name);
	}
	if (self->nr_held == SHIM_MAX_HELD)
		shim_fail("more than %d locks held", SHIM_MAX_HELD);
	if (shim_strict) {
		cls = class_of(map, subclass);
		for (i = 0; i < self->nr_held && !(flags & SHIM_HELD_TRY); i++) {
			if (unlikely(self->held[i].cls == cls))
				shim_fail("two locks of one class without order: %s inside %s",
					  map->name, self->held[i].name);
		}
		if (!(flags & SHIM_HELD_TRY) && self->nr_held)
			add_edges(self, cls, ip);
	}
	h = &self->held[self->nr_held++];
	h->map = map;
	h->name = map->name;
	h->cls = cls;
	h->flags = flags;
	h->ip = ip;
}

static struct shim_held *find_held(struct shim_task *self,
				   const struct lockdep_map *map)
{
	unsigned int i;

	for (i = self->nr_held; i-- > 0; ) {
		if (self->held[i].map == map)
			return &self->held[i];
	}
	return NULL;
}

void shim_dep_release(struct shim_task *self, struct lockdep_map *map)
{
	struct shim_held *h = find_held(self, map);
	struct shim_held *last = &self->held[self->nr_held - 1];

	if (unlikely(!h))
		shim_fail("unlock of %s (%p), which this task does not hold",
			  map->name ? map->name : "?", map);
	for (; h < last; h++)
		*h = h[1];
	self->nr_held--;
}

void shim_dep_set_read(struct shim_task *self, struct lockdep_map *map)
{
	struct shim_held *h = find_held(self, map);

	if (unlikely(!h))
		shim_fail("%s is not held", map->name);
	h->flags |= SHIM_HELD_READ;
}

void shim_lock_map_acquire(struct lockdep_map *map, int read)
{
	shim_dep_acquire(shim_me(), map, 0, read ? SHIM_HELD_READ : 0,
			 __builtin_return_address(0));
}

void shim_lock_map_release(struct lockdep_map *map)
{
	shim_dep_release(shim_me(), map);
}

int shim_lock_held(const struct lockdep_map *map)
{
	struct shim_held *h = find_held(shim_me(), map);

	if (!h)
		return 0;
	return h->flags & SHIM_HELD_READ ? 2 : 1;
}

void shim_lock_assert_failed(const struct lockdep_map *map, const char *what,
			     const char *file, int line)
{
	shim_bugf(file, line, "assertion: lock %s is %s", map->name, what);
}
