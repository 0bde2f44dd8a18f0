/*
 * Threads: where they run, in which turn, how they sleep. On every CPU that is online. What is left when
 * they end is in test_thread_ends.c, what ends the kernel in test_crash.c.
 */
#include <arch/irq.h>
#include <arch/preempt.h>
#include <base/atomic.h>
#include <base/string.h>
#include <kernel/check.h>
#include <kernel/sync.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/numa.h>
#include <mm/os_task.h>
#include <mm/page.h>
#include <x86/cpu_area.h>
#include <x86/paging.h>
#include <x86/smp.h>
#include <x86/time.h>

#include "../../kernel/sched_internal.h"

#define NS_PER_MS 1000000ull
#define TICK_NS   (10 * NS_PER_MS)
/* A wait that another thread is sure to end; so long that only a hang outlasts it. */
#define LONG_NS (30 * 1000 * NS_PER_MS)

/* ---- Where --------------------------------------------------------------------------------- */

struct place {
	u32 cpu, preempt_depth;
	bool irqs_off, in_interrupt, may_sleep;
	uintptr_t frame;
	const struct thread *self;
	u32 flags;
	nodemask_t mems_allowed;
};

static void note_place(void *arg)
{
	struct place *place = arg;

	place->cpu = smp_processor_id();
	place->preempt_depth = preempt_depth();
	place->irqs_off = irqs_disabled();
	place->in_interrupt = os_in_interrupt();
	place->may_sleep = os_may_sleep();
	place->frame = (uintptr_t)__builtin_frame_address(0);
	place->self = thread_current();
	place->flags = os_current()->flags;
	place->mems_allowed = os_current()->mems_allowed;
}

static void a_thread_runs_on_its_cpu(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct place place = {0};
		struct thread *thread = thread_start("place", cpu, note_place, &place);
		uintptr_t low, top;
		phys_addr_t phys;

		ASSERT_TRUE(t, thread != NULL);
		/* The memory of its stack, while that is mapped. */
		EXPECT(t, paging_stack_bounds((uintptr_t)thread->canary, &low, &top));
		EXPECT(t, paging_translate(low, &phys));
		if (node_isset(cpu_to_node(cpu), node_memory_mask()))
			EXPECT_EQ(t, pfn_to_page(pfn_down(phys))->nid, (u16)cpu_to_node(cpu));
		thread_join(thread);
		EXPECT_EQ(t, place.cpu, cpu);
		EXPECT_EQ(t, place.preempt_depth, 0);
		EXPECT(t, !place.irqs_off && !place.in_interrupt && place.may_sleep);
		EXPECT(t, place.frame > low && place.frame < top);
		EXPECT(t, place.self == thread);
		EXPECT_EQ(t, place.flags, 0);
		EXPECT_EQ(t, place.mems_allowed, os_current()->mems_allowed);
	}
}

/* The cpuset goes from parent to child; flags do not. */
static void tasks_are_inherited(struct ktest *t)
{
	struct os_task before = *os_current();
	struct place place = {0};
	struct thread *thread;

	os_current()->mems_allowed = NODE_BIT(0);
	os_current()->flags = PF_MEMALLOC;
	thread = thread_start("heir", smp_processor_id(), note_place, &place);
	*os_current() = before;
	ASSERT_TRUE(t, thread != NULL);
	thread_join(thread);
	EXPECT_EQ(t, place.mems_allowed, NODE_BIT(0));
	EXPECT_EQ(t, place.flags, 0);
}

static void who_cannot_be_started_is_not(struct ktest *t)
{
	struct thread_info info;
	u32 before = 0, after = 0;

	while (thread_describe(before, &info))
		before++;
	EXPECT(t, !thread_start("nowhere", MAX_CPUS, note_place, NULL));
	EXPECT(t, !thread_start("nowhere", ~(u32)0, note_place, NULL));
	while (thread_describe(after, &info))
		after++;
	EXPECT_EQ(t, after, before);
}

/* ---- In turn ------------------------------------------------------------------------------- */

/* Threads of one CPU that write down who runs. */
struct turns {
	struct completion go;
	u32 nr;
	char who[64];
};

