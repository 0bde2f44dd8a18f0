/*
 * The invariants of LRU lists.
 *
 * A node is looked at under its LRU lock: nothing goes to a list, leaves it or changes its mark meanwhile, however
 * busy other CPUs are. Walks along a list are bounded by its count. Flags and their counts change without
 * the lock, the count after the flag: where they differ they are looked at again (CHECK_LOOKS), and are
 * wrong if they always do.
 *
 * The memory map is walked from head to head without the zones' locks. Blocks may be split, merged and
 * handed out at the same time, but none of their pages can become a page of an LRU: that takes the lock.
 */
#include <arch/page.h>
#include <base/assert.h>

#include "buddy_area.h"
#include "check_internal.h"

#define ULL(x) ((unsigned long long)(x))
/* More is not a count of references but one that went below 0. */
#define MAX_REFS ((u32)1 << 31)

static const enum lru_list lists[] = {LRU_INACTIVE, LRU_ACTIVE, LRU_PINNED};

static const char *list_name(u32 list)
{
	return lru_list_name((enum lru_list)list);
}

/* Relaxed: a neighbour of an LRU page may be anything, and change. */
static bool is_marked(const struct page *page)
{
	return PAGE_HEAD_MARKS(load_relaxed(&page->head)) & PAGE_MARK_LRU;
}

/* --- Lists -------------------------------------------------------------------------------------- */

/* The page whose lru_link this is, or NULL if it is no page's. */
static const struct page *link_page(const struct list_head *link)
{
	uintptr_t at = (uintptr_t)link - offsetof(struct page, lru_link);

	if (at < VMEMMAP_BASE || !IS_ALIGNED(at - VMEMMAP_BASE, sizeof(struct page)) ||
	    !pfn_valid((at - VMEMMAP_BASE) / sizeof(struct page)))
		return NULL;
	return (const struct page *)at;
}

static void entry_locked(struct check *c, int nid, enum lru_list list, const struct page *page)
{
	c->report->items++;
	if (page->lru != list || page->nid != nid || page->zone >= MAX_NR_ZONES ||
	    page->state != PAGE_ALLOCATED || page->order != 0 || !is_marked(page) ||
	    page_ref_count(page) >= MAX_REFS || !page->lru_owner)
		check_fail(c,
			   "node %d, list %s: pfn 0x%llx is %s, order %u, marks 0x%x, node %u, on "
			   "list %s, references %u",
			   nid, list_name(list), ULL(page_to_pfn(page)),
			   page_state_name((enum page_state)page->state), page->order, page->marks,
			   page->nid, list_name(page->lru), page_ref_count(page));
}

static void entries_locked(struct check *c, int nid, const struct lru_node *lru)
{
	for (u32 i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct list_head *head = &lru->list[lists[i]], *at = head->next;

		for (u64 seen = 0; at != head && seen < lru->nr[lists[i]]; seen++) {
			const struct page *page = link_page(at);

			if (!page)
				break; /* the lengths say so */
			entry_locked(c, nid, lists[i], page);
			at = at->next;
		}
	}
}

static void length_locked(struct check *c, int nid, const struct lru_node *lru, enum lru_list list)
{
	const struct list_head *head = &lru->list[list], *at = head->next, *previous = head;
	u64 seen = 0;

	for (; at != head && seen < lru->nr[list] && link_page(at); at = at->next) {
		if (at->prev != previous)
			check_fail(c, "node %d, list %s: the link back of entry %llu is wrong", nid,
				   list_name(list), ULL(seen));
		previous = at;
		seen++;
	}
	if (at != head || head->prev != previous || seen != lru->nr[list])
		check_fail(c, "node %d, list %s: %llu pages to its end or a broken link, nr %llu",
			   nid, list_name(list), ULL(seen), ULL(lru->nr[list]));
}

static void zone_sums_locked(struct check *c, int nid, const struct lru_node *lru)
{
	for (u32 list = 0; list < NR_LRU_LISTS; list++) {
		u64 sum = 0;

		for (u32 zone = 0; zone < MAX_NR_ZONES; zone++)
			sum += lru->nr_zone[zone][list];
		if (sum != lru->nr[list])
			check_fail(c, "node %d, list %s: nr %llu, of its zones %llu", nid,
				   list_name(list), ULL(lru->nr[list]), ULL(sum));
	}
}

/* --- The memory map ----------------------------------------------------------------------------- */

/* What the pages of a node say of themselves. */
struct said {
	u64 on_list[NR_LRU_LISTS];
	u64 dirty, writeback;
	u64 strays; /* marked and on no list, or the other way round, or on a list that is none */
	pfn_t stray_pfn; /* the first of them */
};

static void add_page(struct said *said, const struct page *page)
{
	u32 flags = load_relaxed(&page->lru_flags); /* relaxed: a figure */
	u8 list = load_relaxed(&page->lru);         /* relaxed: the lock is its node's */

	if (!is_marked(page) && list == LRU_NONE)
		return;
	if (!is_marked(page) || list == LRU_NONE || list >= NR_LRU_LISTS) {
		if (said->strays++ == 0)
			said->stray_pfn = page_to_pfn(page);
		return;
	}
	said->on_list[list]++;
	said->dirty += (flags & LRU_DIRTY) != 0;
	said->writeback += (flags & LRU_WRITEBACK) != 0;
}

