/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulated disk: what it promises about order, durability, tearing and
 * faults.  Everything else that is tested with it rests on this.
 */
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "base/triggers.h"
#include "port.h"
#include "shim/shim.h"
#include "sim/host.h"
#include "tests/tap.h"

#define MIB (1ULL << 20)
#define BLOCK 4096
#define NR_IOS 32

struct request {
	struct sfs_io io;
	struct completion done;
	u32 nr;
};

static struct sim_disk *disks[2];
static struct sfs_host *host;
static struct request reqs[NR_IOS];
static u8 *bufs[NR_IOS];
static u32 order[NR_IOS];
static u32 nr_ended;

static void begin(const struct sim_disk_opts *opts)
{
	int i;

	disks[0] = sim_disk_create(8 * MIB, opts);
	disks[1] = sim_disk_create(16 * MIB, opts);
	host = sim_host_create(disks[0], disks[1], shim_rand());
	for (i = 0; i < NR_IOS; i++)
		bufs[i] = sfs_port_buf_alloc(BLOCK);
	nr_ended = 0;
}

static void end(void)
{
	int i;

	for (i = 0; i < NR_IOS; i++)
		sfs_port_buf_free(bufs[i], BLOCK);
	sim_host_destroy(host);
	sim_disk_destroy(disks[0]);
	sim_disk_destroy(disks[1]);
}

static void io_done(struct sfs_io *io)
{
	struct request *r = container_of(io, struct request, io);

	order[nr_ended++ % NR_IOS] = r->nr;
	complete(&r->done);
}

static void submit(u32 nr, u32 flags, u64 block, int fill)
{
	struct request *r = &reqs[nr];

	memset(r, 0, sizeof(*r));
	init_completion(&r->done);
	r->nr = nr;
	r->io.done = io_done;
	r->io.buf = bufs[nr];
	r->io.offset = block * BLOCK;
	r->io.len = BLOCK;
	r->io.flags = flags;
	if (flags & SFS_IO_WRITE)
		memset(bufs[nr], fill, BLOCK);
	sfs_port_io_submit(host, &r->io);
}

static int wait(u32 nr)
{
	wait_for_completion(&reqs[nr].done);
	return reqs[nr].io.err;
}

static int write(u64 block, int fill)
{
	submit(0, SFS_IO_WRITE, block, fill);
	return wait(0);
}

static int write_fua(u64 block, int fill)
{
	submit(0, SFS_IO_WRITE | SFS_IO_FUA, block, fill);
	return wait(0);
}

/* the byte that fills the block, -1 when it is mixed, -2 for an error */
static int filled(const u8 *buf, u32 len)
{
	return memchr_inv(buf, buf[0], len) ? -1 : buf[0];
}

static int read(u64 block)
{
	submit(1, 0, block, 0);
	return wait(1) ? -2 : filled(bufs[1], BLOCK);
}

static int in_image(const struct sim_image *img, u64 block)
{
	static u8 buf[BLOCK];

	sim_image_read(img, block * BLOCK, buf, BLOCK);
	return filled(buf, BLOCK);
}

static int durable(u64 block)
{
	return in_image(sim_disk_durable(disks[0]), block);
}

static void test_basics(void)
{
	u64 before = shim_clock_ns();

	begin(NULL);
	is_u64(sfs_port_dev_size(host, 0), 8 * MIB, "size of device 0");
	is_u64(sfs_port_dev_size(host, 1), 16 * MIB, "size of device 1");
	is_int(read(5), 0, "never written reads as zeroes");
	is_int(write(5, 7), 0, "write");
	is_int(read(5), 7, "read what was written");
	is_int(read(4), 0, "the block before");
	is_int(read(6), 0, "the block behind");
	ok(shim_clock_ns() > before + 100000, "transfers take time");
	is_int(durable(5), 0, "a write alone is not durable");
	is_int(sfs_port_flush(host, 1), 0, "flush of the other device");
	is_int(durable(5), 0, "is still not durable");
	is_int(sfs_port_flush(host, 0), 0, "flush");
	is_int(durable(5), 7, "is durable after a flush");
	ok(sim_image_equal(sim_disk_durable(disks[0]),
			   sim_disk_contents(disks[0])),
	   "nothing is volatile now");
	is_int(write(5, 8), 0, "write again");
	is_int(write_fua(6, 9), 0, "FUA to another block");
	is_int(durable(6), 9, "FUA is durable");
	is_int(durable(5), 7, "FUA makes nothing else durable");
	is_int(write_fua(5, 10), 0, "FUA over a cached write");
	is_int(durable(5), 10, "is durable");
	sfs_port_flush(host, 0);
	is_int(durable(5), 10, "a flush does not bring the older one back");
	is_u64(sim_host_writes(host), 4, "number of writes");
	end();
}

