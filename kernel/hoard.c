/*
 * Holding memory: see include/kernel/hoard.h.
 *
 *	a node of the machine                          after hoard_all_but(64 MiB)
 *	[ free                      |taken]            [hhhhhhhhhhhhhhhhhhhhh| free |marks|taken]
 *
 * An experiment under a hypervisor without acceleration reads some hundred thousand pages a second. That ten
 * times of all memory pass in seconds, most of it is taken away first; the marks stay those of the whole
 * machine, and what is left is counted above the high ones, or above the min ones by who
 * wants to meet the end of memory. What a zone keeps from plain requests is no part of it. The share of a node is that of its memory, so that a
 * small node does not get all the pressure.
 */
#include <base/string.h>
#include <kernel/hoard.h>
#include <mm/inspect.h>
#include <mm/vmstat.h>

#define NEXT  0 /* words of the struct page */
#define ORDER 1

void hoard_add(struct hoard *hoard, struct page *page, unsigned int order)
{
	page->arm_words[NEXT] = (u64)(uintptr_t)hoard->newest;
	page->arm_words[ORDER] = order;
	hoard->newest = page;
	hoard->blocks++;
	hoard->pages += (u64)1 << order;
}

bool hoard_drop(struct hoard *hoard)
{
	struct page *page = hoard->newest;
	unsigned int order;

	if (!page)
		return false;
	order = (unsigned int)page->arm_words[ORDER];
	hoard->newest = (struct page *)(uintptr_t)page->arm_words[NEXT];
	hoard->blocks--;
	hoard->pages -= (u64)1 << order;
	__free_pages(page, order);
	return true;
}

u64 hoard_release(struct hoard *hoard)
{
	u64 pages = hoard->pages;

	while (hoard_drop(hoard)) {
	}
	return pages;
}

/* What a plain request could still have of the node's zones above the mark, and above what they keep from it. */
static u64 node_pages_above(int nid, enum zone_watermark mark)
{
	struct zone_snapshot zone;
	u64 above = 0, keep;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		if (!zone_snapshot(nid, (enum zone_type)type, &zone))
			continue;
		keep = zone.watermark[mark] + zone.lowmem_reserve[ZONE_NORMAL];
		above += zone.free_pages > keep ? zone.free_pages - keep : 0;
	}
	return above;
}

/* False: fewer were to be had. */
static bool take_blocks(struct hoard *hoard, int nid, unsigned int order, u64 nr)
{
	for (; nr > 0; nr--) {
		struct page *page = alloc_pages_node(nid, __GFP_THISNODE | __GFP_NOWARN, order);

		if (!page)
			return false;
		hoard_add(hoard, page, order);
	}
	return true;
}

/*
 * As many at once as fit: to look at the zones takes much longer than a block. Each takes its pages at most from what is
 * above, so it is not too much; what was taken from below the mark is not enough, and there is another look.
 */
static void take_from_node(struct hoard *hoard, int nid, enum zone_watermark mark, u64 leave)
{
	for (unsigned int order = NR_ORDERS; order-- > 0;) {
		u64 above = node_pages_above(nid, mark);

		while (above >= leave + ((u64)1 << order) &&
		       take_blocks(hoard, nid, order, (above - leave) >> order))
			above = node_pages_above(nid, mark);
	}
}

u64 hoard_all_above(struct hoard *hoard, enum zone_watermark mark, u64 pages)
{
	struct node_snapshot node;
	struct vm_totals totals;
	u64 before = hoard->pages;
	int nid;

	drain_all_pages();
	vm_totals(&totals);
	for_each_node(nid) {
		if (node_snapshot(nid, &node) && node.managed_pages > 0)
			take_from_node(hoard, nid, mark,
				       pages * node.managed_pages / totals.managed_pages);
	}
	return hoard->pages - before;
}
