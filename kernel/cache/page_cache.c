/*
 * A page cache over a store that is not there: memory that can be had back, and that says so if it was taken
 * wrongly.
 *
 * Reclaim frees pages whose content is elsewhere, too. Whether it did so rightly is not seen in the allocator:
 * every page is accounted for, and somebody's data is gone. So here each content is a function of file, index
 * and version (content.c), the store keeps only which version it has acknowledged, a ledger the one that
 * was written last (ledger.c), and every read compares the whole page with what it must be (verify.c).
 *
 *	cache_read()  index ----- there: ----------------------------> locked, compared, touched
 *	                |
 *	                +-- not there: a page, on the LRU; in the index; locked;
 *	                    filled with the version that the store has;
 *	                    away for a short time only? active ------> compared
 *	cache_write() the same, filled with the next version, dirty
 *
 * The life of a page:
 *
 *	            lru_cache_add()    filled           cache_write()
 *	allocated ----------------> new ------> clean <---------------> dirty
 *	                                          |    ended()             | reclaim, cache_sync()
 *	                                          |                        v
 *	               freed <--------------------+ <---------------- writeback
 *	                       reclaim: evict()         ended()
 *	                       cache_file_destroy()
 *
 * A page in the cache has one reference, the index's. A user takes another, and drops it when done. A page that
 * is in the index stays as long as one has a reference or its lock. In this order: reference, lock, look
 * whether it is still in the index (its file may have dropped it), and whether it has been filled: who finds
 * it new fills it, be it the one that brought it or another.
 *
 * Where things are: index.c finds pages, lock.c locks them, writeback.c writes and evicts, file.c makes and
 * destroys files, netblk.c is the device, check.c executes the invariants.
 *
 * Lock order: a page's lock, then the bucket's of the index; a page's lock, then `netblk`, the
 * LRU's (which are not held together). One page's lock at a time; a thread that holds one may come to
 * evict() of others by asking for a packet: that only tries.
 *
 * Limits: readers of one page wait for each other. CACHE_MAX_FILES files.
 */
#include <base/assert.h>
#include <base/errno.h>
#include <mm/page_alloc.h>

#include "cache_internal.h"

/* Each time the page was dropped before we had its lock, which only its file's end does. */
#define MAX_TRIES 16

static bool may_sleep(gfp_t gfp)
{
	return gfp & __GFP_DIRECT_RECLAIM;
}

/* A page for the key in the index, new or of somebody who was quicker: with a reference. NULL: no memory. */
static struct page *add_page(struct cache_file *file, u64 key, gfp_t gfp)
{
	struct page *page = alloc_pages(gfp | __GFP_MOVABLE, 0), *there;

	if (!page)
		return NULL;
	page->owner_next = NULL;
	page->owner_key = key;
	page->owner_value = 0;
	lru_cache_add(page, &cache_owner);
	get_page(page);
	cache_count(file, CACHE_PAGES, 1);
	there = cache_index_insert(page);
	if (!there)
		return page;
	cache_count(file, CACHE_PAGES, -1);
	put_page(page);
	put_page(page);
	return there;
}

/* The page, with a reference and locked. 0, -EINVAL, -ENOMEM, -EAGAIN: as cache_read() says. */
static int obtain(struct cache_file *file, u64 index, gfp_t gfp, struct page **out)
{
	u64 key = cache_key(file, index);

	if (index >= file->nr_pages)
		return -EINVAL;
	for (u32 tries = 0; tries < MAX_TRIES; tries++) {
		struct page *page = cache_index_find(key);
		int err;

		if (!page)
			page = add_page(file, key, gfp);
		if (!page)
			return -ENOMEM;
		err = cache_lock_page(page, may_sleep(gfp));
		if (!err && (page_lru_flags(page) & CACHE_INDEXED)) {
			*out = page;
			return 0;
		}
		if (!err)
			cache_unlock_page(page);
		put_page(page);
		if (err)
			return err;
	}
	return -EAGAIN;
}