struct player {
	struct turns *turns;
	char name;
	struct thread *thread;
};

static void take_turns(void *arg)
{
	struct player *player = arg;
	struct turns *turns = player->turns;

	wait_for_completion(&turns->go, LONG_NS);
	/* One CPU, and no preemption while one writes. */
	for (u32 i = 0; i < 5; i++) {
		preempt_disable();
		turns->who[turns->nr++] = player->name;
		preempt_enable();
		thread_yield();
	}
}

/* Those that wait become runnable in the order of waiting. All on this CPU. */
static bool play(struct ktest *t, struct turns *turns)
{
	struct player players[3] = {{turns, 'a', NULL}, {turns, 'b', NULL}, {turns, 'c', NULL}};

	memset(turns, 0, sizeof(*turns));
	completion_init(&turns->go, "turns");
	for (u32 i = 0; i < 3; i++) {
		players[i].thread =
			thread_start("player", smp_processor_id(), take_turns, &players[i]);
		if (!EXPECT(t, players[i].thread != NULL))
			return false;
		thread_sleep_ns(2 * TICK_NS); /* it waits, before the next one does */
	}
	preempt_disable();
	for (u32 i = 0; i < 3; i++)
		complete(&turns->go);
	EXPECT_EQ(t, turns->nr, 0); /* woken, but this thread keeps the CPU */
	preempt_enable();
	for (u32 i = 0; i < 3; i++)
		thread_join(players[i].thread);
	EXPECT_EQ(t, turns->nr, 15);
	return true;
}

/* A tick gives a turn away once more, so not every game is a clean one. */
static void yield_is_round_robin(struct ktest *t)
{
	static struct turns turns;
	bool clean = false;

	for (u32 game = 0; game < 8 && !clean; game++) {
		if (!play(t, &turns))
			return;
		clean = strcmp(turns.who, "abcabcabcabcabc") == 0;
		ktest_note(t, "%s", turns.who);
	}
	EXPECT(t, clean);
}

/* Woken at once, not by the next tick. */
static void an_idle_cpu_is_told(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		u64 before = load_relaxed(&cpu_area(cpu)->irqs[CPU_IRQ_RESCHEDULE]);
		struct place place;

		if (cpu == smp_processor_id())
			continue;
		for (u32 i = 0; i < 5; i++) {
			struct thread *thread = thread_start("told", cpu, note_place, &place);

			ASSERT_TRUE(t, thread != NULL);
			thread_join(thread);
		}
		EXPECT(t, load_relaxed(&cpu_area(cpu)->irqs[CPU_IRQ_RESCHEDULE]) > before);
	}
	EXPECT(t, nr_cpus_online() > 0);
}

struct spinner {
	u64 turns; /* atomic */
	bool stop; /* atomic */
};

static void spin(void *arg)
{
	struct spinner *spinner = arg;

	/* Relaxed: a figure, and a request that may be late. */
	while (!load_relaxed(&spinner->stop)) {
		__atomic_fetch_add(&spinner->turns, 1, __ATOMIC_RELAXED);
		cpu_relax();
	}
}

/* Neither ever gives the CPU away. */
static void who_does_not_yield_is_preempted(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct spinner a = {0}, b = {0};
		struct thread *first = thread_start("spin a", cpu, spin, &a);
		struct thread *second = thread_start("spin b", cpu, spin, &b);
		u64 limit_ns = time_since_entry_ns() + LONG_NS;
		u64 runs;

		ASSERT_TRUE(t, first && second);
		while ((load_relaxed(&first->runs) < 4 || load_relaxed(&second->runs) < 4) &&
		       time_since_entry_ns() < limit_ns)
			thread_sleep_ns(TICK_NS);
		runs = MIN(first->runs, second->runs);
		store_relaxed(&a.stop, true);
		store_relaxed(&b.stop, true);
		thread_join(first);
		thread_join(second);
		EXPECT_MSG(t, runs >= 4, "CPU %u: switched to %llu times", cpu,
			   (unsigned long long)runs);
		EXPECT(t, a.turns > 0 && b.turns > 0);
	}
}

