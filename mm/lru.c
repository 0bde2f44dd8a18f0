/*
 * Pages that can be had back: their lists, who has references, and how they are freed.
 *
 * The buddy allocator knows pages that somebody has, and cannot ask for any of them. An owner who can do
 * without a page (a cache: the content stands elsewhere, too) puts it on its node's LRU, and says by its
 * evict() how to take it away again. Which pages those should be is guessed from how they have been used,
 * with two lists (2Q: Johnson and Shasha, VLDB 1994; the names are Linux's):
 *
 *	           second touch
 *	 new  --> inactive ------------> active        pinned: its owner wants it kept
 *	            |    ^                  |
 *	            |    +------------------+ tail: while the inactive list is short
 *	       tail v
 *	          reclaim: isolated, owner->evict()
 *
 * A page that is used once passes through the inactive list and never drives out one that is used often.
 * A touch sets a bit and no more, so that using a page costs no lock; who looks at it later moves it.
 *
 * References. A page has one of its owner's and one of each who uses it. At 0 nobody can get one any more:
 *
 *	put_page()         the last one: takes the page off its list, frees it
 *	page_ref_freeze()  by the owner, in evict(): exactly as many as there should be, and then 0 at once.
 *	                   Refused for a page that is pinned, dirty or being written: each is said by
 *	                   somebody with a reference, who may have put it since the owner looked
 *
 * Isolating: only who has the LRU lock may take a page off a list, and with it goes a reference
 * (get_page_unless_zero()). Who finds 0 leaves the page alone: its last putter is waiting for the lock. So
 * a page that is isolated cannot be freed by anybody else, and it is the isolator's until lru_putback() or
 * lru_free_frozen(). PAGE_MARK_LRU is set and cleared under the lock as well: a page has it if and only if
 * it is on a list or isolated.
 *
 * Where an isolated page came from is kept in a bit (LRU_FROM_ACTIVE), so that it can be counted where it goes:
 * pgactivate, pgdeactivate.
 *
 * Lock: the node's `lru`, with interrupts off; nothing is taken under it, nobody is woken and nothing is freed.
 * It is held for at most as many steps as the caller wants pages. The words written under it are read
 * without it as hints, so they are written whole (relaxed).
 *
 * What a page's content needs is in mm/writeback.c, how evicted pages are remembered in mm/workingset.c.
 */
#include "lru.h"

#include <base/assert.h>
#include <mm/page_alloc.h>

#include "page_free.h"
#include "vmstat.h"
#include "zone.h"

void lru_node_init(struct lru_node *lru)
{
	spin_lock_init(&lru->lock, "lru");
	for (u32 list = 0; list < NR_LRU_LISTS; list++)
		list_init(&lru->list[list]);
	os_wait_queue_init(&lru->writeback_wait, "writeback");
}

const char *lru_list_name(enum lru_list list)
{
	static const char *const names[NR_LRU_LISTS] = {"none", "inactive", "active", "pinned",
							"isolated"};

	return (u32)list < NR_LRU_LISTS ? names[list] : "?";
}

struct lru_node *lru_of_node(int nid)
{
	return nid >= 0 && nid < MAX_NUMNODES && NODE_DATA(nid) ? &NODE_DATA(nid)->lru : NULL;
}

struct lru_node *page_lru_node(const struct page *page)
{
	return &NODE_DATA(page->nid)->lru;
}

/* --- Lists: under the lock ---------------------------------------------------------------------- */

static bool is_evictable(enum lru_list list)
{
	return list == LRU_INACTIVE || list == LRU_ACTIVE;
}

/* Relaxed: readers without the lock take it for a hint. */
static void say_list_locked(struct lru_node *lru, struct page *page, enum lru_list list)
{
	enum lru_list old = (enum lru_list)page->lru;
	u64 *of_zone = lru->nr_zone[page->zone];

	if (old != LRU_NONE) {
		store_relaxed(&lru->nr[old], lru->nr[old] - 1);
		store_relaxed(&of_zone[old], of_zone[old] - 1);
	}
	if (list != LRU_NONE) {
		store_relaxed(&lru->nr[list], lru->nr[list] + 1);
		store_relaxed(&of_zone[list], of_zone[list] + 1);
	}
	store_relaxed(&page->lru, (u8)list);
}

static void add_locked(struct lru_node *lru, struct page *page, enum lru_list list, bool tail)
{
	say_list_locked(lru, page, list);
	if (tail)
		list_add_tail(&page->lru_link, &lru->list[list]);
	else
		list_add(&page->lru_link, &lru->list[list]);
}