static void release(struct page *page)
{
	cache_unlock_page(page);
	put_page(page);
}

/* From now on it holds this version, and nobody else looks at it yet. */
static void fill(struct cache_file *file, struct page *page, u64 version)
{
	struct content_id id = cache_content(file, cache_key_index(page->owner_key), version);

	content_fill(page_address(page), &id);
	page->owner_value = version;
	/* Relaxed: who looks at it has the page's lock. */
	__atomic_fetch_or(&page->lru_flags, CACHE_UPTODATE, __ATOMIC_RELAXED);
}

/* It was not there. Has it been, and not long ago? */
static void note_miss(struct cache_file *file, struct page *page, struct ledger_entry *entry)
{
	u32 shadow = load_relaxed(&entry->shadow); /* relaxed: index.c orders it */

	cache_count(file, CACHE_MISSES, 1);
	if (shadow == 0)
		return;
	cache_count(file, CACHE_REFAULTS, 1);
	workingset_refault(page, shadow);
}

/* Locked: filled with what the store has, if it is new. */
static void bring(struct cache_file *file, struct page *page)
{
	struct ledger_entry *entry = ledger_entry(&file->ledger, cache_key_index(page->owner_key));

	if (page_lru_flags(page) & CACHE_UPTODATE) {
		cache_count(file, CACHE_HITS, 1);
	} else {
		note_miss(file, page, entry);
		/* Acquire: pairs with the end of the write. */
		fill(file, page, load_acquire(&entry->stored));
	}
	mark_page_accessed(page);
}

int cache_read(struct cache_file *file, u64 index, gfp_t gfp)
{
	struct page *page;
	bool right;
	int err = obtain(file, index, gfp, &page);

	if (err)
		return err;
	bring(file, page);
	right = cache_verify(file, page);
	release(page);
	return right ? 0 : -EILSEQ;
}

int cache_write(struct cache_file *file, u64 index, gfp_t gfp)
{
	struct ledger_entry *entry;
	struct page *page;
	int err = obtain(file, index, gfp, &page);

	if (err)
		return err;
	entry = ledger_entry(&file->ledger, index);
	if (page_lru_flags(page) & CACHE_UPTODATE)
		cache_count(file, CACHE_HITS, 1);
	else
		note_miss(file, page, entry);
	fill(file, page, ++entry->written);
	cache_mark_dirty(file, page);
	cache_count(file, CACHE_WRITES, 1);
	mark_page_accessed(page);
	release(page);
	return 0;
}

int cache_pin(struct cache_file *file, u64 index, gfp_t gfp)
{
	struct page *page;
	bool right;
	int err = obtain(file, index, gfp, &page);

	if (err)
		return err;
	bring(file, page);
	right = cache_verify(file, page);
	if (!right)
		err = -EILSEQ;
	else if (!lru_pin_page(page))
		err = -EBUSY;
	else
		/* Relaxed: who looks at it has the page's lock. */
		__atomic_fetch_or(&page->lru_flags, CACHE_PINNED, __ATOMIC_RELAXED);
	release(page);
	return err;
}

int cache_unpin(struct cache_file *file, u64 index)
{
	struct page *page;
	int err = -EBUSY;

	if (index >= file->nr_pages)
		return -EINVAL;
	page = cache_index_find(cache_key(file, index));
	if (!page)
		return -EBUSY;
	cache_lock_page(page, true);
	if (page_lru_flags(page) & CACHE_PINNED) {
		/* Relaxed: as in cache_pin(). */
		__atomic_fetch_and(&page->lru_flags, ~CACHE_PINNED, __ATOMIC_RELAXED);
		lru_unpin_page(page);
		err = 0;
	}
	release(page);
	return err;
}

bool cache_has(struct cache_file *file, u64 index)
{
	return index < file->nr_pages && cache_index_has(cache_key(file, index));
}
