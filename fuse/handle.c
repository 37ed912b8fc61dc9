/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which inodes this mount has in use: open files and directories, and inodes
 * whose last name went while the kernel still knows them (somebody's current
 * directory, an O_PATH descriptor, an open on its way).
 *
 * There is no table of inodes that were looked up: a node id is an inode
 * number, and inode numbers are never used again.
 *
 * A handle is a slot and its generation, so that a wrong one is noticed.  The
 * lock is held for table work only, never across a call of the core.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define NR_PIN_BUCKETS 1024
#define NR_INO_BUCKETS 1024
#define MIN_SLOTS 64

struct sfs_handle {
	uint64_t ino;		/* 0: free */
	uint32_t generation;
	uint32_t next_free;	/* index + 1 */
	uint32_t next_ino;	/* index + 1, in the chain of the inode */
	bool rdwr;		/* opened for reading and writing */
	uint64_t told_seq;	/* sweeps when the kernel was told the end */
	uint64_t told_size;	/* as far as we know it knows no greater size */
};

struct sfs_pin {
	struct sfs_pin *next;
	uint64_t ino;
};

int sfs_handles_init(struct sfs_handles *hs)
{
	memset(hs, 0, sizeof(*hs));
	hs->pins = calloc(NR_PIN_BUCKETS, sizeof(hs->pins[0]));
	hs->by_ino = calloc(NR_INO_BUCKETS, sizeof(hs->by_ino[0]));
	if (!hs->pins || !hs->by_ino) {
		free(hs->pins);
		free(hs->by_ino);
		return -ENOMEM;
	}
	pthread_mutex_init(&hs->lock, NULL);
	return 0;
}

void sfs_handles_exit(struct sfs_handles *hs, struct sfs_fs *fs)
{
	struct sfs_pin *pin;
	uint32_t i;

	for (i = 0; i < hs->nr_slots; i++)
		if (hs->slot[i].ino)
			sfs_inode_close(fs, hs->slot[i].ino);
	for (i = 0; i < NR_PIN_BUCKETS; i++) {
		while ((pin = hs->pins[i])) {
			hs->pins[i] = pin->next;
			sfs_inode_close(fs, pin->ino);
			free(pin);
		}
	}
	free(hs->slot);
	free(hs->by_ino);
	free(hs->pins);
	pthread_mutex_destroy(&hs->lock);
}

