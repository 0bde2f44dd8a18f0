/*
 * Waiting: queues, time-outs, mutexes, completions; between threads of one CPU, of several, and
 * interrupts.
 */
#include <arch/irq.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <kernel/sync.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/os_task.h>
#include <x86/cpu_area.h>
#include <x86/smp.h>
#include <x86/time.h>

#define NS_PER_MS 1000000ull
#define TICK_NS   (10 * NS_PER_MS)
#define LONG_NS   (30 * 1000 * NS_PER_MS)

/* The last CPU: another one, if there is another. */
static u32 far_cpu(void)
{
	u32 cpu, last = 0;

	for_each_online_cpu(cpu)
		last = cpu;
	return last;
}

/* ---- Wait queues ----------------------------------------------------------------------------- */

struct box {
	struct os_wait_queue queue;
	u32 wanted, value; /* atomic */
	u32 looks;         /* atomic: how often somebody asked */
	u32 through;       /* atomic: how many waits ended with it */
};

static bool is_there(void *arg)
{
	struct box *box = arg;

	__atomic_fetch_add(&box->looks, 1, __ATOMIC_RELAXED);
	/* Acquire: with what was written before the value. */
	return load_acquire(&box->value) >= load_relaxed(&box->wanted);
}

static void wait_for_box(void *arg)
{
	struct box *box = arg;

	if (os_wait(&box->queue, is_there, box, LONG_NS))
		__atomic_fetch_add(&box->through, 1, __ATOMIC_RELAXED);
}

static void time_is_over(struct ktest *t)
{
	struct box box = {.wanted = 1};
	u64 start_ns = time_since_entry_ns();

	os_wait_queue_init(&box.queue, "box");
	EXPECT(t, !os_wait(&box.queue, is_there, &box, 0));
	EXPECT_EQ(t, box.looks, 1);
	EXPECT(t, !os_wait(&box.queue, is_there, &box, 15 * NS_PER_MS));
	EXPECT(t, time_since_entry_ns() - start_ns >= 15 * NS_PER_MS);
	EXPECT(t, box.looks >= 3); /* before sleeping, and after */
	box.value = 1;
	EXPECT(t, os_wait(&box.queue, is_there, &box, 0));
	EXPECT(t, os_wait(&box.queue, is_there, &box, OS_WAIT_FOREVER));
	EXPECT_EQ(t, os_wake_all(&box.queue), 0); /* nobody is left on it */
}

static bool start_waiters(struct ktest *t, struct box *box, struct thread **threads, u32 nr)
{
	u32 cpu = 0;

	for (u32 i = 0; i < nr; i++) {
		threads[i] = thread_start("waiter", cpu, wait_for_box, box);
		if (!EXPECT(t, threads[i] != NULL))
			return false;
		do
			cpu = (cpu + 1) % MAX_CPUS;
		while (!cpu_online(cpu));
	}
	while (load_relaxed(&box->looks) < nr)
		thread_sleep_ns(TICK_NS);
	thread_sleep_ns(3 * TICK_NS); /* from the look to the sleep */
	return true;
}

/* Until waiters have looked so often: who looks is on the queue again. False: one never comes to it. */
static bool looked(const struct box *box, u32 nr)
{
	u64 start_ns = time_since_entry_ns();

	while (load_relaxed(&box->looks) < nr && time_since_entry_ns() - start_ns < LONG_NS)
		thread_sleep_ns(TICK_NS);
	return load_relaxed(&box->looks) >= nr;
}

/* A wake without what is waited for ends no wait. */
static void one_or_all_are_woken(struct ktest *t)
{
	struct box box = {.wanted = 1};
	struct thread *threads[5];
	u32 before;

	os_wait_queue_init(&box.queue, "box");
	if (!start_waiters(t, &box, threads, 5))
		return;
	before = load_relaxed(&box.looks);
	EXPECT_EQ(t, os_wake_one(&box.queue), 1);
	EXPECT(t, looked(&box, before + 1));
	EXPECT_EQ(t, load_relaxed(&box.through), 0);
	EXPECT_EQ(t, os_wake_all(&box.queue), 5);
	EXPECT(t, looked(&box, before + 1 + 5));
	EXPECT_EQ(t, load_relaxed(&box.through), 0);
	store_release(&box.value, 1);
	os_wake_all(&box.queue);
	for (u32 i = 0; i < 5; i++)
		thread_join(threads[i]);
	EXPECT_EQ(t, box.through, 5);
}

static void wake_from_here(void *arg)
{
	struct box *box = arg;

	store_release(&box->value, 1);
	os_wake_all(&box->queue);
}

