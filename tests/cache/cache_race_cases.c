/*
 * What the page cache must do with all CPUs at it: see cache_cases.h. Each thread draws what it does from the
 * seed and its number; how that interleaves is the machine's.
 */
#include "cache_cases.h"

#include <base/atomic.h>
#include <base/errno.h>
#include <mm/os_task.h>

#include "../../kernel/cache/content.h"
#include "../stress/pause.h"
#include "evict.h"

#define MAX_THREADS 16
#define NR_PAGES    128
#define ROUNDS      1500

struct race {
	struct cache_file *file;
	u64 seed;
	u32 nr_threads;
	u32 numbers;    /* atomic: the next thread's */
	u32 unexpected; /* atomic: answers that are none of those that may be */
	bool stop;      /* atomic */
};

static void expect_answer(struct race *race, int err, bool good)
{
	(void)err;
	/* Relaxed: read when the threads have ended. */
	if (!good)
		__atomic_fetch_add(&race->unexpected, 1, __ATOMIC_RELAXED);
}

/* Reads and writes anything; evicts what is oldest, as a reclaimer would; now and then what may not sleep. */
static void do_anything(struct race *race, u64 draw)
{
	u64 index = (draw >> 8) % NR_PAGES;
	int err = 0;

	switch (draw % 16) {
	case 0:
	case 1:
		evict_oldest(8, draw & 32);
		break;
	case 2:
		err = cache_read(race->file, index, GFP_NOWAIT);
		expect_answer(race, err, err == 0 || err == -EAGAIN || err == -ENOMEM);
		break;
	case 3:
		err = cache_pin(race->file, index, GFP_KERNEL);
		expect_answer(race, err, err == 0 || err == -EBUSY);
		if (!err)
			err = cache_unpin(race->file, index);
		expect_answer(race, err, err == 0 || err == -EBUSY);
		break;
	case 4:
	case 5:
	case 6:
		err = cache_write(race->file, index, GFP_KERNEL);
		expect_answer(race, err, err == 0);
		break;
	default:
		err = cache_read(race->file, index, GFP_KERNEL);
		expect_answer(race, err, err == 0);
	}
}

static void take_part(void *arg)
{
	struct race *race = arg;
	/* Relaxed: only that they differ. */
	u64 number = __atomic_fetch_add(&race->numbers, 1, __ATOMIC_RELAXED);
	u64 draw = content_mix(race->seed) ^ number;

	for (u32 i = 0; i < ROUNDS / race->nr_threads + 20; i++) {
		draw = content_mix(draw);
		do_anything(race, draw >> 8);
	}
	if (number == 0)
		expect_answer(race, 0, cache_sync(race->file, WRITE_NS) == 0);
}

/* fn on each of these CPUs, and waits for all; then, or meanwhile, `beside` on this one. */
static void run_on(struct ktest *t, u64 cpus, struct race *race, void (*fn)(void *arg),
		   void (*beside)(struct ktest *t, struct race *race))
{
	struct os_thread *thread[MAX_THREADS];
	u32 nr = 0;

	race->nr_threads = 0;
	for (u32 cpu = 0; cpu < 64; cpu++)
		race->nr_threads += cpus >> cpu & 1;
	race->nr_threads = MIN(race->nr_threads, (u32)MAX_THREADS);
	for (u32 cpu = 0; cpu < 64 && nr < race->nr_threads; cpu++) {
		if (!(cpus >> cpu & 1))
			continue;
		thread[nr] = os_thread_start("cache race", cpu, fn, race);
		if (EXPECT(t, thread[nr] != NULL))
			nr++;
		else
			break;
	}
	if (beside)
		beside(t, race);
	for (u32 i = 0; i < nr; i++)
		os_thread_join(thread[i]);
	EXPECT_EQ(t, race->unexpected, 0);
}