/* With hs->lock. */
static int grow(struct sfs_handles *hs)
{
	uint32_t nr = hs->nr_slots ? hs->nr_slots * 2 : MIN_SLOTS;
	struct sfs_handle *slot;
	uint32_t i;

	if (nr > (1U << 30))
		return -ENFILE;
	slot = realloc(hs->slot, nr * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (i = nr; i-- > hs->nr_slots;) {
		slot[i] = (struct sfs_handle){ .next_free = hs->free_head };
		hs->free_head = i + 1;
	}
	hs->slot = slot;
	hs->nr_slots = nr;
	return 0;
}

/* With hs->lock. */
static void chain_add(struct sfs_handles *hs, struct sfs_handle *h)
{
	uint32_t *head = &hs->by_ino[h->ino % NR_INO_BUCKETS];

	h->told_seq = UINT64_MAX;
	h->next_ino = *head;
	*head = h - hs->slot + 1;
}

static void chain_remove(struct sfs_handles *hs, struct sfs_handle *h)
{
	uint32_t *p = &hs->by_ino[h->ino % NR_INO_BUCKETS];

	while (*p != h - hs->slot + 1)
		p = &hs->slot[*p - 1].next_ino;
	*p = h->next_ino;
}

/* With hs->lock: the next slot of the inode in its chain, NULL for the first. */
static struct sfs_handle *next_of(struct sfs_handles *hs, uint64_t ino,
				  const struct sfs_handle *h)
{
	uint32_t i = h ? h->next_ino : hs->by_ino[ino % NR_INO_BUCKETS];

	while (i && hs->slot[i - 1].ino != ino)
		i = hs->slot[i - 1].next_ino;
	return i ? &hs->slot[i - 1] : NULL;
}

bool sfs_handle_rdwr(struct sfs_handles *hs, uint64_t ino)
{
	struct sfs_handle *h = NULL;
	bool rdwr = false;

	pthread_mutex_lock(&hs->lock);
	while ((h = next_of(hs, ino, h)))
		rdwr |= h->rdwr;
	pthread_mutex_unlock(&hs->lock);
	return rdwr;
}

bool sfs_handle_end_due(struct sfs_handles *hs, uint64_t ino, uint64_t seq)
{
	struct sfs_handle *h = NULL;
	bool due = false;

	pthread_mutex_lock(&hs->lock);
	while ((h = next_of(hs, ino, h)))
		due |= h->told_seq != seq;
	pthread_mutex_unlock(&hs->lock);
	return due;
}

bool sfs_handle_end_safe(struct sfs_handles *hs, uint64_t ino, uint64_t size)
{
	struct sfs_handle *h = NULL;
	bool safe = true;

	pthread_mutex_lock(&hs->lock);
	/* there is no shared mapping to store into without reading and writing */
	while ((h = next_of(hs, ino, h)))
		safe &= !h->rdwr || size > h->told_size;
	pthread_mutex_unlock(&hs->lock);
	return safe;
}

void sfs_handle_end_told(struct sfs_handles *hs, uint64_t ino, uint64_t seq,
			 uint64_t size)
{
	struct sfs_handle *h = NULL;

	pthread_mutex_lock(&hs->lock);
	while ((h = next_of(hs, ino, h))) {
		h->told_seq = seq;
		h->told_size = size;
	}
	pthread_mutex_unlock(&hs->lock);
}

void sfs_handle_grown(struct sfs_handles *hs, uint64_t ino, uint64_t size)
{
	struct sfs_handle *h = NULL;

	pthread_mutex_lock(&hs->lock);
	while ((h = next_of(hs, ino, h)))
		if (h->told_size < size)
			h->told_size = size;
	pthread_mutex_unlock(&hs->lock);
}

void sfs_handle_shrunk(struct sfs_handles *hs, uint64_t ino, uint64_t size)
{
	struct sfs_handle *h = NULL;

	pthread_mutex_lock(&hs->lock);
	while ((h = next_of(hs, ino, h)))
		if (h->told_size > size)
			h->told_size = size;
	pthread_mutex_unlock(&hs->lock);
}

int sfs_handle_open(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino,
		    uint32_t open_flags, uint64_t *ret_fh)
{
	struct sfs_handle *h;
	struct sfs_attr attr;
	int ret;

	ret = sfs_inode_open(fs, ino, &attr);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&hs->lock);
	if (!hs->free_head)
		ret = grow(hs);
	if (ret == 0) {
		h = &hs->slot[hs->free_head - 1];
		hs->free_head = h->next_free;
		h->ino = ino;
		h->generation++;
		h->rdwr = (open_flags & O_ACCMODE) == O_RDWR;
		h->told_size = attr.size;
		chain_add(hs, h);
		hs->nr_open++;
		*ret_fh = (uint64_t)h->generation << 32 | (h - hs->slot);
	}
	pthread_mutex_unlock(&hs->lock);
	if (ret < 0)
		sfs_inode_close(fs, ino);
	return ret;
}

void sfs_handle_close(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t fh,
		      uint64_t ino)
{
	uint32_t i = (uint32_t)fh;
	bool ours = false;

	pthread_mutex_lock(&hs->lock);
	if (i < hs->nr_slots && hs->slot[i].ino == ino && ino &&
	    hs->slot[i].generation == fh >> 32) {
		chain_remove(hs, &hs->slot[i]);
		hs->slot[i].ino = 0;
		hs->slot[i].next_free = hs->free_head;
		hs->free_head = i + 1;
		hs->nr_open--;
		ours = true;
	}
	pthread_mutex_unlock(&hs->lock);
	if (ours)
		sfs_inode_close(fs, ino);
}

void sfs_pin_add(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino)
{
	struct sfs_pin *pin = malloc(sizeof(*pin)), **head;

	/* without it, an inode without names is gone a little earlier */
	if (!pin) {
		sfs_inode_close(fs, ino);
		return;
	}
	pin->ino = ino;
	head = &hs->pins[ino % NR_PIN_BUCKETS];
	pthread_mutex_lock(&hs->lock);
	pin->next = *head;
	*head = pin;
	atomic_fetch_add(&hs->nr_pins, 1);
	pthread_mutex_unlock(&hs->lock);
}

void sfs_pin_forget(struct sfs_handles *hs, struct sfs_fs *fs, uint64_t ino)
{
	struct sfs_pin **p = &hs->pins[ino % NR_PIN_BUCKETS], *pin;

	pthread_mutex_lock(&hs->lock);
	while ((pin = *p) && pin->ino != ino)
		p = &pin->next;
	if (pin)
		*p = pin->next;
	pthread_mutex_unlock(&hs->lock);
	if (pin) {
		atomic_fetch_sub(&hs->nr_pins, 1);
		sfs_inode_close(fs, ino);
		free(pin);
	}
}
