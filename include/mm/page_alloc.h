/*
 * Asking for pages and giving them back.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include <mm/gfp.h>
#include <mm/page.h>

struct mempolicy;

/*
 * 1 << order pages, physically contiguous and aligned to their size, nearest first as seen from
 * node `nid` (NUMA_NO_NODE: the node of this CPU). Any context; with __GFP_DIRECT_RECLAIM (GFP_KERNEL,
 * GFP_NOIO) it may sleep where that is possible, and does so only if memory is short. Returns NULL if no zone may give
 * it: every eligible zone would fall under its min mark, or has no block that large; unless __GFP_NOWARN a log line
 * says which. With __GFP_NOFAIL it does not return then, but panics, after many rounds with a pause between. With
 * __GFP_THISNODE as well that goes for a node that has no memory, or that the task's cpuset forbids: neither is the
 * caller's error, as cpusets move.
 * An order above MAX_ORDER, a node that does not exist or an unknown flag is the caller's error:
 * one log line and NULL.
 */
struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order) __must_check;
struct page *alloc_pages(gfp_t gfp, unsigned int order) __must_check;
/* By this policy in place of the task's. */
struct page *alloc_pages_policy(const struct mempolicy *policy, gfp_t gfp,
				unsigned int order) __must_check;

/*
 * Gives a block back, whole: `order` is what it was asked for with. Any context. A page that
 * is not the head of an allocated block of that order panics, naming what it is.
 */
void __free_pages(struct page *page, unsigned int order);

/*
 * Gives every CPU's own lists of free pages back to their zones; returns the pages. A request that
 * would fail does so itself for the zones that it may use. Any context; complete if interrupts are
 * on, and leaves out lists that are in use at the moment otherwise.
 */
u64 drain_all_pages(void);

/*
 * Until pcp_open() every request goes to its zone: for who wants to see each one, and for tests of what is
 * below. Nests. Interrupts on.
 */
void pcp_close(void);
void pcp_open(void);

/* The same by address in the direct map; 0 / NULL on failure and ignored on free. */
void *get_free_pages(gfp_t gfp, unsigned int order) __must_check;
void free_pages(void *addr, unsigned int order);

#endif