/* a FUA write supersedes cached older ones in every image of a power cut */
static void test_supersede(void)
{
	struct sim_state *before;
	struct sim_state *after;
	struct sim_image *img;
	int old = 0;
	int bad = 0;
	int i;

	begin(NULL);
	write(3, 1);
	before = sim_disk_state(disks[0]);
	write_fua(3, 2);
	after = sim_disk_state(disks[0]);
	for (i = 0; i < 200; i++) {
		img = sim_state_image(after, i, SIM_LOSE_SECTORS);
		bad += in_image(img, 3) != 2;
		sim_image_free(img);
		img = sim_state_image(before, i, SIM_LOSE_SOME);
		old += in_image(img, 3) == 1;
		sim_image_free(img);
	}
	is_int(bad, 0, "cached writes do not come back over a FUA write");
	ok(old > 10, "a state is not changed by what comes later");
	sim_state_free(before);
	sim_state_free(after);
	end();
}

/* only what was complete when the flush was called is promised */
static void flush_fn(void *arg)
{
	*(int *)arg = sfs_port_flush(host, 0);
}

static void test_flush_order(void)
{
	struct sim_disk_opts opts = {
		.seed = shim_rand(), .min_us = 10, .max_us = 20,
		.flush_us = 50000,
	};
	struct shim_task *t;
	int promised = 0;
	int late = 0;
	int ret = 1;
	int i;

	begin(&opts);
	for (i = 1; i <= 50; i++) {
		write(1, i);
		t = shim_go("flush", flush_fn, &ret);
		shim_sleep_ns(1000);
		write(2, i);
		shim_join(t);
		promised += durable(1) == i;
		late += durable(2) == i;
		sfs_port_flush(host, 0);
	}
	is_int(ret, 0, "flush succeeds");
	is_int(promised, 50, "completed before the flush: durable");
	ok(late < 50, "completed during the flush: no promise (%d)", late);
	end();
}

static void test_out_of_order(void)
{
	int swapped = 0;
	int bad = 0;
	int i;

	begin(NULL);
	for (i = 0; i < NR_IOS; i++)
		submit(i, SFS_IO_WRITE, 100 + i, i + 1);
	for (i = 0; i < NR_IOS; i++)
		bad += wait(i) != 0;
	is_int(bad, 0, "all complete");
	for (i = 0; i < NR_IOS; i++)
		swapped += order[i] != i;
	ok(swapped > 2, "not in the order of submission");
	for (i = 0; i < NR_IOS; i++)
		submit(i, 0, 100 + i, 0);
	for (i = 0; i < NR_IOS; i++) {
		wait(i);
		bad += filled(bufs[i], BLOCK) != i + 1;
	}
	is_int(bad, 0, "all read back");
	end();
}