static void an_interrupt_wakes(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct box box = {.wanted = 1};
		struct thread *thread;

		os_wait_queue_init(&box.queue, "box");
		if (!start_waiters(t, &box, &thread, 1))
			return;
		EXPECT_EQ(t, smp_call(cpu, wake_from_here, &box), 0);
		thread_join(thread);
		EXPECT_EQ(t, box.through, 1);
	}
}

/* ---- No wake is lost ------------------------------------------------------------------------- */

/* What is waited for happens right after it was looked for. */
static bool comes_too_late(void *arg)
{
	struct box *box = arg;
	bool there = is_there(box);

	if (!there) {
		store_release(&box->value, 1);
		os_wake_all(&box->queue);
	}
	return there;
}

/* Deterministic: the wake comes between the look and the sleep, which then is none. */
static void a_wake_before_the_sleep_ends_it(struct ktest *t)
{
	struct box box = {.wanted = 1};
	u64 start_ns = time_since_entry_ns();

	os_wait_queue_init(&box.queue, "box");
	EXPECT(t, os_wait(&box.queue, comes_too_late, &box, LONG_NS));
	EXPECT(t, time_since_entry_ns() - start_ns < LONG_NS / 2);
	EXPECT_EQ(t, box.looks, 2);
}

#define ROUNDS       500
#define LEAST_ROUNDS 20
#define ENOUGH_NS    (3 * 1000 * NS_PER_MS) /* on a host that takes tenths of a second a round */

/*
 * Two that wait for each other at every step: one lost wake, and both wait until their time is over. They
 * look once more then, and find it: a wait as long as that is the defect, whatever it returns.
 */
struct ping_pong {
	struct box ping, pong;
	u32 rounds; /* that the other one has come through */
	u32 last;   /* atomic: of how many there are; set before the round that is it */
};

static bool wait_woken(struct box *box)
{
	u64 start_ns = time_since_entry_ns();

	return os_wait(&box->queue, is_there, box, LONG_NS) &&
	       time_since_entry_ns() - start_ns < LONG_NS;
}

static void answer(void *arg)
{
	struct ping_pong *game = arg;

	/* Relaxed: written before the value that this thread has come through with. */
	for (u32 i = 1; i <= load_relaxed(&game->last); i++) {
		/* Relaxed: this thread's own wish. */
		store_relaxed(&game->ping.wanted, i);
		if (!wait_woken(&game->ping))
			return;
		game->rounds++;
		store_release(&game->pong.value, i);
		os_wake_one(&game->pong.queue);
	}
}

static void no_wake_is_lost(struct ktest *t)
{
	u32 cpus[] = {smp_processor_id(), far_cpu()};

	for (u32 c = 0; c < ARRAY_SIZE(cpus); c++) {
		struct ping_pong game = {.last = ROUNDS};
		u64 start_ns = time_since_entry_ns();
		struct thread *thread;

		os_wait_queue_init(&game.ping.queue, "ping");
		os_wait_queue_init(&game.pong.queue, "pong");
		thread = thread_start("answers", cpus[c], answer, &game);
		ASSERT_TRUE(t, thread != NULL);
		for (u32 i = 1; i <= game.last; i++) {
			if (i >= LEAST_ROUNDS && time_since_entry_ns() - start_ns >= ENOUGH_NS)
				store_relaxed(&game.last, i);
			store_release(&game.ping.value, i);
			os_wake_one(&game.ping.queue);
			store_relaxed(&game.pong.wanted, i);
			if (!EXPECT(t, wait_woken(&game.pong)))
				break;
		}
		thread_join(thread);
		EXPECT_EQ(t, game.rounds, game.last);
	}
}

/* ---- Mutexes ---------------------------------------------------------------------------------- */

#define TURNS 80

struct guarded {
	struct mutex mutex;
	u64 value;       /* guarded by the mutex; written in two steps */
	u32 inside;      /* atomic: how many hold it */
	u32 overlaps;    /* atomic */
	u32 had_to_wait; /* atomic */
};

static void add_in_two_steps(void *arg)
{
	struct guarded *guarded = arg;

	for (u32 i = 0; i < TURNS; i++) {
		u64 before;

		if (!mutex_trylock(&guarded->mutex)) {
			__atomic_fetch_add(&guarded->had_to_wait, 1, __ATOMIC_RELAXED);
			mutex_lock(&guarded->mutex);
		}
		if (__atomic_fetch_add(&guarded->inside, 1, __ATOMIC_RELAXED) > 0)
			__atomic_fetch_add(&guarded->overlaps, 1, __ATOMIC_RELAXED);
		before = *(volatile u64 *)&guarded->value;
		if (i % 8 == 0)
			thread_yield(); /* with the mutex held: the others of the CPU try for it */
		*(volatile u64 *)&guarded->value = before + 1;
		__atomic_fetch_sub(&guarded->inside, 1, __ATOMIC_RELAXED);
		mutex_unlock(&guarded->mutex);
	}
}