static void add_zone_locked(struct check *c, struct said *said, const struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;

	while (pfn < end) {
		const struct page *page = pfn_to_page(pfn);
		u64 frames;

		if (!pfn_valid(pfn)) {
			pfn += MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
			continue;
		}
		c->report->items++;
		frames = frames_at(page);
		if (page_is_of(page, zone))
			add_page(said, page);
		/* A head that cannot be one is not believed. */
		pfn += frames <= MAX_BLOCK_PAGES && IS_ALIGNED(pfn, frames) ? frames : 1;
	}
}

static struct said say_locked(struct check *c, int nid)
{
	struct said said = {0};

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		add_zone_locked(c, &said, &NODE_DATA(nid)->zones[type]);
	return said;
}

/* Nodes without a page on an LRU are not walked three times; LRU-4 looks whether that is true. */
static bool has_pages(const struct lru_node *lru)
{
	u64 pages = 0;

	for (u32 list = 0; list < NR_LRU_LISTS; list++)
		pages |= lru->nr[list];
	return pages != 0;
}

/* --- The invariants ----------------------------------------------------------------------------- */

static void lru_entries(struct check *c)
{
	int nid;

	for_each_node(nid) {
		struct lru_node *lru = &NODE_DATA(nid)->lru;
		unsigned long flags = spin_lock_irqsave(&lru->lock);

		entries_locked(c, nid, lru);
		spin_unlock_irqrestore(&lru->lock, flags);
	}
}

static void lru_lengths(struct check *c)
{
	int nid;

	for_each_node(nid) {
		struct lru_node *lru = &NODE_DATA(nid)->lru;
		unsigned long flags = spin_lock_irqsave(&lru->lock);
		struct said said = {0};

		for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
			length_locked(c, nid, lru, lists[i]);
		zone_sums_locked(c, nid, lru);
		if (has_pages(lru))
			said = say_locked(c, nid);
		if (said.on_list[LRU_ISOLATED] != lru->nr[LRU_ISOLATED] || lru->nr[LRU_NONE] != 0)
			check_fail(c, "node %d: %llu pages say that they are isolated, nr %llu",
				   nid, ULL(said.on_list[LRU_ISOLATED]),
				   ULL(lru->nr[LRU_ISOLATED]));
		spin_unlock_irqrestore(&lru->lock, flags);
	}
}

static bool flags_agree(struct check *c, int nid, struct said *said)
{
	struct lru_node *lru = &NODE_DATA(nid)->lru;
	unsigned long flags = spin_lock_irqsave(&lru->lock);

	*said = (struct said){0};
	if (has_pages(lru))
		*said = say_locked(c, nid);
	spin_unlock_irqrestore(&lru->lock, flags);
	/* Relaxed: see the top. */
	return said->dirty == load_relaxed(&lru->nr_dirty) &&
	       said->writeback == load_relaxed(&lru->nr_writeback);
}

static void lru_flags(struct check *c)
{
	int nid;

	for_each_node(nid) {
		const struct lru_node *lru = &NODE_DATA(nid)->lru;
		struct said said;
		bool agree = false;

		for (u32 look = 0; look < CHECK_LOOKS && !agree; look++) {
			check_wait_a_moment(look);
			agree = flags_agree(c, nid, &said);
		}
		if (!agree)
			check_fail(c,
				   "node %d: %llu pages dirty, nr_dirty %lld; %llu being written, "
				   "nr_writeback %lld",
				   nid, ULL(said.dirty), (long long)load_relaxed(&lru->nr_dirty),
				   ULL(said.writeback),
				   (long long)load_relaxed(&lru->nr_writeback));
	}
}

static void lru_marks(struct check *c)
{
	int nid;

	for_each_node(nid) {
		struct lru_node *lru = &NODE_DATA(nid)->lru;
		unsigned long flags = spin_lock_irqsave(&lru->lock);
		struct said said = say_locked(c, nid);

		if (said.strays)
			check_fail(c,
				   "node %d: pfn 0x%llx, and %llu others: marks 0x%x, on list %s",
				   nid, ULL(said.stray_pfn), ULL(said.strays - 1),
				   pfn_to_page(said.stray_pfn)->marks,
				   list_name(pfn_to_page(said.stray_pfn)->lru));
		for (u32 i = 0; i < ARRAY_SIZE(lists); i++) {
			if (said.on_list[lists[i]] != lru->nr[lists[i]])
				check_fail(c, "node %d: %llu pages say that they are %s, nr %llu",
					   nid, ULL(said.on_list[lists[i]]), list_name(lists[i]),
					   ULL(lru->nr[lists[i]]));
		}
		spin_unlock_irqrestore(&lru->lock, flags);
	}
}

const struct invariant lru_invariants[] = {
	{"LRU-2", "an LRU list's links agree; its length is its count, in all, by zone",
	 .run = lru_lengths},
	{"LRU-1", "a page on an LRU list says so, is single, its node's, marked, owned",
	 .run = lru_entries},
	{"LRU-3", "dirty pages and pages being written are counted", .run = lru_flags},
	{"LRU-4", "a page is marked if and only if it is on an LRU list or isolated",
	 .run = lru_marks},
};
const u32 nr_lru_invariants = ARRAY_SIZE(lru_invariants);
