/*
 * The machine of the tests of claims, and what they ask of it.
 */
#ifndef TESTS_UNIT_CLAIM_BUILD_H
#define TESTS_UNIT_CLAIM_BUILD_H

#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>

#include "host.h"
#include "mm/claim.h"
#include "mm/zone.h"

static const struct host_machine claim_machine = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(128), 0}, {GiB(8), MiB(128), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static inline struct zone *normal(void)
{
	return zone_find(0, ZONE_NORMAL);
}

static inline struct zone *booted(void)
{
	host_machine_boot(&claim_machine);
	return normal();
}

static inline u64 event(enum zone_event e)
{
	struct zone_snapshot z;

	zone_snapshot(0, ZONE_NORMAL, &z);
	return z.events[e];
}

static inline u64 pages_free(void)
{
	struct zone_snapshot z;

	zone_snapshot(0, ZONE_NORMAL, &z);
	return z.free_pages + z.pcp_pages;
}

/* Blocks of the order in place of one larger one, whose first frame is returned. */
static inline pfn_t pieces(struct ktest *t, struct page **page, unsigned int whole,
			   unsigned int order)
{
	struct page *block = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE, whole);
	u32 nr = 1u << (whole - order);

	if (!EXPECT(t, block != NULL))
		return 0;
	/* As its holder may: split, and each piece is a block of its own. */
	for (u32 i = 0; i < nr; i++) {
		page[i] = block + ((u64)i << order);
		page[i]->head = PAGE_HEAD(PAGE_ALLOCATED, order);
		page[i]->list = PAGE_LIST(order, BLOCK_UNMOVABLE);
	}
	return page_to_pfn(block);
}

#endif