static void move_locked(struct lru_node *lru, struct page *page, enum lru_list list, bool tail)
{
	list_del(&page->lru_link);
	add_locked(lru, page, list, tail);
}

/* It is nobody's page any more: whose last reference is gone. Its flags end with it. */
static void forget_locked(struct lru_node *lru, struct page *page)
{
	u32 flags = load_relaxed(&page->lru_flags); /* relaxed: nobody else has a reference */

	ASSERT_MSG(!(flags & LRU_WRITEBACK), "pfn 0x%llx is freed while it is being written",
		   (unsigned long long)page_to_pfn(page));
	if (flags & LRU_DIRTY)
		lru_count(&lru->nr_dirty, -1);
	say_list_locked(lru, page, LRU_NONE);
	/* Relaxed: as page_set_mark(). */
	store_relaxed(&page->head, PAGE_HEAD(PAGE_ALLOCATED, 0));
}

/* --- References --------------------------------------------------------------------------------- */

/* Relaxed: the mark is the holder's, and a caller has a reference. */
static void expect_on_lru(const struct page *page, const char *what)
{
	ASSERT_MSG(PAGE_HEAD_MARKS(load_relaxed(&page->head)) & PAGE_MARK_LRU,
		   "%s of pfn 0x%llx, which is on no LRU", what,
		   (unsigned long long)page_to_pfn(page));
}

void get_page(struct page *page)
{
	/* Relaxed: who has one already has seen all that one more could show. */
	u32 before = __atomic_fetch_add(&page->lru_refs, 1, __ATOMIC_RELAXED);

	expect_on_lru(page, "get_page()");
	ASSERT_MSG(before != 0, "get_page() of pfn 0x%llx, which nobody has",
		   (unsigned long long)page_to_pfn(page));
}

