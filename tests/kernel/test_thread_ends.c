/*
 * The end of threads: who joins them goes on, and what they had is the next one's or the allocator's.
 */
#include <base/atomic.h>
#include <kernel/sync.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/inspect.h>
#include <mm/numa.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/slab_inspect.h>
#include <x86/cpu_area.h>
#include <x86/smp.h>

#include "../stress/pages_back.h"

static void nothing(void *arg)
{
	(void)arg;
}

/* ---- Joining -------------------------------------------------------------------------------- */

struct joins {
	u32 nr, within_a_tick;
};

static void join_on_the_same_cpu(void *arg)
{
	struct joins *joins = arg;

	for (u32 i = 0; i < 20; i++) {
		struct thread *thread = thread_start("short", smp_processor_id(), nothing, NULL);
		u64 ticks = load_relaxed(&this_cpu()->heartbeat);

		if (!thread)
			return;
		thread_join(thread);
		joins->nr++;
		joins->within_a_tick += load_relaxed(&this_cpu()->heartbeat) == ticks;
	}
}

/*
 * The last to run ends, the CPU switches to its idle thread, and there the joiner is woken: it must
 * run then, and not after the tick. Those that a tick hits by chance are few.
 */
static void who_joins_on_an_idle_cpu_goes_on_at_once(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct joins joins = {0};
		struct thread *thread = thread_start("joins", cpu, join_on_the_same_cpu, &joins);

		ASSERT_TRUE(t, thread != NULL);
		thread_join(thread);
		EXPECT_EQ(t, joins.nr, 20);
		EXPECT_MSG(t, joins.within_a_tick >= 10, "CPU %u: %u of 20 within a tick", cpu,
			   joins.within_a_tick);
	}
}

/* ---- What they leave ------------------------------------------------------------------------- */

static u64 free_pages_in_all(void)
{
	struct zone_snapshot zone;
	u64 pages = 0;

	threads_release_spares();
	pages_settle();
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		for (int type = 0; type < MAX_NR_ZONES; type++)
			if (zone_snapshot(nid, (enum zone_type)type, &zone))
				pages += zone.free_pages;
	return pages;
}

/* What of its cache is in use: one that is forgotten costs no page, where its slab has others. */
static u64 threads_in_all(void)
{
	struct kmem_cache *cache = slab_cache_get("thread");
	struct slab_cache_snapshot s;

	threads_release_spares();
	kmem_cache_shrink(cache); /* what CPUs keep counts as used */
	slab_cache_snapshot(cache, &s);
	slab_cache_put(cache);
	return s.active_objects;
}

/* Page tables of the stack window stay, so each CPU has a first round. */
static void what_ends_leaves_nothing(struct ktest *t)
{
	u64 before = 0;

	for (u32 round = 0; round < 3; round++) {
		u32 cpu;

		for_each_online_cpu(cpu) {
			struct thread *thread = thread_start("short", cpu, nothing, NULL);

			ASSERT_TRUE(t, thread != NULL);
			thread_join(thread);
		}
		if (round > 0)
			EXPECT_EQ(t, free_pages_in_all(), before);
		before = free_pages_in_all();
	}
}

static void wait(void *arg)
{
	wait_for_completion(arg, OS_WAIT_FOREVER);
}

#define CROWD 47 /* leaves more spares than go at once */

/* Many at once; the slots of the stack window are used again. */
static void a_crowd_comes_and_goes(struct ktest *t)
{
	static struct thread *crowd[CROWD];
	struct completion go;
	u32 nr = 0, cpu = 0;
	u64 before;

	completion_init(&go, "crowd");
	before = free_pages_in_all();
	while (nr < CROWD && (crowd[nr] = thread_start("crowd", cpu, wait, &go))) {
		nr++;
		do
			cpu = (cpu + 1) % MAX_CPUS;
		while (!cpu_online(cpu));
	}
	EXPECT(t, nr > 10); /* a machine of 32 MiB has no memory for more */
	for (u32 i = 0; i < nr; i++)
		complete(&go);
	for (u32 i = 0; i < nr; i++)
		thread_join(crowd[i]);
	ktest_note(t, "%u threads, %u spares", nr, threads_nr_spares());
	threads_release_spares();
	EXPECT_EQ(t, threads_nr_spares(), 0);
	/* But for tables that the window has come to need. */
	EXPECT(t, free_pages_in_all() <= before && free_pages_in_all() + 16 >= before);
}

/* So few, as each release interrupts all CPUs, and the host may run two of them. */
#define NR_CREWS   8
#define CREW_JOINS 4