/* what may be left of a block that had 1 durably and got 2 in the cache */
static void test_loss(void)
{
	struct sim_state *st;
	struct sim_image *img;
	u32 seen[4] = { 0 };
	int pairs[2][2] = { { 0 } };
	int i;
	int a;

	begin(NULL);
	write(1, 1);
	write(2, 1);
	sfs_port_flush(host, 0);
	write(1, 2);
	write(2, 2);
	st = sim_disk_state(disks[0]);
	is_u64(sim_state_nr_volatile(st), 2, "volatile writes");
	for (i = 0; i < 300; i++) {
		img = sim_state_image(st, i, SIM_LOSE_SOME);
		a = in_image(img, 1);
		seen[a < 0 ? 0 : a]++;
		if (a > 0 && in_image(img, 2) > 0)
			pairs[a - 1][in_image(img, 2) - 1]++;
		sim_image_free(img);
	}
	ok(seen[0] > 10 && seen[1] > 10 && seen[2] > 10 && !seen[3],
	   "torn %u, old %u, new %u", seen[0], seen[1], seen[2]);
	ok(pairs[0][1] && pairs[1][0],
	   "the later without the earlier, and the other way round");
	img = sim_state_image(st, 1, SIM_LOSE_CACHE);
	ok(in_image(img, 1) == 1 && in_image(img, 2) == 1, "the cache is lost");
	sim_image_free(img);
	img = sim_state_image(st, 1, SIM_LOSE_NOTHING);
	ok(in_image(img, 1) == 2 && in_image(img, 2) == 2, "nothing is lost");
	sim_image_free(img);
	sim_state_free(st);
	end();
}

static void test_sectors(void)
{
	struct sim_state *st;
	struct sim_image *img;
	u8 sector[512];
	int torn = 0;
	int bad = 0;
	int first;
	int i;
	int s;

	begin(NULL);
	write_fua(1, 1);
	write(1, 2);
	st = sim_disk_state(disks[0]);
	for (i = 0; i < 100; i++) {
		img = sim_state_image(st, i, SIM_LOSE_SECTORS);
		for (s = 0; s < 8; s++) {
			sim_image_read(img, BLOCK + s * 512, sector, 512);
			if (s == 0)
				first = sector[0];
			torn += sector[0] != first;
			bad += filled(sector, 512) < 1;
		}
		sim_image_free(img);
	}
	is_int(bad, 0, "sectors are never torn themselves");
	ok(torn > 50, "blocks are");
	sim_state_free(st);
	end();
}

/* cuts at write k: k - 1 writes happened, the k-th as wished */
static void cut_case(enum sim_cut how, const char *what)
{
	struct sim_image *img;
	int seen[3] = { 0 };
	int errors = 0;
	int later = 0;
	int i;
	int v;

	begin(NULL);
	sim_host_cut_at(host, 3, how);
	for (i = 0; i < 6; i++)
		errors += write_fua(10 + i, 5) == -EIO;
	is_int(errors, 4, "%s: the third write and all later ones fail", what);
	ok(sim_host_is_off(host), "%s: the host is off", what);
	is_int(read(10), -2, "%s: reads fail", what);
	is_int(sfs_port_flush(host, 0), -EIO, "%s: flushes fail", what);
	for (i = 0; i < 50; i++) {
		img = sim_host_image(host, 0, i, SIM_LOSE_SOME);
		v = in_image(img, 12);
		seen[v == 0 ? 0 : v == 5 ? 2 : 1]++;
		later += in_image(img, 13) != 0 || in_image(img, 11) != 5;
		sim_image_free(img);
	}
	is_int(later, 0, "%s: the others are as they have to be", what);
	if (how == SIM_CUT_BEFORE)
		is_int(seen[0], 50, "%s: never there", what);
	else if (how == SIM_CUT_AFTER)
		is_int(seen[2], 50, "%s: always there", what);
	else
		ok(seen[1] > 5, "%s: torn in %d of 50", what, seen[1]);
	end();
}

static void test_cut_in_flight(void)
{
	struct sim_image *img;
	int there = 0;
	int bad = 0;
	int i;

	begin(NULL);
	for (i = 0; i < 8; i++)
		submit(i, SFS_IO_WRITE, i, 1);
	sim_host_cut(host);
	for (i = 0; i < 8; i++)
		bad += wait(i) != -EIO;
	is_int(bad, 0, "writes in flight at the cut fail");
	for (i = 0; i < 50; i++) {
		img = sim_host_image(host, 0, i, SIM_LOSE_SOME);
		there += in_image(img, i % 8) == 1;
		sim_image_free(img);
	}
	ok(there > 2 && there < 50, "and may be there or not (%d of 50)",
	   there);
	img = sim_host_image(host, 0, 1, SIM_LOSE_NOTHING);
	is_int(in_image(img, 0), 0, "but were not complete");
	sim_image_free(img);
	end();
}

