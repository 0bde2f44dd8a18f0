/*
 * An owner of reclaimable pages for tests.
 *
 * Its index is an array: a page knows its slot, and its tag, in owner_key. A page is taken out of the array under
 * the lock, together with the freeze of its references, so that who looks through the array under the
 * lock finds pages that have at least the owner's reference.
 *
 *	slot[]    page | page | NULL | page ...            tag 0..3: groups that a test speaks of
 *	queue     oldest write -> ... -> youngest          by owner_next; a reference of each
 *
 * A write begins in evict() of a dirty page, and ends when the test says so: sham_complete(), in an
 * interrupt if the test wants that.
 *
 * Lock: `sham`, interrupts off. Nothing of the LRU's is called under it but the atomic functions.
 */
#include "sham.h"

#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/string.h>
#include <mm/os_task.h>

static struct {
	struct spinlock lock;
	/* Guarded by lock. */
	struct page **slot;
	u32 room, nr_slots,
		free_slot; /* nr_slots: from there on none was used; no slot below free_slot is free */
	u64 nr_of[SHAM_TAGS];
	struct page *oldest, *youngest;
	struct sham_counts counts;
	/* Atomic. */
	u32 busy; /* a bit for each tag */
	bool greedy;
} sham;

static u32 tag_of(const struct page *page)
{
	return (u32)(page->owner_key >> 32);
}

static u32 slot_of(const struct page *page)
{
	return (u32)page->owner_key;
}

/* --- Being asked -------------------------------------------------------------------------------- */

static void count(u64 *counter)
{
	/* Relaxed: figures. */
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Gone from the array if nobody else has it. */
static bool let_go(struct page *page)
{
	unsigned long flags = spin_lock_irqsave(&sham.lock);
	bool alone = page_ref_freeze(page, 2);

	if (alone) {
		sham.slot[slot_of(page)] = NULL;
		sham.free_slot = MIN(sham.free_slot, slot_of(page));
		sham.nr_of[tag_of(page)]--;
		count(&sham.counts.freed[tag_of(page)]);
	}
	spin_unlock_irqrestore(&sham.lock, flags);
	return alone;
}

/* What a real one needs for a write: a packet. */
static void take_and_give(void)
{
	struct page *packet = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0);

	if (packet)
		__free_pages(packet, 0);
}

static bool begin_write(struct page *page)
{
	unsigned long flags;

	if (load_relaxed(&sham.greedy))
		take_and_give();
	if (!clear_page_dirty_for_io(page))
		return false;
	set_page_writeback(page);
	get_page(page);
	page->owner_next = NULL;
	flags = spin_lock_irqsave(&sham.lock);
	if (sham.youngest)
		sham.youngest->owner_next = page;
	else
		sham.oldest = page;
	sham.youngest = page;
	count(&sham.counts.begun);
	spin_unlock_irqrestore(&sham.lock, flags);
	return true;
}

static bool tag_is_busy(u32 tag)
{
	return load_relaxed(&sham.busy) >> tag &
	       1; /* relaxed: set before the test asks for memory */
}

static enum lru_outcome sham_evict(struct page *page, const struct reclaim_scope *scope)
{
	count(&sham.counts.asked);
	if (!(os_current()->flags & PF_MEMALLOC))
		count(&sham.counts.without_memalloc);
	if (!tag_is_busy(tag_of(page))) {
		if (!(page_lru_flags(page) & LRU_DIRTY)) {
			if (let_go(page))
				return LRU_FREED;
		} else if (!scope->may_write) {
			count(&sham.counts.refused_writes);
		} else if (begin_write(page)) {
			return LRU_WRITING;
		}
	}
	count(&sham.counts.kept);
	return LRU_KEPT;
}

static const struct lru_owner sham_owner = {.name = "sham", .evict = sham_evict};

/* The oldest write, or NULL. */
static struct page *take_write(void)
{
	unsigned long flags = spin_lock_irqsave(&sham.lock);
	struct page *page = sham.oldest;

	if (page) {
		sham.oldest = page->owner_next;
		if (!sham.oldest)
			sham.youngest = NULL;
		count(&sham.counts.completed);
	}
	spin_unlock_irqrestore(&sham.lock, flags);
	return page;
}

u64 sham_complete(u64 max)
{
	struct page *page;
	u64 ended = 0;

	for (; ended < max && (page = take_write()); ended++) {
		end_page_writeback(page);
		put_page(page);
	}
	return ended;
}

/* --- What it has -------------------------------------------------------------------------------- */

void sham_start(struct page **slots, u32 nr_slots)
{
	memset(&sham, 0, sizeof(sham));
	memset(slots, 0, nr_slots * sizeof(*slots));
	sham.slot = slots;
	sham.room = nr_slots;
	spin_lock_init(&sham.lock, "sham");
}

