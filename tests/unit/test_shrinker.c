/*
 * Shrinkers: pressed in proportion, to the object; what is deferred; busy ones; coming and going while others
 * press.
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <mm/os_task.h>
#include <mm/vmstat.h>

#include "mm/rate_limit.h"
#include "mm/shrinker.h"

#define NR_CPUS 4

static const struct host_machine four_cpus = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(32), 1}},
	.nr_nodes = 2,
	.nr_cpus = NR_CPUS,
	.cpu_nid = {0, 0, 1, 1},
};

struct cache {
	struct shrinker shrinker;
	u64 objects[2]; /* by node */
	u64 calls, most, asked;
	bool busy;
};

static u64 count(struct shrinker *shrinker, int nid)
{
	return container_of(shrinker, struct cache, shrinker)->objects[nid];
}

static u64 scan(struct shrinker *shrinker, int nid, u64 nr)
{
	struct cache *cache = container_of(shrinker, struct cache, shrinker);
	u64 got = MIN(nr, cache->objects[nid]);

	if (cache->busy)
		return SHRINK_STOP;
	cache->calls++;
	cache->asked += nr;
	cache->most = MAX(cache->most, nr);
	cache->objects[nid] -= got;
	return got;
}

static void add(struct cache *cache, const char *name, u64 objects, u32 seeks, u32 batch)
{
	*cache = (struct cache){
		.shrinker = {.name = name,
			     .count = count,
			     .scan = scan,
			     .seeks = seeks,
			     .batch = batch},
		.objects = {objects, objects},
	};
	shrinker_register(&cache->shrinker);
}

static u64 shrink(int nid, u64 scanned, u64 total)
{
	bool passed_by = false;

	return shrink_caches(nid, scanned, total, &passed_by);
}

/* --- Proportion --------------------------------------------------------------------------------- */

/* A tenth of the pages was looked at: two tenths of the objects at 2 seeks, half a tenth at 8. */
static void pressed_in_proportion(struct ktest *t)
{
	struct cache large, small, dear;

	host_machine_boot(&four_cpus);
	add(&large, "large", 10000, 2, 1);
	add(&small, "small", 1000, 2, 1);
	add(&dear, "dear", 10000, 8, 1);
	EXPECT_EQ(t, shrink(0, 100, 999), 2000 + 200 + 500);
	EXPECT_EQ(t, large.objects[0], 8000);
	EXPECT_EQ(t, small.objects[0], 800);
	EXPECT_EQ(t, dear.objects[0], 9500);
	EXPECT_EQ(t, large.objects[1] + small.objects[1] + dear.objects[1], 21000);
	EXPECT_EQ(t, vmstat_read(VMSTAT_SLABS_SCANNED), 2700);
	expect_check_clean(t);
}

/* Linux's arithmetic, in numbers that 64 bits times 64 bits do not hold. */
static void large_figures_do_not_overflow(struct ktest *t)
{
	struct cache cache;

	host_machine_boot(&four_cpus);
	add(&cache, "many", (u64)1 << 40, 4, 1u << 31);
	/* A quarter of the pages, at twice the default's cost. */
	EXPECT_EQ(t, shrink(0, (u64)1 << 34, ((u64)1 << 36) - 1), (u64)1 << 38);
	EXPECT_EQ(t, shrink(1, (u64)1 << 40, 0), 0); /* of nothing, nothing was looked at */
}

static void in_batches(struct ktest *t)
{
	struct cache cache;
	struct shrinker_snapshot snapshot;

	host_machine_boot(&four_cpus);
	add(&cache, "batches", 10000, 2, 0);
	EXPECT_EQ(t, shrink(0, 500, 9999), 7 * 128);
	EXPECT_EQ(t, cache.calls, 7);
	EXPECT_EQ(t, cache.most, 128);
	ASSERT_TRUE(t, shrinker_snapshot(0, &snapshot));
	EXPECT_EQ(t, snapshot.scanned, 7 * 128);
	EXPECT_EQ(t, snapshot.freed, 7 * 128);
	EXPECT_EQ(t, snapshot.deferred, 1000 - 7 * 128);
	EXPECT(t, !shrinker_snapshot(1, &snapshot));
}

/* --- Deferred ----------------------------------------------------------------------------------- */

/* 50 a pass, and a call at 128: what is small comes to as much in the end. By node. */
static void deferred_pressure_is_exerted_later(struct ktest *t)
{
	struct cache cache;

	host_machine_boot(&four_cpus);
	add(&cache, "deferred", 10000, 2, 128);
	EXPECT_EQ(t, shrink(0, 25, 9999), 0);
	EXPECT_EQ(t, shrink(0, 25, 9999), 0);
	EXPECT_EQ(t, shrink(1, 25, 9999), 0); /* another node's */
	EXPECT_EQ(t, load_relaxed(&cache.shrinker.deferred[0]), 100);
	EXPECT_EQ(t, load_relaxed(&cache.shrinker.deferred[1]), 50);
	EXPECT_EQ(t, shrink(0, 25, 9999), 128);
	EXPECT_EQ(t, load_relaxed(&cache.shrinker.deferred[0]), 22);
}

