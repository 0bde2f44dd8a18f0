/*
 * Shrinkers in the kernel: the stacks of threads that have ended, and proportion, on the machine that booted.
 */
#include <base/atomic.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/numa.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "../../mm/shrinker.h"

static u64 shrink(int nid, u64 scanned, u64 total)
{
	bool passed_by = false;

	return shrink_caches(nid, scanned, total, &passed_by);
}

/* --- Spare stacks ------------------------------------------------------------------------------------ */

#define SPARES 6

static void nothing(void *arg)
{
	(void)arg;
}

/* All pressure there is, on the node of CPU 0: of `total` pages all were looked at. */
static void spare_stacks_are_given_back(struct ktest *t)
{
	int nid = cpu_to_node(0);
	struct thread *thread[SPARES];
	u64 pages, scanned, freed;

	threads_release_spares();
	pages = threads_stack_pages();
	for (u32 i = 0; i < SPARES; i++)
		thread[i] = thread_start("spare", 0, nothing, NULL);
	for (u32 i = 0; i < SPARES; i++) {
		ASSERT_TRUE(t, thread[i] != NULL);
		thread_join(thread[i]);
	}
	EXPECT_EQ(t, threads_nr_spares(), SPARES);
	scanned = vmstat_read(VMSTAT_SLABS_SCANNED);
	freed = shrink(nid, 1, 1000000); /* next to nothing: it is not worth a call */
	EXPECT_EQ(t, threads_nr_spares(), SPARES - freed);
	for (u32 i = 0; i < 8 && threads_nr_spares() > 0; i++)
		freed += shrink(nid, 1000, 1000);
	EXPECT_EQ(t, threads_nr_spares(), 0);
	EXPECT(t, freed >= SPARES);
	EXPECT(t, vmstat_read(VMSTAT_SLABS_SCANNED) - scanned >= SPARES);
	EXPECT_EQ(t, threads_stack_pages(), pages);
}

/* --- Proportion ---------------------------------------------------------------------------------------- */

struct cache {
	struct shrinker shrinker;
	u64 objects, calls; /* atomic */
};

static u64 count_objects(struct shrinker *shrinker, int nid)
{
	return nid == 0 ? load_relaxed(&container_of(shrinker, struct cache, shrinker)->objects)
			: 0;
}

/* By the test's own threads alone, which press by turns. */
static u64 free_objects(struct shrinker *shrinker, int nid, u64 nr)
{
	struct cache *cache = container_of(shrinker, struct cache, shrinker);

	(void)nid;
	nr = MIN(nr, cache->objects);
	cache->objects -= nr;
	cache->calls++;
	return nr;
}

static void pressed_in_proportion(struct ktest *t)
{
	static struct cache large = {.shrinker = {.name = "test large",
						  .count = count_objects,
						  .scan = free_objects,
						  .seeks = 2,
						  .batch = 1}},
			    small = {.shrinker = {.name = "test small",
						  .count = count_objects,
						  .scan = free_objects,
						  .seeks = 8,
						  .batch = 1}};

	large.objects = 10000;
	small.objects = 1000;
	shrinker_register(&large.shrinker);
	shrinker_register(&small.shrinker);
	shrink(0, 100, 999);
	EXPECT_EQ(t, large.objects, 10000 - 2000);
	EXPECT_EQ(t, small.objects, 1000 - 50);
	shrinker_unregister(&large.shrinker);
	shrinker_unregister(&small.shrinker);
	shrink(0, 999, 999);
	EXPECT_EQ(t, large.objects + small.objects, 8950);
	threads_release_spares();
}

/* --- All CPUs ------------------------------------------------------------------------------------------- */

#define PASSES      30
#define MOST_PASSES 1000000

static struct cache shared;
static u64 freed_in_all; /* atomic */

static u64 free_shared(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	/* Relaxed: counts. */
	__atomic_fetch_sub(&shared.objects, nr, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared.calls, 1, __ATOMIC_RELAXED);
	return nr;
}

/* How much it freed. */
static u64 press_once(void)
{
	u64 freed = shrink(0, 1, 9999);

	/* Relaxed: a count. */
	__atomic_fetch_add(&freed_in_all, freed, __ATOMIC_RELAXED);
	return freed;
}

/*
 * Who finds the list's lock taken leaves the caches to others. While all come and go, and hand the lock to each other,
 * that may be every time; so each goes on pressing until it was heard, which is at last when it is alone.
 */
static void press_and_come_and_go(void *arg)
{
	struct cache own = {.shrinker = {.name = "test own",
					 .count = count_objects,
					 .scan = free_objects,
					 .seeks = 2}};
	u64 freed = 0;

	(void)arg;
	for (u32 i = 0; i < PASSES; i++) {
		shrinker_register(&own.shrinker);
		freed += press_once();
		shrinker_unregister(&own.shrinker);
	}
	for (u32 i = 0; i < MOST_PASSES && freed == 0; i++) {
		thread_yield();
		freed = press_once();
	}
}

/* Each pass is due a five-thousandth of what is left; so many are left that it is never nothing. */
static void on_all_cpus(struct ktest *t)
{
	struct thread *thread[MAX_CPUS] = {0};
	u32 cpu, nr = 0;

	threads_release_spares();
	shared = (struct cache){.shrinker = {.name = "test shared",
					     .count = count_objects,
					     .scan = free_shared,
					     .seeks = 2},
				.objects = 100000000};
	freed_in_all = 0;
	shrinker_register(&shared.shrinker);
	for_each_online_cpu(cpu) {
		thread[cpu] = thread_start("press", cpu, press_and_come_and_go, NULL);
		EXPECT(t, thread[cpu] != NULL);
	}
	for_each_online_cpu(cpu) {
		if (thread[cpu]) {
			thread_join(thread[cpu]);
			nr++;
		}
	}
	EXPECT_EQ(t, shared.objects, 100000000 - shared.shrinker.nr_freed);
	EXPECT(t, shared.shrinker.nr_freed > 0);
	EXPECT(t, freed_in_all >= shared.shrinker.nr_freed);
	ktest_note(t, "%u CPUs: %llu calls, %llu objects", nr, (unsigned long long)shared.calls,
		   (unsigned long long)shared.shrinker.nr_freed);
	shrinker_unregister(&shared.shrinker);
	threads_release_spares();
}

static const struct ktest_case cases[] = {
	KTEST(spare_stacks_are_given_back),
	KTEST(pressed_in_proportion),
	KTEST_SLOW(on_all_cpus, 120),
};
KTEST_SUITE(shrinker, cases);
