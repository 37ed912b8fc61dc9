/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The questions that archive software asks through ioctl(2), see
 * include/scoutfs/ioctl.h.
 *
 * The kernel hands us the structure of the command itself.  Buffers that it
 * points to are reached with process_vm_writev() by the caller's thread id.
 * That may fault, and the fault may be a READ for a file on this very mount:
 * so all of this happens on a pool of its own, without any lock, out of
 * memory of our own.  A partial transfer means a bad address in the middle.
 *
 * Where the caller's memory is out of reach (its thread is not visible from
 * our pid namespace, or the daemon is not privileged) the answer is
 * EOPNOTSUPP.  Who expects that asks again with SCOUTFS_IOC_INLINE, whose
 * structure has room for the answer: the kernel moves that for us.
 *
 * Commands are told apart by their whole value: numbers have been used twice.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scoutfs/ioctl.h"

#define WALK_CHUNK 2048
#define PATH_MAX_BYTES 65536
#define DETAIL_MIN 256
#define DETAIL_MAX (1U << 20)

static void reply_result(struct sfs_req *req, int64_t result,
			 const void *data, size_t len)
{
	struct fw_ioctl_out out = { 0 };

	if (result < 0) {
		sfs_reply_err(req, result);
		return;
	}
	out.result = result;
	if (req->inl) {
		data = req->inl;
		len = sizeof(*req->inl);
	}
	sfs_reply_two(req, &out, sizeof(out), data, len);
}

/* ---- the caller's memory ------------------------------------------------ */

/* At most one line a minute: anybody can cause it. */
static void say_unreachable(uint32_t tid, int err)
{
	static _Atomic int64_t last;
	struct timespec now;
	int64_t before = atomic_load(&last);

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((before && now.tv_sec - before < 60) ||
	    !atomic_compare_exchange_strong(&last, &before, now.tv_sec))
		return;
	sfs_log(SFS_LOG_WARN,
		"memory of the calling thread %u is out of reach (%s): ioctl answered with EOPNOTSUPP",
		tid, tid ? strerror(err) : "not in this pid namespace");
}

static int to_user(struct sfs_req *req, uint64_t addr, const void *data,
		   size_t len)
{
	struct iovec local = { (void *)data, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };
	uint32_t tid = req->d.h->pid;
	ssize_t n;

	if (!len)
		return 0;
	if (req->inl) {
		/* the address is a place in the result */
		if (addr > sizeof(req->inl->result) ||
		    len > sizeof(req->inl->result) - addr)
			return -EFAULT;
		memcpy((char *)req->inl->result + addr, data, len);
		return 0;
	}
	if (!tid) {
		say_unreachable(tid, 0);
		return -EOPNOTSUPP;
	}
	n = process_vm_writev(tid, &local, 1, &remote, 1, 0);
	if (n == (ssize_t)len)
		return 0;
	if (n >= 0 || errno == EFAULT)
		return -EFAULT;
	if (errno == ENOMEM)
		return -ENOMEM;
	say_unreachable(tid, errno);
	return -EOPNOTSUPP;
}

static bool has_cap(struct sfs_req *req, uint32_t cap)
{
	struct sfs_caller c;
	bool ret;

	sfs_caller_init(&c, req);
	sfs_caller_fill(&c);
	ret = c.cred.caps & cap;
	sfs_caller_exit(&c);
	return ret;
}

/* ---- commands ----------------------------------------------------------- */

static void walk_to_wire(const struct sfs_walk_entry *ents, int nr,
			 struct scoutfs_ioctl_walk_inodes_entry *out)
{
	int i;

	memset(out, 0, nr * sizeof(*out));
	for (i = 0; i < nr; i++) {
		out[i].major = ents[i].major;
		out[i].ino = ents[i].ino;
	}
}

/* The position behind @pos; false when there is none. */
static bool next_position(struct sfs_walk_entry *pos)
{
	if (++pos->ino)
		return true;
	if (++pos->minor)
		return true;
	return ++pos->major;
}

/* Copies out in chunks.  Entries stored before an error are the answer. */
static int64_t walk(struct sfs_req *req,
		    const struct scoutfs_ioctl_walk_inodes *in,
		    struct sfs_walk_entry *ents,
		    struct scoutfs_ioctl_walk_inodes_entry *out)
{
	struct sfs_walk_entry first = {
		.major = in->first.major,
		.ino = in->first.ino,
		.minor = in->first.minor,
	};
	struct sfs_walk_entry last = {
		.major = in->last.major,
		.ino = in->last.ino,
		.minor = in->last.minor,
	};
	uint32_t want = in->nr_entries < INT32_MAX ? in->nr_entries :
			INT32_MAX;
	uint32_t done = 0, nr;
	int ret = 0;

