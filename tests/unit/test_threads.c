/*
 * The host's CPUs and threads: that they are what the seam says, since TSan and the stress believe it.
 */
#include "host.h"

#include <arch/preempt.h>
#include <arch/spinlock.h>
#include <base/errno.h>
#include <mm/numa.h>
#include <mm/os.h>
#include <mm/os_task.h>

#define NR_CPUS 4
#define LIMIT   20000000000ull /* ns: whoever waits so long was not woken */
#define MS      1000000ull

static void four_cpus(void)
{
	static struct numa_topology topology;
	static const struct host_machine machine = {
		.ram = {{0, MiB(16), 0}}, .nr_nodes = 1, .nr_cpus = NR_CPUS};

	host_machine_memory(&machine);
	host_machine_topology(&machine, &topology);
	if (numa_init(&topology) != 0)
		os_panic("no topology");
}

static u64 now_ns(void)
{
	return arch_timestamp_to_ns(arch_timestamp());
}

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

/* ---- Sleeping and waking --------------------------------------------------------------------- */

#define LEAST_ROUNDS 20
#define ENOUGH_NS    (5000 * MS) /* on a host that takes long for a round */

struct ball {
	struct os_wait_queue queue;
	u32 at;     /* whose turn; atomic */
	u32 rounds; /* atomic: how many there are; set before the throw that begins the last */
	u32 lost;
	u64 start;
};

static bool is_here(void *arg)
{
	struct ball *b = arg;

	/* Acquire: pairs with the release of who threw it. */
	return load_acquire(&b->at) % 2 == 0;
}

static bool is_there(void *arg)
{
	return !is_here(arg);
}

static void play(struct ball *b, bool (*mine)(void *arg))
{
	/* Relaxed: seen with the ball. */
	for (u32 i = 0; i < load_relaxed(&b->rounds) && load_relaxed(&b->lost) == 0; i++) {
		if (!os_wait(&b->queue, mine, b, LIMIT))
			store_relaxed(&b->lost, b->lost + 1);
		/* Who throws first says which round is the last: the other one sees it with the ball. */
		if (mine == is_here && i >= LEAST_ROUNDS && now_ns() - b->start >= ENOUGH_NS)
			store_relaxed(&b->rounds, MIN(b->rounds, i + 1));
		store_release(&b->at, load_relaxed(&b->at) + 1);
		os_wake_all(&b->queue);
	}
}

static void play_here(void *arg)
{
	play(arg, is_here);
}

static void play_there(void *arg)
{
	play(arg, is_there);
}

/* Two threads that each wait for the other ROUNDS times: one lost wake-up stops both. */
static void no_wake_is_lost(struct ktest *t)
{
	for (u32 other = 1; other <= 2; other++) {
		struct ball b = {.rounds = ROUNDS, .start = now_ns()};
		struct os_thread *one, *two;

		os_wait_queue_init(&b.queue, "tt.ball");
		one = os_thread_start("here", 1, play_here, &b);
		two = os_thread_start("there", other, play_there, &b);
		os_thread_join(one);
		os_thread_join(two);
		EXPECT(t, b.rounds > LEAST_ROUNDS);
		EXPECT_EQ(t, b.at, 2 * b.rounds);
		EXPECT_EQ(t, b.lost, 0);
		EXPECT(t, list_empty(&b.queue.waiters));
	}
}

struct narrow {
	struct os_wait_queue queue;
	bool happened;
	u32 woken;
};

/* What is waited for happens, and is told, right after the first look. */
static bool happens_after_the_look(void *arg)
{
	struct narrow *n = arg;
	bool answer = n->happened;

	if (!answer) {
		n->happened = true;
		n->woken = os_wake_all(&n->queue);
	}
	return answer;
}

static void a_wake_between_look_and_sleep_counts(struct ktest *t)
{
	struct narrow n = {.happened = false};
	u64 start = now_ns();

	os_wait_queue_init(&n.queue, "tt.narrow");
	EXPECT(t, os_wait(&n.queue, happens_after_the_look, &n, LIMIT));
	EXPECT_EQ(t, n.woken, 1);
	EXPECT(t, now_ns() - start < LIMIT / 2);
}

static bool never(void *arg)
{
	__atomic_fetch_add((u32 *)arg, 1, __ATOMIC_RELAXED);
	return false;
}

static bool at_once(void *arg)
{
	__atomic_fetch_add((u32 *)arg, 1, __ATOMIC_RELAXED);
	return true;
}

static void waits_end(struct ktest *t)
{
	struct os_wait_queue queue;
	u64 start = now_ns();
	u32 asked = 0;

	os_wait_queue_init(&queue, "tt.queue");
	EXPECT(t, !os_wait(&queue, never, &asked, 20 * MS));
	EXPECT(t, now_ns() - start >= 20 * MS);
	EXPECT(t, asked >= 2); /* before it slept and afterwards */

	asked = 0;
	EXPECT(t, !os_wait(&queue, never, &asked, 0));
	EXPECT_EQ(t, asked, 1);
	EXPECT(t, os_wait(&queue, at_once, &asked, 0));
	EXPECT(t, os_wait(&queue, at_once, &asked, OS_WAIT_FOREVER));
	EXPECT(t, os_wait(&queue, at_once, &asked, OS_WAIT_FOREVER - 1));
	EXPECT_EQ(t, asked, 4);
	EXPECT(t, list_empty(&queue.waiters));
	EXPECT_EQ(t, os_wake_all(&queue), 0);
}

