/*
 * The host's CPUs and threads: that they are what the seam says, since TSan and the stress believe it. Who runs, and
 * who interrupts whom; sleeping: test_thread_sleep.c.
 */
#include "threads_env.h"

#include <arch/preempt.h>
#include <arch/spinlock.h>
#include <base/errno.h>
#include <mm/os_task.h>

/* ---- Who runs -------------------------------------------------------------------------------- */

struct visit {
	u32 cpu;
	struct os_task *task;
	bool may_sleep, in_interrupt;
};

static void visit(void *arg)
{
	struct visit *v = arg;

	*v = (struct visit){smp_processor_id(), os_current(), os_may_sleep(), os_in_interrupt()};
}

static void a_thread_is_of_its_cpu(struct ktest *t)
{
	struct os_thread *thread[NR_CPUS];
	struct visit v[NR_CPUS];

	for (u32 i = 0; i < NR_CPUS; i++)
		thread[i] = os_thread_start("visit", i, visit, &v[i]);
	for (u32 i = 0; i < NR_CPUS; i++) {
		os_thread_join(thread[i]);
		EXPECT_EQ(t, v[i].cpu, i);
		EXPECT(t, v[i].may_sleep && !v[i].in_interrupt);
		EXPECT(t, v[i].task != os_current());
		for (u32 j = 0; j < i; j++)
			EXPECT(t, v[i].task != v[j].task);
	}
	EXPECT_EQ(t, smp_processor_id(), 0);
	EXPECT_EQ(t, os_current()->flags, 0);
	EXPECT_EQ(t, os_current()->mems_allowed, ~(nodemask_t)0);
}

/* Threads of one CPU change it without a lock, as threads may that disable preemption. */
struct shared {
	u64 count;
	bool inside;
	u32 overlaps;
	u32 here; /* atomic */
};

#define ROUNDS 2000

static void count_without_lock(void *arg)
{
	struct shared *s = arg;

	/* Not one after the other because they were started so. */
	__atomic_fetch_add(&s->here, 1, __ATOMIC_RELAXED);
	while (load_relaxed(&s->here) < 3)
		cpu_relax();
	for (u32 i = 0; i < ROUNDS; i++) {
		preempt_disable();
		/* Relaxed: if this is ever seen set, two run at once. */
		if (load_relaxed(&s->inside))
			__atomic_fetch_add(&s->overlaps, 1, __ATOMIC_RELAXED);
		store_relaxed(&s->inside, true);
		s->count++;
		if (i % 64 == 0)
			cpu_relax(); /* who runs beside us gets a chance to be seen */
		store_relaxed(&s->inside, false);
		preempt_enable();
	}
}

static void one_at_a_time_on_a_cpu(struct ktest *t)
{
	struct os_thread *thread[2 * 3];
	struct shared s[2] = {{0}};
	u64 switches = host_cpu_switches(1);

	for (u32 i = 0; i < ARRAY_SIZE(thread); i++)
		thread[i] = os_thread_start("count", 1 + i % 2, count_without_lock, &s[i % 2]);
	for (u32 i = 0; i < ARRAY_SIZE(thread); i++)
		os_thread_join(thread[i]);
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(t, s[i].count, 3 * ROUNDS);
		EXPECT_EQ(t, s[i].overlaps, 0);
	}
	EXPECT(t, host_cpu_switches(1) - switches > 3 * 3);
}

/* Polls for what a thread of the same CPU does; on another CPU they do it at the same time. */
static void meet(void *arg)
{
	u32 *here = arg;
	u64 start = now_ns();

	__atomic_fetch_add(here, 1, __ATOMIC_RELAXED);
	while (load_relaxed(here) < 3 && now_ns() - start < LIMIT)
		cpu_relax();
}

static void who_polls_lets_others_run(struct ktest *t)
{
	struct os_thread *thread[3];
	u32 here = 0;

	for (u32 i = 0; i < 3; i++)
		thread[i] = os_thread_start("meet", i == 2 ? 2 : 1, meet, &here);
	for (u32 i = 0; i < 3; i++)
		os_thread_join(thread[i]);
	EXPECT_EQ(t, here, 3);
}

/* What ThreadSanitizer is for. Run by name, and to fail under it: tests/qemu/test_host.py. */
static void count_wrongly(void *arg)
{
	u64 *count = arg;

	for (u32 i = 0; i < ROUNDS; i++)
		++*count;
}

