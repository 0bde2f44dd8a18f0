/*
 * A cache for tests of reclaim: its pages hold nothing, so losing one costs nothing and shows at once. Pages are had
 * by their number, in an array of the caller's, so there may be as many as a machine of any size has; for groups
 * of pages and an owner that misbehaves: sham.h. The same in the kernel and on the host. One at a time.
 */
#ifndef TESTS_TOY_CACHE_H
#define TESTS_TOY_CACHE_H

#include <mm/gfp.h>
#include <mm/lru.h>

/* What becomes of a dirty page that reclaim wants. */
enum toy_writes {
	TOY_WRITES_AT_ONCE, /* it is clean, and evicted */
	TOY_WRITES_WAIT,    /* its write has begun; toy_end_writes() ends it */
};

struct toy_counts {
	u32 pages;   /* now */
	u64 evicted; /* had by reclaim */
	u64 kept;    /* asked for, and not given: in use, pinned, or not to be written */
	u64 writes_begun, writes_ended;
};

/* Up to nr_slots pages, in the caller's array. Empty, counts at 0. */
void toy_begin(struct page **slots, u32 nr_slots, enum toy_writes writes);
/* The caller's page becomes the cache's. False: there is no slot. */
bool toy_add(struct page *page);
/* Takes pages by gfp until there is none, no slot, or so many are taken. Returns how many. */
u32 toy_fill(int nid, gfp_t gfp, u32 most);
/* The i-th, with a reference for the caller; NULL: there are fewer, or it is on its way out. */
struct page *toy_get(u32 i);
/* The cache lets go of the i-th; false: there are fewer. */
bool toy_drop(u32 i);
/* Ends up to `most` writes, the oldest first. How many. */
u32 toy_end_writes(u32 most);
/* Ends all writes, unpins, and lets go of every page. While nobody reclaims. */
void toy_empty(void);
void toy_counts(struct toy_counts *out);

#endif
