/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim's own face: what hosts, tests, the simulator and fuzzers use beside
 * the kernel names.  Plain C without any include, for both worlds.
 *
 * Two backends implement it: libshim-thread.a (pthreads, real time) and
 * libshim-fiber.a (one thread, cooperative fibers, a seeded scheduler, virtual
 * time).  What only one of them has says so.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

typedef unsigned long long shim_u64;

struct shim_task;

/* ---- running ------------------------------------------------------------ */

/*
 * Programs of the shim world define shim_main() and get main() from the
 * library: it takes "--seed=N" (else SHIM_SEED, else 1) out of the arguments,
 * runs shim_main() as the first task, and when that returned 0 checks that
 * nothing is left alive.
 */
int shim_main(int argc, char **argv);

struct shim_run_opts {
	shim_u64 seed;
	/* fibers only, 0 for the default */
	shim_u64 max_steps;	/* yield points; more is a livelock */
	shim_u64 hung_ns;	/* virtual time a task may wait for one lock */
	unsigned int preempt;	/* switch at one in so many yield points; by seed */
	unsigned int stack_limit; /* bytes of stack a task may use */
	int no_end_checks;
};

/*
 * Runs @fn as the first task and returns what it returns.  For programs with a
 * main() of their own and for fuzzers; may be repeated, does not nest.
 */
int shim_run(const struct shim_run_opts *opts, int (*fn)(void *arg), void *arg);

shim_u64 shim_seed(void);

/* Tasks (threads or fibers).  Each is joined, once. */
struct shim_task *shim_go(const char *name, void (*fn)(void *arg), void *arg);
void shim_join(struct shim_task *task);
struct shim_task *shim_task_self(void);
const char *shim_task_name(const struct shim_task *task);

/* A point where the fiber scheduler may switch. */
void shim_yield(void);
/* Sleeps, virtually with fibers. */
void shim_sleep_ns(shim_u64 ns);
/* The clock behind jiffies and ktime_get_ns(). */
shim_u64 shim_clock_ns(void);
/* Yield points so far (fibers), else 0. */
shim_u64 shim_steps(void);

/*
 * Marks a living task as being killed (or not any more): killable waits end
 * with -ERESTARTSYS or -EINTR.
 */
void shim_task_kill(struct shim_task *task, int killed);
/* Whether the calling task is marked so. */
int shim_killed(void);

/* ---- strictness --------------------------------------------------------- */

/* GFP_KERNEL is an error outside of such a scope (of the calling task). */
void shim_allow_gfp_kernel_begin(void);
void shim_allow_gfp_kernel_end(void);

/* Allocations of test code: never made to fail, not counted. */
void shim_nofail_begin(void);
void shim_nofail_end(void);

/*
 * Test code that looks and acts at one moment: between the two another task
 * gets a turn only where the caller waits (fibers; threads go on).
 */
void shim_still_begin(void);
void shim_still_end(void);

/* Memory of kmalloc() and friends that is alive now. */
shim_u64 shim_mem_blocks(void);
shim_u64 shim_mem_bytes(void);
/* Ends the program with a list of what is alive, if anything is. */
void shim_check_leaks(void);

/* Allocations that could have failed so far, of all tasks. */
shim_u64 shim_alloc_count(void);
/* The @nth allocation from now fails (1 is the next); 0 stops that. */
void shim_alloc_fail_nth(shim_u64 nth);
/* The same, and all that follow. */
void shim_alloc_fail_from(shim_u64 nth);
/* So many in a million fail at random; 0 stops that. */
void shim_alloc_fail_random(unsigned int per_million, shim_u64 seed);
/* Allocations that were made to fail so far. */
shim_u64 shim_alloc_failed(void);

/* Bytes of stack a task may use (fibers). */
void shim_stack_limit(unsigned int bytes);

/* A line to stderr for every switch (fibers); SHIM_TRACE=1 does the same. */
void shim_trace(int on);

/* Called once, in the failing context, after a failure was printed. */
void shim_on_failure(void (*fn)(void *arg), void *arg);

/* A line that reports of failures begin with; NULL for none.  Not copied. */
void shim_set_banner(const char *text);

/* Ends the program with a message, the seed and the stack. */
void shim_fail(const char *fmt, ...)
	__attribute__((noreturn, cold, format(printf, 1, 2)));

/* ---- what tests need of the system -------------------------------------- */

/* stdout; the conversions that linux/kernel.h lists */
void shim_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void shim_eprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void shim_exit(int status) __attribute__((noreturn));
const char *shim_getenv(const char *name);
/* Real time, for showing progress and limiting campaigns. */
shim_u64 shim_wall_ns(void);
shim_u64 shim_wall_time(void);
/* Whether somebody looks at this descriptor. */
int shim_isatty(int fd);
/* Random numbers that depend on the seed alone, not on the schedule. */
shim_u64 shim_rand(void);
/* A generator of one's own: x = shim_rand_next(&state). */
shim_u64 shim_rand_next(shim_u64 *state);

/*
 * Whole files.  read returns the length or a negative errno; the buffer ends
 * with a NUL that is not counted and is freed with shim_file_free().
 */
long shim_file_read(const char *path, void **ret_buf);
int shim_file_write(const char *path, const void *buf, unsigned long len);
void shim_file_free(void *buf);

/* Parts of a file, by descriptor.  Negative errnos, short transfers are -EIO. */
int shim_file_open(const char *path, int create);
long shim_file_size(int fd);
int shim_file_resize(int fd, unsigned long len);
int shim_file_pread(int fd, void *buf, unsigned long len, unsigned long off);
int shim_file_pwrite(int fd, const void *buf, unsigned long len,
		     unsigned long off);
void shim_file_close(int fd);

/* Memory beside the accounting: page-aligned and zeroed, or NULL. */
void *shim_pages_alloc(unsigned long len);
void shim_pages_free(void *p, unsigned long len);

#endif