static void few_are_asked_for_at_once(struct ktest *t)
{
	struct cache cache;

	host_machine_boot(&four_cpus);
	add(&cache, "few", 5, 2, 128);
	EXPECT_EQ(t, shrink(0, 100, 999), 0); /* 1 is due */
	EXPECT_EQ(t, shrink(0, 999, 999), 5);
	EXPECT_EQ(t, cache.calls, 1);
	EXPECT_EQ(t, shrink(0, 999, 999), 0);
	EXPECT_EQ(t, cache.calls, 1);
}

/* Busy for long: not emptied more than once over for it. */
static void a_busy_one_is_asked_again(struct ktest *t)
{
	struct cache cache;

	host_machine_boot(&four_cpus);
	add(&cache, "busy", 1000, 2, 10);
	cache.busy = true;
	for (u32 i = 0; i < 100; i++)
		EXPECT_EQ(t, shrink(0, 100, 999), 0);
	EXPECT_EQ(t, load_relaxed(&cache.shrinker.deferred[0]), 2000);
	EXPECT_EQ(t, vmstat_read(VMSTAT_SLABS_SCANNED), 0);
	cache.busy = false;
	cache.objects[0] = 1000;
	EXPECT_EQ(t, shrink(0, 0, 999), 1000);
	EXPECT_EQ(t, cache.asked, 2000);
	EXPECT_EQ(t, load_relaxed(&cache.shrinker.deferred[0]), 0);
	expect_check_clean(t);
}

/* Who could not ask a cache is told so: there may be much that is not freed. */
static void who_passes_one_by_knows(struct ktest *t)
{
	struct cache cache;
	bool passed_by = false;

	host_machine_boot(&four_cpus);
	add(&cache, "busy", 1000, 2, 10);
	EXPECT_EQ(t, shrink_caches(0, 100, 999, &passed_by), 200);
	EXPECT(t, !passed_by);
	cache.busy = true;
	EXPECT_EQ(t, shrink_caches(0, 100, 999, &passed_by), 0);
	EXPECT(t, passed_by);
	cache.busy = false;
	/* It is not forgotten. */
	EXPECT_EQ(t, shrink_caches(1, 100, 999, &passed_by), 200);
	EXPECT(t, passed_by);
}

/* --- Coming and going ------------------------------------------------------------------------------ */

static bool inside, may_go, gone; /* atomic */

static void hold_the_list(void *arg)
{
	(void)arg;
	spin_lock(&shrinker_list.lock);
	store_release(&inside, true);
	while (!load_acquire(&may_go))
		cpu_relax();
	spin_unlock(&shrinker_list.lock);
}

static void the_list_is_not_queued_for(struct ktest *t)
{
	struct os_thread *holder;
	struct cache cache;
	bool passed_by = false;

	host_machine_boot(&four_cpus);
	add(&cache, "behind the lock", 1000, 2, 10);
	holder = os_thread_start("holder", 1, hold_the_list, NULL);
	while (!load_acquire(&inside))
		cpu_relax();
	EXPECT_EQ(t, shrink_caches(0, 100, 999, &passed_by), 0);
	EXPECT(t, passed_by);
	store_release(&may_go, true);
	os_thread_join(holder);
	EXPECT_EQ(t, shrink(0, 100, 999), 200);
}

static u64 scan_until_told(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	store_release(&inside, true);
	while (!load_acquire(&may_go))
		cpu_relax();
	return nr;
}

static struct cache slow, after;

static void press(void *arg)
{
	(void)arg;
	shrink(0, 999, 999);
}

static void leave(void *arg)
{
	shrinker_unregister(&((struct cache *)arg)->shrinker);
	store_release(&gone, true);
}

static void it_leaves_when_nobody_is_inside(struct ktest *t)
{
	struct os_thread *walker, *leaver;
	u64 sleeps, begin;

	host_machine_boot(&four_cpus);
	add(&slow, "slow", 10, 2, 100);
	add(&after, "after", 10, 2, 100);
	slow.shrinker.scan = scan_until_told;
	walker = os_thread_start("walker", 1, press, NULL);
	while (!load_acquire(&inside))
		cpu_relax();
	sleeps = host_sleeps();
	leaver = os_thread_start("leaver", 2, leave, &slow);
	while (host_sleeps() == sleeps && !load_acquire(&gone))
		cpu_relax();
	/* Who comes now goes by, and does not wait. */
	EXPECT_EQ(t, shrink(0, 999, 999), 10);
	EXPECT_EQ(t, after.asked, 19);
	begin = arch_timestamp_to_ns(arch_timestamp());
	while (!host_log_contains("slow cannot go: somebody is inside") && !load_acquire(&gone) &&
	       arch_timestamp_to_ns(arch_timestamp()) - begin < 20000000000ull)
		cpu_relax();
	EXPECT(t, host_log_contains("slow cannot go: somebody is inside"));
	EXPECT(t, !load_acquire(&gone));
	store_release(&may_go, true);
	os_thread_join(leaver);
	os_thread_join(walker);
	EXPECT(t, load_acquire(&gone));
	EXPECT_EQ(t, after.shrinker.nr_running, 0);
	expect_check_clean(t);
}

