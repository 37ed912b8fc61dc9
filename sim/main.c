/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulator's program.
 *
 *	sim smoke			fixed seeds of every kind (TAP)
 *	sim campaign MINUTES [SEED]	new seeds until the time is over
 *	sim replay SEED [KIND [SCALE]]	one run again, exactly
 *	sim run [--seed N] [--kind K] [--scale N] [--runs N]
 *	sim seq1 | seq2 [FIRST [COUNT]]	all sequences of one or two operations
 *	sim kinds			what there is
 *	sim rules			what SIM_BREAK=RULE breaks
 *
 * A run is a kind and a seed; a failure ends the program and begins with both
 * and the commit.  In a campaign the kind follows from the seed.
 */
#include "sim/sim.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "base/broken.h"
#include "shim/shim.h"

#ifndef SIM_COMMIT
#define SIM_COMMIT "unknown"
#endif

#define MAX_STEPS 400000000ULL
/* an operation, or whatever else waits for a lock, gets on within this */
#define HUNG_NS (60ULL * 1000000000ULL)
/* where mounts are cut off for an hour, many.c watches over operations */
#define PATIENT_HUNG_NS (3 * 3600 * 1000000000ULL)

const struct sim_kind sim_kinds[] = {
	{ "plain", "random operations against the model, no crashes",
	  sim_run_plain, 4 },
	{ "crash", "power cuts at random moments, several lives of a volume",
	  sim_run_crash, 8 },
	{ "every", "a power cut at every write of a short run",
	  sim_run_every, 8 },
	{ "eio-read", "reads that fail", sim_run_eio_read, 3 },
	{ "eio-write", "writes and flushes that fail", sim_run_eio_write, 3 },
	{ "nomem", "allocations that fail", sim_run_nomem, 4 },
	{ "flip", "flipped bits in metadata", sim_run_flip, 3 },
	{ "fill", "a full volume, everything deleted, again", sim_run_fill, 1 },
	{ "shared", "several programs on the same objects of one mount",
	  sim_run_shared, 2 },
	{ "shared-crash", "the same, and power cuts",
	  sim_run_shared_crash, 2 },
	{ "shared-kill", "the same, and servers that die", sim_run_shared_kill,
	  2 },
	{ "shared-wire", "the same, and messages that are lost, late, repeated",
	  sim_run_shared_wire, 2, true },
	{ "many", "several mounts, programs on the same objects",
	  sim_run_many, 6 },
	{ "many-kill", "the same, and servers that die", sim_run_many_kill,
	  6 },
	{ "many-wire", "the same, and messages that are lost, late, repeated",
	  sim_run_many_wire, 6, true },
	{ "many-die", "the same, and mounts that die", sim_run_many_die, 6 },
	{ "many-crash", "the same, and power cuts", sim_run_many_crash, 6 },
	{ "seq1", "one operation (number SEED), a power cut at every write",
	  sim_run_seq1, 1 },
	{ "seq2", "two operations, with and without a sync between them",
	  sim_run_seq2, 8 },
	{ },
};

const struct sim_kind *sim_kind(const char *name)
{
	const struct sim_kind *k;

	for (k = sim_kinds; k->name; k++) {
		if (!strcmp(k->name, name))
			return k;
	}
	return NULL;
}

static const struct sim_kind *kind_of(u64 seed)
{
	const struct sim_kind *k;
	shim_u64 state = seed ^ 0x6b696e64ULL;
	u64 total = 0;
	u64 r;

	for (k = sim_kinds; k->name; k++)
		total += k->weight;
	r = (shim_rand_next(&state) >> 8) % total;
	for (k = sim_kinds; r >= k->weight; k++)
		r -= k->weight;
	return k;
}

/* ---- one run ------------------------------------------------------------------- */

struct one {
	const struct sim_kind *kind;
	u64 seed;
	u32 scale;
};

static int run_one(void *arg)
{
	const struct one *o = arg;

	return o->kind->run(o->seed, o->scale);
}

static void run(const struct sim_kind *kind, u64 seed, u32 scale)
{
	struct one o = { kind, seed, scale };
	struct shim_run_opts opts = {
		.seed = seed,
		.max_steps = MAX_STEPS,
		.hung_ns = kind->patient ? PATIENT_HUNG_NS : HUNG_NS,
		/* the stack of what only looks is not the kernel's */
		.stack_limit = 16 << 10,
	};
	char banner[200];

	scnprintf(banner, sizeof(banner),
		  "sim: kind %s, seed %llu, commit %s: sim replay %llu %s %u",
		  kind->name, seed, SIM_COMMIT, seed, kind->name, scale);
	sim_seq_prepare();
	shim_set_banner(banner);
	if (shim_run(&opts, run_one, &o))
		shim_exit(1);
	shim_set_banner(NULL);
	sim_totals.runs++;
	if (sim_verbose)
		shim_printf("%s %llu: trace %016llx\n", kind->name, seed,
			    sim_totals.trace);
}