	while (done < want) {
		if (atomic_load(&req->interrupted)) {
			ret = -EINTR;
			break;
		}
		nr = want - done < WALK_CHUNK ? want - done : WALK_CHUNK;
		ret = sfs_walk_inodes(req->conn->fs, in->index, &first, &last,
				      ents, nr);
		if (ret <= 0)
			break;
		walk_to_wire(ents, ret, out);
		nr = ret;
		ret = to_user(req, in->entries_ptr + done * sizeof(*out), out,
			      nr * sizeof(*out));
		if (ret < 0)
			break;
		done += nr;
		first = ents[nr - 1];
		first.minor = 0;
		if (!next_position(&first))
			break;
	}
	return done ? done : ret;
}

static void walk_inodes(struct sfs_req *req)
{
	const struct scoutfs_ioctl_walk_inodes *in = req->d.data;
	struct scoutfs_ioctl_walk_inodes_entry *out;
	struct sfs_walk_entry *ents;
	int64_t ret;

	if (in->index != SCOUTFS_IOC_WALK_INODES_META_SEQ &&
	    in->index != SCOUTFS_IOC_WALK_INODES_DATA_SEQ) {
		sfs_reply_err(req, -EINVAL);
		return;
	}
	if (!in->nr_entries) {
		reply_result(req, 0, NULL, 0);
		return;
	}
	ents = malloc(WALK_CHUNK * sizeof(*ents));
	out = malloc(WALK_CHUNK * sizeof(*out));
	ret = ents && out ? 0 : -ENOMEM;
	/* sync(2) does not reach us: what this mount knows counts, too */
	if (ret == 0)
		ret = sfs_sync(req->conn->fs);
	if (ret == 0)
		ret = walk(req, in, ents, out);
	free(ents);
	free(out);
	reply_result(req, ret, NULL, 0);
}

static int64_t ino_path(struct sfs_req *req,
			const struct scoutfs_ioctl_ino_path *in,
			struct scoutfs_ioctl_ino_path_result *res)
{
	__u64 dir_ino, dir_pos;
	int ret;

	if (in->result_bytes <= sizeof(*res))
		return -ENAMETOOLONG;
	ret = sfs_ino_path(req->conn->fs, in->ino, in->dir_ino, in->dir_pos,
			   (char *)res->path, in->result_bytes - sizeof(*res),
			   &dir_ino, &dir_pos);
	if (ret < 0)
		return ret;
	res->dir_ino = dir_ino;
	res->dir_pos = dir_pos;
	res->path_bytes = ret;
	return to_user(req, in->result_ptr, res, sizeof(*res) + ret);
}

static void do_ino_path(struct sfs_req *req)
{
	struct scoutfs_ioctl_ino_path_result *res;
	int64_t ret;

	if (!has_cap(req, SFS_CAP_DAC_READ_SEARCH)) {
		sfs_reply_err(req, -EPERM);
		return;
	}
	res = calloc(1, PATH_MAX_BYTES);
	ret = res ? ino_path(req, req->d.data, res) : -ENOMEM;
	free(res);
	reply_result(req, ret, NULL, 0);
}

static void stat_more(struct sfs_req *req)
{
	struct scoutfs_ioctl_stat_more out;
	struct sfs_fs *fs = req->conn->fs;
	struct sfs_attr attr;
	struct sfs_ilock il;
	int ret;

	sfs_ilock_shared(fs, &il, req->d.h->nodeid);
	ret = sfs_stat_more(fs, req->d.h->nodeid, &attr);
	sfs_iunlock(fs, &il);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	memset(&out, 0, sizeof(out));
	out.meta_seq = attr.meta_seq;
	out.data_seq = attr.data_seq;
	out.data_version = attr.data_version;
	out.online_blocks = attr.online_blocks;
	out.offline_blocks = attr.offline_blocks;
	out.crtime_sec = attr.crtime.sec;
	out.crtime_nsec = attr.crtime.nsec;
	reply_result(req, 0, &out, sizeof(out));
}

static void statfs_more(struct sfs_req *req)
{
	struct scoutfs_ioctl_statfs_more out;
	struct sfs_statfs st;
	int ret;

	ret = sfs_statfs(req->conn->fs, &st);
	if (ret < 0) {
		sfs_reply_err(req, ret);
		return;
	}
	memset(&out, 0, sizeof(out));
	out.fsid = st.fsid;
	out.rid = st.rid;
	out.committed_seq = st.committed_seq;
	out.total_meta_blocks = st.total_meta_blocks;
	out.total_data_blocks = st.total_data_blocks;
	out.reserved_meta_blocks = st.reserved_meta_blocks;
	reply_result(req, 0, &out, sizeof(out));
}

/* However many there are: asks with more and more room. */
static int get_details(struct sfs_fs *fs, struct sfs_alloc_detail **ret_ents)
{
	struct sfs_alloc_detail *ents;
	uint32_t nr;
	int ret = -EOVERFLOW;

	for (nr = DETAIL_MIN; ret == -EOVERFLOW && nr <= DETAIL_MAX; nr *= 4) {
		ents = malloc(nr * sizeof(*ents));
		if (!ents)
			return -ENOMEM;
		ret = sfs_alloc_detail(fs, ents, nr);
		if (ret >= 0)
			*ret_ents = ents;
		else
			free(ents);
	}
	return ret;
}