void cache_all_at_once(struct ktest *t, u64 cpus)
{
	struct race race = {.seed = t->seed, .file = make_file(t, NR_PAGES)};
	struct netblk_options options = device_options();
	struct cache_snapshot s;

	ASSERT_TRUE(t, race.file != NULL);
	options.seed = t->seed;
	options.lost_permille = 200;
	options.max_in_flight = 40;
	options.resend_after_ns = 20 * MS;
	device_is(t, &options);
	/* A host that runs one CPU at a time may need some more for everything to come. */
	for (u32 i = 0; i < 8 && (i == 0 || s.evicted == 0 || s.written == 0); i++) {
		race.seed += 1000;
		run_on(t, cpus, &race, take_part, NULL);
		s = cache_counts(race.file);
	}
	EXPECT(t, s.evicted > 0 && s.refaults > 0 && s.written > 0 && s.hits > 0);
	EXPECT_EQ(t, s.wrong, 0);
	ktest_note(t,
		   "seed %llu: %llu hits, %llu misses, %llu evicted, %llu busy, %llu written, %llu "
		   "verified",
		   (unsigned long long)t->seed, (unsigned long long)s.hits,
		   (unsigned long long)s.misses, (unsigned long long)s.evicted,
		   (unsigned long long)s.evict_busy, (unsigned long long)s.written,
		   (unsigned long long)s.verified);
	EXPECT_EQ(t, cache_sync(race.file, WRITE_NS), 0);
	for (u64 i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(t, cache_read(race.file, i, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_counts(race.file).wrong, 0);
	destroy_file(t, race.file);
}

static void reclaim_until_told(void *arg)
{
	struct race *race = arg;

	/* Relaxed: soon is enough. Who destroys shares a CPU with one of these. */
	for (u32 i = 1; !load_relaxed(&race->stop); i++) {
		evict_oldest(8, true);
		if (i % 16 == 0)
			pause_ns(MS);
	}
}

static void make_and_destroy(struct ktest *t, struct race *race)
{
	for (u32 i = 0; i < 10; i++) {
		struct cache_file *file = make_file(t, 40);

		if (!file)
			break;
		for (u64 at = 0; at < 40; at++)
			EXPECT_EQ(t,
				  at % 2 ? cache_write(file, at, GFP_KERNEL)
					 : cache_read(file, at, GFP_KERNEL),
				  0);
		EXPECT_EQ(t, cache_counts(file).wrong, 0);
		EXPECT_EQ(t, cache_file_destroy(file, WRITE_NS), 0);
	}
	store_relaxed(&race->stop, true); /* relaxed: as above */
}

/* Files end while their pages are isolated, written and evicted by others. */
void cache_destroyed_under_reclaim(struct ktest *t, u64 cpus)
{
	struct race race = {.seed = t->seed};
	struct netblk_snapshot before = device_counts(), after;

	run_on(t, cpus, &race, reclaim_until_told, make_and_destroy);
	after = device_counts();
	EXPECT_EQ(t, after.in_flight, 0);
	EXPECT_EQ(t, after.completed - before.completed, after.submitted - before.submitted);
	EXPECT_EQ(t, cache_counts(NULL).pages, 0);
	for (u32 i = 0; i < NR_CACHE_INVARIANTS; i++)
		EXPECT_MSG(t, cache_findings(i) == 0, "CACHE-%u is broken", i + 1);
}

static void be_first_and_last(void *arg)
{
	struct race *race = arg;

	for (u32 i = 0; i < 20; i++) {
		struct cache_file *file = cache_file_create("first", 2, i);

		expect_answer(race, 0, file != NULL);
		if (!file)
			return;
		expect_answer(race, 0, cache_write(file, 1, GFP_KERNEL) == 0);
		expect_answer(race, 0, cache_read(file, 1, GFP_KERNEL) == 0);
		expect_answer(race, 0, cache_file_destroy(file, WRITE_NS) == 0);
	}
}

/* The index is made by whoever comes first, and taken down by whoever is last. */
void cache_first_files_at_once(struct ktest *t, u64 cpus)
{
	struct race race = {.seed = t->seed};

	run_on(t, cpus, &race, be_first_and_last, NULL);
	EXPECT_EQ(t, cache_counts(NULL).pages, 0);
}
