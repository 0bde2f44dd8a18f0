/*
 * The index is a dense array: page->owner_key is where the page is in it, and the last one fills the hole of one
 * that goes. Pages being written are a queue by page->owner_next, each with a reference of the write.
 *
 * Lock: the toy's, over array, queue and counts; a page leaves the array under it, with its references frozen or the
 * cache's own about to be put. The LRU lock may be taken inside it, never the other way round.
 */
#include "toy_cache.h"

#include <arch/spinlock.h>
#include <mm/page_alloc.h>

static struct {
	struct spinlock lock;
	struct page **slot;
	u32 nr_slots;
	enum toy_writes writes;
	struct page *writing, **writing_end;
	struct toy_counts counts;
} toy = {.lock = SPINLOCK_INIT("toy cache")};

static void leave_array_locked(struct page *page)
{
	u32 i = (u32)page->owner_key;
	struct page *last = toy.slot[--toy.counts.pages];

	toy.slot[i] = last;
	last->owner_key = i;
}

static void begin_write_locked(struct page *page)
{
	clear_page_dirty_for_io(page);
	set_page_writeback(page);
	get_page(page);
	page->owner_next = NULL;
	*toy.writing_end = page;
	toy.writing_end = &page->owner_next;
	toy.counts.writes_begun++;
}

/* Clean it, if that is the way of this cache. */
static enum lru_outcome write_locked(struct page *page, const struct reclaim_scope *scope)
{
	u32 flags = page_lru_flags(page);

	if (toy.writes == TOY_WRITES_AT_ONCE) {
		if (scope->may_write)
			clear_page_dirty_for_io(page);
		return LRU_FREED;
	}
	if (flags & LRU_WRITEBACK)
		return LRU_WRITING;
	if (!(flags & LRU_DIRTY))
		return LRU_FREED;
	if (!scope->may_write)
		return LRU_KEPT;
	begin_write_locked(page);
	return LRU_WRITING;
}

static enum lru_outcome toy_evict(struct page *page, const struct reclaim_scope *scope)
{
	unsigned long flags = spin_lock_irqsave(&toy.lock);
	enum lru_outcome outcome = write_locked(page, scope);

	/* The cache's reference and the reclaimer's. Refused while dirty, being written, or pinned. */
	if (outcome == LRU_FREED && !page_ref_freeze(page, 2))
		outcome = LRU_KEPT;
	if (outcome == LRU_FREED) {
		leave_array_locked(page);
		toy.counts.evicted++;
	}
	toy.counts.kept += outcome == LRU_KEPT;
	spin_unlock_irqrestore(&toy.lock, flags);
	return outcome;
}

static const struct lru_owner owner = {.name = "toy", .evict = toy_evict};

/* --- The tests' side ----------------------------------------------------------------------------- */

void toy_begin(struct page **slots, u32 nr_slots, enum toy_writes writes)
{
	toy.slot = slots;
	toy.nr_slots = nr_slots;
	toy.writes = writes;
	toy.writing = NULL;
	toy.writing_end = &toy.writing;
	toy.counts = (struct toy_counts){0};
}

bool toy_add(struct page *page)
{
	unsigned long flags = spin_lock_irqsave(&toy.lock);
	bool added = toy.counts.pages < toy.nr_slots;

	if (added) {
		page->owner_key = toy.counts.pages;
		toy.slot[toy.counts.pages++] = page;
		/* Under the lock: it is found in the array from here on, and must be a page of the LRU. */
		lru_cache_add(page, &owner);
	}
	spin_unlock_irqrestore(&toy.lock, flags);
	return added;
}

u32 toy_fill(int nid, gfp_t gfp, u32 most)
{
	u32 nr = 0;

	while (nr < most) {
		struct page *page = alloc_pages_node(nid, gfp | __GFP_MOVABLE | __GFP_NOWARN, 0);

		if (!page)
			break;
		if (!toy_add(page)) {
			__free_pages(page, 0);
			break;
		}
		nr++;
	}
	return nr;
}

struct page *toy_get(u32 i)
{
	unsigned long flags = spin_lock_irqsave(&toy.lock);
	struct page *page = i < toy.counts.pages ? toy.slot[i] : NULL;

	if (page)
		get_page(page);
	spin_unlock_irqrestore(&toy.lock, flags);
	return page;
}

bool toy_drop(u32 i)
{
	unsigned long flags = spin_lock_irqsave(&toy.lock);
	struct page *page = i < toy.counts.pages ? toy.slot[i] : NULL;

	if (page)
		leave_array_locked(page);
	spin_unlock_irqrestore(&toy.lock, flags);
	if (page)
		put_page(page);
	return page != NULL;
}

u32 toy_end_writes(u32 most)
{
	struct page *page;
	u32 nr = 0;

	while (nr < most) {
		unsigned long flags = spin_lock_irqsave(&toy.lock);

		page = toy.writing;
		if (page) {
			toy.writing = page->owner_next;
			toy.counts.writes_ended++;
		}
		if (!toy.writing)
			toy.writing_end = &toy.writing;
		spin_unlock_irqrestore(&toy.lock, flags);
		if (!page)
			break;
		end_page_writeback(page);
		put_page(page);
		nr++;
	}
	return nr;
}

void toy_empty(void)
{
	toy_end_writes(~(u32)0);
	while (toy.counts.pages > 0) {
		struct page *page = toy.slot[toy.counts.pages - 1];

		lru_unpin_page(page);
		if (page_lru_flags(page) & LRU_WRITEBACK)
			end_page_writeback(page);
		toy_drop(toy.counts.pages - 1);
	}
}

void toy_counts(struct toy_counts *out)
{
	unsigned long flags = spin_lock_irqsave(&toy.lock);

	*out = toy.counts;
	spin_unlock_irqrestore(&toy.lock, flags);
}
