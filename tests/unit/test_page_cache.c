/*
 * The page cache and its device on the host: tests/cache/, with a thread that is the device's interrupt. It
 * comes more often than a tick does, and each time its clock has moved by as much as one: a delay takes as many
 * interrupts as in the kernel, and less time.
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/errno.h>
#include <mm/os_task.h>
#include <mm/page.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <unistd.h>

#include "../cache/cache_cases.h"
#include "../cache/evict.h"
#include "../stress/pause.h"

#define TICK_NS     10000000ull
#define INTERVAL_US 200
#define ALL_CPUS    0xf
#define CLOCKS_CPU  4 /* a CPU of its own, from which it interrupts CPU 0 */

static const struct host_machine machine = {
	.ram = {{0, MiB(16), 0}, {MiB(16), MiB(16), 1}},
	.nr_nodes = 2,
	.nr_cpus = CLOCKS_CPU + 1,
	.cpu_nid = {0, 0, 1, 1, 1},
};

static bool stop; /* atomic */

static void tick(void *arg)
{
	u64 *now_ns = arg;

	*now_ns += TICK_NS;
	netblk_interrupt(*now_ns);
}

static void be_the_clock(void *arg)
{
	u64 now_ns = 0;

	(void)arg;
	while (!load_relaxed(&stop)) {
		host_interrupt(0, tick, &now_ns);
		usleep(INTERVAL_US);
	}
}

static struct os_thread *start_clock(struct ktest *t)
{
	struct os_thread *clock;

	host_machine_boot(&machine);
	page_cache_init();
	store_relaxed(&stop, false);
	clock = os_thread_start("clock", CLOCKS_CPU, be_the_clock, NULL);
	EXPECT(t, clock != NULL);
	return clock;
}

static void stop_clock(struct ktest *t, struct os_thread *clock)
{
	store_relaxed(&stop, true);
	os_thread_join(clock);
	expect_check_clean(t);
}

static void with_clock(struct ktest *t, void (*body)(struct ktest *t))
{
	struct os_thread *clock = start_clock(t);
	u64 before = cache_free_pages();

	body(t);
	EXPECT_EQ(t, cache_free_pages(), before);
	stop_clock(t, clock);
}

static void with_clock_on(struct ktest *t, void (*body)(struct ktest *t, u64 cpus))
{
	struct os_thread *clock = start_clock(t);
	u64 before = cache_free_pages();

	body(t, ALL_CPUS);
	EXPECT_EQ(t, cache_free_pages(), before);
	stop_clock(t, clock);
}