bool get_page_unless_zero(struct page *page)
{
	u32 refs = load_relaxed(&page->lru_refs);

	/* Relaxed: the lock under which the page was found shows what it is. Ends: others have got on. */
	while (refs != 0) {
		if (__atomic_compare_exchange_n(&page->lru_refs, &refs, refs + 1, true,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static __noinline void free_unreferenced(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);

	/* An isolator has a reference, so it is on a list. */
	ASSERT(page->lru != LRU_ISOLATED && page->lru != LRU_NONE);
	list_del(&page->lru_link);
	forget_locked(lru, page);
	spin_unlock_irqrestore(&lru->lock, flags);
	__free_pages(page, 0);
}

void put_page(struct page *page)
{
	u32 before;

	expect_on_lru(page, "put_page()");
	/* Release: what was done with the page is done. Acquire: by everybody, before the last one frees it. */
	before = __atomic_fetch_sub(&page->lru_refs, 1, __ATOMIC_ACQ_REL);
	ASSERT_MSG(before != 0, "put_page() of pfn 0x%llx, which nobody has",
		   (unsigned long long)page_to_pfn(page));
	if (unlikely(before == 1))
		free_unreferenced(page);
}

bool page_ref_freeze(struct page *page, u32 refs)
{
	/* Acquire: what those who put theirs have done with the page, flags they set included. */
	if (!__atomic_compare_exchange_n(&page->lru_refs, &refs, 0, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	/* Relaxed: ordered by the above; nobody else can set one now. */
	if (likely(!(load_relaxed(&page->lru_flags) &
		     (LRU_UNEVICTABLE | LRU_DIRTY | LRU_WRITEBACK))))
		return true;
	/* Release: pairs with whoever freezes it next. */
	store_release(&page->lru_refs, refs);
	return false;
}

/* --- Life --------------------------------------------------------------------------------------- */

void lru_cache_add(struct page *page, const struct lru_owner *owner)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags;

	ASSERT_MSG(page->state == PAGE_ALLOCATED && page->order == 0 &&
			   !(page->marks & PAGE_MARK_LRU) && page->lru == LRU_NONE,
		   "lru_cache_add() of pfn 0x%llx, which is %s, order %u, marks 0x%x, on list %s",
		   (unsigned long long)page_to_pfn(page),
		   page_state_name((enum page_state)page->state), page->order, page->marks,
		   lru_list_name((enum lru_list)page->lru));
	page->lru_owner = owner;
	/* Relaxed: the lock publishes them with the page. */
	store_relaxed(&page->lru_refs, 1);
	store_relaxed(&page->lru_flags, 0);
	flags = spin_lock_irqsave(&lru->lock);
	page_set_mark(page, PAGE_MARK_LRU);
	add_locked(lru, page, LRU_INACTIVE, false);
	spin_unlock_irqrestore(&lru->lock, flags);
}

bool lru_activate(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);
	bool inactive = page->lru == LRU_INACTIVE;

	if (inactive) {
		move_locked(lru, page, LRU_ACTIVE, false);
		lru_clear_flags(page, LRU_REFERENCED);
		lru_set_flags(page, LRU_WORKINGSET);
	}
	spin_unlock_irqrestore(&lru->lock, flags);
	if (inactive)
		lru_count(&lru->age, 1);
	return inactive;
}

void mark_page_accessed(struct page *page)
{
	/* Relaxed, all: a touch says nothing of the content. Looked at first, since most pages have it. */
	if (!(load_relaxed(&page->lru_flags) & LRU_REFERENCED) &&
	    !(lru_set_flags(page, LRU_REFERENCED) & LRU_REFERENCED))
		return;
	if (load_relaxed(&page->lru) == LRU_INACTIVE && lru_activate(page))
		vmstat_count(VMSTAT_PGACTIVATE);
}

bool lru_test_clear_referenced(struct page *page)
{
	return lru_clear_flags(page, LRU_REFERENCED) & LRU_REFERENCED;
}

/* What is isolated stays so, and finds its list by the flag when it comes back. */
bool lru_pin_page(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);
	bool pinned = !(lru_set_flags(page, LRU_UNEVICTABLE) & LRU_UNEVICTABLE);

	if (pinned && is_evictable((enum lru_list)page->lru))
		move_locked(lru, page, LRU_PINNED, false);
	spin_unlock_irqrestore(&lru->lock, flags);
	return pinned;
}

bool lru_unpin_page(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);
	bool unpinned = lru_clear_flags(page, LRU_UNEVICTABLE) & LRU_UNEVICTABLE;

	if (unpinned && page->lru == LRU_PINNED)
		move_locked(lru, page, LRU_INACTIVE, false);
	spin_unlock_irqrestore(&lru->lock, flags);
	return unpinned;
}

/* --- Isolating ---------------------------------------------------------------------------------- */

/* False: nobody has it any more; its last putter waits for the lock. */
static bool isolate_locked(struct lru_node *lru, struct page *page)
{
	if (!get_page_unless_zero(page))
		return false;
	list_del(&page->lru_link);
	if (page->lru == LRU_ACTIVE)
		lru_set_flags(page, LRU_FROM_ACTIVE);
	say_list_locked(lru, page, LRU_ISOLATED);
	return true;
}

u32 lru_isolate_tail(int nid, enum lru_list list, enum zone_type request_class, u32 nr_to_scan,
		     struct list_head *pages, u32 *scanned)
{
	struct lru_node *lru = lru_of_node(nid);
	u32 seen = 0, taken = 0;
	unsigned long flags;

	*scanned = 0;
	if (!lru)
		return 0;
	ASSERT(is_evictable(list));
	flags = spin_lock_irqsave(&lru->lock);
	nr_to_scan = (u32)MIN((u64)nr_to_scan, lru->nr[list]);
	for (; seen < nr_to_scan; seen++) {
		struct page *page = list_entry(lru->list[list].prev, struct page, lru_link);

		if (page->zone <= (u8)request_class && isolate_locked(lru, page)) {
			list_add_tail(&page->lru_link, pages);
			taken++;
		} else { /* out of the way of who looks next */
			list_del(&page->lru_link);
			list_add(&page->lru_link, &lru->list[list]);
		}
	}
	spin_unlock_irqrestore(&lru->lock, flags);
	*scanned = seen;
	return taken;
}

bool lru_isolate_page(struct page *page)
{
	struct lru_node *lru = lru_of_node(page->nid);
	unsigned long flags;
	bool isolated;

	/* Relaxed: a hint, looked at again. A frame that is no page of any node has no list. */
	if (!lru || !is_evictable((enum lru_list)load_relaxed(&page->lru)))
		return false;
	flags = spin_lock_irqsave(&lru->lock);
	isolated = is_evictable((enum lru_list)page->lru) && isolate_locked(lru, page);
	spin_unlock_irqrestore(&lru->lock, flags);
	return isolated;
}

/* Where it goes once its write is over, if reclaim waits for that: mm/writeback.c. */
static bool write_has_ended_locked(struct page *page)
{
	/* Relaxed: one word, whose changes have one order. Whichever side is second sees the first. */
	u32 flags = load_relaxed(&page->lru_flags);

	return (flags & LRU_RECLAIM) && !(flags & LRU_WRITEBACK);
}

static void count_move(struct lru_node *lru, struct page *page, enum lru_list list)
{
	bool was_active = lru_clear_flags(page, LRU_FROM_ACTIVE) & LRU_FROM_ACTIVE;

	if (list == LRU_INACTIVE && was_active)
		vmstat_count(VMSTAT_PGDEACTIVATE);
	if (list == LRU_ACTIVE && !was_active) {
		lru_set_flags(page, LRU_WORKINGSET);
		lru_count(&lru->age, 1);
		vmstat_count(VMSTAT_PGACTIVATE);
	}
}

void lru_putback(struct page *page, enum lru_list list, bool tail)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags;

	ASSERT(is_evictable(list));
	flags = spin_lock_irqsave(&lru->lock);
	ASSERT(page->lru == LRU_ISOLATED);
	count_move(lru, page, list);
	/* Relaxed: pinned under the lock. */
	if (load_relaxed(&page->lru_flags) & LRU_UNEVICTABLE)
		list = LRU_PINNED;
	if (write_has_ended_locked(page)) {
		lru_clear_flags(page, LRU_RECLAIM);
		if (list == LRU_INACTIVE) {
			tail = true;
			vmstat_count(VMSTAT_PGROTATED);
		}
	}
	add_locked(lru, page, list, tail);
	spin_unlock_irqrestore(&lru->lock, flags);
	put_page(page);
}

