// SPDX-License-Identifier: GPL-2.0-only
/*
 * Validation of publishes.
 *
 * A mount may be of another build, or out of its mind; the volume is everyone's.
 * So all that a publish names is held against what the server knows before the
 * first change: sequence, run and segments are this mount's, blocks that go
 * into files are among those it was given, blocks that come back are in nobody's
 * hands.  What passes can be done without finding fault half way, where the
 * server could only stop.  What does not is refused with one line, has had no
 * effect, and takes down the mount that sent it and nobody else.
 *
 * Not validated: the contents of the run, which only reading it could tell, and
 * that blocks which come back were really part of a file.
 *
 * The extents of a message are sorted first.  Those that it frees are then
 * compared with the free and owned ones in one walk along both.
 */
#include "server/publish.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "base/report.h"

/*
 * Stamps grow by one with each transaction of a mount, and the server's clock
 * follows with each publish.  One that is this far ahead is made up, and would
 * use up the numbers of all mounts.
 */
#define MAX_STAMP_LEAD (1ULL << 32)

static int refuse(struct sfs_session *sess, const char *thing, u64 value,
		  const char *why)
{
	sfs_err(sess->srv->host, "publish of mount %016llx refused: %s %llu %s",
		sess->rid, thing, value, why);
	return -EPROTO;
}

/* ---- decoding ------------------------------------------------------------ */

