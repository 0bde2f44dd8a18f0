/* Pages on LRUs, for the suites about them. See lru_pages.c. */
#ifndef UNIT_LRU_PAGES_H
#define UNIT_LRU_PAGES_H

#include "host.h"

#include <mm/lru.h>
#include <mm/page_alloc.h>

extern const struct host_machine lru_machine;
extern const struct lru_owner lru_test_owner;

struct page *lru_new_page(int nid, gfp_t gfp);
/* Pages 0 1 2 ... of node 0, the first added first: the last one stands at the head. */
void lru_boot_with(struct page **page, u32 nr);
u64 lru_on_list(int nid, enum lru_list list);
/* "210": the pages of node 0's list by their numbers, head first. */
void lru_expect_list(struct ktest *t, enum lru_list list, struct page **page, u32 nr,
		     const char *expected);

#endif
