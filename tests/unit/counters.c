// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mount counts and shows of itself: counters move with what they are
 * named after, and only then; threads that count at once lose nothing; every
 * dump has lines, also while everything changes, and ends when it is told to.
 */
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "api.h"
#include "base/counters.h"
#include "tests/unit/lib/unit.h"

#define NR_FILES 40
#define NR_ADDERS 4
#define ADDITIONS 5000

struct run {
	struct vol vol;
	struct sfs_hub *hub;
	struct sfs_server *srv;
	struct sfs_fs *fs;
};

static const struct sfs_cred root_cred = { .caps = ~0U, .host_checked = 1 };

static void run_begin(struct run *run)
{
	struct sfs_format_opts format = { .interface_version = 2 };
	struct sfs_mount_opts opts;
	struct sfs_volume_id id;

	memset(run, 0, sizeof(*run));
	vol_create(&run->vol, 64 * UNIT_MIB, 64 * UNIT_MIB, shim_seed());
	if (sfs_format(run->vol.host, &format, &id) < 0)
		bail_out("format");
	sfs_mount_opts_default(&opts);
	if (sfs_hub_create(run->vol.host, &run->hub) < 0 ||
	    sfs_server_start(run->vol.host, run->hub, &run->srv) < 0 ||
	    sfs_mount(run->vol.host, run->hub, &opts, &run->fs) < 0)
		bail_out("start");
}

static void run_end(struct run *run)
{
	is_int(sfs_unmount(run->fs), 0, "unmount");
	sfs_server_stop(run->srv);
	sfs_hub_destroy(run->hub);
	vol_destroy(&run->vol);
}

static void make_files(struct run *run, char kind)
{
	struct sfs_attr attr;
	char name[8];
	int ret = 0;
	int i;

	for (i = 0; i < NR_FILES && ret == 0; i++) {
		scnprintf(name, sizeof(name), "%c%d", kind, i);
		ret = sfs_create(run->fs, &root_cred, 1, name, strlen(name),
				 S_IFREG | 0644, 0, &attr);
	}
	is_int(ret, 0, "%d files", NR_FILES);
}

/* ---- names ---------------------------------------------------------------- */

static bool is_file_name(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') &&
		    *p != '_')
			return false;
	return p != name && p - name < 40;
}

static void test_names(void)
{
	bool good = true;
	int i, j;

	for (i = 0; i < sfs_counters_nr() && good; i++) {
		good = is_file_name(sfs_counter_name(i)) &&
		       sfs_counter_text(i)[0];
		for (j = 0; j < i && good; j++)
			good = strcmp(sfs_counter_name(i),
				      sfs_counter_name(j)) != 0;
	}
	ok(good, "counters have names of their own that can be files");
	ok(sfs_trigger_name(0) && !sfs_trigger_name(1000),
	   "the list of triggers ends");
	is_int(sfs_engine_version(), 1, "version of the format");
}

/* ---- values --------------------------------------------------------------- */

static u64 count(struct run *run, const char *name)
{
	int i;

	for (i = 0; i < sfs_counters_nr(); i++)
		if (!strcmp(sfs_counter_name(i), name))
			return sfs_counter_read(run->fs, i);
	bail_out("no counter is called %s", name);
	return 0;
}

static void test_values(struct run *run)
{
	u64 publishes;
	u64 creates = count(run, "op_create");
	u64 items;

	is_int(creates, 0, "nothing was created yet");
	is_int(count(run, "msg_join"), 1, "joined once");
	make_files(run, 'v');
	is_int(count(run, "op_create"), NR_FILES, "creations are counted");
	ok(count(run, "holds") >= NR_FILES, "each in a hold");
	publishes = count(run, "publishes");
	items = count(run, "publish_items");
	is_int(sfs_sync(run->fs), 0, "sync");
	ok(count(run, "publishes") > publishes, "a publish is counted");
	ok(count(run, "publish_items") >= items + NR_FILES, "and its items");
	ok(count(run, "publish_bytes") > 0, "and its bytes");
	ok(count(run, "msg_publish") >= count(run, "publishes"),
	   "and its message");
	ok(count(run, "edits_applied") >= count(run, "publishes"),
	   "its edit came back");
	ok(count(run, "log_transactions") >= count(run, "log_batches") &&
		   count(run, "log_batches") > 0,
	   "the server's log counts");
	is_int(count(run, "msg_leave"), 0, "nobody left");
}