static int extent_cmp(const void *a, const void *b)
{
	const struct sfs_srv_extent *x = a;
	const struct sfs_srv_extent *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int u64_cmp(const void *a, const void *b)
{
	u64 x = *(const u64 *)a;
	u64 y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int decode_extents(struct sfs_session *sess,
			  const struct sfs_msg_extent *msg, u32 nr,
			  struct sfs_srv_extent **ret_ext)
{
	u64 total = sess->srv->ident.id.data_bytes / SFS_UNIT;
	struct sfs_srv_extent *ext;
	u32 i;

	ext = kvmalloc_array(nr + 1, sizeof(*ext), GFP_NOFS);
	if (!ext)
		return -ENOMEM;
	*ret_ext = ext;
	for (i = 0; i < nr; i++) {
		ext[i].start = le64_to_cpu(msg[i].start);
		ext[i].count = le64_to_cpu(msg[i].count);
		if (ext[i].start < SFS_DATA_FIRST / SFS_UNIT ||
		    ext[i].start >= total)
			return refuse(sess, "data block", ext[i].start,
				      "is outside of the data device");
		if (ext[i].count == 0 || ext[i].count > total - ext[i].start)
			return refuse(sess, "an extent of", ext[i].count,
				      "data blocks is empty or too long");
	}
	sort(ext, nr, sizeof(*ext), extent_cmp, NULL);
	for (i = 1; i < nr; i++) {
		if (ext[i].start - ext[i - 1].start < ext[i - 1].count)
			return refuse(sess, "data block", ext[i].start,
				      "is named twice");
	}
	return 0;
}

static int decode_closed(struct sfs_session *sess, const __le64 *msg, u32 nr,
			 u64 **ret_closed)
{
	u64 *closed;
	u32 i;

	closed = kvmalloc_array(nr + 1, sizeof(*closed), GFP_NOFS);
	if (!closed)
		return -ENOMEM;
	*ret_closed = closed;
	for (i = 0; i < nr; i++)
		closed[i] = le64_to_cpu(msg[i]);
	sort(closed, nr, sizeof(*closed), u64_cmp, NULL);
	for (i = 1; i < nr; i++) {
		if (closed[i] == closed[i - 1])
			return refuse(sess, "the segment at byte", closed[i],
				      "is closed twice");
	}
	return 0;
}

static int decode_slice(struct sfs_session *sess, const u8 *p, u32 len,
			struct sfs_slice **ret_slice)
{
	struct sfs_wrong wrong;
	int ret;

	ret = sfs_slice_parse(p, len, sess->srv->ident.id.meta_bytes, &wrong,
			      ret_slice);
	if (ret != -EIO)
		return ret;
	sfs_err(sess->srv->host,
		"publish of mount %016llx refused: its run has a wrong %s, %llu",
		sess->rid, wrong.what, wrong.found);
	return -EPROTO;
}

static int decode_parts(struct sfs_session *sess, const struct sfs_msg *req,
			u32 slice_len, struct sfs_srv_publish *pub)
{
	const u8 *p = req->payload + sizeof(struct sfs_msg_publish);
	const __le64 *closed = (const __le64 *)(p + slice_len);
	const struct sfs_msg_extent *ext =
		(const struct sfs_msg_extent *)(closed + pub->nr_closed);
	int ret;

	pub->released = (const struct sfs_msg_lock_release *)(ext +
			pub->nr_consumed + pub->nr_freed);
	ret = decode_closed(sess, closed, pub->nr_closed, &pub->closed);
	if (ret == 0)
		ret = decode_extents(sess, ext, pub->nr_consumed,
				     &pub->consumed);
	if (ret == 0)
		ret = decode_extents(sess, ext + pub->nr_consumed,
				     pub->nr_freed, &pub->freed);
	if (ret == 0 && slice_len)
		ret = decode_slice(sess, p, slice_len, &pub->slice);
	return ret;
}

int sfs_srv_publish_decode(struct sfs_session *sess, const struct sfs_msg *req,
			   struct sfs_srv_publish *ret_pub)
{
	const struct sfs_msg_publish *body =
		(const struct sfs_msg_publish *)req->payload;
	struct sfs_srv_publish pub = {};
	u32 len = sfs_msg_len(req);
	u32 slice_len;
	int ret;

	if (len < sizeof(*body) || len > SFS_MSG_MAX)
		return refuse(sess, "a message of", len, "bytes");
	slice_len = le32_to_cpu(body->slice_len);
	pub.nr = le64_to_cpu(body->publish_nr);
	pub.txn_seq = le64_to_cpu(body->txn_seq);
	pub.max_stamp = le64_to_cpu(body->max_stamp);
	pub.nr_closed = le32_to_cpu(body->nr_closed);
	pub.nr_consumed = le32_to_cpu(body->nr_consumed);
	pub.nr_freed = le32_to_cpu(body->nr_freed);
	pub.nr_released = le32_to_cpu(body->nr_released);
	if (slice_len % 8 ||
	    sizeof(*body) + slice_len + 8ULL * pub.nr_closed +
			    16ULL * pub.nr_consumed + 16ULL * pub.nr_freed +
			    (u64)sizeof(*pub.released) * pub.nr_released !=
		    len)
		return refuse(sess, "a message of", len,
			      "bytes, which its parts do not make up");
	ret = decode_parts(sess, req, slice_len, &pub);
	if (ret < 0) {
		sfs_srv_publish_exit(&pub);
		return ret;
	}
	*ret_pub = pub;
	return 0;
}

void sfs_srv_publish_exit(struct sfs_srv_publish *pub)
{
	kvfree(pub->closed);
	kvfree(pub->consumed);
	kvfree(pub->freed);
	if (pub->slice)
		sfs_slice_put(pub->slice);
}

/* ---- the run ------------------------------------------------------------- */

/* Pieces are disjoint, the footer is in one, they are as long as it is said. */
static int check_pieces(struct sfs_session *sess, const struct sfs_run *run)
{
	const struct sfs_piece *a;
	const struct sfs_piece *b;
	bool inside = false;
	u64 bytes = 0;
	u32 i;
	u32 j;

	for (i = 0; i < run->nr_pieces; i++) {
		a = &run->pieces[i];
		bytes += a->len;
		inside |= run->footer_addr >= a->addr &&
			  run->footer_addr - a->addr < a->len &&
			  run->footer_len <=
				  a->len - (run->footer_addr - a->addr);
		for (j = 0; j < i; j++) {
			b = &run->pieces[j];
			if (a->addr < b->addr + b->len &&
			    b->addr < a->addr + a->len)
				return refuse(sess, "the piece at byte",
					      a->addr,
					      "is in its run twice");
		}
	}
	if (!inside)
		return refuse(sess, "the footer at byte", run->footer_addr,
			      "is not in its run");
	if (bytes != run->bytes)
		return refuse(sess, "a run of", run->bytes,
			      "bytes, which its pieces do not make up");
	return 0;
}

static int check_run(struct sfs_session *sess, const struct sfs_slice *slice)
{
	const struct sfs_run *run = slice->run;
	u32 i;
	int ret;

	if (run->id != sess->run_id)
		return refuse(sess, "run", run->id,
			      "has a number that was not given to it");
	if (slice->level != 0)
		return refuse(sess, "level", slice->level,
			      "is not where it may put a run");
	if (slice->items != run->items || slice->deletions != run->deletions)
		return refuse(sess, "a run with", run->items,
			      "items that are not all published");
	ret = check_pieces(sess, run);
	for (i = 0; i < run->nr_pieces && ret == 0; i++) {
		ret = sfs_segs_may_use(sess->srv, sess->rid, &run->pieces[i]);
		if (ret == -EINVAL)
			ret = refuse(sess, "its run's piece at byte",
				     run->pieces[i].addr,
				     "is not in segments it owns");
	}
	return ret;
}

/* ---- space --------------------------------------------------------------- */

static int check_closed(struct sfs_session *sess,
			const struct sfs_srv_publish *pub)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < pub->nr_closed && ret == 0; i++) {
		ret = sfs_segs_may_close(sess->srv, sess->rid, pub->closed[i]);
		if (ret == -EINVAL)
			ret = refuse(sess, "the segment at byte",
				     pub->closed[i],
				     "is closed but not one it owns");
	}
	return ret;
}