static u32 nr_effects;

static void count_effect(struct sfs_host *h, u32 op, void *arg)
{
	struct sim_state *st = sim_disk_state(disks[0]);
	struct sim_image *img = sim_state_image(st, 1, SIM_LOSE_NOTHING);

	nr_effects += sim_image_equal(img, sim_disk_contents(disks[0]));
	sim_image_free(img);
	sim_state_free(st);
}

static void test_effects(void)
{
	int i;

	begin(NULL);
	nr_effects = 0;
	sim_host_on_effect(host, count_effect, NULL);
	for (i = 0; i < NR_IOS; i++)
		submit(i, i % 3 ? SFS_IO_WRITE : SFS_IO_WRITE | SFS_IO_FUA,
		       i, i);
	for (i = 0; i < NR_IOS; i++)
		wait(i);
	sfs_port_flush(host, 0);
	read(1);
	is_u64(nr_effects, NR_IOS + 1, "told of every write and flush; "
	       "a cut that loses nothing leaves what reads see");
	end();
}

static void test_faults(void)
{
	struct sim_fault f = { .ops = SIM_READ, .err = -EIO, .off = BLOCK,
			       .len = 512 };
	struct sim_disk_counts counts;
	int torn = 0;
	int i;

	begin(NULL);
	write(1, 3);
	write(2, 3);
	sim_disk_add_fault(disks[0], &f);
	is_int(read(1), -2, "an error on read");
	is_int(read(2), 3, "not elsewhere");
	is_int(write(1, 4), 0, "not on write");
	sim_disk_clear_faults(disks[0]);
	is_int(read(1), 4, "cleared");

	f = (struct sim_fault) { .ops = SIM_WRITE, .err = -ENOSPC, .len = MIB,
				 .skip = 1, .times = 2 };
	sim_disk_add_fault(disks[0], &f);
	is_int(write(1, 5), 0, "the first is skipped");
	is_int(write(1, 6), -ENOSPC, "the second fails");
	is_int(write(1, 6), -ENOSPC, "the third");
	is_int(write(1, 7), 0, "the fourth does not");
	sim_disk_clear_faults(disks[0]);

	f = (struct sim_fault) { .ops = SIM_WRITE, .err = -EIO, .len = MIB };
	sim_disk_add_fault(disks[0], &f);
	for (i = 10; i < 40; i++) {
		write(i, 8);
		torn += read(i) != 0;
	}
	ok(torn > 10, "a failed write may have changed something");
	sim_disk_clear_faults(disks[0]);

	f = (struct sim_fault) { .ops = SIM_READ, .off = 2 * BLOCK, .len = BLOCK,
				 .times = 1 };
	sim_disk_add_fault(disks[0], &f);
	is_int(read(2), -1, "a flipped bit on the way");
	is_int(read(2), 3, "once");
	f = (struct sim_fault) { .ops = SIM_FLUSH, .err = -EIO, .times = 1 };
	sim_disk_add_fault(disks[0], &f);
	is_int(sfs_port_flush(host, 0), -EIO, "an error of a flush");
	is_int(sfs_port_flush(host, 0), 0, "once");
	sim_disk_flip(disks[0], 2 * BLOCK + 17, 3);
	is_int(read(2), -1, "a flipped bit in the medium");
	is_int(bufs[1][17], 3 ^ 8, "the one that was meant");
	sim_disk_counts(disks[0], &counts);
	ok(counts.errors > 30 && counts.flushes == 2, "counted");
	end();
}

