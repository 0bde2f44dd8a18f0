/*
 * Machines that are soon full, and owners of pages that give them or do not, for the tests of what a request does
 * before it fails.
 */
#ifndef TESTS_LAST_HOPE_H
#define TESTS_LAST_HOPE_H

#include "host.h"

#include <mm/lru.h>
#include <mm/page_alloc.h>
#include <mm/shrinker.h>
#include <mm/vmstat.h>

#define NR_ALL 65536 /* pages: more than any of them has */

static const struct host_machine machine = {
	.ram = {{GiB(4), MiB(16), 0}},
	.nr_nodes = 1,
	.nr_cpus = 2,
	.cpu_nid = {0, 0},
};
/*
 *	0    8M        4G      4G + 32M
 *	| DMA |        | NORMAL |
 */
static const struct host_machine machine_with_dma = {
	.ram = {{0, MiB(8), 0}, {GiB(4), MiB(32), 0}},
	.nr_nodes = 1,
	.nr_cpus = 2,
	.cpu_nid = {0, 0},
};
static const struct host_machine two_nodes = {
	.ram = {{GiB(4), MiB(16), 0}, {GiB(5), MiB(16), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static u64 freed; /* atomic */

static enum lru_outcome let_go(struct page *page, const struct reclaim_scope *scope)
{
	(void)scope;
	if (!page_ref_freeze(page, 2))
		return LRU_KEPT;
	__atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED); /* relaxed: a figure */
	return LRU_FREED;
}

static enum lru_outcome keep(struct page *page, const struct reclaim_scope *scope)
{
	(void)page;
	(void)scope;
	return LRU_KEPT;
}

static const struct lru_owner giving = {.name = "giving", .evict = let_go};
static const struct lru_owner keeping = {.name = "keeping", .evict = keep};

/* As many as can be had without waking anybody, up to max. */
static inline u64 fill(const struct lru_owner *owner, u32 touches, u64 max)
{
	u64 pages = 0;

	for (; pages < max; pages++) {
		struct page *page = alloc_pages(__GFP_MOVABLE | __GFP_NOWARN, 0);

		if (!page)
			break;
		lru_cache_add(page, owner);
		for (u32 i = 0; i < touches; i++)
			mark_page_accessed(page);
	}
	return pages;
}

/* For good. */
static inline u64 take_all(gfp_t gfp)
{
	u64 pages = 0;

	while (alloc_pages(gfp | __GFP_NOWARN, 0))
		pages++;
	return pages;
}

static inline u64 rounds(void)
{
	return vmstat_read(vmstat_allocstall(ZONE_NORMAL));
}

static inline u64 free_nothing(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	(void)nr;
	return 0;
}

#endif
