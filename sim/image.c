/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contents of simulated devices: pages in chunks of 512 in a table, pages and
 * chunks with reference counts, copied when one with several references is
 * written.  A page that was never written is not there and reads as zeroes.
 *
 * Not counted as memory of the core, never made to fail, and used by one fiber
 * at a time: nothing here can switch.
 */
#include "image.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/bug.h>
#include "shim/common/task.h"

#define CHUNK_PAGES 512
#define CHUNK_BYTES ((u64)CHUNK_PAGES * SIM_PAGE)

struct page {
	u32 refs;
	u8 data[SIM_PAGE];
};

struct chunk {
	u32 refs;
	struct page *pages[CHUNK_PAGES];
};

struct sim_image {
	u64 size;
	u64 nr_chunks;
	struct chunk *chunks[];
};

static const u8 zeroes[SIM_PAGE];

static void *get_zeroed(size_t size)
{
	void *p = shim_os_malloc(size);

	BUG_ON(!p);
	memset(p, 0, size);
	return p;
}

static struct sim_image *new_image(u64 size)
{
	u64 nr = DIV_ROUND_UP_ULL(size, CHUNK_BYTES);
	struct sim_image *img;

	img = get_zeroed(sizeof(*img) + nr * sizeof(img->chunks[0]));
	img->size = size;
	img->nr_chunks = nr;
	return img;
}

struct sim_image *sim_image_create(u64 size)
{
	return new_image(size);
}

struct sim_image *sim_image_clone(const struct sim_image *img)
{
	struct sim_image *new = new_image(img->size);
	u64 i;

	for (i = 0; i < img->nr_chunks; i++) {
		new->chunks[i] = img->chunks[i];
		if (new->chunks[i])
			new->chunks[i]->refs++;
	}
	return new;
}

static void put_page(struct page *page)
{
	if (page && --page->refs == 0)
		shim_os_free(page);
}

static void put_chunk(struct chunk *chunk)
{
	int i;

	if (!chunk || --chunk->refs)
		return;
	for (i = 0; i < CHUNK_PAGES; i++)
		put_page(chunk->pages[i]);
	shim_os_free(chunk);
}

void sim_image_free(struct sim_image *img)
{
	u64 i;

	if (!img)
		return;
	for (i = 0; i < img->nr_chunks; i++)
		put_chunk(img->chunks[i]);
	shim_os_free(img);
}

u64 sim_image_size(const struct sim_image *img)
{
	return img->size;
}

static const u8 *page_for_read(const struct sim_image *img, u64 off)
{
	struct chunk *chunk = img->chunks[off / CHUNK_BYTES];
	struct page *page;

	if (!chunk)
		return zeroes;
	page = chunk->pages[off / SIM_PAGE % CHUNK_PAGES];
	return page ? page->data : zeroes;
}

/* a chunk that this image alone refers to */
static struct chunk *own_chunk(struct sim_image *img, u64 off)
{
	struct chunk **slot = &img->chunks[off / CHUNK_BYTES];
	struct chunk *old = *slot;
	struct chunk *new;
	int i;

	if (old && old->refs == 1)
		return old;
	new = get_zeroed(sizeof(*new));
	new->refs = 1;
	if (old) {
		for (i = 0; i < CHUNK_PAGES; i++) {
			new->pages[i] = old->pages[i];
			if (new->pages[i])
				new->pages[i]->refs++;
		}
		old->refs--;
	}
	*slot = new;
	return new;
}

static u8 *page_for_write(struct sim_image *img, u64 off)
{
	struct chunk *chunk = own_chunk(img, off);
	struct page **slot = &chunk->pages[off / SIM_PAGE % CHUNK_PAGES];
	struct page *old = *slot;
	struct page *new;

	if (old && old->refs == 1)
		return old->data;
	new = get_zeroed(sizeof(*new));
	new->refs = 1;
	if (old) {
		memcpy(new->data, old->data, SIM_PAGE);
		old->refs--;
	}
	*slot = new;
	return new->data;
}