static int check_consumed(struct sfs_session *sess,
			  const struct sfs_srv_publish *pub)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < pub->nr_consumed && ret == 0; i++) {
		ret = sfs_data_may_take(sess->srv, sess->rid,
					pub->consumed[i].start,
					pub->consumed[i].count);
		if (ret == -EINVAL)
			ret = refuse(sess, "the extent at data block",
				     pub->consumed[i].start,
				     "goes into a file but is not one it owns");
	}
	return ret;
}

/* Where a walk along the extents that a mount owns, or the free ones, is. */
struct walk {
	struct sfs_server *srv;
	bool owned;			/* by @rid; else the free ones */
	u64 rid;
	u64 start;			/* the first that does not end before */
	u64 end;
};

/* 1 when the walk's extents have a block of [@start, @end); starts only grow. */
static int walk_hits(struct walk *walk, u64 start, u64 end)
{
	u64 count;
	int ret;

	if (walk->end <= start) {
		ret = sfs_data_next(walk->srv, walk->owned, walk->rid, start,
				    &walk->start, &count);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		if (ret == -ENOENT)
			walk->start = count = U64_MAX / 2;
		walk->end = walk->start + count;
	}
	return walk->start < end;
}

/* As walk_hits() for all that is freed, but for what is in @consumed. */
static int freed_hits(struct walk *walk, const struct sfs_srv_publish *pub,
		      bool own, u64 *ret_block)
{
	u32 nr_consumed = own ? pub->nr_consumed : 0;
	u32 at = 0;
	u64 block;
	u64 until;
	u64 end;
	int ret;
	u32 i;

	for (i = 0; i < pub->nr_freed; i++) {
		block = pub->freed[i].start;
		end = block + pub->freed[i].count;
		while (block < end) {
			while (at < nr_consumed &&
			       pub->consumed[at].start +
					       pub->consumed[at].count <= block)
				at++;
			until = end;
			if (at < nr_consumed)
				until = min(end, pub->consumed[at].start);
			if (until <= block) {
				block = pub->consumed[at].start +
					pub->consumed[at].count;
				continue;
			}
			ret = walk_hits(walk, block, until);
			*ret_block = pub->freed[i].start;
			if (ret)
				return ret;
			block = until;
		}
	}
	return 0;
}

/* What comes back is neither free nor in the hands of any mount. */
static int check_freed(struct sfs_session *sess,
		       const struct sfs_srv_publish *pub)
{
	struct sfs_server *srv = sess->srv;
	struct walk walk = { .srv = srv };
	struct sfs_session *other;
	u64 block = 0;
	int ret;

	ret = freed_hits(&walk, pub, false, &block);
	if (ret > 0)
		ret = refuse(sess, "the extent at data block", block,
			     "is freed but not in use");
	if (ret < 0)
		return ret;
	list_for_each_entry(other, &srv->sessions, head) {
		walk = (struct walk){
			.srv = srv,
			.owned = true,
			.rid = other->rid,
		};
		ret = freed_hits(&walk, pub, other == sess, &block);
		if (ret > 0)
			ret = refuse(sess, "the extent at data block", block,
				     "is freed but owned by a mount");
		if (ret < 0)
			return ret;
	}
	return 0;
}

static bool seq_is_open(const struct sfs_session *sess, u64 seq)
{
	int i;

	for (i = 0; i < SFS_MAX_OPEN_SEQS; i++) {
		if (seq && sess->open_seqs[i] == seq)
			return true;
	}
	return false;
}

int sfs_srv_publish_check(struct sfs_session *sess,
			  const struct sfs_srv_publish *pub)
{
	int ret;

	if (!sess->joined || pub->nr != sess->publish_nr + 1)
		return refuse(sess, "number", pub->nr, "is not the next one");
	if (!seq_is_open(sess, pub->txn_seq))
		return refuse(sess, "transaction sequence", pub->txn_seq,
			      "is not open");
	if (pub->max_stamp > sess->srv->next_seq + MAX_STAMP_LEAD)
		return refuse(sess, "stamp", pub->max_stamp,
			      "is far beyond all others");
	ret = pub->slice ? check_run(sess, pub->slice) : 0;
	if (ret == 0)
		ret = check_closed(sess, pub);
	if (ret == 0)
		ret = check_consumed(sess, pub);
	if (ret == 0)
		ret = check_freed(sess, pub);
	return ret;
}
