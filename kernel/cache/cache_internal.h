/*
 * Between the files of the page cache. Theory in page_cache.c.
 */
#ifndef KERNEL_CACHE_INTERNAL_H
#define KERNEL_CACHE_INTERNAL_H

#include <kernel/page_cache.h>
#include <mm/page.h>

#include "content.h"
#include "ledger.h"

/* page->lru_flags, the owner's. */
#define CACHE_LOCKED LRU_OWNER_FLAG(0) /* somebody has the page's content and version to himself */
#define CACHE_UPTODATE \
	LRU_OWNER_FLAG(1) /* it holds what owner_value says; set under the page's lock */
#define CACHE_INDEXED LRU_OWNER_FLAG(2) /* it is in the index; cleared under the page's lock */
#define CACHE_PINNED  LRU_OWNER_FLAG(3) /* by cache_pin(); under the page's lock */

/* page->owner_key: the file's number and the index in it. page->owner_value: version of the content. */
#define CACHE_INDEX_BITS 40

enum cache_count {
	CACHE_PAGES, /* these two go down as well */
	CACHE_DIRTY,
	CACHE_HITS,
	CACHE_MISSES,
	CACHE_REFAULTS,
	CACHE_WRITES,
	CACHE_WRITTEN,
	CACHE_WRITE_ERRORS,
	CACHE_EVICTED,
	CACHE_EVICT_BUSY,
	CACHE_VERIFIED,
	CACHE_WRONG,
	NR_CACHE_COUNTS
};

struct cache_file {
	char name[24];
	u32 id;       /* its place in the table */
	u64 content;  /* its name in the content of pages: from seed and serial number */
	u64 nr_pages; /* these and the ledger: constant while it exists */
	struct ledger ledger;
	u32 state;                  /* file.c's; guarded by the table's lock */
	bool lose_next;             /* atomic */
	u64 count[NR_CACHE_COUNTS]; /* atomic, relaxed: figures */
};

static inline u64 cache_key(const struct cache_file *file, u64 index)
{
	return (u64)file->id << CACHE_INDEX_BITS | index;
}

static inline u64 cache_key_index(u64 key)
{
	return key & (((u64)1 << CACHE_INDEX_BITS) - 1);
}

static inline void cache_count(struct cache_file *file, enum cache_count what, s64 by)
{
	/* Relaxed: a figure. */
	__atomic_fetch_add(&file->count[what], (u64)by, __ATOMIC_RELAXED);
}

static inline struct content_id cache_content(const struct cache_file *file, u64 index, u64 version)
{
	return (struct content_id){file->content, index, version};
}

/* --- file.c -------------------------------------------------------------------------------------- */

/* Of a page in the index: its file stays as long as the page's lock is held. */
struct cache_file *cache_file_of_page(const struct page *page);
/* The i-th place of the table, if there is a file; else NULL. For reports: it may go at any time. */
const struct cache_file *cache_file_at(u32 i);

/* --- index.c ------------------------------------------------------------------------------------- */

/* A user more of the index, a file, and one less: the first makes it, the last gives it back. -ENOMEM. May sleep. */
int cache_index_get(void);
void cache_index_put(void);

/* With a reference, or NULL. */
struct page *cache_index_find(u64 key);
bool cache_index_has(u64 key);
/* NULL: it is in, and INDEXED. Else the one that is there already, with a reference. */
struct page *cache_index_insert(struct page *page);
/* By who has the page's lock. */
void cache_index_remove(struct page *page);
/* The same, and nobody can get a reference any more, if there are exactly so many: else false. */
bool cache_index_freeze(struct page *page, u32 refs, u32 shadow, u32 *shadow_place);

/* Each page of the file that is there all the while, once: with a reference. {0} begins; NULL: no more. */
struct cache_cursor {
	u64 at;       /* index in the file, or bucket */
	u64 from_key; /* of the bucket the keys from here on are left */
};
struct page *cache_index_next(const struct cache_file *file, struct cache_cursor *cursor);
/* Under the bucket's lock, for checks: every page, and whether it is where it belongs. */
u64 cache_index_walk(void (*fn)(struct page *page, bool in_place, void *arg), void *arg);

/* --- lock.c -------------------------------------------------------------------------------------- */

void cache_locks_init(void);
bool cache_trylock_page(struct page *page);
/* By who has a reference. 0; -EAGAIN: somebody has it, and may_sleep is false. */
int cache_lock_page(struct page *page, bool may_sleep);
void cache_unlock_page(struct page *page);

/* --- writeback.c --------------------------------------------------------------------------------- */

extern const struct lru_owner cache_owner;

void cache_writes_init(void);
void cache_mark_dirty(struct cache_file *file, struct page *page);
void cache_clear_dirty(struct cache_file *file, struct page *page);
/*
 * Page locked, dirty, not being written: begins the write. 0; -ENOMEM: no memory for record or packet; -EBUSY: as many
 * are under way as may be.
 */
int cache_begin_write(struct cache_file *file, struct page *page, gfp_t gfp);
/* Sleeps until no write of the page is under way; false: the deadline has passed. By who has a reference. */
bool cache_wait_written(struct page *page, u64 deadline_ns);
/* Until a write of any page has ended, or so long. */
void cache_wait_any_ended(u64 timeout_ns);
u64 cache_writes_under_way(void);

/* --- verify.c ------------------------------------------------------------------------------------- */

/* Page locked, UPTODATE. False: it does not hold what was last written; said, and counted. */
bool cache_verify(struct cache_file *file, const struct page *page);
/* The same of what has arrived at the store. */
bool cache_verify_arrived(struct cache_file *file, u64 index, u64 version, u64 checksum);

#endif