static void a_mutex_has_one_owner(struct ktest *t)
{
	struct guarded guarded = {.value = 0};
	struct thread *threads[16];
	u32 nr = 0, cpu;

	mutex_init(&guarded.mutex, "guarded");
	for_each_online_cpu(cpu) {
		for (u32 i = 0; i < 2 && nr < ARRAY_SIZE(threads); i++, nr++) {
			threads[nr] = thread_start("adds", cpu, add_in_two_steps, &guarded);
			ASSERT_TRUE(t, threads[nr] != NULL);
		}
	}
	for (u32 i = 0; i < nr; i++)
		thread_join(threads[i]);
	EXPECT_EQ(t, guarded.value, (u64)nr * TURNS);
	EXPECT_EQ(t, guarded.overlaps, 0);
	EXPECT(t, guarded.had_to_wait > 0);
	EXPECT(t, !guarded.mutex.owner);
	ktest_note(t, "%u threads, waited %u times of %u", nr, guarded.had_to_wait, nr * TURNS);
}

static void trylock_never_waits(struct ktest *t)
{
	struct mutex mutex;

	mutex_init(&mutex, "tried");
	EXPECT(t, mutex_trylock(&mutex));
	EXPECT(t, mutex.owner == thread_current());
	EXPECT(t, !mutex_trylock(&mutex)); /* also by its owner */
	mutex_unlock(&mutex);
	EXPECT(t, mutex_trylock(&mutex));
	mutex_unlock(&mutex);
}

/* ---- Completions ------------------------------------------------------------------------------ */

static void a_completion_counts(struct ktest *t)
{
	struct completion completion;

	completion_init(&completion, "counts");
	EXPECT(t, !wait_for_completion(&completion, 0));
	EXPECT(t, !wait_for_completion(&completion, NS_PER_MS));
	complete(&completion);
	complete(&completion);
	EXPECT(t, wait_for_completion(&completion, 0));
	EXPECT(t, wait_for_completion(&completion, OS_WAIT_FOREVER));
	EXPECT(t, !wait_for_completion(&completion, 0));
}

static void complete_there(void *arg)
{
	complete(arg);
}

/* On the waiter's stack: it is gone right after the wait, while the other may be in complete(). */
static void a_completion_may_be_gone(struct ktest *t)
{
	u32 cpu = far_cpu();

	for (u32 i = 0; i < 30; i++) {
		struct completion completion;
		struct thread *thread;

		completion_init(&completion, "gone soon");
		thread = thread_start("completes", cpu, complete_there, &completion);
		ASSERT_TRUE(t, thread != NULL);
		EXPECT(t, wait_for_completion(&completion, LONG_NS));
		completion.queue.lock.serving = ~(u32)0; /* whoever takes it now waits for ever */
		thread_join(thread);
	}
}

/* ---- The seam ---------------------------------------------------------------------------------- */

static void note_context(void *arg)
{
	u32 *seen = arg;

	*seen = (os_in_interrupt() ? 1 : 0) + (os_may_sleep() ? 2 : 0) + 4;
}

static void the_seam_tells_the_context(struct ktest *t)
{
	u32 cpu;

	EXPECT(t, os_may_sleep() && !os_in_interrupt());
	for_each_online_cpu(cpu) {
		u32 in_call = 0, in_thread = 0;
		struct os_thread *thread =
			os_thread_start("context", cpu, note_context, &in_thread);

		ASSERT_TRUE(t, thread != NULL);
		os_thread_join(thread);
		EXPECT_EQ(t, in_thread, 4 + 2);
		EXPECT_EQ(t, os_run_on_cpu(cpu, note_context, &in_call), 0);
		EXPECT_EQ(t, in_call, 4 + (cpu != smp_processor_id()));
	}
	EXPECT_EQ(t, os_run_on_cpu(MAX_CPUS, note_context, NULL), -ENODEV);
	EXPECT(t, !os_thread_start("nowhere", MAX_CPUS, note_context, NULL));
}

static const struct ktest_case cases[] = {
	KTEST(time_is_over),
	KTEST(one_or_all_are_woken),
	KTEST(an_interrupt_wakes),
	KTEST(a_wake_before_the_sleep_ends_it),
	KTEST(no_wake_is_lost),
	KTEST(a_mutex_has_one_owner),
	KTEST(trylock_never_waits),
	KTEST(a_completion_counts),
	KTEST(a_completion_may_be_gone),
	KTEST(the_seam_tells_the_context),
};
KTEST_SUITE(sync, cases);
