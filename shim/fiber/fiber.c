/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend of unit tests, simulator and fuzzers: tasks are fibers of one
 * thread, and everything that happens follows from the seed.
 *
 * A fiber runs until it parks, ends, or reaches a yield point (shim_preempt)
 * at which the generator says that it is another's turn.  With a spinlock held
 * there are no yield points: such a section is atomic to everybody.  Which
 * fiber is next is drawn too, in one of two ways that the seed chooses:
 * evenly, or by random priorities that change now and then, which starves
 * some fibers for long and so reaches other bugs.
 *
 * Time is virtual: a little passes at each yield point, and when nobody can
 * run it jumps to the next deadline.  When there is none either, the fibers
 * have deadlocked, which includes every lost wake-up: the program ends with a
 * list of where each of them waits.  It also ends when a fiber waits very long
 * for a lock, when there are very many steps, and when a fiber uses more stack
 * than the kernel would give it.
 *
 * Each fiber has a stack of its own with a guard page below.  The scheduler
 * has none: it runs on the stack of the fiber that stops, and what is left of
 * a fiber that ended is put away by the next one.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/common/task.h"
#include "shim/fiber/switch.h"

#define GUARD_BYTES 4096
#define CANARY_WORDS 32
#define CANARY 0xca4a12e5ca4a12e5ULL
#define START_NS 1000000000ULL
#define STEP_NS 20
#define SWITCH_NS 200
#define MAX_POOL 64
#define MAX_REPORTED 40
#define DEFAULT_MAX_STEPS 1000000000ULL
#define DEFAULT_HUNG_NS (600ULL * 1000000000ULL)
#define DEFAULT_STACK_LIMIT (12u << 10)

#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define STACK_BYTES (256u << 10)
#define STACK_FACTOR 4		/* frames are larger than in the kernel */
#else
#define STACK_BYTES (64u << 10)
#define STACK_FACTOR 1
#endif

enum state {
	FIBER_RUNNABLE,
	FIBER_RUNNING,
	FIBER_PARKED,
	FIBER_DONE,
};

struct fiber {
	struct shim_task task;
	void *sp;			/* while it does not run */
	char *stack;			/* low end, the guard page */
	char *top;
	struct fiber *next;		/* all fibers, by age */
	struct fiber *prev;
	struct fiber *joiner;
	enum state state;
	int token;
	int timed_out;
	int heap_index;			/* + 1; 0 not waiting for a time */
	unsigned int prio;
	shim_u64 deadline_ns;
	shim_u64 order;			/* equal deadlines: first come */
	shim_u64 parked_ns;
	struct fiber_asan asan;
	void (*fn)(void *arg);
	void *arg;
};

/* Everything of one run; there is one thread. */
static struct {
	shim_u64 seed;
	shim_u64 rand;
	shim_u64 now_ns;
	shim_u64 steps;
	shim_u64 max_steps;
	shim_u64 hung_ns;
	shim_u64 next_hung_check_ns;
	shim_u64 next_order;
	unsigned int preempt;		/* mean yield points between switches */
	unsigned int countdown;
	unsigned int stack_limit;
	unsigned int raw_depth;		/* raw locks held */
	int by_priority;
	int trace;
	struct fiber *cur;
	struct fiber *first;
	struct fiber *oldest;
	struct fiber *newest;
	struct fiber *zombie;		/* ended, its stack not yet put away */
	struct fiber **run;
	unsigned int nr_run;
	unsigned int max_run;
	struct fiber **heap;
	unsigned int nr_heap;
	unsigned int max_heap;
	char *pool[MAX_POOL];
	unsigned int nr_pool;
} S;

/* whoever calls from outside of a run; never parks */
static struct fiber outside = {
	.task = { .name = "outside" },
	.state = FIBER_RUNNING,
};

const int shim_strict = 1;
__thread struct shim_task *shim_self;

static struct fiber *to_fiber(struct shim_task *task)
{
	return (struct fiber *)task;
}

static shim_u64 draw(void)
{
	return shim_rand_next(&S.rand) >> 16;
}

/* ---- memory ------------------------------------------------------------- */

static void *grow(void *array, unsigned int *max, size_t size)
{
	void *p;

	*max = *max ? *max * 2 : 64;
	p = realloc(array, *max * size);
	if (!p)
		abort();
	return p;
}

static char *get_stack(void)
{
	char *p;

	if (S.nr_pool)
		return S.pool[--S.nr_pool];
	p = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1,
		 0);
	if (p == MAP_FAILED || mprotect(p, GUARD_BYTES, PROT_NONE))
		abort();
	return p;
}