static void print_totals(u64 since)
{
	u64 ms = (shim_wall_ns() - since) / 1000000;

	shim_printf("# %llu runs, %llu operations, %llu crash states (%llu alike), %llu generations, %llu orders given up in %llu.%llu s\n",
		    sim_totals.runs, sim_totals.ops, sim_totals.states,
		    sim_totals.same_states, sim_totals.generations,
		    sim_totals.lost, ms / 1000,
		    ms % 1000 / 100);
}

/* ---- arguments ------------------------------------------------------------------- */

static bool number(const char *s, u64 *ret)
{
	unsigned long long n;

	if (!s || !ret || kstrtoull(s, 0, &n))
		return false;
	*ret = n;
	return true;
}

static int usage(void)
{
	shim_eprintf("usage: sim smoke | campaign MINUTES [SEED] | replay SEED [KIND [SCALE]] |\n"
		     "       run [--seed N] [--kind KIND] [--scale N] [--runs N] |\n"
		     "       seq1 [FIRST [COUNT]] | seq2 [FIRST [COUNT]] | kinds | rules\n");
	return 2;
}

static int cmd_kinds(void)
{
	const struct sim_kind *k;

	for (k = sim_kinds; k->name; k++)
		shim_printf("%-10s %s\n", k->name, k->what);
	return 0;
}

/* Each is broken for a whole process by the environment; see mutants.sh. */
static int cmd_rules(void)
{
#define RULE(name, text) shim_printf("%-12s %s\n", #name, text);
	SFS_BROKEN(RULE)
#undef RULE
	return 0;
}

static int cmd_run(int argc, char **argv)
{
	const struct sim_kind *kind = NULL;
	u64 start = shim_wall_ns();
	u64 seed = 1;
	u64 scale = 1;
	u64 runs = 1;
	int i;

	for (i = 0; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage();
		if (!strcmp(argv[i], "--kind")) {
			kind = sim_kind(argv[i + 1]);
			if (!kind)
				return usage();
		} else if (!number(argv[i + 1],
				   !strcmp(argv[i], "--seed") ? &seed :
				   !strcmp(argv[i], "--scale") ? &scale :
				   !strcmp(argv[i], "--runs") ? &runs :
								NULL)) {
			return usage();
		}
	}
	for (; runs; runs--, seed++)
		run(kind ? kind : kind_of(seed), seed, scale);
	print_totals(start);
	return 0;
}

static int cmd_replay(int argc, char **argv)
{
	const struct sim_kind *kind;
	u64 scale = 1;
	u64 seed;

	if (argc < 1 || argc > 3 || !number(argv[0], &seed) ||
	    (argc == 3 && !number(argv[2], &scale)))
		return usage();
	kind = argc > 1 ? sim_kind(argv[1]) : kind_of(seed);
	if (!kind)
		return usage();
	if (argc == 1)
		scale = 1 + seed % 3;
	sim_verbose = true;
	run(kind, seed, scale);
	return 0;
}

/* ---- campaigns --------------------------------------------------------------------- */

static void print_progress(u64 start)
{
	u64 ms = (shim_wall_ns() - start) / 1000000;

	shim_eprintf("\r%llu s: %llu runs, %llu operations, %llu crash states, %llu states a second  ",
		     ms / 1000, sim_totals.runs, sim_totals.ops,
		     sim_totals.states,
		     sim_totals.states * 1000 / max(ms, 1ULL));
}

/* New seeds until the time is over; the first failure ends the program. */
static int campaign(u64 seed, u64 seconds, bool tap)
{
	u64 start = shim_wall_ns();
	u64 end = start + seconds * 1000000000ULL;
	bool progress = !tap && shim_isatty(2);
	u64 next = start;
	u64 now;

	shim_printf("# seeds from %llu on, commit %s\n", seed, SIM_COMMIT);
	for (now = start; now < end; now = shim_wall_ns()) {
		if (progress && now >= next) {
			print_progress(start);
			next = now + 1000000000ULL;
		}
		run(kind_of(seed), seed, 1 + seed % 3);
		seed++;
	}
	if (progress)
		shim_eprintf("\n");
	if (tap)
		shim_printf("ok 1 - %llu seeds\n1..1\n", sim_totals.runs);
	print_totals(start);
	return 0;
}

static int cmd_campaign(int argc, char **argv)
{
	u64 seed = shim_wall_time() << 20;
	u64 minutes;

	if (argc < 1 || argc > 2 || !number(argv[0], &minutes) ||
	    (argc == 2 && !number(argv[1], &seed)))
		return usage();
	return campaign(seed, minutes * 60, false);
}

/* For the test runner: first seed, seconds; TAP. */
static int cmd_long(int argc, char **argv)
{
	u64 seconds;
	u64 seed;

	if (argc != 2 || !number(argv[0], &seed) || !number(argv[1], &seconds))
		return usage();
	return campaign(seed << 24, seconds, true);
}

