/*
 * The page cache under loads: what stays, what goes, and that nothing that is read is wrong.
 *
 * Each has a room of its own, of M pages (room.c): ten times as much passes in seconds.
 *
 * One thread reads and writes, beside kswapd: many CPUs of a guest wait for each other's locks while the host runs
 * others. All CPUs do where that is the point.
 *
 * Each case counts what reclaim did meanwhile: a hot set that stays because nothing was reclaimed proves nothing.
 */
#include <base/string.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <kernel/top.h>
#include <kernel/workload.h>
#include <mm/inspect.h>
#include <mm/reclaim.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "room.h"

#define SMALL_PAGES (MiB(16) >> PAGE_SHIFT)

static void begin(struct ktest *t, struct room *room)
{
	room_begin(t, room, SMALL_PAGES);
}

static u64 reclaimed_so_far(void)
{
	struct reclaim_snapshot r;
	u64 sum = 0;
	int nid;

	for_each_node(nid)
		if (reclaim_snapshot(nid, &r))
			sum += r.reclaimed[RECLAIM_KSWAPD] + r.reclaimed[RECLAIM_DIRECT];
	return sum;
}

static u64 pages_there(struct cache_file *file)
{
	u64 nr = 0;

	for (u64 i = 0; i < cache_file_pages(file); i++)
		nr += cache_has(file, i);
	return nr;
}

/* --- What stays ---------------------------------------------------------------------------------- */

static void a_hot_set_survives_a_scan(struct ktest *t)
{
	struct cache_file *scan, *hot;
	struct workload_result r;
	struct room room;
	u64 reclaimed;

	begin(t, &room);
	scan = cache_file_create("scan", 2 * room.pages + room.slack, t->seed);
	hot = cache_file_create("hot", room.pages / 2, t->seed + 1);
	reclaimed = reclaimed_so_far();
	if (EXPECT(t, scan && hot)) {
		room_run(t,
			 &(struct workload){.kind = WORKLOAD_HOT,
					    .file = scan,
					    .hot_file = hot,
					    .nr_ops = 10 * room.pages,
					    .seed = t->seed,
					    .nr_threads = 1,
					    .gfp = GFP_KERNEL,
					    .timeout_ns = LIMIT_NS},
			 &r);
		ktest_note(t, "%llu pages: %llu of %llu reads hit, %llu ms", ULL(room.pages),
			   ULL(r.hot_hits), ULL(r.hot_reads), ULL(r.ran_ns / 1000000));
		EXPECT_EQ(t, r.hot_reads, 10 * room.pages);
		EXPECT_MSG(t, r.hot_hits * 10 >= r.hot_reads * 9, "only %llu of %llu reads hit",
			   ULL(r.hot_hits), ULL(r.hot_reads));
		/* What passed had to go again, but for what fits. */
		EXPECT(t, reclaimed_so_far() - reclaimed + room.slack >= 8 * room.pages);
	}
	room_drop_file(t, scan);
	room_drop_file(t, hot);
	room_end(t, &room);
}

static void read_all(struct ktest *t, struct cache_file *file, u64 nr_ops)
{
	struct workload_result r;

	room_run(t,
		 &(struct workload){.kind = WORKLOAD_FILL,
				    .file = file,
				    .nr_ops = nr_ops,
				    .nr_threads = 1,
				    .gfp = GFP_KERNEL,
				    .timeout_ns = LIMIT_NS},
		 &r);
	EXPECT_EQ(t, r.reads, nr_ops);
}

/*
 *	| hot M/4 | cold M/2       |  new M/2 ...          hot was read twice, cold and new once
 *	                         M ^
 *
 * And as many new ones beyond as may be read before kswapd begins. So at least M/4 go, and those are cold ones,
 * since they are the oldest that were read once.
 */
