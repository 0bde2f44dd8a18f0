/*
 * Looking at frames from outside: what one is, and how many of a stretch are free.
 *
 * A frame's state is that of the block it is in, and only the block's head carries it. From any
 * frame the head is found by trying: a block of order o begins at a multiple of 1 << o, so there
 * are NR_ORDERS places where the head can be, all of them in the frame's own 4 MiB unit:
 *
 *	frame 13 (1101b)   13, 12, 12, 8, 0, 0, ...     the first that is a head is the one
 *
 * A stretch is counted from head to head, not from page to page: memory that is free in large
 * blocks costs one struct page for 4 MiB, the worst case (every block of order 0) one a page.
 * That is address order, so it answers for a part of a zone as well as for all of it; the free
 * lists could only answer for all.
 *
 * Lock: the zone's, for one unit at a time, so it is held for MAX_BLOCK_PAGES steps at most; for one
 * frame its node's LRU lock after it. A picture of more than one unit, or of a page and its LRU, is
 * therefore one of several moments. Nothing here changes anything, and broken struct pages are reported
 * as what they say, not followed.
 */
#include <mm/inspect.h>

#include <base/format.h>
#include <base/string.h>
#include <mm/memblock.h>

#include "lru.h"
#include "zone.h"

/* --- Blocks -------------------------------------------------------------------------------- */

/*
 * Relaxed: a block goes between its holder and a CPU's own list without the lock. Its order, and whether
 * it is a head at all, changes only with it.
 */
static u8 state_of(const struct page *page)
{
	return load_relaxed(&page->state);
}

/*
 * The head of the block that holds the frame, or NULL. A head that does not reach the frame ends
 * the search: a block that begins below it would hold that head, too.
 */
static const struct page *block_head_locked(const struct zone *zone, pfn_t pfn)
{
	for (u32 order = 0; order <= MAX_ORDER; order++) {
		pfn_t at = ALIGN_DOWN(pfn, (pfn_t)1 << order);
		const struct page *page = pfn_to_page(at);

		/* Nodes may share a unit; the lock we have is this zone's. */
		if (page->nid != zone->nid || page->zone != zone->type)
			return NULL;
		if (page_state_is_head(state_of(page)))
			return page->order <= MAX_ORDER && pfn - at < (pfn_t)1 << page->order
				       ? page
				       : NULL;
	}
	return NULL;
}

/* The frame whose free_link this is; NO_PFN for a list's head, or a link that leads nowhere. */
static pfn_t link_pfn(const struct list_head *link)
{
	uintptr_t at = (uintptr_t)link - offsetof(struct page, free_link);
	pfn_t pfn;

	if (at < VMEMMAP_BASE || !IS_ALIGNED(at - VMEMMAP_BASE, sizeof(struct page)))
		return NO_PFN;
	pfn = (at - VMEMMAP_BASE) / sizeof(struct page);
	return pfn_valid(pfn) ? pfn : NO_PFN;
}

static void copy_block_locked(const struct zone *zone, struct page_snapshot *out)
{
	const struct page *head = block_head_locked(zone, out->pfn);

	if (!head)
		return;
	out->head_pfn = page_to_pfn(head);
	out->head_state = (enum page_state)state_of(head);
	out->order = head->order;
	if (out->head_state == PAGE_FREE) {
		out->next_pfn = link_pfn(head->free_link.next);
		out->prev_pfn = link_pfn(head->free_link.prev);
	}
}

/* --- One frame ----------------------------------------------------------------------------- */

/*
 * Under the LRU lock the mark says whether there is anything to copy, and that the owner is one. Where the page
 * goes afterwards is not this picture's.
 */
static void copy_lru(const struct page *page, struct page_snapshot *out)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);

	/* Relaxed: of a page that is on no LRU its holder's. */
	if (PAGE_HEAD_MARKS(load_relaxed(&page->head)) & PAGE_MARK_LRU) {
		out->lru = (enum lru_list)page->lru;
		out->lru_refs = page_ref_count(page);
		out->lru_flags = load_relaxed(&page->lru_flags); /* relaxed: a figure */
		out->lru_owner = page->lru_owner;
	}
	spin_unlock_irqrestore(&lru->lock, flags);
}

void lru_flags_text(char *buf, size_t size, u32 flags)
{
	static const struct {
		u32 flag;
		const char *name;
	} names[] = {
		{LRU_REFERENCED, "referenced"},   {LRU_DIRTY, "dirty"},
		{LRU_WRITEBACK, "writeback"},     {LRU_RECLAIM, "reclaim"},
		{LRU_WORKINGSET, "workingset"},   {LRU_UNEVICTABLE, "unevictable"},
		{LRU_FROM_ACTIVE, "from active"},
	};
	size_t len = 0;

	snprintf(buf, size, "none");
	for (u32 i = 0; i < ARRAY_SIZE(names) && len < size; i++) {
		if (flags & names[i].flag)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "",
						names[i].name);
		flags &= ~names[i].flag;
	}
	if (flags && len < size)
		snprintf(buf + len, size - len, "%s0x%x", len ? " " : "", flags);
}

