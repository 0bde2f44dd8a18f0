/*
 * Watermarks: the marks that divide a zone's free pages by who may take them.
 *
 *	free pages
 *	   |  ................ high   kswapd stops
 *	   |  ................ low    kswapd starts; ordinary requests slow down
 *	   |  ................ min    ordinary requests stop
 *	   |      . . . . . .  1/2    urgent ones (__GFP_HIGH) stop
 *	   |      . . . . . .  3/8    urgent ones that cannot wait stop
 *	   0  ---------------- only who frees memory by it goes here
 *
 * min_free_kbytes is the sum of all min marks: sqrt(16 x lowmem kB), since the need for reserves
 * grows slower than memory. Each zone gets its share by managed pages. low and high follow at equal
 * gaps of max(share / 4, managed / 1000).
 *
 * A request is of a *class*: the highest zone it may use. A zone keeps
 * lowmem_reserve[request_class] pages more from requests that could have gone higher, so that a
 * flood of ordinary requests cannot use up the little memory that a DMA device can reach.
 *
 * For order > 0 the count of free pages says nothing about their shape, so one block of at least
 * the order must exist, and the pages of the request itself are taken off first.
 *
 * Source: Linux mm/page_alloc.c for the arithmetic, as of 6.3 and later.
 */
#include "watermark.h"

#include <base/assert.h>
#include <base/math.h>
#include <mm/os.h>

#include "pcp.h"

#define MIN_FREE_KBYTES_LOWEST  128
#define MIN_FREE_KBYTES_HIGHEST 262144

/* Gap between marks, at least, in ten-thousandths of the zone. */
#define WATERMARK_SCALE_FACTOR 10

/* A zone keeps 1/ratio of the memory above it from those who may use that. */
static const u64 lowmem_reserve_ratio[MAX_NR_ZONES] = {
	[ZONE_DMA] = 256,
	[ZONE_DMA32] = 256,
	[ZONE_NORMAL] = 32,
};

/* --- The check ----------------------------------------------------------------------------- */

/* How far a mark comes down for who is in need. */
static u64 lowered(u64 min, u32 alloc_flags)
{
	if (alloc_flags & ALLOC_MIN_RESERVE) {
		min -= min / 2;
		if (alloc_flags & ALLOC_NON_BLOCK)
			min -= min / 4;
	}
	if (alloc_flags & ALLOC_OOM)
		min -= min / 2;
	return min;
}

/* The whole arithmetic, in one place: who decides looks at the two answers, who explains at all of it. */
static inline struct watermark_check weigh(const struct zone *zone, unsigned int order, u64 mark,
					   enum zone_type request_class, u32 alloc_flags, u64 more)
{
	/*
	 * Relaxed: hints, which the zone's lock guards and the taker looks at again under it. Each is
	 * one word and whole; that the two may not belong together costs at most a wrong guess.
	 */
	struct watermark_check check = {
		.free = load_relaxed(&zone->nr_free_pages) + more,
		.others = ((u64)1 << order) - 1,
		.mark = mark,
		.lowered = unlikely(alloc_flags) ? lowered(mark, alloc_flags) : mark,
		.reserve = load_relaxed(&zone->lowmem_reserve[request_class]),
		.block_ok = zone_free_orders(zone) >> order != 0,
	};

	check.pages_ok = check.free > check.others &&
			 check.free - check.others > check.lowered + check.reserve;
	return check;
}

/* A single page needs no look for a block: where a page is free there is one. */
bool zone_watermark_ok(const struct zone *zone, unsigned int order, u64 mark,
		       enum zone_type request_class, u32 alloc_flags)
{
	struct watermark_check check = weigh(zone, order, mark, request_class, alloc_flags, 0);

	return check.pages_ok && (order == 0 || check.block_ok);
}

void zone_watermark_check(const struct zone *zone, unsigned int order, u64 mark,
			  enum zone_type request_class, u32 alloc_flags, u64 more,
			  struct watermark_check *out)
{
	*out = weigh(zone, order, mark, request_class, alloc_flags, more);
}

/* --- The marks ----------------------------------------------------------------------------- */

u64 watermark_default_min_free_kbytes(u64 managed_pages)
{
	u64 kbytes = integer_sqrt(16 * (managed_pages * (PAGE_SIZE / 1024)));

	return MIN(MAX(kbytes, (u64)MIN_FREE_KBYTES_LOWEST), (u64)MIN_FREE_KBYTES_HIGHEST);
}

static u64 total_managed_pages(void)
{
	const struct zone *zone;
	u64 pages = 0;
	int nid;

	for_each_zone(nid, zone)
		pages += zone->managed_pages;
	return pages;
}

void watermark_compute(const struct zone *zone, u64 min_free_kbytes, u64 marks[NR_WMARK])
{
	u64 min_pages = min_free_kbytes * 1024 / PAGE_SIZE;
	u64 share = min_pages * zone->managed_pages / total_managed_pages();
	u64 gap = MAX(share / 4, zone->managed_pages * WATERMARK_SCALE_FACTOR / 10000);

	marks[WMARK_MIN] = share;
	marks[WMARK_LOW] = share + gap;
	marks[WMARK_HIGH] = share + 2 * gap;
}

void lowmem_reserve_compute(const struct zone *zone, u64 reserve[MAX_NR_ZONES])
{
	u64 above = 0;

	for (u32 request_class = 0; request_class < MAX_NR_ZONES; request_class++) {
		if (request_class > zone->type)
			above += NODE_DATA(zone->nid)->zones[request_class].managed_pages;
		reserve[request_class] =
			zone->managed_pages ? above / lowmem_reserve_ratio[zone->type] : 0;
	}
}

/* Relaxed: the hit path takes it for a hint, and the marks may be set anew meanwhile. */
static void set_fast_marks(bool open)
{
	struct zone *zone;
	int nid;

	for_each_zone(nid, zone) {
		u64 mark = load_relaxed(&zone->watermark[WMARK_LOW]) +
			   load_relaxed(&zone->lowmem_reserve[ZONE_NORMAL]) +
			   ((u64)1 << PCP_MAX_ORDER) - 1;

		store_relaxed(&zone->fast_mark, open ? mark : ~(u64)0);
	}
}

/*
 * Two may be at it at once, one of them because the hit paths have closed or opened since the other
 * looked. Of two fences one comes first: if that is the fence of who changed it, the other sees the change
 * when it looks again; else what the other has written is written over by who changed it.
 */
void fast_marks_setup(void)
{
	bool open;

	do {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		open = hit_paths_are_open();
		set_fast_marks(open);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	} while (open != hit_paths_are_open());
}

void watermark_setup(u64 min_free_kbytes)
{
	struct zone *zone;
	int nid;

	for_each_zone(nid, zone) {
		u64 marks[NR_WMARK], reserve[MAX_NR_ZONES];

		watermark_compute(zone, min_free_kbytes, marks);
		lowmem_reserve_compute(zone, reserve);
		/* Relaxed: at run time a request may see some old and some new, and either will do. */
		for (u32 i = 0; i < NR_WMARK; i++)
			store_relaxed(&zone->watermark[i], marks[i]);
		for (u32 i = 0; i < MAX_NR_ZONES; i++)
			store_relaxed(&zone->lowmem_reserve[i], reserve[i]);
	}
	fast_marks_setup();
}