void lru_rotate_written(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);

	/* While it is isolated the flag stays: lru_putback() sees it. */
	if (page->lru != LRU_ISOLATED && write_has_ended_locked(page)) {
		lru_clear_flags(page, LRU_RECLAIM);
		if (page->lru == LRU_INACTIVE) {
			move_locked(lru, page, LRU_INACTIVE, true);
			vmstat_count(VMSTAT_PGROTATED);
		}
	}
	spin_unlock_irqrestore(&lru->lock, flags);
}

void lru_free_frozen(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);
	unsigned long flags = spin_lock_irqsave(&lru->lock);

	ASSERT(page->lru == LRU_ISOLATED && page_ref_count(page) == 0);
	forget_locked(lru, page);
	spin_unlock_irqrestore(&lru->lock, flags);
	page_free_to_zone(page);
}

/* --- Looking ------------------------------------------------------------------------------------ */

/* Relaxed, all: figures of several moments. No lock, since a panic's report looks as well. */
u64 lru_reclaimable_pages(int nid, enum zone_type request_class)
{
	const struct lru_node *lru = lru_of_node(nid);
	u64 pages = 0;

	for (u32 zone = 0; lru && zone <= (u32)request_class; zone++)
		pages += load_relaxed(&lru->nr_zone[zone][LRU_INACTIVE]) +
			 load_relaxed(&lru->nr_zone[zone][LRU_ACTIVE]);
	return pages;
}

u64 lru_evictable_of_zone(const struct zone *zone)
{
	const u64 *pages = NODE_DATA(zone->nid)->lru.nr_zone[zone->type];

	return load_relaxed(&pages[LRU_INACTIVE]) + load_relaxed(&pages[LRU_ACTIVE]) +
	       load_relaxed(&pages[LRU_ISOLATED]);
}

/* A count goes up after its flag, so another CPU may have taken it down first. */
static u64 not_below_zero(u64 count)
{
	return (s64)count < 0 ? 0 : count;
}

bool lru_snapshot(int nid, struct lru_snapshot *out)
{
	const struct lru_node *lru = lru_of_node(nid);

	*out = (struct lru_snapshot){0};
	if (!lru)
		return false;
	for (u32 list = 0; list < NR_LRU_LISTS; list++)
		out->pages[list] = load_relaxed(&lru->nr[list]);
	for (u32 zone = 0; zone < MAX_NR_ZONES; zone++)
		out->zone_pages[zone] = load_relaxed(&lru->nr_zone[zone][LRU_INACTIVE]) +
					load_relaxed(&lru->nr_zone[zone][LRU_ACTIVE]);
	out->dirty_pages = not_below_zero(load_relaxed(&lru->nr_dirty));
	out->writeback_pages = not_below_zero(load_relaxed(&lru->nr_writeback));
	out->age = load_relaxed(&lru->age);
	return true;
}