struct waiter_flag {
	struct completion go;
	bool ran; /* atomic */
};

static void wait_and_set(void *arg)
{
	struct waiter_flag *flag = arg;

	wait_for_completion(&flag->go, OS_WAIT_FOREVER);
	store_release(&flag->ran, true);
}

static struct thread *start_waiting(struct waiter_flag *flag, u32 cpu)
{
	struct thread *thread;
	struct thread_info info = {.state = THREAD_RUNNABLE};

	flag->ran = false;
	completion_init(&flag->go, "go");
	thread = thread_start("waits", cpu, wait_and_set, flag);
	while (thread && info.state != THREAD_SLEEPING) {
		thread_sleep_ns(TICK_NS);
		for (u32 i = 0; thread_describe(i, &info) && info.id != thread->id; i++)
			;
	}
	return thread;
}

/* The ticks want a switch, the first preempt_enable() makes it. */
static void preemption_waits_for_who_disables_it(struct ktest *t)
{
	struct waiter_flag flag;
	struct thread *thread = start_waiting(&flag, smp_processor_id());
	u64 ticks, runs;

	ASSERT_TRUE(t, thread != NULL);
	preempt_disable();
	complete(&flag.go);
	/* Relaxed: this CPU's interrupt counts. */
	ticks = load_relaxed(&this_cpu()->heartbeat);
	while (load_relaxed(&this_cpu()->heartbeat) < ticks + 3)
		cpu_relax();
	EXPECT(t, !load_acquire(&flag.ran));
	runs = load_relaxed(&thread->runs);
	preempt_enable();
	/* Switched to: how far it comes before the next tick is not said. */
	EXPECT(t, load_relaxed(&thread->runs) > runs);
	thread_join(thread);
	EXPECT(t, load_acquire(&flag.ran));
}

/* ---- Sleep ---------------------------------------------------------------------------------- */

static void sleep_lasts(struct ktest *t)
{
	static const u64 ns[] = {0, 1, NS_PER_MS, 25 * NS_PER_MS};

	for (u32 i = 0; i < ARRAY_SIZE(ns); i++) {
		u64 start_ns = time_since_entry_ns();

		thread_sleep_ns(ns[i]);
		EXPECT(t, time_since_entry_ns() - start_ns >= ns[i]);
	}
}

#define NR_SLEEPERS 6

struct sleeper {
	u64 ns, earliest_ns;
	u64 woke_ns; /* atomic; 0: not yet */
	struct thread *thread;
};

static void sleep_once(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->earliest_ns = time_since_entry_ns() + sleeper->ns;
	thread_sleep_ns(sleeper->ns);
	store_release(&sleeper->woke_ns, time_since_entry_ns());
}

/* Until this CPU's next tick is over. */
static void let_a_tick_pass(void)
{
	u64 ticks = load_relaxed(&this_cpu()->heartbeat);

	while (load_relaxed(&this_cpu()->heartbeat) == ticks)
		thread_yield();
}

/* How many were due before a tick, and slept on after it: by the deadlines that the scheduler has. On this CPU. */
static u32 sleep_through_a_tick(const struct sleeper *sleepers)
{
	u64 deadline_ns[NR_SLEEPERS], now_ns = time_since_entry_ns();
	u32 nr = 0;

	for (u32 i = 0; i < NR_SLEEPERS; i++)
		deadline_ns[i] = load_relaxed(&sleepers[i].thread->deadline_ns);
	let_a_tick_pass();
	for (u32 i = 0; i < NR_SLEEPERS; i++)
		nr += deadline_ns[i] && deadline_ns[i] <= now_ns &&
		      load_relaxed(&sleepers[i].thread->deadline_ns) == deadline_ns[i];
	return nr;
}

static bool all_woke(const struct sleeper *sleepers)
{
	u32 nr = 0;

	for (u32 i = 0; i < NR_SLEEPERS; i++)
		nr += load_acquire(&sleepers[i].woke_ns) != 0;
	return nr == NR_SLEEPERS;
}

