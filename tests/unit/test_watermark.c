/*
 * Watermarks: the arithmetic, against figures worked out by hand, and the check, to the page.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/mm.h>

#include "mm/watermark.h"

static void default_min_free(struct ktest *t)
{
	/* sqrt(16 x kB): 1 GiB -> sqrt(16777216) = 4096; 4 GiB -> 8192; 100 MiB -> 1280. */
	EXPECT_EQ(t, watermark_default_min_free_kbytes(GiB(1) / PAGE_SIZE), 4096);
	EXPECT_EQ(t, watermark_default_min_free_kbytes(GiB(4) / PAGE_SIZE), 8192);
	EXPECT_EQ(t, watermark_default_min_free_kbytes(MiB(100) / PAGE_SIZE), 1280);
	/* Not a square: 3 GiB -> sqrt(50331648) = 7094.48... */
	EXPECT_EQ(t, watermark_default_min_free_kbytes(GiB(3) / PAGE_SIZE), 7094);
	/* The bounds: 512 KiB would be 90, 8 TiB would be 370727. */
	EXPECT_EQ(t, watermark_default_min_free_kbytes(KiB(512) / PAGE_SIZE), 128);
	EXPECT_EQ(t, watermark_default_min_free_kbytes(TiB(8) / PAGE_SIZE), 262144);
}

/* A zone that only the check looks at. */
static struct zone plain_zone(u64 free, u32 orders)
{
	struct zone zone;

	memset(&zone, 0, sizeof(zone));
	zone.nr_free_pages = free;
	zone.free[BLOCK_MOVABLE].orders = orders;
	return zone;
}

/* The fewest free pages with which the request passes; every smaller count must fail. */
static u64 threshold(u32 order, u64 mark, u32 flags, u64 reserve)
{
	u64 needed = 0;

	for (u64 free = 0; free < 4096; free++) {
		struct zone zone = plain_zone(free, ~0u);
		bool ok;

		zone.lowmem_reserve[ZONE_NORMAL] = reserve;
		ok = zone_watermark_ok(&zone, order, mark, ZONE_NORMAL, flags);
		if (!ok && needed)
			return ~(u64)0; /* passed with fewer: not monotonic */
		if (ok && !needed)
			needed = free;
	}
	return needed;
}

static void check_is_exact_to_the_page(struct ktest *t)
{
	const u32 high = ALLOC_MIN_RESERVE, atomic = ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK;

	/* free - (2^order - 1) > mark + reserve, so one more than the sum. */
	EXPECT_EQ(t, threshold(0, 1000, 0, 0), 1001);
	EXPECT_EQ(t, threshold(0, 1000, 0, 50), 1051);
	EXPECT_EQ(t, threshold(3, 1000, 0, 0), 1008);
	EXPECT_EQ(t, threshold(10, 1000, 0, 50), 1051 + 1023);
	/* __GFP_HIGH: less half. */
	EXPECT_EQ(t, threshold(0, 1000, high, 0), 501);
	EXPECT_EQ(t, threshold(0, 1001, high, 0), 502); /* 1001 - 500 = 501 */
	/* and non-blocking: less a quarter of the rest: 3/8 remain. */
	EXPECT_EQ(t, threshold(0, 1000, atomic, 0), 376);
	/* Non-blocking alone gains nothing. */
	EXPECT_EQ(t, threshold(0, 1000, ALLOC_NON_BLOCK, 0), 1001);
	/* An OOM victim: less half of what is left. */
	EXPECT_EQ(t, threshold(0, 1000, ALLOC_OOM, 0), 501);
	EXPECT_EQ(t, threshold(0, 1000, atomic | ALLOC_OOM, 0), 189); /* 375 - 187 = 188 */
	/* No mark: the pages of the request itself are still needed. */
	EXPECT_EQ(t, threshold(0, 0, 0, 0), 1);
	EXPECT_EQ(t, threshold(4, 0, 0, 0), 16);
}

static void a_block_of_the_order_must_exist(struct ktest *t)
{
	struct zone zone = plain_zone(100000, 0x0f); /* orders 0 to 3 only */

	for (u32 order = 0; order <= 3; order++)
		EXPECT(t, zone_watermark_ok(&zone, order, 10, ZONE_NORMAL, 0));
	for (u32 order = 4; order <= MAX_ORDER; order++)
		EXPECT(t, !zone_watermark_ok(&zone, order, 10, ZONE_NORMAL, 0));
	/* A larger one will do, order 0 needs none. */
	zone.free[BLOCK_MOVABLE].orders = 1u << 7;
	EXPECT(t, zone_watermark_ok(&zone, 5, 10, ZONE_NORMAL, 0));
	zone.free[BLOCK_MOVABLE].orders = 0;
	EXPECT(t, zone_watermark_ok(&zone, 0, 10, ZONE_NORMAL, 0));
}