static void cold_goes_before_hot(struct ktest *t)
{
	struct cache_file *hot, *cold, *fresh;
	struct room room;
	u64 reclaimed;

	room_begin_on_one_node(t, &room, SMALL_PAGES);
	hot = cache_file_create("hot", room.pages / 4, t->seed);
	cold = cache_file_create("cold", room.pages / 2, t->seed + 1);
	fresh = cache_file_create("new", room.pages / 2 + room.slack, t->seed + 2);
	reclaimed = reclaimed_so_far();
	if (EXPECT(t, hot && cold && fresh)) {
		u64 nr_hot = room.pages / 4, nr_cold = room.pages / 2;

		read_all(t, hot, 2 * nr_hot);
		read_all(t, cold, nr_cold);
		read_all(t, hot, nr_hot);
		read_all(t, fresh, room.pages / 2 + room.slack);
		ktest_note(t, "of %llu hot pages %llu are there, of %llu cold ones %llu",
			   ULL(nr_hot), ULL(pages_there(hot)), ULL(nr_cold),
			   ULL(pages_there(cold)));
		EXPECT(t, pages_there(hot) * 100 >= nr_hot * 98);
		EXPECT(t, pages_there(cold) * 10 <= nr_cold * 8);
		EXPECT(t, reclaimed_so_far() > reclaimed);
	}
	room_drop_file(t, hot);
	room_drop_file(t, cold);
	room_drop_file(t, fresh);
	room_end(t, &room);
}

/* A share is shown where something was looked at, and nowhere else in a frame is a percent sign. */
static bool top_shows_reclaim(void)
{
	static char frame[40 * 200];
	struct screen screen;

	screen_start(&screen, frame, sizeof(frame), false);
	top_frame(&screen, 40, 1000);
	return strchr(frame, '%') != NULL;
}

/* As soon as every kswapd is asleep, which may be a while after the last request. */
static bool top_comes_to_show_none(void)
{
	u32 frames = 0;

	while (top_shows_reclaim()) {
		if (++frames == 1000)
			return false;
		thread_sleep_ns(10000000);
	}
	return true;
}

static void top_shows_what_is_now(struct ktest *t)
{
	struct cache_file *file;
	struct room room;

	begin(t, &room);
	file = cache_file_create("shown", 2 * room.pages + room.slack, t->seed);
	top_begin();
	EXPECT(t, top_comes_to_show_none());
	if (EXPECT(t, file != NULL)) {
		read_all(t, file, 2 * room.pages + room.slack);
		EXPECT(t, top_shows_reclaim());
		EXPECT(t, top_comes_to_show_none());
	}
	room_drop_file(t, file);
	room_end(t, &room);
}

/* --- What is read ------------------------------------------------------------------------------- */

/* Every CPU reads and writes a file that is twice what fits. */
static void all_cpus_at_once(struct ktest *t)
{
	struct cache_snapshot cache = {0};
	struct workload_result r;
	struct cache_file *file;
	struct room room;
	u64 ops;

	begin(t, &room);
	ops = 2 * (room.pages + room.slack);
	file = cache_file_create("mixed", ops, t->seed);
	if (EXPECT(t, file != NULL)) {
		room_run(t,
			 &(struct workload){.kind = WORKLOAD_MIXED,
					    .file = file,
					    .nr_ops = ops,
					    .seed = t->seed,
					    .gfp = GFP_KERNEL,
					    .timeout_ns = LIMIT_NS},
			 &r);
		cache_snapshot(file, &cache);
		EXPECT_EQ(t, r.reads + r.writes + r.no_memory, ops);
		EXPECT(t, r.writes > r.reads / 4 && r.writes < r.reads);
		EXPECT_EQ(t, r.nr_threads, nr_cpus_online());
		EXPECT(t, cache.verified >= r.reads);
		EXPECT(t, cache.evicted >= room.pages / 4 && cache.written > 0);
		EXPECT_EQ(t, cache.wrong, 0);
	}
	room_drop_file(t, file);
	room_end(t, &room);
}

/* The load's own test: what the cache says is wrong is counted, and once. */
static void a_lost_write_is_seen(struct ktest *t)
{
	struct workload w = {.kind = WORKLOAD_FILL, .gfp = GFP_KERNEL, .timeout_ns = LIMIT_NS};
	struct cache_file *file, *scan;
	struct workload_result r;
	struct room room;

	room_begin_on_one_node(t, &room, SMALL_PAGES);
	file = cache_file_create("lossy", 64, t->seed);
	scan = cache_file_create("scan", 2 * room.pages + room.slack, t->seed);
	if (EXPECT(t, file && scan)) {
		w.file = file;
		w.nr_ops = 64;
		w.nr_threads = 1;
		w.dirty = true;
		cache_lose_next_write(file);
		room_run(t, &w, &r);
		EXPECT_EQ(t, r.writes, 64);
		EXPECT_EQ(t, cache_sync(file, LIMIT_NS), 0);
		/* Out of memory with it, so that it must be read again. */
		read_all(t, scan, 2 * room.pages + room.slack);
		EXPECT_EQ(t, pages_there(file), 0);
		w.dirty = false;
		EXPECT_EQ(t, workload_run(&w, &r), 0);
		EXPECT_EQ(t, r.wrong, 1);
		EXPECT_EQ(t, r.reads, 63);
	}
	room_drop_file(t, file);
	room_drop_file(t, scan);
	room_end(t, &room);
}

