/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks for a virtual machine that remember and that fail on command.
 *
 *	disks SOCKET LOG FILE...
 *
 * Serves raw images over the NBD protocol on a Unix socket, as exports "0",
 * "1", ..., and one more, "control", of 64 KiB.  All writes and flushes are
 * appended to LOG in one order over all disks, which the filters of a storage
 * daemon, a log for each device, do not give; `replay` needs it.
 *
 * Answers to writes are held back until no more requests are waiting.  So a
 * flush that was sent while a write was still under way is told apart from
 * one that came after its end, and covers only the latter.
 *
 * The machine commands by writing 512 bytes of text to sector 0 of the control
 * disk, without a cache in between; numbers of disks count from 0:
 *
 *	mark TEXT		goes into the log
 *	fail read|write|flush DISK AFTER COUNT
 *				AFTER more of them succeed, COUNT then fail
 *	heal			no more failures
 *	flip DISK SEED		inverts a bit in some block that is in use
 *	save			remembers all disks as they are
 *	restore			makes them what was saved, not recorded
 *
 * and reads there what happened: "failed N flipped OFFSET".  A block is in use
 * when it is not zero.
 *
 * One thread, one request at a time.  Not for anything but tests: requests of
 * a client that breaks the protocol end the program.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "disks.h"

#define MAX_DISKS 8
#define MAX_CONNS 16
#define MAX_LEN (64u << 20)
#define MAX_PENDING 4096
#define CONTROL_BYTES 65536
#define BLOCK 4096
/* How long nothing has to come before answers go out. */
#define SETTLE_NS 200000

/* The protocol: doc/proto.md of the NBD project, "fixed newstyle". */
#define NBD_OPT_MAGIC 0x49484156454F5054ull
#define NBD_OPT_REPLY 0x3e889045565a9ull
#define NBD_REQUEST 0x25609513u
#define NBD_REPLY 0x67446698u
enum { OPT_EXPORT_NAME = 1, OPT_ABORT = 2, OPT_INFO = 6, OPT_GO = 7 };
enum { REP_ACK = 1, REP_INFO = 3 };
#define REP_ERR_UNSUP 0x80000001u
#define REP_ERR_UNKNOWN 0x80000006u
enum { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM, CMD_ZEROES = 6 };
/* has flags, flush, trim, write zeroes */
#define EXPORT_FLAGS (1 | 4 | 32 | 64)

struct disk {
	unsigned char *bytes;
	unsigned char *saved;
	uint64_t size;
	long long after[4];	/* by command: good ones before the bad ones */
	long long count[4];
};

struct conn {
	int fd;
	int disk;
};

struct answer {
	int fd;
	int disk;
	bool flush;
	uint32_t error;		/* network order */
	uint64_t handle;	/* as it came */
	uint64_t covers;
};

static struct disk disks[MAX_DISKS];
static int nr_disks;		/* the last one is the control disk */
static struct conn conns[MAX_CONNS];
static int nr_conns;
static struct answer pending[MAX_PENDING];
static int nr_pending;
static uint64_t next_seq = 1;
static uint64_t answered_seq;	/* all up to this one were answered */
static uint64_t nr_failed;
static uint64_t last_flip;
static FILE *record_file;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "disks: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- sockets --------------------------------------------------------------- */

static bool get(int fd, void *to, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, to, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to = (char *)to + n;
		len -= n;
	}
	return true;
}

static bool put(int fd, const void *from, size_t len)
{
	while (len) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		from = (const char *)from + n;
		len -= n;
	}
	return true;
}

/* ---- the log --------------------------------------------------------------- */

static void record(enum disks_op op, int disk, uint64_t seq, uint64_t offset,
		   uint32_t len, const void *data)
{
	struct disks_record rec = {
		.magic = DISKS_MAGIC, .op = op, .disk = disk, .seq = seq,
		.offset = offset, .len = len,
	};

	if (fwrite(&rec, sizeof(rec), 1, record_file) != 1 ||
	    (data && len && fwrite(data, len, 1, record_file) != 1))
		die("log");
}

/* ---- answers --------------------------------------------------------------- */