struct crew {
	u32 cpu, ended;
	struct thread *thread;
};

static void join_one_by_one(void *arg)
{
	struct crew *crew = arg;

	for (u32 i = 0; i < CREW_JOINS; i++) {
		struct thread *thread = thread_start("one", crew->cpu, nothing, NULL);

		if (!thread)
			return;
		thread_join(thread);
		crew->ended++;
	}
}

/* Threads of many CPUs join others at the same time: what is too much goes back whoever comes last. */
static void many_join_at_once(struct ktest *t)
{
	struct crew crews[NR_CREWS] = {{0}};
	u32 cpu = 0;

	for (u32 i = 0; i < NR_CREWS; i++) {
		crews[i].cpu = cpu;
		crews[i].thread = thread_start("crew", cpu, join_one_by_one, &crews[i]);
		ASSERT_TRUE(t, crews[i].thread != NULL);
		do
			cpu = (cpu + 1) % MAX_CPUS;
		while (!cpu_online(cpu));
	}
	for (u32 i = 0; i < NR_CREWS; i++) {
		thread_join(crews[i].thread);
		EXPECT_EQ(t, crews[i].ended, CREW_JOINS);
	}
	EXPECT(t, threads_nr_spares() < 16);
	threads_release_spares();
	EXPECT_EQ(t, threads_nr_spares(), 0);
}

static u64 shootdowns_here(u32 cpu)
{
	return load_relaxed(&cpu_area(cpu)->irqs[CPU_IRQ_SHOOTDOWN]);
}

/* A thread that has ended is the next one, and nobody is interrupted for it. */
static void spares_are_used_again(struct ktest *t)
{
	u32 cpu, last = 0;
	struct thread *first;
	u64 before;

	for_each_online_cpu(cpu)
		last = cpu;
	threads_release_spares();
	EXPECT_EQ(t, threads_nr_spares(), 0);
	first = thread_start("first", last, nothing, NULL);
	ASSERT_TRUE(t, first != NULL);
	thread_join(first);
	EXPECT_EQ(t, threads_nr_spares(), 1);
	before = shootdowns_here(last);
	for (u32 i = 0; i < 20; i++) {
		struct thread *next = thread_start("next", last, nothing, NULL);

		ASSERT_TRUE(t, next != NULL);
		EXPECT(t, next == first);
		thread_join(next);
	}
	EXPECT_EQ(t, shootdowns_here(last), before);
	EXPECT_EQ(t, threads_nr_spares(), 1);
	threads_release_spares();
	EXPECT_EQ(t, shootdowns_here(last), before + (last != smp_processor_id()));
}

/* ---- Who has nothing to start with ----------------------------------------------------------- */

/* Stands in the block's first bytes. */
struct taken {
	struct taken *next;
	unsigned int order;
};

#define MOST_PAGES (GiB(4) >> PAGE_SHIFT)

/* All blocks of that order that there are for the asking. */
static struct taken *take_all(unsigned int order, struct taken *list)
{
	struct taken *taken;

	while ((taken = get_free_pages(GFP_KERNEL | __GFP_NOWARN, order))) {
		*taken = (struct taken){list, order};
		list = taken;
	}
	return list;
}

/* First there is no block for its stack, then not even a page. */
static void without_memory_there_is_no_thread(struct ktest *t)
{
	u64 before = free_pages_in_all(), threads = threads_in_all(), failed = 0;
	struct taken *list = NULL, *next;
	struct completion go;

	if (before > MOST_PAGES)
		SKIP(t, "not with so much memory: it would take minutes");
	completion_init(&go, "no memory");
	for (unsigned int order = MAX_ORDER + 1; order-- > 0;) {
		list = take_all(order, list);
		if (order == 3 || order == 0)
			failed += thread_start("hopeless", smp_processor_id(), wait, &go) == NULL;
	}
	for (; list; list = next) {
		next = list->next;
		free_pages(list, list->order);
	}
	EXPECT_EQ(t, failed, 2);
	EXPECT_EQ(t, free_pages_in_all(), before);
	EXPECT_EQ(t, threads_in_all(), threads);
}

static const struct ktest_case cases[] = {
	KTEST(who_joins_on_an_idle_cpu_goes_on_at_once),
	KTEST(what_ends_leaves_nothing),
	KTEST(a_crowd_comes_and_goes),
	KTEST(many_join_at_once),
	KTEST(spares_are_used_again),
	KTEST(without_memory_there_is_no_thread),
};
KTEST_SUITE(thread_ends, cases);