/* ---- many at once --------------------------------------------------------- */

struct adder {
	struct work_struct work;
	struct sfs_counters *cnt;
};

static void add_work(struct work_struct *work)
{
	struct adder *a = container_of(work, struct adder, work);
	int i;

	for (i = 0; i < ADDITIONS; i++)
		sfs_count_by(a->cnt, log_bytes, 3);
}

static void test_adders(void)
{
	struct workqueue_struct *wq = alloc_workqueue("adders", WQ_UNBOUND, 0);
	struct sfs_counters *cnt = sfs_counters_create();
	struct adder a[NR_ADDERS];
	int i;

	if (!wq || !cnt)
		bail_out("memory");
	for (i = 0; i < NR_ADDERS; i++) {
		a[i].cnt = cnt;
		INIT_WORK(&a[i].work, add_work);
		queue_work(wq, &a[i].work);
	}
	destroy_workqueue(wq);
	is_int(sfs_counters_read(cnt, SFS_CNT_log_bytes),
	       3 * NR_ADDERS * ADDITIONS, "nothing is lost");
	is_int(sfs_counters_read(cnt, SFS_CNT_log_batches), 0,
	       "its neighbour is not touched");
	sfs_count(NULL, log_bytes);
	sfs_counters_free(cnt);
}

/* ---- dumps ---------------------------------------------------------------- */

struct lines {
	u32 nr;
	u32 most;
	bool good;
};

static int take_line(void *arg, const char *text)
{
	struct lines *l = arg;

	l->good &= text[0] && !strchr(text, '\n') && strlen(text) < 512;
	return ++l->nr == l->most ? -EFBIG : 0;
}

static void test_dumps(struct run *run)
{
	struct lines l;
	int i;

	for (i = 0; i < sfs_dumps_nr(); i++) {
		l = (struct lines){ .most = U32_MAX, .good = true };
		sfs_dump(run->fs, i, take_line, &l);
		ok(l.nr && l.good, "%s has %u lines", sfs_dump_name(i), l.nr);
		l = (struct lines){ .most = 1, .good = true };
		sfs_dump(run->fs, i, take_line, &l);
		is_int(l.nr, 1, "%s ends when told to", sfs_dump_name(i));
	}
}

struct dumper {
	struct work_struct work;
	struct run *run;
	bool stop;
	u32 dumps;
};

static void dump_work(struct work_struct *work)
{
	struct dumper *d = container_of(work, struct dumper, work);
	struct lines l = { .most = U32_MAX, .good = true };

	while (!READ_ONCE(d->stop)) {
		sfs_dump(d->run->fs, d->dumps++ % sfs_dumps_nr(), take_line,
			 &l);
		msleep(1);
	}
	BUG_ON(!l.good);
}

static void test_dumps_meanwhile(struct run *run)
{
	struct workqueue_struct *wq = alloc_workqueue("dumper", WQ_UNBOUND, 0);
	struct dumper d = { .run = run };
	char kind;

	INIT_WORK(&d.work, dump_work);
	queue_work(wq, &d.work);
	for (kind = 'a'; kind < 'f'; kind++) {
		make_files(run, kind);
		is_int(sfs_sync(run->fs), 0, "sync");
	}
	WRITE_ONCE(d.stop, true);
	destroy_workqueue(wq);
	ok(d.dumps, "%u dumps while files were made", d.dumps);
}

int shim_main(int argc, char **argv)
{
	struct run run;

	test_names();
	test_adders();
	run_begin(&run);
	test_values(&run);
	test_dumps(&run);
	test_dumps_meanwhile(&run);
	run_end(&run);
	return done_testing();
}
