/*
 * Counting what is free, by zone and by order. Limits: figures are exact while nobody allocates.
 */
#include "pages_back.h"

#include <base/string.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>

static struct zones_picture {
	struct zone_snapshot zone[MAX_NUMNODES][MAX_NR_ZONES];
	u64 events[NR_ZONE_EVENTS]; /* of all zones */
} before, after;

static void look_at_zones(struct zones_picture *m)
{
	memset(m, 0, sizeof(*m));
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			struct zone_snapshot *z = &m->zone[nid][type];

			if (!zone_snapshot(nid, (enum zone_type)type, z))
				continue;
			for (u32 e = 0; e < NR_ZONE_EVENTS; e++)
				m->events[e] += z->events[e];
		}
	}
}

void pages_settle(void)
{
	kmem_cache_shrink_all();
	drain_all_pages();
}

void pages_before(void)
{
	pages_settle();
	look_at_zones(&before);
}

void pages_after(void)
{
	pages_settle();
	look_at_zones(&after);
}

u64 zone_events_between(enum zone_event event)
{
	return after.events[event] - before.events[event];
}

void expect_counts_as_before(struct ktest *t)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			const struct zone_snapshot *b = &before.zone[nid][type];
			const struct zone_snapshot *a = &after.zone[nid][type];
			u64 is = a->free_pages + a->pcp_pages, was = b->free_pages + b->pcp_pages;

			EXPECT_MSG(t, is == was, "node %d %s: %llu free pages before, %llu after",
				   nid, b->name, (unsigned long long)was, (unsigned long long)is);
		}
	}
}

void expect_blocks_as_before(struct ktest *t)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			const struct zone_snapshot *b = &before.zone[nid][type];
			const struct zone_snapshot *a = &after.zone[nid][type];

			for (u32 o = 0; o < NR_ORDERS; o++)
				EXPECT_MSG(t, a->free_blocks[o] == b->free_blocks[o],
					   "node %d %s: %llu free blocks of order %u before, %llu "
					   "after",
					   nid, b->name, (unsigned long long)b->free_blocks[o], o,
					   (unsigned long long)a->free_blocks[o]);
		}
	}
}
