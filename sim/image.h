/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_IMAGE_H
#define SIM_IMAGE_H

#include <linux/types.h>

/*
 * The contents of a device: sparse memory, zero where never written.  Clones
 * are cheap and share what neither of them changes.
 */
struct sim_image;

#define SIM_PAGE 4096
#define SIM_SECTOR 512

struct sim_image *sim_image_create(u64 size);
struct sim_image *sim_image_clone(const struct sim_image *img);
void sim_image_free(struct sim_image *img);

u64 sim_image_size(const struct sim_image *img);
/* Any offset and length within the size. */
void sim_image_read(const struct sim_image *img, u64 off, void *buf, u32 len);
void sim_image_write(struct sim_image *img, u64 off, const void *buf, u32 len);
void sim_image_flip(struct sim_image *img, u64 off, unsigned int bit);
bool sim_image_equal(const struct sim_image *a, const struct sim_image *b);
/* The first byte that differs, or U64_MAX. */
u64 sim_image_differs(const struct sim_image *a, const struct sim_image *b);
/* Bytes that memory is spent on, shared or not. */
u64 sim_image_used(const struct sim_image *img);

/* Sparse files. */
int sim_image_store(const struct sim_image *img, const char *path);
int sim_image_load(const char *path, struct sim_image **ret_img);

#endif
