/*
 * Blocks that a test holds: see held.h.
 */
#include "held.h"

void hold(struct held **list, struct page *page, unsigned int order)
{
	struct held *h = page_held(page);

	h->next = *list;
	h->order = order;
	*list = h;
}

u64 release_all(struct held **list)
{
	u64 pages = 0;

	while (*list) {
		struct held *h = *list;

		*list = h->next;
		pages += (u64)1 << h->order;
		__free_pages(held_page(h), h->order);
	}
	return pages;
}

u64 take_order(struct held **list, int nid, gfp_t gfp, unsigned int order)
{
	struct page *page;
	u64 pages = 0;

	while ((page = alloc_pages_node(nid, gfp | __GFP_NOWARN, order)) != NULL) {
		hold(list, page, order);
		pages += (u64)1 << order;
	}
	return pages;
}

u64 take_all(struct held **list, int nid, gfp_t gfp)
{
	u64 pages = 0;

	for (unsigned int order = NR_ORDERS; order-- > 0;)
		pages += take_order(list, nid, gfp, order);
	return pages;
}
