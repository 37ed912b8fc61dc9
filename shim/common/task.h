/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of the shim: tasks, what a backend provides, what the
 * common part provides.  Plain C without any include, for both worlds.
 */
#ifndef SHIM_COMMON_TASK_H
#define SHIM_COMMON_TASK_H

#include "shim/shim.h"

#define SHIM_MAX_HELD 48

enum shim_held_flags {
	SHIM_HELD_READ = 1,
	SHIM_HELD_TRY = 2,
};

struct shim_held {
	const void *map;
	const char *name;
	const void *ip;
	unsigned int cls;
	unsigned int flags;
};

/* The common part of a task; backends have more behind it. O: all */
struct shim_task {
	char name[32];
	unsigned int nr_held;
	unsigned int atomic;		/* spinlocks held */
	unsigned int in_cond;		/* evaluates a wait_event condition */
	unsigned int nofs;
	unsigned int gfp_kernel_ok;
	unsigned int nofail;
	unsigned int still;		/* keeps its turn (fibers) */
	int killed;			/* A */
	int idle;			/* waits for work, no reason to worry */
	const void *worker;		/* struct worker when it is one */
	const char *wait_what;		/* for reports: why it is parked */
	const char *wait_file;
	int wait_line;
	struct shim_held held[SHIM_MAX_HELD];
};

/* ---- given by the backend ------------------------------------------------ */

extern __thread struct shim_task *shim_self;

/* Makes a task for a thread that entered by itself. */
struct shim_task *shim_adopt(void);

/* Guards a few instructions that do not call out; never nested in itself. */
void shim_raw_lock_word(unsigned int *word);
int shim_raw_trylock_word(unsigned int *word);
void shim_raw_unlock_word(unsigned int *word);

/*
 * A task has at most one token.  park waits for it and takes it: 0, or 1 when
 * @deadline_ns (0: none) came first.  unpark gives it; the caller knows that
 * the task lives, because it holds a raw lock that the task takes before it
 * goes on.  Tokens may be left over: callers of park check what they wait for.
 */
int shim_park(shim_u64 deadline_ns);
void shim_unpark(struct shim_task *task);

/* Where another task may get its turn. */
void shim_preempt(void);

struct shim_task *shim_backend_go(const char *name, void (*fn)(void *),
				  void *arg);
void shim_backend_join(struct shim_task *task);

/* Check lock order, keep lists of memory. */
extern const int shim_strict;

/* What a failure report begins and ends with; other tasks. */
void shim_backend_report_head(void);
void shim_backend_report_tasks(void);

static inline struct shim_task *shim_me(void)
{
	struct shim_task *self = shim_self;

	return __builtin_expect(self != (void *)0, 1) ? self : shim_adopt();
}

/* ---- given by the common part -------------------------------------------- */

/* Ends the program unless the task may sleep here. */
void shim_check_sleep(struct shim_task *self, const char *what);
/* Ends the program when the task that ends still holds something. */
void shim_check_task_end(struct shim_task *self);
void shim_report_held(struct shim_task *task);
void shim_report_banner(void);
/* Start and end of a run. */
void shim_common_begin(void);
void shim_common_end(int check);

/* ---- given by os/ -------------------------------------------------------- */

void *shim_os_malloc(unsigned long len);
void shim_os_free(void *p);
void shim_os_write(int fd, const char *s, unsigned long len);
void shim_os_abort(void) __attribute__((noreturn));
/* Names and lines of return addresses, to stderr. */
void shim_os_symbolize(void *const *ips, int nr);
/* Return addresses of the caller, or from a saved frame pointer. */
int shim_os_backtrace(void **ips, int max);
int shim_os_backtrace_from(void *fp, void *low, void *high, void **ips,
			   int max);
int shim_os_has_crc32(void);

/* A report begins: once a process; a second one while it runs just aborts. */
void shim_report_begin(void);
/* Backtrace, tasks, end. */
void shim_report_end(void) __attribute__((noreturn));

#endif