static void reserve_depends_on_the_class(struct ktest *t)
{
	struct zone zone = plain_zone(1000, ~0u);

	zone.lowmem_reserve[ZONE_DMA32] = 500;
	zone.lowmem_reserve[ZONE_NORMAL] = 900;
	EXPECT(t, zone_watermark_ok(&zone, 0, 400, ZONE_DMA, 0));
	EXPECT(t, zone_watermark_ok(&zone, 0, 400, ZONE_DMA32, 0));
	EXPECT(t, !zone_watermark_ok(&zone, 0, 400, ZONE_NORMAL, 0));
}

/*
 * One node with all three zones, by hand:
 *
 *	0 [first page] 16M ----------------- 64M     4G ---- 4G + 64M
 *	    DMA 4095 pages    DMA32 12288          Normal 16384, less the allocator's own
 */
static const struct host_machine three_zones = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(64), 0}},
	.nr_nodes = 1,
	.min_free_kbytes = 4096,
};

static void marks_of_a_machine(struct ktest *t)
{
	struct zone_snapshot z[MAX_NR_ZONES];
	u64 total = 0;

	host_machine_boot(&three_zones);
	for (u32 i = 0; i < MAX_NR_ZONES; i++) {
		ASSERT_TRUE(t, zone_snapshot(0, (enum zone_type)i, &z[i]));
		total += z[i].managed_pages;
	}
	ASSERT_EQ(t, z[ZONE_DMA].managed_pages, 4095);
	EXPECT_EQ(t, z[ZONE_DMA32].present_pages, 12288);
	EXPECT_EQ(t, z[ZONE_NORMAL].present_pages, 16384);

	for (u32 i = 0; i < MAX_NR_ZONES; i++) {
		u64 share = 1024 * z[i].managed_pages / total;
		u64 tenth_percent = z[i].managed_pages / 1000;
		u64 gap = share / 4 > tenth_percent ? share / 4 : tenth_percent;

		EXPECT_EQ(t, z[i].watermark[WMARK_MIN], share);
		EXPECT_EQ(t, z[i].watermark[WMARK_LOW], share + gap);
		EXPECT_EQ(t, z[i].watermark[WMARK_HIGH], share + 2 * gap);
		EXPECT(t, share > 0 && gap > 0);
	}

	/* Kept in DMA from DMA32's class: DMA32's pages / 256; from NORMAL's: both / 256. */
	EXPECT_EQ(t, z[ZONE_DMA].lowmem_reserve[ZONE_DMA], 0);
	EXPECT_EQ(t, z[ZONE_DMA].lowmem_reserve[ZONE_DMA32], z[ZONE_DMA32].managed_pages / 256);
	EXPECT_EQ(t, z[ZONE_DMA].lowmem_reserve[ZONE_NORMAL],
		  (z[ZONE_DMA32].managed_pages + z[ZONE_NORMAL].managed_pages) / 256);
	EXPECT_EQ(t, z[ZONE_DMA32].lowmem_reserve[ZONE_DMA32], 0);
	EXPECT_EQ(t, z[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL], z[ZONE_NORMAL].managed_pages / 256);
	EXPECT_EQ(t, z[ZONE_NORMAL].lowmem_reserve[ZONE_NORMAL], 0);
	expect_check_clean(t);
}

/* Where the share is small a zone's gap is a thousandth of it, not a quarter of its min. */
static void gap_has_a_floor(struct ktest *t)
{
	struct zone_snapshot z;

	host_machine_boot(&three_zones);
	mm_set_min_free_kbytes(128);
	zone_snapshot(0, ZONE_NORMAL, &z);
	/* 32 pages in all, a quarter of half of them is 4; a thousandth of ~15600 pages is 15. */
	EXPECT_EQ(t, z.watermark[WMARK_LOW] - z.watermark[WMARK_MIN], z.managed_pages / 1000);
	EXPECT(t, z.watermark[WMARK_MIN] / 4 < z.managed_pages / 1000);
	EXPECT_EQ(t, mm_min_free_kbytes(), 128);
}

static void min_free_is_capped_with_a_word(struct ktest *t)
{
	struct zone_snapshot z;
	u64 total_kb = 0;

	host_machine_boot(&three_zones);
	for (u32 i = 0; i < MAX_NR_ZONES; i++) {
		zone_snapshot(0, (enum zone_type)i, &z);
		total_kb += z.managed_pages * 4;
	}
	mm_set_min_free_kbytes(total_kb);
	EXPECT_EQ(t, mm_min_free_kbytes(), total_kb / 4);
	EXPECT(t, host_log_contains("is over a quarter of memory"));
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(default_min_free),
	KTEST(check_is_exact_to_the_page),
	KTEST(a_block_of_the_order_must_exist),
	KTEST(reserve_depends_on_the_class),
	KTEST(marks_of_a_machine),
	KTEST(gap_has_a_floor),
	KTEST(min_free_is_capped_with_a_word),
};
KTEST_SUITE(watermark, cases);