#define CASE(name)                           \
	static void name(struct ktest *t)    \
	{                                    \
		with_clock(t, cache_##name); \
	}
#define CASE_ON_ALL(name)                       \
	static void name(struct ktest *t)       \
	{                                       \
		with_clock_on(t, cache_##name); \
	}

CACHE_CASES(CASE)
CACHE_CASES_ON_ALL(CASE_ON_ALL)

/* --- Looked at while the device is at work --------------------------------------------------------- */

#define LOOKED_AT_PAGES  1500
#define LOOKED_AT_ROUNDS 150

static u32 begun, ended; /* atomic: rounds */

static void end_a_write_each_round(void *arg)
{
	u64 now_ns = 0;

	(void)arg;
	for (u32 round = 1; round <= LOOKED_AT_ROUNDS; round++) {
		while (load_acquire(&begun) != round)
			cpu_relax();
		while (device_counts().in_flight > 0)
			host_interrupt(0, tick, &now_ns);
		store_release(&ended, round);
	}
}

/* Again and again a write ends while pages are counted: that is no damage. */
static void a_write_may_end_meanwhile(struct ktest *t)
{
	struct os_thread *ender;
	struct cache_file *file;

	host_machine_boot(&machine);
	page_cache_init();
	file = make_file(t, LOOKED_AT_PAGES);
	ASSERT_TRUE(t, file != NULL);
	read_all(t, file);
	begun = ended = 0;
	ender = os_thread_start("ender", CLOCKS_CPU, end_a_write_each_round, NULL);
	for (u32 round = 1; round <= LOOKED_AT_ROUNDS; round++) {
		EXPECT_EQ(t, cache_write(file, round, GFP_KERNEL), 0);
		EXPECT_EQ(t, evict_index(file, round, true), LRU_WRITING);
		store_release(&begun, round);
		do
			EXPECT_EQ(t, cache_findings(4), 0); /* CACHE-5 */
		while (load_acquire(&ended) != round);
	}
	os_thread_join(ender);
	EXPECT_EQ(t, cache_counts(file).written, LOOKED_AT_ROUNDS);
	destroy_file(t, file);
}

/* Here the words can be read, too. */
static void lost_write_is_seen(struct ktest *t)
{
	with_clock(t, cache_lost_write_is_seen);
	EXPECT(t, host_log_contains("page 0 of 'a file': expected version 1, found page 0 of 'a "
				    "file', version 0"));
}

static void scribble_is_seen(struct ktest *t)
{
	with_clock(t, cache_scribble_is_seen);
	EXPECT(t, host_log_contains("page 4 of 'a file': expected version 0, corrupted from byte "
				    "0x800 on"));
}

/*
 * A file of twice the memory, every page written, then every page read: direct reclaim alone, no kswapd, and
 * a device that loses one packet of ten. Each page is evicted, dirty first, and comes back.
 *
 *	memory  |xxxxxxxxxx|
 *	file    |xxxxxxxxxxxxxxxxxxxxx|  written, from left to right; then read
 */
static void more_than_memory(struct ktest *t)
{
	struct os_thread *clock = start_clock(t);
	struct netblk_options options = device_options();
	u64 before = cache_free_pages(), nr_pages = before * 2, wrong = 0;
	struct cache_file *file = make_file(t, nr_pages);

	ASSERT_TRUE(t, file != NULL);
	options.lost_permille = 100;
	device_is(t, &options);
	for (u64 i = 0; i < nr_pages; i++)
		wrong += cache_write(file, i, GFP_KERNEL) != 0;
	for (u64 i = 0; i < nr_pages; i++)
		wrong += cache_read(file, i, GFP_KERNEL) != 0;
	EXPECT_EQ(t, wrong, 0);
	EXPECT_EQ(t, cache_counts(file).wrong, 0);
	EXPECT(t, cache_counts(file).evicted > nr_pages);
	EXPECT(t, cache_counts(file).written > nr_pages / 2);
	EXPECT(t, device_counts().resent > 0);
	ktest_note(t, "%llu pages free, %llu written, %llu evicted, %llu refaults, %llu dropped",
		   (unsigned long long)before, (unsigned long long)cache_counts(file).written,
		   (unsigned long long)cache_counts(file).evicted,
		   (unsigned long long)cache_counts(file).refaults,
		   (unsigned long long)device_counts().acks_dropped);
	destroy_file(t, file);
	EXPECT_EQ(t, cache_free_pages(), before);
	stop_clock(t, clock);
}

/*
 * The same without a bound of the device, and for a time without the device. Reclaim puts no more into packets than
 * leaves a page for acknowledgements. A request fails, with a report, and does not hang; once the device is
 * back each write ends, none for want of memory later than it had to, and requests are served again.
 *
 *	memory  |dirty dirty dirty dirty|pkt|   |   free: what interrupts may have
 */
static void packets_leave_some_of_the_reserve(struct ktest *t)
{
	struct os_thread *clock = start_clock(t);
	struct netblk_options options = device_options();
	u64 before = cache_free_pages(), nr_pages = before * 3, i = 0;
	struct cache_file *file = make_file(t, nr_pages);
	int err = 0;

	ASSERT_TRUE(t, file != NULL);
	options.max_in_flight = 0;
	options.lost_permille = 100;
	device_is(t, &options);
	netblk_unplug(true); /* or the device may just keep up */
	while (!err && i < nr_pages)
		err = cache_write(file, i++, GFP_KERNEL);
	netblk_unplug(false);
	EXPECT_EQ(t, err, -ENOMEM);
	EXPECT(t, host_log_contains("Out of memory"));
	for (u32 n = 0; n < PATIENCE && device_counts().in_flight > 0; n++)
		pause_ns(MS);
	EXPECT_EQ(t, device_counts().in_flight, 0);
	EXPECT_EQ(t, device_counts().acks_dropped, 0);
	EXPECT_EQ(t, cache_write(file, i, GFP_KERNEL), 0);
	ktest_note(t, "%llu pages free; after %llu writes %llu packets held, %llu dropped",
		   (unsigned long long)before, (unsigned long long)i,
		   (unsigned long long)device_counts().packet_pages,
		   (unsigned long long)device_counts().acks_dropped);
	destroy_file(t, file);
	EXPECT_EQ(t, cache_free_pages(), before);
	stop_clock(t, clock);
}

/* --- A file's end without memory ----------------------------------------------------------------------- */

/* More than is kept from interrupts. */
#define CLEAN_PAGES 400

/* The reserve, too. Linked by their first words. */
static void **take_every_page(void)
{
	void **last = NULL;
	struct page *page;

	kmem_cache_shrink_all();
	drain_all_pages();
	while ((page = alloc_pages(GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOWARN, 0))) {
		void **first = page_address(page);

		*first = last;
		last = first;
	}
	return last;
}

static void give_back(void **page)
{
	while (page) {
		void **next = *page;

		free_pages(page, 0);
		page = next;
	}
}

/*
 * A write is under way whose acknowledgement found no page, and there is none for another packet. The file's end drops
 * first what needs no write: that is the memory by which the write ends.
 */
static void a_files_end_makes_room(struct ktest *t)
{
	struct os_thread *clock = start_clock(t);
	u64 before = cache_free_pages();
	struct cache_file *file = make_file(t, 1 + CLEAN_PAGES);
	struct netblk_snapshot at;
	void **taken;

	ASSERT_TRUE(t, file != NULL);
	for (u64 i = 0; i <= CLEAN_PAGES; i++)
		EXPECT_EQ(t, i ? cache_read(file, i, GFP_KERNEL) : cache_write(file, i, GFP_KERNEL),
			  0);
	netblk_unplug(true);
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_WRITING);
	taken = take_every_page();
	at = device_counts();
	netblk_unplug(false);
	for (u32 n = 0; n < PATIENCE && device_counts().acks_dropped == at.acks_dropped; n++)
		pause_ns(MS);
	EXPECT(t, device_counts().acks_dropped > at.acks_dropped);
	EXPECT_EQ(t, cache_file_destroy(file, 10000 * MS), 0);
	EXPECT(t, device_counts().resent > at.resent);
	give_back(taken);
	EXPECT_EQ(t, cache_free_pages(), before);
	stop_clock(t, clock);
}

static const struct ktest_case cases[] = {
	KTEST(reads_are_verified),
	KTEST(evicted_comes_back),
	KTEST(written_comes_back),
	KTEST(written_while_being_written),
	KTEST(in_use_is_not_evicted),
	KTEST(lost_write_is_seen),
	KTEST(scribble_is_seen),
	KTEST(scribble_is_not_stored),
	KTEST(pinned_stays),
	KTEST(busy_page_is_said),
	KTEST(never_filled_is_evicted),
	KTEST(files_come_and_go),
	KTEST(every_failure_is_clean),
	KTEST(refused_write_stays_dirty),
	KTEST(losses_are_made_good),
	KTEST(acknowledgements_need_memory),
	KTEST(resends_end),
	KTEST(waits_are_bounded),
	KTEST(device_is_bounded),
	KTEST(packets_are_checked),
	KTEST(payloads_are_copied),
	KTEST(a_write_may_end_meanwhile),
	KTEST(device_refuses_nonsense),
	KTEST_SLOW(all_at_once, 180),
	KTEST_SLOW(destroyed_under_reclaim, 180),
	KTEST_SLOW(first_files_at_once, 180),
	KTEST_SLOW(more_than_memory, 180),
	KTEST(a_files_end_makes_room),
	KTEST_SLOW(packets_leave_some_of_the_reserve, 180),
};
KTEST_SUITE(page_cache, cases);
