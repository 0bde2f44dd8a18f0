/*
 * Blocks that a test holds, chained through their struct pages, which belong to the holder while
 * they are allocated: no array to overflow, and the memory itself is not touched. (On a guest of 64
 * GiB touching a page of each block would make the host provide most of it.)
 */
#ifndef TESTS_HELD_H
#define TESTS_HELD_H

#include <base/list.h>
#include <mm/page_alloc.h>

struct held {
	struct held *next;
	unsigned int order;
	u64 pattern;
};

static inline struct held *page_held(struct page *page)
{
	_Static_assert(sizeof(struct held) <= sizeof(page->arm_words), "fits a struct page");
	return (struct held *)page->arm_words;
}

static inline struct page *held_page(struct held *h)
{
	return container_of((u64 *)h, struct page, arm_words[0]);
}

void hold(struct held **list, struct page *page, unsigned int order);
/* Gives all back; how many pages that were. */
u64 release_all(struct held **list);
/* Takes all that a request like this can get, of one order; of all, largest blocks first. Pages. */
u64 take_order(struct held **list, int nid, gfp_t gfp, unsigned int order);
u64 take_all(struct held **list, int nid, gfp_t gfp);

#endif