static void two_cpus_without_a_lock(struct ktest *t)
{
	struct os_thread *one, *two;
	u64 count = 0;

	one = os_thread_start("one", 1, count_wrongly, &count);
	two = os_thread_start("two", 2, count_wrongly, &count);
	os_thread_join(one);
	os_thread_join(two);
	EXPECT(t, count <= 2 * ROUNDS);
}

static const struct ktest_case race_cases[] = {KTEST(two_cpus_without_a_lock)};
KTEST_SUITE_BY_NAME(crash_race, race_cases);

/* ---- Interrupts ------------------------------------------------------------------------------ */

static void a_call_is_an_interrupt(struct ktest *t)
{
	struct visit v = {.cpu = 99};

	four_cpus();
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++) {
		EXPECT_EQ(t, os_run_on_cpu(cpu, visit, &v), 0);
		EXPECT_EQ(t, v.cpu, cpu);
		EXPECT(t, v.in_interrupt && !v.may_sleep);
		EXPECT_EQ(t, v.task == os_current(), cpu == 0); /* that of whom it interrupts */
		EXPECT(t, os_may_sleep());
	}
	EXPECT_EQ(t, os_run_on_cpu(NR_CPUS, visit, &v), -ENODEV);
}

/* A thread of CPU 1 that keeps interrupts away for a while; `event` numbers what happens. */
struct quiet {
	u32 event, ready; /* atomic */
	u32 off, on, interrupted;
	struct os_task *task, *seen;
};

static void note_interrupt(void *arg)
{
	struct quiet *q = arg;

	q->interrupted = __atomic_fetch_add(&q->event, 1, __ATOMIC_RELAXED);
	q->seen = os_current();
}

static void be_quiet(void *arg)
{
	struct quiet *q = arg;
	unsigned long flags = irq_save();

	q->task = os_current();
	q->off = __atomic_fetch_add(&q->event, 1, __ATOMIC_RELAXED);
	store_release(&q->ready, 1);
	for (u64 start = now_ns(); now_ns() - start < 20 * MS;)
		cpu_relax();
	q->on = __atomic_fetch_add(&q->event, 1, __ATOMIC_RELAXED);
	irq_restore(flags);
	while (load_relaxed(&q->event) < 3)
		cpu_relax();
}

static void interrupts_wait_until_they_are_on(struct ktest *t)
{
	struct quiet q = {.event = 0};
	struct os_thread *thread;

	four_cpus();
	thread = os_thread_start("quiet", 1, be_quiet, &q);
	while (!load_acquire(&q.ready))
		cpu_relax();
	EXPECT_EQ(t, os_run_on_cpu(1, note_interrupt, &q), 0);
	os_thread_join(thread);
	EXPECT_EQ(t, q.off, 0);
	EXPECT_EQ(t, q.on, 1);
	EXPECT_EQ(t, q.interrupted, 2);
	EXPECT(t, q.seen == q.task);
}

#define CALLS 300

static u32 nr_called[NR_CPUS]; /* each written in its CPU's name only: TSan watches */

static void count_call(void *arg)
{
	(void)arg;
	nr_called[smp_processor_id()]++;
}

static void call_all(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < CALLS; i++)
		os_run_on_cpu(i % NR_CPUS, count_call, NULL);
}

/* Two threads on each CPU interrupt each other: nobody waits for ever, none gets lost. */
static void all_call_all(struct ktest *t)
{
	struct os_thread *thread[2 * NR_CPUS];

	four_cpus();
	for (u32 i = 0; i < ARRAY_SIZE(thread); i++)
		thread[i] = os_thread_start("call", i % NR_CPUS, call_all, NULL);
	for (u32 i = 0; i < ARRAY_SIZE(thread); i++)
		os_thread_join(thread[i]);
	for (u32 i = 0; i < NR_CPUS; i++)
		EXPECT_EQ(t, nr_called[i], ARRAY_SIZE(thread) * CALLS / NR_CPUS);
}

static const struct ktest_case cases[] = {
	KTEST(a_thread_is_of_its_cpu),
	KTEST(one_at_a_time_on_a_cpu),
	KTEST(who_polls_lets_others_run),
	KTEST(a_call_is_an_interrupt),
	KTEST(interrupts_wait_until_they_are_on),
	KTEST(all_call_all),
};
KTEST_SUITE(threads, cases);