/* --- When it ends ------------------------------------------------------------------------------- */

static bool after_ten(void *arg)
{
	return ++*(u32 *)arg > 10;
}

static void it_ends_when_it_shall(struct ktest *t)
{
	struct cache_file *file;
	struct workload w = {.kind = WORKLOAD_READ, .gfp = GFP_KERNEL};
	struct workload_result r;
	struct vm_totals totals;
	struct room room;
	u32 asked = 0;

	begin(t, &room);
	file = cache_file_create("endless", room.pages, t->seed);
	if (EXPECT(t, file != NULL)) {
		for (w.nr_threads = 0; w.nr_threads < 2; w.nr_threads++) {
			w.file = file;
			w.timeout_ns = 100000000;
			EXPECT_EQ(t, workload_run(&w, &r), 0);
			EXPECT(t, r.timed_out && !r.stopped && r.reads > 0);
			EXPECT(t, r.ran_ns >= w.timeout_ns && r.ran_ns < LIMIT_NS);
			w.timeout_ns = LIMIT_NS;
			w.stopped = after_ten;
			w.arg = &asked;
			asked = 0;
			EXPECT_EQ(t, workload_run(&w, &r), 0);
			EXPECT(t, r.stopped && !r.timed_out && r.reads > 0);
			w.stopped = NULL;
		}
		room_drop_file(t, file);
		file = cache_file_create("until", room.pages, t->seed);
		room_settle(); /* the first file went to CPUs' lists: pages from there leave as many free */
		vm_totals(&totals);
		w.kind = WORKLOAD_FILL;
		w.nr_threads = 1; /* looks by operations; of others somebody looks by the clock */
		w.file = file;
		w.until_free_pages = totals.free_pages - room.pages / 4;
		EXPECT_EQ(t, workload_run(&w, &r), 0);
		EXPECT(t, !r.stopped && !r.timed_out && r.reads >= room.pages / 8 &&
				  r.reads < room.pages);
	}
	room_drop_file(t, file);
	room_end(t, &room);
}

/* The same seed, the same draws: of one thread the same pages are there afterwards. From one node, where none is reclaimed. */
static void a_seed_fixes_the_draws(struct ktest *t)
{
	struct cache_file *file[3];
	struct workload_result r;
	struct room room;
	u32 alike[2] = {0};

	room_begin_on_one_node(t, &room, SMALL_PAGES);
	for (u32 i = 0; i < 3; i++) {
		file[i] = cache_file_create("drawn", 1024, t->seed);
		if (EXPECT(t, file[i] != NULL))
			room_run(t,
				 &(struct workload){.kind = WORKLOAD_READ,
						    .file = file[i],
						    .nr_ops = 64,
						    .seed = t->seed + i / 2,
						    .nr_threads = 1,
						    .gfp = GFP_KERNEL,
						    .timeout_ns = LIMIT_NS},
				 &r);
	}
	for (u64 page = 0; file[2] && page < 1024; page++)
		for (u32 i = 0; i < 2; i++)
			alike[i] += cache_has(file[i], page) == cache_has(file[i + 1], page);
	EXPECT_EQ(t, alike[0], 1024);
	EXPECT(t, alike[1] < 1024);
	for (u32 i = 0; i < 3; i++)
		room_drop_file(t, file[i]);
	room_end(t, &room);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(it_ends_when_it_shall, 120),     KTEST_SLOW(a_seed_fixes_the_draws, 120),
	KTEST_SLOW(cold_goes_before_hot, 120),      KTEST_SLOW(top_shows_what_is_now, 120),
	KTEST_SLOW(a_hot_set_survives_a_scan, 180), KTEST_SLOW(all_cpus_at_once, 180),
	KTEST_SLOW(a_lost_write_is_seen, 120),
};
KTEST_SUITE(workload, cases);
