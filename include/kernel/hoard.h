/*
 * Blocks that somebody holds only to hold them: an experiment that wants little memory to be left, a load
 * that takes and gives. They are chained through their own struct pages, which are the holder's as long
 * as the blocks are allocated: no table that could be too short, and the memory itself is not touched.
 */
#ifndef KERNEL_HOARD_H
#define KERNEL_HOARD_H

#include <mm/inspect.h>
#include <mm/page_alloc.h>

/* One thread's at a time. All zeros: empty. */
struct hoard {
	struct page *newest;
	u64 blocks, pages;
};

/* The block is the hoard's: allocated with this order, and not on an LRU. */
void hoard_add(struct hoard *hoard, struct page *page, unsigned int order);
/* Gives the newest back; false: there is none. */
bool hoard_drop(struct hoard *hoard);
/* All of them. Returns how many pages that were. */
u64 hoard_release(struct hoard *hoard);
/*
 * Takes free memory, largest blocks first, until a plain request could have no more than `pages` before that mark
 * of each zone stops it: of all nodes together, the same share of each. Wakes no kswapd and reclaims
 * nothing. Returns how many pages it took. Above the high marks nobody is pressed yet; above the min marks it is
 * nearly all that there is. Threads.
 */
u64 hoard_all_above(struct hoard *hoard, enum zone_watermark mark, u64 pages);

static inline u64 hoard_all_but(struct hoard *hoard, u64 pages)
{
	return hoard_all_above(hoard, WMARK_HIGH, pages);
}

#endif