static void answer_all(void)
{
	struct {
		uint32_t magic, error;
		uint64_t handle;
	} reply = { .magic = htobe32(NBD_REPLY) };
	int i;

	for (i = 0; i < nr_pending; i++) {
		struct answer *a = &pending[i];

		if (a->flush && !a->error)
			record(DISKS_FLUSH, a->disk, 0, a->covers, 0, NULL);
	}
	/* what the log says is in the file before the machine goes on */
	if (fflush(record_file))
		die("log");
	for (i = 0; i < nr_pending; i++) {
		reply.error = pending[i].error;
		reply.handle = pending[i].handle;
		put(pending[i].fd, &reply, sizeof(reply));
	}
	nr_pending = 0;
	answered_seq = next_seq - 1;
}

static void answer_later(const struct conn *c, uint64_t handle, int error,
			 bool flush)
{
	if (nr_pending == MAX_PENDING)
		answer_all();
	pending[nr_pending++] = (struct answer) {
		.fd = c->fd, .disk = c->disk, .flush = flush,
		.error = htobe32(error), .handle = handle,
		.covers = answered_seq,
	};
}

/* ---- faults ---------------------------------------------------------------- */

static bool fails(struct disk *d, int cmd)
{
	int kind = cmd == CMD_TRIM || cmd == CMD_ZEROES ? CMD_WRITE : cmd;

	if (d->count[kind] == 0)
		return false;
	if (d->after[kind] > 0) {
		d->after[kind]--;
		return false;
	}
	d->count[kind]--;
	nr_failed++;
	return true;
}

