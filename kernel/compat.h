/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SFS_KERNEL_COMPAT_H
#define SFS_KERNEL_COMPAT_H

/*
 * What differs between the kernels that are supported, Debian 12's 6.1 and its
 * 6.12: the only place of the tree that looks at the kernel's version.  Each
 * entry names the release that made it needed.
 */

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "scoutfs needs Linux 6.1 or later"
#endif

/* ---- iomap ------------------------------------------------------------------ */

#include <linux/iomap.h>
#include <linux/pagemap.h>

/* 6.3 renamed the operations on folios, 6.10 put the bio into the ioend. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define sfs_iomap_folio_ops iomap_page_ops
#define sfs_iomap_set_folio_ops(iomap, ops) ((iomap)->page_ops = (ops))
#else
#define sfs_iomap_folio_ops iomap_folio_ops
#define sfs_iomap_set_folio_ops(iomap, ops) ((iomap)->folio_ops = (ops))
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define sfs_ioend_bio(ioend) ((ioend)->io_bio)
#define sfs_bio_ioend(bio) ((struct iomap_ioend *)(bio)->bi_private)
#else
#define SFS_MAP_BLOCKS_HAS_LEN
#define sfs_ioend_bio(ioend) (&(ioend)->io_bio)
#define sfs_bio_ioend(bio) iomap_ioend_from_bio(bio)
#endif

/* 6.6 marks parts of folios dirty. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define sfs_iomap_dirty_folio filemap_dirty_folio
#else
#define sfs_iomap_dirty_folio iomap_dirty_folio
#endif

/* 6.8 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define SFS_ERROR_REMOVE_FOLIO .error_remove_page = generic_error_remove_page
#else
#define SFS_ERROR_REMOVE_FOLIO .error_remove_folio = generic_error_remove_folio
#endif

/* 6.12 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define sfs_iomap_buffered_write(iocb, from, ops) \
	iomap_file_buffered_write(iocb, from, ops)
#else
#define sfs_iomap_buffered_write(iocb, from, ops) \
	iomap_file_buffered_write(iocb, from, ops, NULL)
#endif

/* 6.5 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define sfs_splice_read generic_file_splice_read
#else
#define sfs_splice_read filemap_splice_read
#endif

#endif
