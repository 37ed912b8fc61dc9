/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend of hosts and tools: tasks are threads, time is real.  A thread
 * that was made by somebody else becomes a task at its first call and stops
 * being one when it ends.
 *
 * Raw locks have three states (free, taken, taken and perhaps waited for) and
 * sleep in a futex after a short spin.  Joining waits for a word of the task,
 * not for the thread, so that anybody can do it who knows the task; the thread
 * does not touch its task after it has set that word.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim/common/task.h"

#define SPINS 60
#define NS_PER_SEC 1000000000ULL

enum token {
	TOKEN_NONE,
	TOKEN_GIVEN,
	TOKEN_PARKED,
};

struct thread {
	struct shim_task task;
	unsigned int token;		/* A: enum token */
	unsigned int done;		/* A */
	int adopted;
	void (*fn)(void *arg);
	void *arg;
};

#ifdef SHIM_STRICT
const int shim_strict = 1;
#else
const int shim_strict;
#endif

__thread struct shim_task *shim_self;

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static shim_u64 run_seed = 1;

static struct thread *to_thread(struct shim_task *task)
{
	return (struct thread *)task;
}

static void futex_wait(unsigned int *word, unsigned int val,
		       const struct timespec *until)
{
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, val, until, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

static void futex_wake(unsigned int *word, int nr)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
}

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

void shim_raw_lock_word(unsigned int *word)
{
	unsigned int old = 0;
	int i;

	if (__builtin_expect(__atomic_compare_exchange_n(word, &old, 1, 0,
							 __ATOMIC_ACQUIRE,
							 __ATOMIC_RELAXED), 1))
		return;
	for (i = 0; i < SPINS; i++) {
		relax();
		old = 0;
		if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(word, &old, 1, 0,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
	}
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		futex_wait(word, 2, NULL);
}

int shim_raw_trylock_word(unsigned int *word)
{
	unsigned int old = 0;

	return __atomic_compare_exchange_n(word, &old, 1, 0, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* The wake-up may come after the memory was freed: that wakes nobody. */
void shim_raw_unlock_word(unsigned int *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		futex_wake(word, 1);
}

int shim_park(shim_u64 deadline_ns)
{
	struct thread *self = to_thread(shim_me());
	struct timespec until = {
		.tv_sec = deadline_ns / NS_PER_SEC,
		.tv_nsec = deadline_ns % NS_PER_SEC,
	};
	unsigned int old = TOKEN_NONE;

	__atomic_compare_exchange_n(&self->token, &old, TOKEN_PARKED, 0,
				    __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);
	while (__atomic_load_n(&self->token, __ATOMIC_ACQUIRE) ==
	       TOKEN_PARKED) {
		if (deadline_ns && shim_clock_ns() >= deadline_ns)
			break;
		futex_wait(&self->token, TOKEN_PARKED,
			   deadline_ns ? &until : NULL);
	}
	old = __atomic_exchange_n(&self->token, TOKEN_NONE, __ATOMIC_ACQUIRE);
	return old != TOKEN_GIVEN;
}

void shim_unpark(struct shim_task *task)
{
	struct thread *t = to_thread(task);

	if (__atomic_exchange_n(&t->token, TOKEN_GIVEN, __ATOMIC_ACQ_REL) ==
	    TOKEN_PARKED)
		futex_wake(&t->token, 1);
}

void shim_preempt(void)
{
}

shim_u64 shim_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

shim_u64 shim_steps(void)
{
	return 0;
}

/* ---- tasks -------------------------------------------------------------- */

static void no_memory(void)
{
	static const char text[] = "shim: no memory for a task\n";

	shim_os_write(2, text, sizeof(text) - 1);
	abort();
}

static struct thread *new_thread(const char *name)
{
	struct thread *t = calloc(1, sizeof(*t));

	if (!t)
		no_memory();
	strncpy(t->task.name, name, sizeof(t->task.name) - 1);
	return t;
}

/* at the end of a thread that was adopted */
static void adopted_exit(void *arg)
{
	struct thread *t = arg;

	shim_check_task_end(&t->task);
	shim_self = NULL;
	free(t);
}

static void make_exit_key(void)
{
	if (pthread_key_create(&exit_key, adopted_exit))
		no_memory();
}

struct shim_task *shim_adopt(void)
{
	struct thread *t = new_thread("host");

	pthread_once(&exit_once, make_exit_key);
	pthread_getname_np(pthread_self(), t->task.name,
			   sizeof(t->task.name));
	t->adopted = 1;
	pthread_setspecific(exit_key, t);
	shim_self = &t->task;
	return shim_self;
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	char name[16];

	memcpy(name, t->task.name, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	pthread_setname_np(pthread_self(), name);
	shim_self = &t->task;
	t->fn(t->arg);
	shim_check_task_end(&t->task);
	shim_self = NULL;
	__atomic_store_n(&t->done, 1, __ATOMIC_RELEASE);
	futex_wake(&t->done, INT_MAX);
	return NULL;
}

struct shim_task *shim_backend_go(const char *name, void (*fn)(void *),
				  void *arg)
{
	struct thread *t = new_thread(name);
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	pthread_t id;

	t->fn = fn;
	t->arg = arg;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 1 << 20);
	/* signals are the host's business, in the host's threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&id, &attr, thread_main, t))
		no_memory();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return &t->task;
}

void shim_backend_join(struct shim_task *task)
{
	struct thread *t = to_thread(task);

	while (!__atomic_load_n(&t->done, __ATOMIC_ACQUIRE))
		futex_wait(&t->done, 0, NULL);
	free(t);
}

/* ---- runs and reports --------------------------------------------------- */

shim_u64 shim_seed(void)
{
	return run_seed;
}

int shim_run(const struct shim_run_opts *opts, int (*fn)(void *arg), void *arg)
{
	int ret;

	run_seed = opts->seed;
	shim_common_begin();
	ret = fn(arg);
	shim_check_task_end(shim_me());
	shim_common_end(ret == 0 && !opts->no_end_checks);
	return ret;
}

void shim_stack_limit(unsigned int bytes)
{
}

void shim_trace(int on)
{
}

void shim_backend_report_head(void)
{
}

void shim_backend_report_tasks(void)
{
}