static uint64_t mix(uint64_t x)
{
	/* the finalizer of SplitMix64, Steele and others 2014 */
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static bool in_use(const unsigned char *block)
{
	return block[0] || memcmp(block, block + 1, BLOCK - 1);
}

/* One bit of one of the blocks in use, each as likely as the others. */
static void flip(struct disk *d, uint64_t seed)
{
	uint64_t blocks = d->size / BLOCK, used = 0, b, nth;

	for (b = 0; b < blocks; b++)
		used += in_use(d->bytes + b * BLOCK);
	if (!used)
		return;
	nth = mix(seed) % used;
	for (b = 0; b < blocks; b++)
		if (in_use(d->bytes + b * BLOCK) && nth-- == 0)
			break;
	last_flip = b * BLOCK + mix(seed + 1) % BLOCK;
	d->bytes[last_flip] ^= 1 << (mix(seed + 2) % 8);
}

static void copy_disk(unsigned char *to, const unsigned char *from,
		      uint64_t size)
{
	uint64_t at;

	/* what is equal stays as it is: unallocated, mostly */
	for (at = 0; at < size; at += BLOCK)
		if (memcmp(to + at, from + at, BLOCK))
			memcpy(to + at, from + at, BLOCK);
}

static int save(void)
{
	int i;

	for (i = 0; i < nr_disks - 1; i++) {
		struct disk *d = &disks[i];

		if (!d->saved)
			d->saved = calloc(1, d->size);
		if (!d->saved)
			return ENOMEM;
		copy_disk(d->saved, d->bytes, d->size);
	}
	return 0;
}

static int restore(void)
{
	int i;

	for (i = 0; i < nr_disks - 1; i++) {
		if (!disks[i].saved)
			return EINVAL;
		copy_disk(disks[i].bytes, disks[i].saved, disks[i].size);
	}
	return 0;
}

static void heal(void)
{
	int i;

	for (i = 0; i < nr_disks; i++) {
		memset(disks[i].after, 0, sizeof(disks[i].after));
		memset(disks[i].count, 0, sizeof(disks[i].count));
	}
}

static int control(char *text)
{
	long long a, b;
	char kind[16];
	int disk, cmd;

	text[strcspn(text, "\n")] = '\0';
	if (!strncmp(text, "mark ", 5)) {
		record(DISKS_MARK, 0, 0, 0, strlen(text + 5), text + 5);
		return 0;
	}
	if (!strncmp(text, "heal", 4)) {
		heal();
		return 0;
	}
	if (!strncmp(text, "save", 4))
		return save();
	if (!strncmp(text, "restore", 7))
		return restore();
	if (sscanf(text, "flip %d %lld", &disk, &a) == 2 && disk >= 0 &&
	    disk < nr_disks - 1) {
		flip(&disks[disk], a);
		return 0;
	}
	if (sscanf(text, "fail %15s %d %lld %lld", kind, &disk, &a, &b) == 4 &&
	    disk >= 0 && disk < nr_disks - 1) {
		cmd = !strcmp(kind, "read") ? CMD_READ :
		      !strcmp(kind, "write") ? CMD_WRITE : CMD_FLUSH;
		disks[disk].after[cmd] = a;
		disks[disk].count[cmd] = b;
		return 0;
	}
	fprintf(stderr, "disks: no such command: %s\n", text);
	return EIO;
}

/* ---- requests -------------------------------------------------------------- */

static void do_read(struct conn *c, uint64_t handle, uint64_t off, uint32_t len)
{
	struct disk *d = &disks[c->disk];
	struct {
		uint32_t magic, error;
		uint64_t handle;
	} reply = { .magic = htobe32(NBD_REPLY), .handle = handle };

	if (c->disk == nr_disks - 1)
		snprintf((char *)d->bytes, 512, "failed %llu flipped %llu\n",
			 (unsigned long long)nr_failed,
			 (unsigned long long)last_flip);
	if (fails(d, CMD_READ))
		reply.error = htobe32(EIO);
	if (put(c->fd, &reply, sizeof(reply)) && !reply.error)
		put(c->fd, d->bytes + off, len);
}

/* False when the connection is over. */
static bool do_write(struct conn *c, uint64_t handle, uint64_t off,
		     uint32_t len)
{
	static unsigned char data[MAX_LEN];
	struct disk *d = &disks[c->disk];
	int err = 0;

	if (!get(c->fd, data, len))
		return false;
	if (c->disk == nr_disks - 1) {
		if (off == 0 && len >= 512) {
			data[511] = '\0';
			err = control((char *)data);
		}
	} else if (fails(d, CMD_WRITE)) {
		err = EIO;
	} else {
		memcpy(d->bytes + off, data, len);
		record(DISKS_WRITE, c->disk, next_seq++, off, len, data);
	}
	answer_later(c, handle, err, false);
	return true;
}

static void do_zero(struct conn *c, uint64_t handle, uint64_t off, uint32_t len)
{
	struct disk *d = &disks[c->disk];
	int err = 0;

	if (fails(d, CMD_ZEROES)) {
		err = EIO;
	} else {
		memset(d->bytes + off, 0, len);
		record(DISKS_ZERO, c->disk, next_seq++, off, len, NULL);
	}
	answer_later(c, handle, err, false);
}

static bool request(struct conn *c)
{
	struct __attribute__((packed)) {
		uint32_t magic;
		uint16_t flags, cmd;
		uint64_t handle, off;
		uint32_t len;
	} req;
	uint64_t off;
	uint32_t len;
	int cmd;

	if (!get(c->fd, &req, sizeof(req)))
		return false;
	off = be64toh(req.off);
	len = be32toh(req.len);
	cmd = be16toh(req.cmd);
	if (be32toh(req.magic) != NBD_REQUEST || cmd == CMD_DISC)
		return false;
	if (cmd != CMD_FLUSH && (off > disks[c->disk].size ||
				 len > disks[c->disk].size - off))
		return false;

	switch (cmd) {
	case CMD_READ:
		do_read(c, req.handle, off, len);
		return true;
	case CMD_WRITE:
		return len <= MAX_LEN && do_write(c, req.handle, off, len);
	case CMD_TRIM:
	case CMD_ZEROES:
		do_zero(c, req.handle, off, len);
		return true;
	case CMD_FLUSH:
		answer_later(c, req.handle,
			     fails(&disks[c->disk], CMD_FLUSH) ? EIO : 0, true);
		return true;
	}
	return false;
}

/* ---- connections ----------------------------------------------------------- */

static bool option_reply(int fd, uint32_t opt, uint32_t type, const void *data,
			 uint32_t len)
{
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t opt, type, len;
	} rep = {
		.magic = htobe64(NBD_OPT_REPLY), .opt = htobe32(opt),
		.type = htobe32(type), .len = htobe32(len),
	};

	return put(fd, &rep, sizeof(rep)) && (!len || put(fd, data, len));
}

static int disk_called(const char *name)
{
	char *end;
	long nr;

	if (!strcmp(name, "control"))
		return nr_disks - 1;
	nr = strtol(name, &end, 10);
	return *name && !*end && nr >= 0 && nr < nr_disks - 1 ? nr : -1;
}