/* The list of sleepers is sorted whatever order they come in. */
static void sleepers_wake_in_time(struct ktest *t)
{
	static const u64 ms[NR_SLEEPERS] = {70, 20, 50, 20, 90, 40};
	struct sleeper sleepers[NR_SLEEPERS] = {{0}};
	u32 overslept = 0;

	for (u32 i = 0; i < NR_SLEEPERS; i++) {
		sleepers[i].ns = ms[i] * NS_PER_MS;
		sleepers[i].thread =
			thread_start("sleeper", smp_processor_id(), sleep_once, &sleepers[i]);
		ASSERT_TRUE(t, sleepers[i].thread != NULL);
	}
	while (!all_woke(sleepers))
		overslept += sleep_through_a_tick(sleepers);
	EXPECT_EQ(t, overslept, 0);
	for (u32 i = 0; i < NR_SLEEPERS; i++) {
		thread_join(sleepers[i].thread);
		EXPECT(t, sleepers[i].woke_ns >= sleepers[i].earliest_ns);
	}
}

/* In the midst of it: THREAD-3. To look at all memory may take longer than they sleep. */
static void check_looks_at_sleepers(struct ktest *t)
{
	static const u64 ms[] = {70, 20, 50};
	struct sleeper sleepers[ARRAY_SIZE(ms)] = {{0}};
	struct check_report report = {0};

	for (u32 i = 0; i < ARRAY_SIZE(ms); i++) {
		sleepers[i].ns = ms[i] * NS_PER_MS;
		sleepers[i].thread =
			thread_start("sleeper", smp_processor_id(), sleep_once, &sleepers[i]);
		ASSERT_TRUE(t, sleepers[i].thread != NULL);
	}
	thread_sleep_ns(5 * NS_PER_MS);
	EXPECT(t, kernel_check(&report));
	for (u32 i = 0; i < ARRAY_SIZE(ms); i++)
		thread_join(sleepers[i].thread);
}

/* ---- What `check` finds --------------------------------------------------------------------- */

static bool check_says(const char *id)
{
	struct check_report report = {0};

	return !kernel_check(&report) && strncmp(report.first, id, strlen(id)) == 0;
}

/* Each break is repaired at once; the thread sleeps for ever meanwhile. */
static void check_finds_broken_threads(struct ktest *t)
{
	struct waiter_flag flag;
	struct thread *thread = start_waiting(&flag, smp_processor_id());
	struct check_report report = {0};

	ASSERT_TRUE(t, thread != NULL);
	EXPECT(t, kernel_check(&report));

	thread->state = THREAD_RUNNABLE;
	EXPECT(t, check_says("THREAD-1"));
	thread->state = THREAD_RUNNING;
	EXPECT(t, check_says("THREAD-2"));
	thread->state = THREAD_SLEEPING;
	thread->deadline_ns = 1;
	EXPECT(t, check_says("THREAD-3"));
	thread->deadline_ns = 0;
	*thread->canary ^= 1;
	EXPECT(t, check_says("THREAD-4"));
	*thread->canary ^= 1;
	if (node_memory_mask() != NODE_BIT(0)) {
		os_current()->mems_allowed =
			NODE_BIT(0); /* behind the back of who keeps the word */
		EXPECT(t, check_says("THREAD-5"));
		os_current()->mems_allowed = ~(nodemask_t)0;
	}
	EXPECT(t, kernel_check(&report));
	complete(&flag.go);
	thread_join(thread);
}

static const struct ktest_case cases[] = {
	KTEST(a_thread_runs_on_its_cpu),
	KTEST(tasks_are_inherited),
	KTEST(who_cannot_be_started_is_not),
	KTEST(yield_is_round_robin),
	KTEST(an_idle_cpu_is_told),
	KTEST_SLOW(who_does_not_yield_is_preempted, 240), /* of 64 CPUs each for eight ticks */
	KTEST(preemption_waits_for_who_disables_it),
	KTEST(sleep_lasts),
	KTEST(sleepers_wake_in_time),
	KTEST(check_looks_at_sleepers),
	KTEST(check_finds_broken_threads),
};
KTEST_SUITE(threads, cases);
