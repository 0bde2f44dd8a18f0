/*
 * What the page cache and its device must do: the same bodies in the kernel (tests/kernel/test_page_cache.c) and
 * on the host (tests/unit/test_page_cache.c). Each leaves no file, no page and the device as it was.
 *
 * Listed once, here; each suite's table has their order and limits, and the compiler names one that it forgets.
 */
#ifndef TESTS_CACHE_CASES_H
#define TESTS_CACHE_CASES_H

#include <kernel/netblk.h>
#include <kernel/page_cache.h>
#include <kernel/test.h>

/* cache_cases.c: pages and versions; cache_device_cases.c: losses, delays, no memory. */
#define CACHE_CASES(CASE)                  \
	CASE(reads_are_verified)           \
	CASE(evicted_comes_back)           \
	CASE(written_comes_back)           \
	CASE(written_while_being_written)  \
	CASE(in_use_is_not_evicted)        \
	CASE(scribble_is_not_stored)       \
	CASE(pinned_stays)                 \
	CASE(busy_page_is_said)            \
	CASE(never_filled_is_evicted)      \
	CASE(files_come_and_go)            \
	CASE(every_failure_is_clean)       \
	CASE(refused_write_stays_dirty)    \
	CASE(losses_are_made_good)         \
	CASE(acknowledgements_need_memory) \
	CASE(resends_end)                  \
	CASE(waits_are_bounded)            \
	CASE(device_is_bounded)            \
	CASE(packets_are_checked)          \
	CASE(payloads_are_copied)          \
	CASE(device_refuses_nonsense)

/* cache_cases.c: what they leave in the log the host reads, too. */
#define CACHE_CASES_BY_LOG(CASE) \
	CASE(lost_write_is_seen) \
	CASE(scribble_is_seen)

/* cache_race_cases.c: on all CPUs that `cpus` says. */
#define CACHE_CASES_ON_ALL(CASE)      \
	CASE(all_at_once)             \
	CASE(destroyed_under_reclaim) \
	CASE(first_files_at_once)

#define DECLARE(name)        void cache_##name(struct ktest *t);
#define DECLARE_ON_ALL(name) void cache_##name(struct ktest *t, u64 cpus);
CACHE_CASES(DECLARE)
CACHE_CASES_BY_LOG(DECLARE)
CACHE_CASES_ON_ALL(DECLARE_ON_ALL)
#undef DECLARE
#undef DECLARE_ON_ALL

/* --- Between these files ---------------------------------------------------------------------------- */

#define WRITE_NS 60000000000ull /* whoever waits so long waits for ever */
#define MS       1000000ull

struct cache_snapshot cache_counts(const struct cache_file *file);
struct netblk_snapshot device_counts(void);
/* As it is by default, but for what the caller changes then. */
struct netblk_options device_options(void);
/* Nothing is under way: by these. */
void device_is(struct ktest *t, const struct netblk_options *options);
struct cache_file *make_file(struct ktest *t, u64 nr_pages);
/* And the device is as by default, with nothing held; check finds nothing. */
void destroy_file(struct ktest *t, struct cache_file *file);
void read_all(struct ktest *t, struct cache_file *file);
void write_all(struct ktest *t, struct cache_file *file);
/* How many findings have the invariants of cache and device, by the i-th of theirs. */
u32 cache_findings(u32 i);
u32 netblk_findings(u32 i);
/* Of all zones, those on CPUs' lists included: as many afterwards as before. */
u64 cache_free_pages(void);
/* Rounds of waiting a millisecond, or a tick: what has not come after so many does not come. */
#define PATIENCE 2000u

#endif