static void put_stack(struct fiber *f)
{
	if (!f->stack)
		return;
	if (S.nr_pool < MAX_POOL) {
		fiber_asan_unpoison(f->stack + GUARD_BYTES, STACK_BYTES);
		S.pool[S.nr_pool++] = f->stack;
	} else {
		munmap(f->stack, STACK_BYTES + GUARD_BYTES);
	}
	f->stack = NULL;
}

static shim_u64 *canary_of(struct fiber *f)
{
	uintptr_t at = (uintptr_t)f->top - S.stack_limit;

	return (shim_u64 *)(at & ~(uintptr_t)15);
}

static void paint(struct fiber *f)
{
	shim_u64 *c = canary_of(f);
	int i;

	for (i = 0; i < CANARY_WORDS; i++)
		c[i] = CANARY;
}

__attribute__((noinline)) static void stack_too_deep(struct fiber *f)
{
	S.stack_limit = STACK_BYTES;
	shim_fail("task \"%s\" uses too much stack", f->task.name);
}

/* What is deep and calls nothing is seen by what it wrote. */
__attribute__((no_sanitize("address", "undefined")))
static void check_canary(struct fiber *f)
{
	shim_u64 *c = canary_of(f);
	int i;

	if (S.stack_limit >= STACK_BYTES / 2)
		return;
	for (i = 0; i < CANARY_WORDS; i++) {
		if (c[i] != CANARY)
			stack_too_deep(f);
	}
}

static void check_depth(struct fiber *f)
{
	if (__builtin_expect((uintptr_t)f->top -
			     (uintptr_t)__builtin_frame_address(0) >
			     S.stack_limit, 0))
		stack_too_deep(f);
}

void shim_stack_limit(unsigned int bytes)
{
	struct fiber *f;

	S.stack_limit = bytes * STACK_FACTOR;
	if (S.stack_limit >= STACK_BYTES / 2)
		return;
	for (f = S.oldest; f; f = f->next)
		if (f->stack)
			paint(f);
}

/* ---- who waits until when ----------------------------------------------- */

static int earlier(const struct fiber *a, const struct fiber *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->order < b->order;
}

static void heap_put(unsigned int i, struct fiber *f)
{
	S.heap[i] = f;
	f->heap_index = i + 1;
}

