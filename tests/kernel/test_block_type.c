/*
 * Block types in the kernel: the mix of tests/stress/type_mix.c in the DMA zone, which every machine has
 * and nobody else uses. It is small, so the shares are coarse: tests/unit/test_block_type.c has the
 * long run.
 *
 * Booted with mm.block_types=off the same mix must spread as far as it can: tests/qemu/test_pages.py.
 */
#include <kernel/options.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/inspect.h>

#include "../stress/pages_back.h"
#include "../stress/type_mix.h"

/* In percent of the zone's pageblocks. */
#define MOST_WITH     50
#define LEAST_WITHOUT 75

static bool dma_zone(struct zone_snapshot *zone)
{
	return zone_snapshot(0, ZONE_DMA, zone) && zone->managed_pages > 4 * PAGEBLOCK_PAGES;
}

static void what_stays_stays_together(struct ktest *t)
{
	const struct type_mix mix = {.seed = t->seed,
				     .nid = 0,
				     .gfp = GFP_DMA | GFP_KERNEL | __GFP_THISNODE,
				     .full_percent = 80,
				     .stays_percent = 10,
				     .turns = 10};
	struct zone_snapshot before, after;
	struct type_mix_result r;
	struct check_report report;
	u64 share;

	if (!dma_zone(&before))
		SKIP(t, "node 0 has no DMA zone of five pageblocks");
	pages_settle();
	dma_zone(&before);
	ASSERT_TRUE(t, type_mix_run(&mix, &r));
	pages_settle();
	ASSERT_TRUE(t, dma_zone(&after));
	EXPECT_EQ(t, after.free_pages, before.free_pages);
	EXPECT(t, r.requests > 10000 && r.pages_that_stay > 100);
	share = r.spread * 100 / r.pageblocks;
	EXPECT_MSG(t, options.block_types ? share <= MOST_WITH : share >= LEAST_WITHOUT,
		   "%llu of %llu pageblocks have a page that stays", (unsigned long long)r.spread,
		   (unsigned long long)r.pageblocks);
	if (!options.block_types)
		EXPECT_EQ(t, after.events[EXTFRAG_PAGEBLOCK], 0);
	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
	ktest_note(t, "types %s: %llu requests; %llu pages that stay, in %llu of %llu pageblocks",
		   options.block_types ? "on" : "off", (unsigned long long)r.requests,
		   (unsigned long long)r.pages_that_stay, (unsigned long long)r.spread,
		   (unsigned long long)r.pageblocks);
}

static const struct ktest_case cases[] = {
	KTEST(what_stays_stays_together),
};
KTEST_SUITE(block_type, cases);