/* Answers "info" and "go"; the number of the disk, or -1. */
static int choose(int fd, uint32_t opt, const unsigned char *data, uint32_t len)
{
	struct __attribute__((packed)) {
		uint16_t type;
		uint64_t size;
		uint16_t flags;
	} info = { .flags = htobe16(EXPORT_FLAGS) };
	uint32_t name_len;
	char name[64] = "";
	int disk;

	if (len < 4)
		return -1;
	memcpy(&name_len, data, 4);
	name_len = be32toh(name_len);
	if (name_len < sizeof(name) && name_len <= len - 4)
		memcpy(name, data + 4, name_len);
	disk = disk_called(name);
	if (disk < 0) {
		option_reply(fd, opt, REP_ERR_UNKNOWN, NULL, 0);
		return -1;
	}
	info.size = htobe64(disks[disk].size);
	if (!option_reply(fd, opt, REP_INFO, &info, sizeof(info)) ||
	    !option_reply(fd, opt, REP_ACK, NULL, 0))
		return -1;
	return disk;
}

/* The number of the disk that a new client wants, or -1. */
static int handshake(int fd)
{
	struct __attribute__((packed)) {
		char magic[8];
		uint64_t option;
		uint16_t flags;
	} hello = {
		.magic = { 'N', 'B', 'D', 'M', 'A', 'G', 'I', 'C' },
		.option = htobe64(NBD_OPT_MAGIC), .flags = htobe16(3),
	};
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t opt, len;
	} ask;
	unsigned char data[1024];
	uint32_t flags, opt, len;
	int disk;

	if (!put(fd, &hello, sizeof(hello)) || !get(fd, &flags, sizeof(flags)))
		return -1;
	while (get(fd, &ask, sizeof(ask))) {
		opt = be32toh(ask.opt);
		len = be32toh(ask.len);
		if (be64toh(ask.magic) != NBD_OPT_MAGIC || len > sizeof(data) ||
		    !get(fd, data, len) || opt == OPT_EXPORT_NAME)
			return -1;
		if (opt == OPT_ABORT) {
			option_reply(fd, opt, REP_ACK, NULL, 0);
			return -1;
		}
		if (opt != OPT_GO && opt != OPT_INFO) {
			if (!option_reply(fd, opt, REP_ERR_UNSUP, NULL, 0))
				return -1;
			continue;
		}
		disk = choose(fd, opt, data, len);
		if (opt == OPT_GO && disk >= 0)
			return disk;
	}
	return -1;
}

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int disk;

	if (fd < 0)
		return;
	disk = nr_conns < MAX_CONNS ? handshake(fd) : -1;
	if (disk < 0) {
		close(fd);
		return;
	}
	conns[nr_conns++] = (struct conn) { .fd = fd, .disk = disk };
}

static void serve(int listener)
{
	const struct timespec settle = { .tv_nsec = SETTLE_NS };
	struct pollfd fds[MAX_CONNS + 1];
	int i, n;

	for (;;) {
		fds[0] = (struct pollfd) { .fd = listener, .events = POLLIN };
		for (i = 0; i < nr_conns; i++)
			fds[i + 1] = (struct pollfd) { .fd = conns[i].fd,
						       .events = POLLIN };
		n = ppoll(fds, nr_conns + 1, nr_pending ? &settle : NULL, NULL);
		if (n < 0 && errno != EINTR)
			die("poll");
		if (n == 0)
			answer_all();
		if (n <= 0)
			continue;
		/* backwards, as the last one takes the place of one that goes */
		for (i = nr_conns - 1; i >= 0; i--) {
			if (!fds[i + 1].revents || request(&conns[i]))
				continue;
			answer_all();
			close(conns[i].fd);
			conns[i] = conns[--nr_conns];
		}
		if (fds[0].revents)
			accept_one(listener);
	}
}

static void add_disk(const char *path)
{
	struct disk *d = &disks[nr_disks++];
	struct stat st;
	int fd;

	if (path) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st))
			die(path);
		d->size = st.st_size;
		d->bytes = mmap(NULL, d->size, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0);
		close(fd);
	} else {
		d->size = CONTROL_BYTES;
		d->bytes = mmap(NULL, d->size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (d->bytes == MAP_FAILED)
		die(path ? path : "memory");
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int i, listener;

	if (argc < 4 || argc - 3 >= MAX_DISKS ||
	    strlen(argv[1]) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "usage: disks SOCKET LOG FILE...\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (i = 3; i < argc; i++)
		add_disk(argv[i]);
	add_disk(NULL);
	record_file = fopen(argv[2], "we");
	if (!record_file)
		die(argv[2]);

	strcpy(addr.sun_path, argv[1]);
	unlink(argv[1]);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (void *)&addr, sizeof(addr)) ||
	    listen(listener, MAX_CONNS))
		die(argv[1]);
	serve(listener);
}