static void test_images(void)
{
	struct sim_image *a = sim_image_create(64 * MIB + BLOCK);
	struct sim_image *b;
	struct sim_image *c = NULL;
	const char *path = shim_getenv("SCRATCH");
	char name[200];
	u8 buf[700];

	memset(buf, 9, sizeof(buf));
	sim_image_write(a, 4000, buf, sizeof(buf));
	b = sim_image_clone(a);
	ok(sim_image_equal(a, b), "a clone is equal");
	memset(buf, 0, sizeof(buf));
	sim_image_read(b, 3900, buf, sizeof(buf));
	ok(!memchr_inv(buf, 0, 100) && !memchr_inv(buf + 100, 9, 600),
	   "unaligned access across pages");
	sim_image_write(b, 64 * MIB + 100, buf + 100, 1);
	is_u64(sim_image_differs(a, b), 64 * MIB + 100, "first difference");
	is_u64(sim_image_used(a), 2 * BLOCK, "memory of the original");
	is_u64(sim_image_used(b), 3 * BLOCK, "memory of the clone");
	snprintf(name, sizeof(name), "%s/sim_disk.%llu.img",
		 path ? path : "build", shim_seed());
	is_int(sim_image_store(b, name), 0, "store as file");
	is_int(sim_image_load(name, &c), 0, "load it");
	ok(c && sim_image_equal(b, c), "the same");
	is_int(sim_image_load("/nonexistent/x", &c), -ENOENT, "no such file");
	sim_image_free(a);
	sim_image_free(b);
	sim_image_free(c);
}

static void test_host(void)
{
	s64 sec;
	s64 sec2;
	u32 nsec;
	u8 r[20] = { 0 };
	int fired = 0;
	int i;

	begin(NULL);
	sfs_port_wall_time(host, &sec, &nsec);
	sim_host_set_wall_offset(host, -100);
	sfs_port_wall_time(host, &sec2, &nsec);
	is_int(sec2 - sec, -100, "wall clock with an offset");
	sfs_port_random(host, r, sizeof(r));
	ok(memchr_inv(r, r[0], sizeof(r)), "random bytes");
	sfs_port_log(host, SFS_LOG_WARN, "block %d is %s", 5, "bad");
	is_int(sim_host_logged(host, SFS_LOG_WARN, "block 5"), 1, "logged");
	is_int(sim_host_logged(host, SFS_LOG_ERR, NULL), 0, "as a warning");
	is_int(sfs_port_trigger(host, SFS_TRIGGER_COMPACT), 0,
	       "no trigger by itself");
	is_int(sim_host_arm_name(host, "COMPACT", 2), 0, "armed by name");
	is_int(sim_host_arm_name(host, "NONE", 2), -ENOENT, "unknown name");
	for (i = 0; i < 5; i++)
		fired += sfs_port_trigger(host, SFS_TRIGGER_COMPACT);
	is_int(fired, 2, "fires twice");
	is_u64(sim_host_fired(host, SFS_TRIGGER_COMPACT), 2, "counted");
	fired = 0;
	sim_host_arm_all(host, 4);
	for (i = 0; i < 400; i++)
		fired += sfs_port_trigger(host, i % SFS_NR_TRIGGERS);
	ok(fired > 40 && fired < 200, "at random: %d of 400", fired);
	ok(!sim_host_down(host), "the mount is not down");
	sfs_port_mount_down(host, NULL, "test");
	is_str(sim_host_down(host), "test", "now it is");
	is_int(sfs_port_killed(host), 0, "not killed");
	shim_task_kill(shim_task_self(), 1);
	is_int(sfs_port_killed(host), 1, "killed");
	shim_task_kill(shim_task_self(), 0);
	end();
}

int shim_main(int argc, char **argv)
{
	plan(0);
	test_basics();
	test_supersede();
	test_flush_order();
	test_out_of_order();
	test_loss();
	test_sectors();
	cut_case(SIM_CUT_BEFORE, "cut before");
	cut_case(SIM_CUT_TORN, "cut within");
	cut_case(SIM_CUT_AFTER, "cut after");
	test_cut_in_flight();
	test_effects();
	test_faults();
	test_images();
	test_host();
	return done_testing();
}