static int64_t copy_details(struct sfs_req *req,
			    const struct scoutfs_ioctl_alloc_detail *in,
			    const struct sfs_alloc_detail *ents, int nr)
{
	struct scoutfs_ioctl_alloc_detail_entry *out;
	int i, ret;

	if ((uint64_t)nr > in->entries_nr)
		return -EOVERFLOW;
	out = calloc(nr ? nr : 1, sizeof(*out));
	if (!out)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		out[i].id = ents[i].id;
		out[i].blocks = ents[i].blocks;
		out[i].meta = !!ents[i].is_meta;
		out[i].avail = !!ents[i].is_avail;
	}
	ret = to_user(req, in->entries_ptr, out, nr * sizeof(*out));
	free(out);
	return ret < 0 ? ret : nr;
}

static void alloc_detail(struct sfs_req *req)
{
	struct sfs_alloc_detail *ents = NULL;
	int64_t ret;

	ret = get_details(req->conn->fs, &ents);
	if (ret >= 0)
		ret = copy_details(req, req->d.data, ents, ret);
	free(ents);
	reply_result(req, ret, NULL, 0);
}

/* ---- answers inside the structure --------------------------------------- */

/* Pointers become the start of the result, counts what fits there. */
static int make_inline(struct scoutfs_ioctl_inline *inl,
		       void (**ret_fn)(struct sfs_req *req))
{
	struct scoutfs_ioctl_walk_inodes *wi = (void *)inl->args;
	struct scoutfs_ioctl_alloc_detail *ad = (void *)inl->args;
	struct scoutfs_ioctl_ino_path *ip = (void *)inl->args;
	const uint32_t size = sizeof(inl->result);

	switch (inl->cmd) {
	case SCOUTFS_IOC_WALK_INODES:
		wi->entries_ptr = 0;
		if (wi->nr_entries > size / sizeof(wi->first))
			wi->nr_entries = size / sizeof(wi->first);
		*ret_fn = walk_inodes;
		return 0;
	case SCOUTFS_IOC_INO_PATH:
		ip->result_ptr = 0;
		if (ip->result_bytes > size)
			ip->result_bytes = size;
		*ret_fn = do_ino_path;
		return 0;
	case SCOUTFS_IOC_ALLOC_DETAIL:
		ad->entries_ptr = 0;
		*ret_fn = alloc_detail;
		return 0;
	default:
		return -ENOTTY;
	}
}

static void in_inline(struct sfs_req *req)
{
	void (*fn)(struct sfs_req *req);
	struct scoutfs_ioctl_inline *inl;
	int ret;

	inl = malloc(sizeof(*inl));
	if (!inl) {
		sfs_reply_err(req, -ENOMEM);
		return;
	}
	memcpy(inl, req->d.data, sizeof(*inl));
	memset(inl->result, 0, sizeof(inl->result));
	ret = make_inline(inl, &fn);
	if (ret < 0) {
		sfs_reply_err(req, ret);
	} else {
		req->inl = inl;
		req->d.data = inl->args;
		fn(req);
		req->inl = NULL;
	}
	free(inl);
}

/* ---- dispatch ----------------------------------------------------------- */

static const struct {
	uint32_t cmd;
	void (*fn)(struct sfs_req *req);
} commands[] = {
	{ SCOUTFS_IOC_WALK_INODES, walk_inodes },
	{ SCOUTFS_IOC_INO_PATH, do_ino_path },
	{ SCOUTFS_IOC_STAT_MORE, stat_more },
	{ SCOUTFS_IOC_STATFS_MORE, statfs_more },
	{ SCOUTFS_IOC_ALLOC_DETAIL, alloc_detail },
	{ SCOUTFS_IOC_INLINE, in_inline },
};

#define CMD_DIR(cmd) ((cmd) >> 30)
#define CMD_SIZE(cmd) (((cmd) >> 16) & 0x3fff)
#define DIR_WRITE 1
#define DIR_READ 2

/* What the kernel brought and will take is what the command says. */
static bool sizes_fit(const struct fw_ioctl_in *in)
{
	uint32_t size = CMD_SIZE(in->cmd);

	if ((CMD_DIR(in->cmd) & DIR_WRITE) && in->in_size != size)
		return false;
	return !(CMD_DIR(in->cmd) & DIR_READ) || in->out_size >= size;
}

void op_ioctl(struct sfs_req *req)
{
	const struct fw_ioctl_in *in = req->d.arg;
	size_t i;

	/* there is no 32-bit entry */
	if (in->flags & FW_IOCTL_COMPAT) {
		sfs_reply_err(req, -ENOTTY);
		return;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].cmd != in->cmd)
			continue;
		if (!sizes_fit(in))
			sfs_reply_err(req, -EINVAL);
		else
			sfs_defer(req, &req->conn->user, commands[i].fn);
		return;
	}
	sfs_reply_err(req, -ENOTTY);
}