static u32 part_len(u64 off, u32 len)
{
	return min_t(u32, len, SIM_PAGE - off % SIM_PAGE);
}

static void check_range(const struct sim_image *img, u64 off, u32 len)
{
	BUG_ON(off > img->size || len > img->size - off);
}

void sim_image_read(const struct sim_image *img, u64 off, void *buf, u32 len)
{
	u8 *to = buf;
	u32 n;

	check_range(img, off, len);
	for (; len; len -= n, off += n, to += n) {
		n = part_len(off, len);
		memcpy(to, page_for_read(img, off) + off % SIM_PAGE, n);
	}
}

void sim_image_write(struct sim_image *img, u64 off, const void *buf, u32 len)
{
	const u8 *from = buf;
	u32 n;

	check_range(img, off, len);
	for (; len; len -= n, off += n, from += n) {
		n = part_len(off, len);
		/* keeps sparse what is written as zeroes over nothing */
		if (page_for_read(img, off) == zeroes &&
		    !memchr_inv(from, 0, n))
			continue;
		memcpy(page_for_write(img, off) + off % SIM_PAGE, from, n);
	}
}

void sim_image_flip(struct sim_image *img, u64 off, unsigned int bit)
{
	check_range(img, off, 1);
	page_for_write(img, off)[off % SIM_PAGE] ^= 1 << (bit & 7);
}

u64 sim_image_differs(const struct sim_image *a, const struct sim_image *b)
{
	const u8 *x;
	const u8 *y;
	u64 off;
	u32 i;

	BUG_ON(a->size != b->size);
	for (off = 0; off < a->size; off += SIM_PAGE) {
		if (a->chunks[off / CHUNK_BYTES] ==
		    b->chunks[off / CHUNK_BYTES]) {
			off = round_down(off, CHUNK_BYTES) + CHUNK_BYTES -
			      SIM_PAGE;
			continue;
		}
		x = page_for_read(a, off);
		y = page_for_read(b, off);
		if (x == y || !memcmp(x, y, SIM_PAGE))
			continue;
		for (i = 0; x[i] == y[i]; i++)
			;
		return off + i;
	}
	return U64_MAX;
}

bool sim_image_equal(const struct sim_image *a, const struct sim_image *b)
{
	return a->size == b->size && sim_image_differs(a, b) == U64_MAX;
}

u64 sim_image_used(const struct sim_image *img)
{
	u64 used = 0;
	u64 off;

	for (off = 0; off < img->size; off += SIM_PAGE)
		used += page_for_read(img, off) == zeroes ? 0 : SIM_PAGE;
	return used;
}

int sim_image_store(const struct sim_image *img, const char *path)
{
	const u8 *page;
	int ret;
	u64 off;
	int fd;

	fd = shim_file_open(path, 1);
	if (fd < 0)
		return fd;
	ret = shim_file_resize(fd, img->size);
	for (off = 0; off < img->size && !ret; off += SIM_PAGE) {
		page = page_for_read(img, off);
		if (page != zeroes)
			ret = shim_file_pwrite(fd, page,
					       min_t(u64, SIM_PAGE,
						     img->size - off), off);
	}
	shim_file_close(fd);
	return ret;
}

int sim_image_load(const char *path, struct sim_image **ret_img)
{
	struct sim_image *img;
	u8 buf[SIM_PAGE / 4];
	int ret = 0;
	long size;
	u64 off;
	u32 n;
	int fd;

	fd = shim_file_open(path, 0);
	if (fd < 0)
		return fd;
	size = shim_file_size(fd);
	if (size < 0) {
		shim_file_close(fd);
		return size;
	}
	img = new_image(size);
	for (off = 0; off < size && !ret; off += n) {
		n = min_t(u64, sizeof(buf), size - off);
		ret = shim_file_pread(fd, buf, n, off);
		if (!ret)
			sim_image_write(img, off, buf, n);
	}
	shim_file_close(fd);
	if (ret)
		sim_image_free(img);
	else
		*ret_img = img;
	return ret;
}