struct sham_counts sham_counts(void)
{
	struct sham_counts counts;

	/* Relaxed: figures, each a word. */
	for (u32 i = 0; i < sizeof(counts) / sizeof(u64); i++)
		((u64 *)&counts)[i] = load_relaxed((u64 *)&sham.counts + i);
	return counts;
}

/* A slot for the page; false: there is none. */
static bool enter(struct page *page, u32 tag)
{
	unsigned long flags = spin_lock_irqsave(&sham.lock);
	u32 slot = sham.free_slot;
	bool room;

	while (slot < sham.nr_slots && sham.slot[slot])
		slot++;
	room = slot < sham.room;
	if (room) {
		page->owner_key = (u64)tag << 32 | slot;
		sham.slot[slot] = page;
		sham.free_slot = slot + 1;
		sham.nr_slots = MAX(sham.nr_slots, slot + 1);
		sham.nr_of[tag]++;
		/* Under the lock: whoever finds it there has to be able to take a reference. */
		store_relaxed(&page->lru_refs, 0);
	}
	spin_unlock_irqrestore(&sham.lock, flags);
	return room;
}

bool sham_add(int nid, gfp_t gfp, u32 tag)
{
	struct page *page = nid == NUMA_NO_NODE
				    ? alloc_pages(gfp | __GFP_MOVABLE | __GFP_NOWARN, 0)
				    : alloc_pages_node(nid, gfp | __GFP_MOVABLE | __GFP_NOWARN, 0);

	if (!page)
		return false;
	if (!enter(page, tag)) {
		__free_pages(page, 0);
		return false;
	}
	lru_cache_add(page, &sham_owner);
	return true;
}

u64 sham_fill(int nid, gfp_t gfp, u32 tag, u64 max)
{
	u64 pages = 0;

	while (pages < max && sham_add(nid, gfp, tag))
		pages++;
	return pages;
}

u64 sham_pages_of(u32 tag)
{
	unsigned long flags = spin_lock_irqsave(&sham.lock);
	u64 pages = sham.nr_of[tag];

	spin_unlock_irqrestore(&sham.lock, flags);
	return pages;
}

u64 sham_pages(void)
{
	u64 pages = 0;

	for (u32 tag = 0; tag < SHAM_TAGS; tag++)
		pages += sham_pages_of(tag);
	return pages;
}

/* --- What a test does to many ------------------------------------------------------------------- */

/* The page of a slot, if it is of the tag, with a reference; or NULL. */
static struct page *get_slot(u32 slot, u32 tag)
{
	unsigned long flags = spin_lock_irqsave(&sham.lock);
	struct page *page = sham.slot[slot];

	if (page && (tag_of(page) != tag || !get_page_unless_zero(page)))
		page = NULL;
	spin_unlock_irqrestore(&sham.lock, flags);
	return page;
}

static void dirty(struct page *page)
{
	(void)set_page_dirty(page);
}

static void pin(struct page *page)
{
	(void)lru_pin_page(page);
}

static void unpin(struct page *page)
{
	(void)lru_unpin_page(page);
}

static void for_each_of(u32 tag, void (*fn)(struct page *page))
{
	for (u32 slot = 0; slot < sham.nr_slots; slot++) {
		struct page *page = get_slot(slot, tag);

		if (!page)
			continue;
		fn(page);
		put_page(page);
	}
}

void sham_touch(u32 tag)
{
	for_each_of(tag, mark_page_accessed);
}

void sham_dirty(u32 tag)
{
	for_each_of(tag, dirty);
}

void sham_pin(u32 tag)
{
	for_each_of(tag, pin);
}

void sham_unpin(u32 tag)
{
	for_each_of(tag, unpin);
}

void sham_set_busy(u32 tag, bool busy)
{
	if (busy)
		__atomic_fetch_or(&sham.busy, 1u << tag, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&sham.busy, ~(1u << tag), __ATOMIC_RELAXED);
}

void sham_set_greedy(bool greedy)
{
	store_relaxed(&sham.greedy, greedy);
}

/* Out of the array first; then the owner's reference. */
static void drop(u32 slot, u32 tag)
{
	struct page *page = get_slot(slot, tag);
	unsigned long flags;

	if (!page)
		return;
	clear_page_dirty_for_io(page);
	flags = spin_lock_irqsave(&sham.lock);
	sham.slot[slot] = NULL;
	sham.free_slot = MIN(sham.free_slot, slot);
	sham.nr_of[tag]--;
	spin_unlock_irqrestore(&sham.lock, flags);
	put_page(page);
	put_page(page);
}

void sham_drop_all(void)
{
	sham_complete(SHAM_MAX_PAGES);
	for (u32 tag = 0; tag < SHAM_TAGS; tag++) {
		for (u32 slot = 0; slot < sham.nr_slots; slot++)
			drop(slot, tag);
	}
}
