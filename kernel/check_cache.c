/*
 * Executing the invariants of the page cache and its device: those of <kernel/page_cache.h> and
 * <kernel/netblk.h>, which say how. Here they get their ids and sentences.
 */
#include <kernel/netblk.h>
#include <kernel/page_cache.h>

#include "check_internal.h"

static void note(void *arg, const char *text)
{
	check_broken(arg, "%s", text);
}

static void count_items(struct check_run *run, u64 items)
{
	run->report->items += items;
}

static void check_index(struct check_run *run)
{
	count_items(run, cache_check(0, note, run));
}

static void check_counts(struct check_run *run)
{
	count_items(run, cache_check(1, note, run));
}

static void check_store(struct check_run *run)
{
	count_items(run, cache_check(2, note, run));
}

static void check_versions(struct check_run *run)
{
	count_items(run, cache_check(3, note, run));
}

static void check_writes(struct check_run *run)
{
	count_items(run, cache_check(4, note, run));
}

static void check_queue(struct check_run *run)
{
	count_items(run, netblk_check(0, note, run));
}

static void check_packets(struct check_run *run)
{
	count_items(run, netblk_check(1, note, run));
}

static void check_balance(struct check_run *run)
{
	count_items(run, netblk_check(2, note, run));
}

const struct kernel_invariant cache_invariants[] = {
	{"CACHE-1", "each page in the index is the cache's, on an LRU, and under its key",
	 check_index},
	{"CACHE-2", "each file counts its pages, and those of them that are dirty", check_counts},
	{"CACHE-3", "nothing is stored with a later version than was written", check_store},
	{"CACHE-4", "a page holds what was written last; if clean, the store does, too",
	 check_versions},
	{"CACHE-5", "as many writes are under way as pages are being written", check_writes},
	{"NETBLK-1", "in_flight is the number of writes in the device's queue", check_queue},
	{"NETBLK-2", "each of them has a packet of its own that says what it is", check_packets},
	{"NETBLK-3", "each write submitted has completed, failed or is in flight", check_balance},
	{NULL, NULL, NULL},
};