struct crowd {
	struct os_wait_queue queue;
	u32 permits; /* atomic */
	u32 served;  /* atomic */
};

static bool take_permit(void *arg)
{
	struct crowd *c = arg;
	u32 permits = load_relaxed(&c->permits);

	/* Acquire: as if it were a lock. */
	return permits > 0 && __atomic_compare_exchange_n(&c->permits, &permits, permits - 1, false,
							  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void wait_for_permit(void *arg)
{
	struct crowd *c = arg;

	if (os_wait(&c->queue, take_permit, c, LIMIT))
		__atomic_fetch_add(&c->served, 1, __ATOMIC_RELAXED);
}

static u32 nr_waiting(struct crowd *c)
{
	unsigned long flags = spin_lock_irqsave(&c->queue.lock);
	struct list_head *at;
	u32 nr = 0;

	for (at = c->queue.waiters.next; at != &c->queue.waiters; at = at->next)
		nr++;
	spin_unlock_irqrestore(&c->queue.lock, flags);
	return nr;
}

static void one_or_all_are_woken(struct ktest *t)
{
	struct os_thread *thread[NR_CPUS];
	struct crowd c = {.permits = 0};

	os_wait_queue_init(&c.queue, "tt.crowd");
	for (u32 i = 0; i < NR_CPUS; i++)
		thread[i] = os_thread_start("crowd", i, wait_for_permit, &c);
	while (nr_waiting(&c) < NR_CPUS)
		cpu_relax();

	store_release(&c.permits, 1);
	EXPECT_EQ(t, os_wake_one(&c.queue), 1);
	while (load_relaxed(&c.served) < 1)
		cpu_relax();
	EXPECT_EQ(t, nr_waiting(&c), NR_CPUS - 1);

	/* All are woken, two go back to sleep; not one of them is forgotten. */
	store_release(&c.permits, 1);
	EXPECT_EQ(t, os_wake_all(&c.queue), NR_CPUS - 1);
	while (load_relaxed(&c.served) < 2 || nr_waiting(&c) < NR_CPUS - 2)
		cpu_relax();
	store_release(&c.permits, NR_CPUS - 2);
	os_wake_all(&c.queue);
	for (u32 i = 0; i < NR_CPUS; i++)
		os_thread_join(thread[i]);
	EXPECT_EQ(t, c.served, NR_CPUS);
}

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

/* ---- Where one may not sleep ----------------------------------------------------------------- */

static struct os_wait_queue some_queue;

static void sleep_here(void *arg)
{
	u32 asked = 0;

	(void)arg;
	os_wait_queue_init(&some_queue, "tt.queue");
	os_wait(&some_queue, at_once, &asked, 0);
}

static void sleep_unpreemptible(void *arg)
{
	preempt_disable();
	sleep_here(arg);
}

static void sleep_with_interrupts_off(void *arg)
{
	irq_save();
	sleep_here(arg);
}

static void sleep_in_an_interrupt(void *arg)
{
	host_interrupt(2, sleep_here, arg);
}

static void sleep_with_a_lock(void *arg)
{
	static struct spinlock lock = SPINLOCK_INIT("tt.lock");

	spin_lock(&lock);
	sleep_here(arg);
}

static void end_unpreemptible(void *arg)
{
	(void)arg;
	preempt_disable();
}

static void start_one_that_ends_so(void *arg)
{
	os_thread_join(os_thread_start("sloppy", 1, end_unpreemptible, arg));
}

static void sleeping_where_one_may_not(struct ktest *t)
{
	expect_panic(t, sleep_unpreemptible, NULL, "preemption disabled 1 times, interrupts on");
	expect_panic(t, sleep_with_interrupts_off, NULL, "disabled 0 times, interrupts off)");
	expect_panic(t, sleep_in_an_interrupt, NULL, "on CPU 2 (");
	expect_panic(t, sleep_in_an_interrupt, NULL, ", in an interrupt)");
	expect_panic(t, sleep_with_a_lock, NULL, "with spinlock 'tt.lock' held");
	expect_panic(t, start_one_that_ends_so, NULL, "thread sloppy ends with preemption");
}

static const struct ktest_case cases[] = {
	KTEST(a_thread_is_of_its_cpu),
	KTEST(one_at_a_time_on_a_cpu),
	KTEST(who_polls_lets_others_run),
	KTEST(no_wake_is_lost),
	KTEST(a_wake_between_look_and_sleep_counts),
	KTEST(waits_end),
	KTEST(one_or_all_are_woken),
	KTEST(a_call_is_an_interrupt),
	KTEST(interrupts_wait_until_they_are_on),
	KTEST(all_call_all),
	KTEST(sleeping_where_one_may_not),
};
KTEST_SUITE(threads, cases);
