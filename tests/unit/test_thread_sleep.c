/*
 * How the host's threads sleep and are woken, and where they may not sleep: as the seam says. As test_threads.c.
 */
#include "threads_env.h"

#include <arch/preempt.h>
#include <arch/spinlock.h>
#include <mm/os_task.h>

/* ---- Sleeping and waking --------------------------------------------------------------------- */

#define ROUNDS       2000
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
	KTEST(no_wake_is_lost),      KTEST(a_wake_between_look_and_sleep_counts), KTEST(waits_end),
	KTEST(one_or_all_are_woken), KTEST(sleeping_where_one_may_not),
};
KTEST_SUITE(thread_sleep, cases);