bool page_snapshot(pfn_t pfn, struct page_snapshot *out)
{
	phys_addr_t cursor = pfn_to_phys(pfn);
	struct memblock_range range;
	const struct page *page;
	struct zone *zone;
	unsigned long flags;

	if (!pfn_valid(pfn))
		return false;
	page = pfn_to_page(pfn);
	memset(out, 0, sizeof(*out));
	out->pfn = pfn;
	out->head_pfn = out->next_pfn = out->prev_pfn = NO_PFN;
	out->nid = page->nid;
	out->zone = (enum zone_type)page->zone;
	out->has_owner =
		memblock_next(&cursor, &range) && range.base == pfn_to_phys(pfn) && range.reserved;
	if (out->has_owner)
		out->owner = range.owner;

	out->state = (enum page_state)state_of(page);
	out->marks = PAGE_HEAD_MARKS(load_relaxed(&page->head)); /* relaxed: as the state */
	if (out->nid >= MAX_NUMNODES || !NODE_DATA(out->nid) || out->zone >= MAX_NR_ZONES)
		return true; /* broken: there is no lock to take, and no block to find */
	zone = page_zone(page);
	flags = spin_lock_irqsave(&zone->lock);
	out->state = (enum page_state)state_of(page);
	/* Relaxed: of a block that is not FREE they are its holder's, or a list's. */
	for (u32 i = 0; i < ARRAY_SIZE(out->arm_words); i++)
		out->arm_words[i] = load_relaxed(&page->arm_words[i]);
	copy_block_locked(zone, out);
	spin_unlock_irqrestore(&zone->lock, flags);
	copy_lru(page, out);
	return true;
}

/* --- A stretch of them --------------------------------------------------------------------- */

static void count_pages_locked(const struct zone *zone, struct memory_piece *piece)
{
	pfn_t pfn = piece->start;

	while (pfn < piece->end) {
		const struct page *head = block_head_locked(zone, pfn);
		u32 state = state_of(head ? head : pfn_to_page(pfn));
		pfn_t next = head ? page_to_pfn(head) + ((pfn_t)1 << head->order) : pfn + 1;

		next = MIN(next, piece->end);
		piece->pages[state < NR_PAGE_STATES ? state : PAGE_TAIL] += next - pfn;
		/* Relaxed: the mark is its holder's. */
		if (state == PAGE_ALLOCATED &&
		    (PAGE_HEAD_MARKS(load_relaxed(&head->head)) & PAGE_MARK_SLAB))
			piece->slab_pages += next - pfn;
		pfn = next;
	}
}

bool memory_next(pfn_t *cursor, pfn_t end, struct memory_piece *piece)
{
	phys_addr_t at = pfn_to_phys(*cursor);
	struct memblock_range range;
	struct zone *zone;
	unsigned long flags;

	if (*cursor >= end || !memblock_next(&at, &range) || pfn_down(range.base) >= end)
		return false;
	memset(piece, 0, sizeof(*piece));
	piece->start = pfn_down(range.base);
	/* Zone limits are multiples of a unit, so a piece is of one zone. */
	piece->end = ALIGN_DOWN(piece->start, MAX_BLOCK_PAGES) + MAX_BLOCK_PAGES;
	piece->end = MIN(piece->end, pfn_down(range.end));
	piece->end = MIN(piece->end, end);
	piece->nid = range.nid;
	piece->zone = pfn_zone_type(piece->start);
	piece->reserved = range.reserved;
	*cursor = piece->end;
	if (range.reserved) {
		piece->owner = range.owner;
		piece->pages[PAGE_RESERVED] = piece->end - piece->start;
		return true;
	}

	zone = &NODE_DATA(piece->nid)->zones[piece->zone];
	flags = spin_lock_irqsave(&zone->lock);
	count_pages_locked(zone, piece);
	spin_unlock_irqrestore(&zone->lock, flags);
	return true;
}

/* --- Pageblocks ---------------------------------------------------------------------------- */

const char *block_type_name(enum block_type type)
{
	static const char *const names[NR_BLOCK_TYPES] = {"Unmovable", "Movable"};

	return type < NR_BLOCK_TYPES ? names[type] : "?";
}

bool pageblock_counts(int nid, enum zone_type type, struct pageblock_counts *out)
{
	const struct zone *zone = zone_find(nid, type);

	if (!zone)
		return false;
	memset(out, 0, sizeof(*out));
	for (pfn_t pfn = ALIGN_DOWN(zone->start_pfn, PAGEBLOCK_PAGES);
	     pfn < zone->start_pfn + zone->spanned_pages; pfn += PAGEBLOCK_PAGES) {
		const struct page *first = pfn_to_page(pfn);
		u8 block_type;

		/* Of one shared by nodes only the one of its first frame counts it. */
		if (!pfn_valid(pfn) || first->nid != zone->nid || first->zone != zone->type)
			continue;
		/* Relaxed: each is a figure; the next may change while we look at this one. */
		block_type = load_relaxed(&first->pageblock_type);
		out->of_type[block_type < NR_BLOCK_TYPES ? block_type : BLOCK_UNMOVABLE]++;
		out->shared += first->pageblock_shared;
	}
	return true;
}