static void heap_up(unsigned int i, struct fiber *f)
{
	while (i && earlier(f, S.heap[(i - 1) / 2])) {
		heap_put(i, S.heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(i, f);
}

static void heap_down(unsigned int i, struct fiber *f)
{
	unsigned int c;

	while ((c = 2 * i + 1) < S.nr_heap) {
		if (c + 1 < S.nr_heap && earlier(S.heap[c + 1], S.heap[c]))
			c++;
		if (!earlier(S.heap[c], f))
			break;
		heap_put(i, S.heap[c]);
		i = c;
	}
	heap_put(i, f);
}

static void heap_add(struct fiber *f)
{
	if (S.nr_heap == S.max_heap)
		S.heap = grow(S.heap, &S.max_heap, sizeof(*S.heap));
	f->order = S.next_order++;
	heap_up(S.nr_heap++, f);
}

static void heap_del(struct fiber *f)
{
	unsigned int i = f->heap_index - 1;
	struct fiber *last = S.heap[--S.nr_heap];

	f->heap_index = 0;
	if (last == f)
		return;
	heap_down(i, last);
	heap_up(last->heap_index - 1, last);
}

/* ---- the scheduler ------------------------------------------------------ */

static void make_runnable(struct fiber *f)
{
	if (S.nr_run == S.max_run)
		S.run = grow(S.run, &S.max_run, sizeof(*S.run));
	f->state = FIBER_RUNNABLE;
	S.run[S.nr_run++] = f;
}

static void fire_timers(void)
{
	struct fiber *f;

	while (S.nr_heap && S.heap[0]->deadline_ns <= S.now_ns) {
		f = S.heap[0];
		heap_del(f);
		f->timed_out = 1;
		make_runnable(f);
	}
}

static int waits_for_lock(const struct fiber *f)
{
	const char *file = f->task.wait_file;

	return f->state == FIBER_PARKED && f->task.wait_what && file &&
	       (!strcmp(file, "mutex") || !strncmp(file, "rwsem", 5));
}

static void check_hung(void)
{
	struct fiber *f;

	S.next_hung_check_ns = S.now_ns + S.hung_ns / 8;
	for (f = S.oldest; f; f = f->next) {
		if (waits_for_lock(f) && S.now_ns - f->parked_ns > S.hung_ns)
			shim_fail("task \"%s\" has waited for %s for %llu seconds",
				  f->task.name, f->task.wait_what,
				  (S.now_ns - f->parked_ns) / 1000000000);
	}
}

static struct fiber *pick(void)
{
	unsigned int best = 0;
	unsigned int i;
	struct fiber *f;

	if (S.by_priority) {
		for (i = 1; i < S.nr_run; i++)
			if (S.run[i]->prio > S.run[best]->prio)
				best = i;
	} else {
		best = draw() % S.nr_run;
	}
	f = S.run[best];
	S.run[best] = S.run[--S.nr_run];
	return f;
}

static void set_countdown(void)
{
	S.countdown = 1 + draw() % (2 * S.preempt);
}

static void free_fiber(struct fiber *f)
{
	put_stack(f);
	if (f->prev)
		f->prev->next = f->next;
	else
		S.oldest = f->next;
	if (f->next)
		f->next->prev = f->prev;
	else
		S.newest = f->prev;
	free(f);
}

static void after_switch(void)
{
	if (S.zombie) {
		put_stack(S.zombie);
		S.zombie = NULL;
	}
}

static void switch_to(struct fiber *next)
{
	struct fiber *prev = S.cur;

	S.cur = next;
	shim_self = &next->task;
	S.now_ns += SWITCH_NS;
	if (S.trace)
		shim_eprintf("%llu.%09llu switch %s -> %s\n",
			     S.now_ns / 1000000000, S.now_ns % 1000000000,
			     prev->task.name, next->task.name);
	fiber_asan_leave(&prev->asan, &next->asan, prev->state == FIBER_DONE);
	shim_fiber_switch(&prev->sp, next->sp);
	fiber_asan_enter(&prev->asan);
	after_switch();
}

/* The current fiber does not go on now, unless it is drawn itself. */
static void schedule(void)
{
	struct fiber *next;

	fire_timers();
	while (!S.nr_run) {
		if (!S.nr_heap)
			shim_fail("deadlock: no task can run, and none waits for a time");
		if (S.now_ns < S.heap[0]->deadline_ns)
			S.now_ns = S.heap[0]->deadline_ns;
		fire_timers();
		if (S.now_ns > S.next_hung_check_ns)
			check_hung();
	}
	next = pick();
	next->state = FIBER_RUNNING;
	if (next != S.cur)
		switch_to(next);
}

static void too_many_steps(void)
{
	S.max_steps = ~0ULL;
	shim_fail("more than %llu steps: livelock?", S.steps - 1);
}

void shim_preempt(void)
{
	struct fiber *f = S.cur;

	if (!f)
		return;
	S.steps++;
	S.now_ns += STEP_NS;
	check_depth(f);
	if (f->task.atomic || f->task.still || S.raw_depth)
		return;
	if (__builtin_expect(S.steps > S.max_steps, 0))
		too_many_steps();
	if (--S.countdown)
		return;
	set_countdown();
	if (S.by_priority && draw() % 8 == 0)
		f->prio = draw();
	fire_timers();
	if (!S.nr_run)
		return;
	check_canary(f);
	make_runnable(f);
	schedule();
}

int shim_park(shim_u64 deadline_ns)
{
	struct fiber *f = S.cur;

	if (!f)
		shim_fail("waiting outside of a run");
	if (S.raw_depth || f->task.atomic)
		shim_fail("parking with a raw lock or a spinlock held");
	if (f->token) {
		f->token = 0;
		return 0;
	}
	check_depth(f);
	check_canary(f);
	S.steps++;
	if (__builtin_expect(S.steps > S.max_steps, 0))
		too_many_steps();
	f->timed_out = 0;
	f->parked_ns = S.now_ns;
	f->state = FIBER_PARKED;
	if (deadline_ns) {
		f->deadline_ns = deadline_ns;
		heap_add(f);
	}
	schedule();
	return f->timed_out;
}

void shim_unpark(struct shim_task *task)
{
	struct fiber *f = to_fiber(task);

	switch (f->state) {
	case FIBER_PARKED:
		if (f->heap_index)
			heap_del(f);
		make_runnable(f);
		break;
	case FIBER_DONE:
		shim_fail("wake-up of task \"%s\", which has ended", task->name);
		break;
	default:
		f->token = 1;
	}
}

/*
 * Nobody switches while such a lock is held, so it is never waited for, except
 * by who holds it already.
 */
void shim_raw_lock_word(unsigned int *word)
{
	if (__builtin_expect(*word != 0, 0))
		shim_fail("lock at %p is taken: recursion, or its memory was reused",
			  word);
	*word = 1;
	S.raw_depth++;
}

int shim_raw_trylock_word(unsigned int *word)
{
	if (*word)
		return 0;
	shim_raw_lock_word(word);
	return 1;
}

void shim_raw_unlock_word(unsigned int *word)
{
	if (__builtin_expect(*word != 1 || !S.raw_depth, 0))
		shim_fail("lock at %p is not taken", word);
	*word = 0;
	S.raw_depth--;
}

/* ---- fibers ------------------------------------------------------------- */

static void end_fiber(struct fiber *f)
{
	check_canary(f);
	f->state = FIBER_DONE;
	S.zombie = f;
}

static void fiber_main(void)
{
	struct fiber *f = S.cur;

	fiber_asan_enter(NULL);
	after_switch();
	f->fn(f->arg);
	shim_check_task_end(&f->task);
	if (f->joiner)
		shim_unpark(&f->joiner->task);
	end_fiber(f);
	schedule();
	abort();
}

static struct fiber *new_fiber(const char *name, void (*fn)(void *), void *arg)
{
	struct fiber *f = calloc(1, sizeof(*f));
	void **sp;

	if (!f)
		abort();
	strncpy(f->task.name, name, sizeof(f->task.name) - 1);
	f->fn = fn;
	f->arg = arg;
	f->prio = draw();
	f->stack = get_stack();
	f->top = f->stack + GUARD_BYTES + STACK_BYTES;
	f->asan.bottom = f->stack + GUARD_BYTES;
	f->asan.size = STACK_BYTES;
	if (S.stack_limit < STACK_BYTES / 2)
		paint(f);
	sp = (void **)f->top;
	*--sp = NULL;			/* nobody to return to */
	*--sp = (void *)fiber_main;
	sp -= FIBER_SAVED_REGS;
	memset(sp, 0, FIBER_SAVED_REGS * sizeof(*sp));
	f->sp = sp;
	f->prev = S.newest;
	if (S.newest)
		S.newest->next = f;
	else
		S.oldest = f;
	S.newest = f;
	return f;
}

struct shim_task *shim_backend_go(const char *name, void (*fn)(void *),
				  void *arg)
{
	struct fiber *f;

	if (!S.cur)
		shim_fail("a task is made outside of a run");
	f = new_fiber(name, fn, arg);
	make_runnable(f);
	return &f->task;
}

void shim_backend_join(struct shim_task *task)
{
	struct fiber *f = to_fiber(task);

	f->joiner = S.cur;
	while (f->state != FIBER_DONE)
		shim_park(0);
	free_fiber(f);
}

struct shim_task *shim_adopt(void)
{
	shim_self = &outside.task;
	return shim_self;
}

shim_u64 shim_clock_ns(void)
{
	return S.now_ns ? S.now_ns : START_NS;
}

shim_u64 shim_seed(void)
{
	return S.seed;
}

shim_u64 shim_steps(void)
{
	return S.steps;
}

void shim_trace(int on)
{
	S.trace = on;
}

/* ---- reports ------------------------------------------------------------ */

void shim_backend_report_head(void)
{
	shim_eprintf("==== SHIM_SEED=%llu, step %llu, virtual time %llu.%09llu\n",
		     S.seed, S.steps, S.now_ns / 1000000000,
		     S.now_ns % 1000000000);
}

static void report_fiber(struct fiber *f)
{
	static const char * const states[] = {
		"runnable", "running", "waits", "has ended",
	};
	void *ips[24];
	void **sp;
	int nr;

	shim_eprintf("-- task \"%s\" %s", f->task.name, states[f->state]);
	if (f->task.idle)
		shim_eprintf(" (idle)");
	if (f->task.wait_what)
		shim_eprintf(" for \"%s\" (%s:%d)", f->task.wait_what,
			     f->task.wait_file ? f->task.wait_file : "",
			     f->task.wait_line);
	if (f->heap_index)
		shim_eprintf(" until %llu.%09llu",
			     f->deadline_ns / 1000000000,
			     f->deadline_ns % 1000000000);
	shim_eprintf("\n");
	if (f == S.cur || f->task.idle || f->state == FIBER_DONE)
		return;
	shim_report_held(&f->task);
	sp = f->sp;
	ips[0] = sp[FIBER_SAVED_REGS];
	nr = 1 + shim_os_backtrace_from(sp[FIBER_SAVED_FP], f->stack +
					GUARD_BYTES, f->top, ips + 1, 23);
	shim_os_symbolize(ips, nr);
}

void shim_backend_report_tasks(void)
{
	struct fiber *f;
	int n = 0;

	if (S.cur && S.cur->task.wait_what)
		shim_eprintf("this task waits for \"%s\" (%s:%d)\n",
			     S.cur->task.wait_what,
			     S.cur->task.wait_file ? S.cur->task.wait_file : "",
			     S.cur->task.wait_line);
	for (f = S.oldest; f && n < MAX_REPORTED; f = f->next, n++)
		report_fiber(f);
}

static void report_seed(void)
{
	shim_report_banner();
	shim_backend_report_head();
}

static void on_signal(int sig, siginfo_t *info, void *ctx)
{
	char *at = info->si_addr;
	struct fiber *f = S.cur;

	shim_report_banner();
	shim_eprintf("\n==== shim: signal %d at address %p in task \"%s\"%s\n",
		     sig, info->si_addr, f ? f->task.name : "outside",
		     f && at >= f->stack && at < f->stack + GUARD_BYTES ?
		     ": stack overflow" : "");
	shim_backend_report_head();
	fiber_report_context(ctx);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	static char alt_stack[64 << 10];
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	static int done;
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND,
	};
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	int i;

	if (done)
		return;
	done = 1;
	if (fiber_asan_on_death(report_seed))
		return;
	sigaltstack(&ss, NULL);
	for (i = 0; i < 4; i++)
		sigaction(sigs[i], &sa, NULL);
}

/* ---- runs --------------------------------------------------------------- */

struct first {
	int (*fn)(void *arg);
	void *arg;
	int no_end_checks;
	int ret;
};

static void check_alone(void)
{
	struct fiber *f;

	for (f = S.oldest; f; f = f->next) {
		if (f != S.first)
			shim_fail("task \"%s\" is still alive, or was not joined",
				  f->task.name);
	}
}

static void first_main(void *arg)
{
	struct first *a = arg;
	int check;

	a->ret = a->fn(a->arg);
	check = a->ret == 0 && !a->no_end_checks;
	shim_check_task_end(&S.first->task);
	shim_common_end(check);
	if (check)
		check_alone();
	/* leaves the run; shim_run() goes on */
	end_fiber(S.first);
	switch_to(&outside);
}

static void begin(const struct shim_run_opts *opts)
{
	static const unsigned char choices[] = { 1, 2, 4, 8, 20, 60 };

	if (getenv("SHIM_TRACE"))
		S.trace = 1;
	S.seed = opts->seed;
	S.rand = opts->seed;
	S.now_ns = START_NS;
	S.steps = 0;
	S.max_steps = opts->max_steps ? opts->max_steps : DEFAULT_MAX_STEPS;
	S.hung_ns = opts->hung_ns ? opts->hung_ns : DEFAULT_HUNG_NS;
	S.next_hung_check_ns = START_NS + S.hung_ns;
	S.next_order = 0;
	S.stack_limit = (opts->stack_limit ? opts->stack_limit :
			 DEFAULT_STACK_LIMIT) * STACK_FACTOR;
	S.preempt = choices[draw() % sizeof(choices)];
	if (opts->preempt)
		S.preempt = opts->preempt;
	S.by_priority = draw() % 4 == 0;
	S.raw_depth = 0;
	S.nr_run = 0;
	S.nr_heap = 0;
	set_countdown();
}

/* A run that failed leaves fibers behind: they are not run again. */
static void put_away_rest(void)
{
	while (S.oldest) {
		if (S.oldest->state == FIBER_DONE && S.oldest == S.zombie)
			S.zombie = NULL;
		free_fiber(S.oldest);
	}
	S.first = NULL;
	S.cur = NULL;
	shim_self = &outside.task;
}

int shim_run(const struct shim_run_opts *opts, int (*fn)(void *arg), void *arg)
{
	struct first a = {
		.fn = fn, .arg = arg, .no_end_checks = opts->no_end_checks,
	};

	if (S.cur)
		shim_fail("runs do not nest");
	catch_signals();
	begin(opts);
	shim_common_begin();
	S.first = new_fiber("main", first_main, &a);
	S.first->state = FIBER_RUNNING;
	S.cur = &outside;
	switch_to(S.first);
	put_away_rest();
	return a.ret;
}
