/*
 * Memory laid out page by page for the tests of targeted reclaim: all of it is taken, as single pages, and
 * each test makes of some what it wants. So that the marks let a block be taken, some pages of each zone are
 * free, each between two that are not.
 */
#ifndef TESTS_UNIT_TARGET_BUILD_H
#define TESTS_UNIT_TARGET_BUILD_H

#include <mm/check.h>
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "../reclaim/toy_cache.h"
#include "host.h"
#include "mm/claim.h"
#include "mm/lru.h"
#include "mm/reclaim.h"
#include "mm/zone.h"

#define TARGET_FRAMES 16384u

/* One zone, NORMAL, of 32 blocks of order 9. */
static const struct host_machine target_machine = {
	.no_slab = true,
	.ram = {{GiB(4), MiB(64), 0}},
	.nr_nodes = 1,
	.nr_cpus = 4,
	.min_free_kbytes = 128,
};

static struct page *target_slots[2 * TARGET_FRAMES];

static inline struct zone *target_zone(void)
{
	return zone_find(0, ZONE_NORMAL);
}

static inline pfn_t target_cursor(void)
{
	return target_zone()->target_cursor_pfn;
}

/* Every page there is, each by itself. */
static inline void target_take_all(void)
{
	int nid;

	for_each_node(nid) {
		while (alloc_pages_node(nid,
					GFP_NOWAIT | __GFP_MOVABLE | __GFP_MEMALLOC |
						__GFP_THISNODE | __GFP_NOWARN,
					0))
			;
	}
}

static inline bool target_is_taken(pfn_t pfn)
{
	return pfn_valid(pfn) && pfn_to_page(pfn)->state == PAGE_ALLOCATED;
}

/* Every second page from the zone's end down, until what its marks and reserves want is free, and a little more. */
static inline void target_loosen(const struct zone *zone)
{
	u64 wanted = zone->watermark[WMARK_MIN] + zone->lowmem_reserve[ZONE_NORMAL] + 64;

	for (pfn_t pfn = zone->start_pfn + zone->spanned_pages; pfn > zone->start_pfn; pfn--) {
		if (pfn % 2 == 0 || !target_is_taken(pfn) || wanted == 0)
			continue;
		__free_pages(pfn_to_page(pfn), 0);
		wanted--;
	}
}

static inline void target_boot_on(const struct host_machine *machine, enum toy_writes writes)
{
	struct zone *zone;
	int nid;

	host_machine_boot(machine);
	toy_begin(target_slots, ARRAY_SIZE(target_slots), writes);
	target_take_all();
	for_each_zone(nid, zone) {
		if (zone->managed_pages > 0)
			target_loosen(zone);
	}
	drain_all_pages();
}

static inline void target_boot(enum toy_writes writes)
{
	target_boot_on(&target_machine, writes);
}

/* The first frame of a block whose pages are all taken; 0: there is none. */
static inline pfn_t target_block_of(const struct zone *zone, unsigned int order)
{
	const pfn_t size = (pfn_t)1 << order;

	for (pfn_t pfn = ALIGN_UP(zone->start_pfn, size);
	     pfn + size <= zone->start_pfn + zone->spanned_pages; pfn += size) {
		u64 taken = 0;

		while (taken < size && target_is_taken(pfn + taken))
			taken++;
		if (taken == size)
			return pfn;
	}
	return 0;
}

static inline void target_cache(pfn_t pfn, u64 nr, enum lru_list list)
{
	for (u64 i = 0; i < nr; i++) {
		struct page *page = pfn_to_page(pfn + i);

		toy_add(page);
		for (u32 touch = 0; list == LRU_ACTIVE && touch < 2; touch++)
			mark_page_accessed(page);
	}
}

static inline void target_free(pfn_t pfn, u64 nr)
{
	for (u64 i = 0; i < nr; i++)
		__free_pages(pfn_to_page(pfn + i), 0);
	drain_all_pages();
}

/* As the slow path asks for it. */
static inline u64 target_reclaim(unsigned int order, enum zone_type request_class, nodemask_t nodes,
				 bool may_write)
{
	struct node_permit permit = {.nodes = nodes};
	struct reclaim_request request = {
		.who = RECLAIM_DIRECT,
		.request_class = request_class,
		.order = order,
		.nr_to_reclaim = (u64)1 << order,
		.scope = {.may_write = may_write},
		.may_block = may_write,
		.zonelist = &NODE_DATA(0)->zonelist[ZONELIST_FALLBACK],
		.permit = &permit,
	};
	u32 saved = memalloc_noreclaim_save();
	u64 freed = reclaim_block(&request);

	memalloc_noreclaim_restore(saved);
	return freed;
}

/* The same, from search to search, until something was freed or all of the zone was looked at. */
static inline u64 target_reclaim_round(unsigned int order, bool may_write)
{
	u64 start = vmstat_read(VMSTAT_TARGET_LOOKED), freed = 0;

	for (u32 calls = 0; freed == 0 && calls < 64 &&
			    vmstat_read(VMSTAT_TARGET_LOOKED) - start < TARGET_FRAMES >> order;
	     calls++)
		freed = target_reclaim(order, ZONE_NORMAL, 1, may_write);
	return freed;
}

struct target_events {
	u64 looked, chosen, completed, given_up, incomplete, evicted;
};

static inline struct target_events target_events(void)
{
	return (struct target_events){
		.looked = vmstat_read(VMSTAT_TARGET_LOOKED),
		.chosen = vmstat_read(VMSTAT_TARGET_CHOSEN),
		.completed = vmstat_read(VMSTAT_TARGET_COMPLETED),
		.given_up = vmstat_read(VMSTAT_TARGET_GIVEN_UP),
		.incomplete = vmstat_read(VMSTAT_TARGET_INCOMPLETE),
		.evicted = vmstat_read(VMSTAT_TARGET_EVICTED),
	};
}

/* What has been counted since: of blocks begun with. */
static inline void target_expect(struct ktest *t, struct target_events before,
				 struct target_events expected)
{
	struct target_events now = target_events();

	EXPECT_EQ(t, now.chosen - before.chosen, expected.chosen);
	EXPECT_EQ(t, now.completed - before.completed, expected.completed);
	EXPECT_EQ(t, now.given_up - before.given_up, expected.given_up);
	EXPECT_EQ(t, now.incomplete - before.incomplete, expected.incomplete);
	EXPECT_EQ(t, now.evicted - before.evicted, expected.evicted);
}

#define EXPECT_EVENTS(t, before, ...) target_expect(t, before, (struct target_events){__VA_ARGS__})

#endif
