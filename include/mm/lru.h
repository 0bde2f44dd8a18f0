/*
 * Pages that can be had back: who registers them, holds them, touches them. Theory in mm/lru.c.
 *
 *	owner                                                 reclaim
 *	alloc_pages(... | __GFP_MOVABLE)
 *	lru_cache_add(page, owner)     refs = 1: the owner's
 *	get_page / put_page            who uses it            isolates it (one reference more),
 *	mark_page_accessed             each use               asks owner->evict(page)
 *	set_page_dirty ...             what must be written
 *
 * Names are Linux's where the meaning is.
 */
#ifndef MM_LRU_H
#define MM_LRU_H

#include <base/atomic.h>
#include <mm/page.h>

/* On which list a page is: page->lru, under its node's LRU lock. */
enum lru_list {
	LRU_NONE,     /* not reclaimable, as nearly all pages are: not in any owner's hands */
	LRU_INACTIVE, /* new, or long not touched: reclaim takes from its tail */
	LRU_ACTIVE,   /* touched again while it was there */
	LRU_PINNED,   /* its owner wants it kept: nobody looks at these */
	LRU_ISOLATED, /* on nobody's list but a reclaimer's own */
	NR_LRU_LISTS
};

/* page->lru_flags: atomic, any context. */
#define LRU_REFERENCED    0x01u /* touched since somebody looked */
#define LRU_DIRTY         0x02u /* its content is newer than its store's */
#define LRU_WRITEBACK     0x04u /* being written: not to be freed, may be read */
#define LRU_RECLAIM       0x08u /* reclaim waits for the write: to the inactive tail when it is done */
#define LRU_WORKINGSET    0x10u /* has been active */
#define LRU_UNEVICTABLE   0x20u /* pinned: on that list, or will be when it comes back */
#define LRU_OWNER_FLAG(n) (1u << (16 + (n))) /* n below 16: the owner's own */

/* What an owner has done with a page that reclaim wants. */
enum lru_outcome {
	LRU_FREED, /* frozen by page_ref_freeze() and in no index of the owner: the page is reclaim's */
	LRU_WRITING,   /* a write has begun, or is under way */
	LRU_KEPT,      /* busy, or may not be written now: later */
	LRU_ACTIVATED, /* in use after all */
	NR_LRU_OUTCOMES
};

/* What the reclaimer may do. */
struct reclaim_scope {
	bool may_write; /* __GFP_IO: a write to a device may be begun */
};

/*
 * Who has pages there. Registered for good, at boot or before its first page; constant.
 *
 * evict: the page is ISOLATED, and the caller has one reference of it beside the owner's one. Called with
 * no lock held, by a thread with PF_MEMALLOC; may be called by several CPUs at once, for different pages. May
 * not sleep for the page's sake (trylock), nor wait for the write it begins.
 */
struct lru_owner {
	const char *name;
	enum lru_outcome (*evict)(struct page *page, const struct reclaim_scope *scope);
};

/* --- References ------------------------------------------------------------------------------- */

/*
 * A page on an LRU is freed when its last reference goes. get_page(): by who has one already, or the
 * owner's lock under which it cannot go. get_page_unless_zero(): by who can only be sure that the struct
 * page is there: it was found on a list, under a lock without which its last reference cannot go.
 * put_page(): any context. page_ref_freeze(): true if the references were exactly so many, and are none
 * now: nobody can get one any more. False also of a page that is pinned, dirty or being written.
 */
void get_page(struct page *page);
bool get_page_unless_zero(struct page *page);
void put_page(struct page *page);
bool page_ref_freeze(struct page *page, u32 refs);

static inline u32 page_ref_count(const struct page *page)
{
	return load_relaxed(&page->lru_refs); /* relaxed: a figure by the time it is looked at */
}

/* --- Life ---------------------------------------------------------------------------------------- */

/*
 * The page, of order 0 and the caller's, becomes one of the owner's, inactive, with one reference. Its
 * owner_* words may be set before. Any context.
 */
void lru_cache_add(struct page *page, const struct lru_owner *owner);

/*
 * One more use. The first sets LRU_REFERENCED; the second, while inactive, activates the page.
 * Any context; by who has a reference.
 */
void mark_page_accessed(struct page *page);

/* Kept until unpinned, and not looked at. Not counted: false if it is (not) pinned already. Any context. */
bool lru_pin_page(struct page *page);
bool lru_unpin_page(struct page *page);

/*
 * Content and its store. Each returns whether it changed anything; by who has a reference. Any context.
 * A write goes: clear_page_dirty_for_io(), set_page_writeback(), the device, end_page_writeback().
 * end_page_writeback() also wakes who waits for writes of the node. cancel_page_writeback(): the device did not take
 * it, so it is none that has ended.
 */
bool set_page_dirty(struct page *page);
bool clear_page_dirty_for_io(struct page *page);
bool set_page_writeback(struct page *page);
void end_page_writeback(struct page *page);
void cancel_page_writeback(struct page *page);

static inline u32 page_lru_flags(const struct page *page)
{
	return load_acquire(
		&page->lru_flags); /* acquire: what was written before a flag is seen with it */
}

/* --- Working set ------------------------------------------------------------------------------- */

/*
 * What an owner keeps of a page it has lost, to know at its return how long it was away. 0: nothing known.
 * workingset_eviction(): in evict, before the page is frozen. workingset_refault(): after lru_cache_add() of
 * the page that takes its place; activates it if it was away for less than the active list is long.
 */
u32 workingset_eviction(struct page *page);
bool workingset_refault(struct page *page, u32 shadow);

/* --- Looking ------------------------------------------------------------------------------------ */

struct lru_snapshot {
	u64 pages[NR_LRU_LISTS]; /* [LRU_NONE] is 0 */
	u64 dirty_pages, writeback_pages;
	u64 zone_pages[MAX_NR_ZONES]; /* inactive and active, by zone */
	u64 age;                      /* pages that left or were activated, since boot */
};
/* False: no such node. Any context. */
bool lru_snapshot(int nid, struct lru_snapshot *out);
const char *lru_list_name(enum lru_list list);
/* "dirty workingset 0x10000": by name, the owner's own as a number; "none". Cut to fit. */
void lru_flags_text(char *buf, size_t size, u32 flags);

#endif
