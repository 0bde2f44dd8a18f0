/*
 * The cache of the LRU stress: NR_SLOTS pages, each of which holds what its slot says.
 *
 *	slot  [lock | page | shadow]      the owner's reference of a page is the slot's
 *	        |
 *	        +- fill    a new page, if nobody was quicker; its shadow says whether it comes back
 *	        +- look up with a reference, which keeps it from being evicted
 *	        +- drop    takes it out and puts it: whoever has it last frees it, an interrupt perhaps
 *	        +- evict   of one that a reclaimer has isolated: freezes it, or begins to write it
 *
 *	device: pages being written, each with a reference; a thread or an interrupt ends one
 *
 * A page holds what its slot and the number of its filling say. One that is freed while somebody has a reference
 * is soon filled anew by another, and is then seen to hold something else.
 *
 * Locks: a slot's, then the device's, interrupts off. Nothing of the LRU that takes its lock is called under
 * them, so that the last reference is never put there.
 */
#include "lru_stress_cache.h"

#include <arch/page.h>
#include <arch/spinlock.h>
#include <mm/page_alloc.h>

#define MAX_WRITES 24u
#define WORDS      (PAGE_SIZE / sizeof(u64))

struct slot {
	struct spinlock lock;
	struct page *page; /* guarded by lock */
	u32 shadow;        /* guarded by lock */
};

static struct slot slots[NR_SLOTS];
static struct {
	struct spinlock lock;
	struct page *page[MAX_WRITES]; /* guarded by lock */
	u32 nr;
} device;
static u64 fillings; /* atomic: numbers them */

/* ---- Content ----------------------------------------------------------------------------------- */

static u64 word_of(const struct page *page, u64 i)
{
	return (page->owner_key << 32 ^ page->owner_value) * 0x9e3779b97f4a7c15ull + i;
}

static void write_words(struct page *page)
{
	u64 *words = page_address(page);

	for (u64 i = 0; i < WORDS; i++)
		words[i] = word_of(page, i);
}

void lsc_read(struct worker *w, struct page *page)
{
	const u64 *words = page_address(page);
	const u64 at[] = {0, random_below(&w->random, WORDS), WORDS - 1};

	w->count[READS]++;
	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		if (words[at[i]] != word_of(page, at[i])) {
			w->count[BAD]++;
			return;
		}
	}
}

/* ---- The owner --------------------------------------------------------------------------------- */

enum lru_outcome lsc_begin_write(struct worker *w, struct page *page)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);
	enum lru_outcome outcome = LRU_KEPT;

	/* One write of a page at a time: it stays dirty meanwhile. */
	if (device.nr < MAX_WRITES && set_page_writeback(page)) {
		clear_page_dirty_for_io(page);
		get_page(page);
		device.page[device.nr++] = page;
		w->count[WRITES]++;
		outcome = LRU_WRITING;
	}
	spin_unlock_irqrestore(&device.lock, flags);
	return outcome;
}

bool lsc_end_write(struct worker *w, enum count counted)
{
	unsigned long flags = spin_lock_irqsave(&device.lock);
	struct page *page = device.nr ? device.page[--device.nr] : NULL;

	spin_unlock_irqrestore(&device.lock, flags);
	if (!page)
		return false;
	end_page_writeback(page);
	w->count[counted]++;
	put_page(page);
	return true;
}

static enum lru_outcome evict_locked(struct worker *w, struct slot *slot, struct page *page)
{
	u32 shadow;

	if (slot->page != page)
		return LRU_KEPT; /* not in it yet, or dropped meanwhile */
	if (page_lru_flags(page) & LRU_WRITEBACK)
		return LRU_WRITING;
	if (page_lru_flags(page) & LRU_DIRTY)
		return lsc_begin_write(w, page);
	shadow = workingset_eviction(page);
	if (!page_ref_freeze(page, 2)) {
		w->count[REFUSED]++;
		return LRU_KEPT;
	}
	slot->page = NULL;
	slot->shadow = shadow;
	w->count[EVICTED]++;
	return LRU_FREED;
}

enum lru_outcome lsc_evict(struct worker *w, struct page *page)
{
	struct slot *slot = &slots[page->owner_key];
	unsigned long flags = spin_lock_irqsave(&slot->lock);
	enum lru_outcome outcome = evict_locked(w, slot, page);

	spin_unlock_irqrestore(&slot->lock, flags);
	return outcome;
}

/* For reclaim that is not ours: it may come while the machine has little memory. */
static enum lru_outcome keep(struct page *page, const struct reclaim_scope *scope)
{
	(void)page;
	(void)scope;
	return LRU_KEPT;
}

static const struct lru_owner owner = {.name = "lru stress", .evict = keep};

bool lsc_is_mine(const struct page *page)
{
	return page->lru_owner == &owner;
}

void lsc_fill(struct worker *w, u32 n)
{
	struct slot *slot = &slots[n];
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_MOVABLE, 0), *extra;
	unsigned long flags;
	u32 shadow;

	if (!page)
		return;
	page->owner_key = n;
	/* Relaxed: a number that nobody else has. */
	page->owner_value = __atomic_fetch_add(&fillings, 1, __ATOMIC_RELAXED);
	write_words(page);
	lru_cache_add(page, &owner);
	w->count[FILLS]++;
	flags = spin_lock_irqsave(&slot->lock);
	extra = slot->page ? page : NULL; /* somebody was quicker */
	shadow = slot->shadow;
	if (!extra) {
		slot->page = page;
		slot->shadow = 0;
		get_page(page);
	}
	spin_unlock_irqrestore(&slot->lock, flags);
	if (!extra)
		workingset_refault(page, shadow);
	put_page(page);
}

struct page *lsc_look_up(u32 n)
{
	unsigned long flags = spin_lock_irqsave(&slots[n].lock);
	struct page *page = slots[n].page;

	if (page)
		get_page(page);
	spin_unlock_irqrestore(&slots[n].lock, flags);
	return page;
}

bool lsc_drop(u32 n)
{
	unsigned long flags = spin_lock_irqsave(&slots[n].lock);
	struct page *page = slots[n].page;

	slots[n].page = NULL;
	slots[n].shadow = 0;
	spin_unlock_irqrestore(&slots[n].lock, flags);
	if (page)
		put_page(page);
	return page != NULL;
}

struct page *lsc_glimpse(u32 n)
{
	unsigned long flags = spin_lock_irqsave(&slots[n].lock);
	struct page *page = slots[n].page;

	spin_unlock_irqrestore(&slots[n].lock, flags);
	return page;
}

void lsc_init(void)
{
	for (u32 i = 0; i < NR_SLOTS; i++)
		spin_lock_init(&slots[i].lock, "lru stress slot");
	spin_lock_init(&device.lock, "lru stress device");
}
