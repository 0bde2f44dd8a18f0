/*
 * The page cache and its device in the kernel: tests/cache/, with the device's interrupt where it belongs, and
 * as many pages free afterwards as before.
 */
#include <kernel/thread.h>
#include <x86/smp.h>

#include "../cache/cache_cases.h"

static u64 free_pages_now(void)
{
	threads_release_spares();
	return cache_free_pages();
}

static void all_come_back(struct ktest *t, void (*body)(struct ktest *t))
{
	u64 before = free_pages_now();

	body(t);
	EXPECT_EQ(t, free_pages_now(), before);
}

static u64 all_cpus(void)
{
	u64 cpus = 0;
	u32 cpu;

	for_each_online_cpu(cpu)
		cpus |= (u64)1 << cpu;
	return cpus;
}

/* Threads leave something for the next ones; the first time it is not there yet. */
static void all_come_back_of(struct ktest *t, void (*body)(struct ktest *t, u64 cpus))
{
	u64 before;

	body(t, all_cpus());
	before = free_pages_now();
	body(t, all_cpus());
	EXPECT_EQ(t, free_pages_now(), before);
}

#define CASE(name)                              \
	static void name(struct ktest *t)       \
	{                                       \
		all_come_back(t, cache_##name); \
	}
#define CASE_ON_ALL(name)                          \
	static void name(struct ktest *t)          \
	{                                          \
		all_come_back_of(t, cache_##name); \
	}

CACHE_CASES(CASE)
CACHE_CASES_BY_LOG(CASE)
CACHE_CASES_ON_ALL(CASE_ON_ALL)

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
	KTEST_SLOW(losses_are_made_good, 180),
	KTEST_SLOW(acknowledgements_need_memory, 180),
	KTEST(resends_end),
	KTEST(waits_are_bounded),
	KTEST(device_is_bounded),
	KTEST(packets_are_checked),
	KTEST(payloads_are_copied),
	KTEST(device_refuses_nonsense),
	KTEST_SLOW(all_at_once, 180),
	KTEST_SLOW(destroyed_under_reclaim, 180),
	KTEST_SLOW(first_files_at_once, 180),
};
KTEST_SUITE(page_cache, cases);