#define PASSES 300

static u64 shared_objects = 100000000; /* atomic */

static u64 count_shared(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	return load_relaxed(&shared_objects);
}

static u64 scan_shared(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	/* Relaxed: a count. */
	__atomic_fetch_sub(&shared_objects, nr, __ATOMIC_RELAXED);
	return nr;
}

static struct shrinker shared = {
	.name = "shared", .count = count_shared, .scan = scan_shared, .seeks = 2, .batch = 1000};

static u64 none(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	return 0;
}

static void press_and_come_and_go(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < PASSES; i++) {
		struct shrinker own = {.name = "own", .count = none, .scan = scan, .seeks = 2};

		shrinker_register(&own);
		/* Who finds the list's lock taken goes by: until it was heard, at most so often. */
		for (u32 tries = 0; tries < 1000 && shrink(0, 1, 9999) == 0; tries++)
			cpu_relax();
		shrinker_unregister(&own);
		own.count = NULL; /* nobody is inside, nor on the way */
	}
}

static void on_all_cpus(struct ktest *t)
{
	struct os_thread *thread[NR_CPUS];

	host_machine_boot(&four_cpus);
	shrinker_register(&shared);
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++)
		thread[cpu] = os_thread_start("press", cpu, press_and_come_and_go, NULL);
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++)
		os_thread_join(thread[cpu]);
	EXPECT_EQ(t, shared.nr_freed, 100000000 - shared_objects);
	EXPECT(t, shared.nr_freed > PASSES * 1000);
	EXPECT_EQ(t, vmstat_read(VMSTAT_SLABS_SCANNED), shared.nr_freed);
	EXPECT_EQ(t, shared.nr_running, 0);
	expect_check_clean(t);
}

static void register_half(void *arg)
{
	struct cache cache;

	(void)arg;
	add(&cache, "half", 1, 0, 0);
}

/* More than a walker keeps at a time: each is pressed once. */
static void many_are_all_pressed(struct ktest *t)
{
	static struct cache cache[35];

	host_machine_boot(&four_cpus);
	for (u32 i = 0; i < ARRAY_SIZE(cache); i++)
		add(&cache[i], "one of many", 1000, 2, 1);
	EXPECT_EQ(t, shrink(0, 100, 999), 35 * 200);
	for (u32 i = 0; i < ARRAY_SIZE(cache); i++)
		EXPECT_EQ(t, cache[i].objects[0], 800);
	for (u32 i = 0; i < ARRAY_SIZE(cache); i++)
		shrinker_unregister(&cache[i].shrinker);
	EXPECT_EQ(t, shrink(0, 100, 999), 0);
	expect_check_clean(t);
}

static void half_a_shrinker_is_refused(struct ktest *t)
{
	expect_panic(t, register_half, NULL, "a shrinker without name, functions or seeks");
}

/* --- The limit of reports ----------------------------------------------------------------------------- */

static void so_many_in_so_long(struct ktest *t)
{
	struct rate_limit limit = {.burst = 3, .interval_ns = ~(u64)0 >> 1};
	struct rate_limit quick = {.burst = 1, .interval_ns = 1};
	u64 held_back = 99;

	for (u32 i = 0; i < 3; i++) {
		EXPECT(t, rate_limit_pass(&limit, &held_back));
		EXPECT_EQ(t, held_back, 0);
	}
	for (u32 i = 0; i < 100; i++)
		EXPECT(t, !rate_limit_pass(&limit, &held_back));
	limit.interval_ns = 1; /* a new time */
	EXPECT(t, rate_limit_pass(&limit, &held_back));
	EXPECT_EQ(t, held_back, 100);
	EXPECT(t, rate_limit_pass(&quick, &held_back));
	EXPECT_EQ(t, held_back, 0);
}

static const struct ktest_case cases[] = {
	KTEST(pressed_in_proportion),
	KTEST(large_figures_do_not_overflow),
	KTEST(in_batches),
	KTEST(deferred_pressure_is_exerted_later),
	KTEST(few_are_asked_for_at_once),
	KTEST(a_busy_one_is_asked_again),
	KTEST(who_passes_one_by_knows),
	KTEST(the_list_is_not_queued_for),
	KTEST(it_leaves_when_nobody_is_inside),
	KTEST(on_all_cpus),
	KTEST(many_are_all_pressed),
	KTEST(half_a_shrinker_is_refused),
	KTEST(so_many_in_so_long),
};
KTEST_SUITE(shrinker, cases);