/* ---- smoke -------------------------------------------------------------------------- */

static u32 nr_tests;

static void passed(const char *what, u64 since)
{
	shim_printf("ok %u - %s (%llu ms)\n", ++nr_tests, what,
		    (shim_wall_ns() - since) / 1000000);
}

static void smoke_kind(const char *name, u64 seed, u64 runs, u64 stride)
{
	const struct sim_kind *kind = sim_kind(name);
	u64 start = shim_wall_ns();
	char text[80];
	u64 i;

	for (i = 0; i < runs; i++)
		run(kind, seed + i * stride, 1 + (seed + i) % 2);
	scnprintf(text, sizeof(text), "%s, %llu runs", name, runs);
	passed(text, start);
}

/* What has failed once. */
static void smoke_regressions(void)
{
	u64 start = shim_wall_ns();
	u32 i;

	for (i = 0; sim_regressions[i].kind; i++)
		run(sim_kind(sim_regressions[i].kind), sim_regressions[i].seed,
		    sim_regressions[i].scale);
	passed("seeds that failed once", start);
}

/* The same seed is the same run. */
static void smoke_exact(void)
{
	static const char *const kinds[] = { "plain", "crash", "every",
					     "nomem", "eio-write", "many",
					     "many-wire" };
	u64 start = shim_wall_ns();
	u64 trace;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		run(sim_kind(kinds[i]), 77, 1);
		trace = sim_totals.trace;
		run(sim_kind(kinds[i]), 77, 1);
		if (trace == sim_totals.trace)
			continue;
		shim_printf("not ok %u - %s: the same seed makes another run\n",
			    ++nr_tests, kinds[i]);
		shim_exit(1);
	}
	passed("a seed reproduces a run exactly", start);
}

static int cmd_smoke(void)
{
	u64 start = shim_wall_ns();

	smoke_exact();
	smoke_regressions();
	smoke_kind("plain", 1, 40, 1);
	smoke_kind("crash", 1, 60, 1);
	smoke_kind("every", 1, 50, 1);
	smoke_kind("eio-read", 1, 30, 1);
	smoke_kind("eio-write", 1, 30, 1);
	smoke_kind("nomem", 1, 40, 1);
	smoke_kind("flip", 1, 40, 1);
	smoke_kind("shared", 1, 20, 1);
	smoke_kind("shared-crash", 1, 20, 1);
	smoke_kind("shared-kill", 1, 10, 1);
	smoke_kind("shared-wire", 1, 10, 1);
	smoke_kind("many", 1, 16, 1);
	smoke_kind("many-crash", 1, 20, 1);
	smoke_kind("many-die", 1, 20, 1);
	smoke_kind("many-kill", 1, 16, 1);
	smoke_kind("many-wire", 1, 16, 1);
	smoke_kind("fill", 1, 2, 1);
	smoke_kind("seq1", 0, sim_nr_seq1(), 1);
	smoke_kind("seq2", 0, sim_nr_seq2() / 53, 53);
	shim_printf("1..%u\n", nr_tests);
	print_totals(start);
	return 0;
}

static int cmd_seq(const struct sim_kind *kind, u64 nr, int argc, char **argv)
{
	u64 start = shim_wall_ns();
	u64 first = 0;
	u64 count = nr;
	u64 i;

	if (argc > 2 || (argc > 0 && !number(argv[0], &first)) ||
	    (argc > 1 && !number(argv[1], &count)) || first >= nr)
		return usage();
	count = min(count, nr - first);
	for (i = first; i < first + count; i++)
		run(kind, i, 1);
	print_totals(start);
	return 0;
}

int main(int argc, char **argv);
int main(int argc, char **argv)
{
	const char *env = shim_getenv("SIM_VERBOSE");

	sim_verbose = env && *env == '1';
	if (argc < 2)
		return usage();
	if (!strcmp(argv[1], "run"))
		return cmd_run(argc - 2, argv + 2);
	if (!strcmp(argv[1], "smoke") && argc == 2)
		return cmd_smoke();
	if (!strcmp(argv[1], "campaign"))
		return cmd_campaign(argc - 2, argv + 2);
	if (!strcmp(argv[1], "long"))
		return cmd_long(argc - 2, argv + 2);
	if (!strcmp(argv[1], "replay"))
		return cmd_replay(argc - 2, argv + 2);
	if (!strcmp(argv[1], "seq1"))
		return cmd_seq(sim_kind("seq1"), sim_nr_seq1(), argc - 2,
			       argv + 2);
	if (!strcmp(argv[1], "seq2"))
		return cmd_seq(sim_kind("seq2"), sim_nr_seq2(), argc - 2,
			       argv + 2);
	if (!strcmp(argv[1], "kinds"))
		return cmd_kinds();
	if (!strcmp(argv[1], "rules"))
		return cmd_rules();
	return usage();
}
