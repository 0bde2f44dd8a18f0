/*
 * The index of the page cache: from file and index to the page.
 *
 * A hash table whose chains go through struct page itself (owner_next, owner_key), so being in the cache costs
 * a page no memory. It has a bucket for four pages of the machine, in blocks of 4 MiB at most; if such blocks
 * are not to be had, half as many buckets with longer chains, and so on. The first file makes it, the last one
 * gives it back. It has a million buckets at most: chains of 16 on a machine of 64 GiB that holds nothing but the
 * cache. With as many as the machine's size would want, 32 MiB were cleared for a first file of one page, and
 * walked by each look at all of it.
 *
 *	blocks[]          buckets             pages
 *	+---+     +-----+-----+-----+
 *	| 0 | --> |  .  |  .  |  .  | ...
 *	| 1 |     +-----+--|--+-----+
 *	 ...               v
 *	                 page --owner_next--> page --> NULL
 *
 * A page in the index has a reference, its owner's, that the index stands for. So who finds it under the
 * bucket's lock may take another; and who wants to free it takes it out under the same lock, having made sure
 * that nobody has one (page_ref_freeze()).
 *
 * Locks: `cache index`, one for every NR_LOCKS-th bucket; threads only; nothing is taken under it. `cache index
 * users` guards who uses the table. Who looks at all of it (check) is a user meanwhile.
 */
#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/errno.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "cache_internal.h"

#define PAGES_PER_BUCKET 4
#define BUCKETS_PER_PAGE (PAGE_SIZE / sizeof(struct page *))
#define NR_BLOCKS        2 /* a million buckets */
#define NR_LOCKS         256

struct table {
	struct page **blocks[NR_BLOCKS];
	u32 block_order;
	u32 nr_blocks;  /* 0: there is none */
	u64 nr_buckets; /* a power of two */
};

static struct spinlock users_lock = SPINLOCK_INIT("cache index users");
static u32 nr_users;       /* guarded by users_lock */
static struct table table; /* constant while there are users */
static struct spinlock bucket_locks[NR_LOCKS] = {[0 ... NR_LOCKS - 1] =
							 SPINLOCK_INIT("cache index")};

/* --- The table ----------------------------------------------------------------------------------- */

static u64 wanted_buckets(void)
{
	u64 buckets = BUCKETS_PER_PAGE;
	struct vm_totals totals;

	vm_totals(&totals);
	while (buckets * PAGES_PER_BUCKET < totals.managed_pages &&
	       buckets < NR_BLOCKS * MAX_BLOCK_PAGES * BUCKETS_PER_PAGE)
		buckets *= 2;
	return buckets;
}

static void table_free(struct table *t)
{
	for (u32 i = 0; i < t->nr_blocks; i++)
		free_pages(t->blocks[i], t->block_order);
	t->nr_blocks = 0;
}

static bool table_alloc(struct table *t, u64 nr_buckets)
{
	u64 pages = nr_buckets / BUCKETS_PER_PAGE, nr_blocks;

	t->nr_blocks = 0;
	t->nr_buckets = nr_buckets;
	t->block_order = 0;
	while (t->block_order < MAX_ORDER && (u64)1 << t->block_order < pages)
		t->block_order++;
	nr_blocks = pages >> t->block_order;
	while (t->nr_blocks < nr_blocks) {
		void *block = get_free_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY,
					     t->block_order);

		if (!block) {
			table_free(t);
			return false;
		}
		t->blocks[t->nr_blocks++] = block;
	}
	return true;
}

/* Two first users may both make one; the second to come leaves the first's. */
int cache_index_get(void)
{
	struct table made = {.nr_blocks = 0};
	u64 buckets;

	spin_lock(&users_lock);
	if (nr_users > 0) {
		nr_users++;
		spin_unlock(&users_lock);
		return 0;
	}
	spin_unlock(&users_lock);

	for (buckets = wanted_buckets(); !table_alloc(&made, buckets); buckets /= 2)
		if (buckets == BUCKETS_PER_PAGE)
			return -ENOMEM;
	spin_lock(&users_lock);
	if (nr_users++ == 0) {
		table = made;
		made.nr_blocks = 0;
	}
	spin_unlock(&users_lock);
	table_free(&made);
	return 0;
}

void cache_index_put(void)
{
	struct table last = {.nr_blocks = 0};

	spin_lock(&users_lock);
	ASSERT(nr_users > 0);
	if (--nr_users == 0) {
		last = table;
		table.nr_blocks = 0;
	}
	spin_unlock(&users_lock);
	table_free(&last);
}

/* --- Buckets ------------------------------------------------------------------------------------- */

static u64 bucket_of(u64 key)
{
	return content_mix(key) & (table.nr_buckets - 1);
}

static struct page **head_of(u64 bucket)
{
	u64 per_block = BUCKETS_PER_PAGE << table.block_order;

	return &table.blocks[bucket / per_block][bucket % per_block];
}

static struct spinlock *lock_of(u64 bucket)
{
	return &bucket_locks[bucket % NR_LOCKS];
}

static struct page *find_locked(u64 bucket, u64 key)
{
	struct page *page = *head_of(bucket);

	while (page && page->owner_key != key)
		page = page->owner_next;
	return page;
}

struct page *cache_index_find(u64 key)
{
	u64 bucket = bucket_of(key);
	struct page *page;

	spin_lock(lock_of(bucket));
	page = find_locked(bucket, key);
	if (page)
		get_page(page);
	spin_unlock(lock_of(bucket));
	return page;
}

bool cache_index_has(u64 key)
{
	u64 bucket = bucket_of(key);
	bool has;

	spin_lock(lock_of(bucket));
	has = find_locked(bucket, key) != NULL;
	spin_unlock(lock_of(bucket));
	return has;
}

struct page *cache_index_insert(struct page *page)
{
	u64 bucket = bucket_of(page->owner_key);
	struct page *there;

	spin_lock(lock_of(bucket));
	there = find_locked(bucket, page->owner_key);
	if (there) {
		get_page(there);
	} else {
		page->owner_next = *head_of(bucket);
		*head_of(bucket) = page;
		/* Relaxed: who finds the page has had the bucket's lock. */
		__atomic_fetch_or(&page->lru_flags, CACHE_INDEXED, __ATOMIC_RELAXED);
	}
	spin_unlock(lock_of(bucket));
	return there;
}

static void remove_locked(u64 bucket, struct page *page)
{
	struct page **link = head_of(bucket);

	while (*link && *link != page)
		link = &(*link)->owner_next;
	ASSERT_MSG(*link, "key 0x%llx is not in the index", (unsigned long long)page->owner_key);
	*link = page->owner_next;
	page->owner_next = NULL;
	/* Relaxed: who looks at it has the page's lock. */
	__atomic_fetch_and(&page->lru_flags, ~(CACHE_INDEXED | CACHE_UPTODATE), __ATOMIC_RELAXED);
}

void cache_index_remove(struct page *page)
{
	u64 bucket = bucket_of(page->owner_key);

	spin_lock(lock_of(bucket));
	remove_locked(bucket, page);
	spin_unlock(lock_of(bucket));
}

bool cache_index_freeze(struct page *page, u32 refs, u32 shadow, u32 *shadow_place)
{
	u64 bucket = bucket_of(page->owner_key);
	bool frozen;

	spin_lock(lock_of(bucket));
	frozen = page_ref_freeze(page, refs);
	if (frozen) {
		/* Relaxed: who looks for the page in vain, and then here, has had the lock after us. */
		store_relaxed(shadow_place, shadow);
		remove_locked(bucket, page);
	}
	spin_unlock(lock_of(bucket));
	return frozen;
}

/* --- All of them ---------------------------------------------------------------------------------- */

/* The one with the least key, from that key on, of the file. */
static struct page *least_locked(u64 bucket, u32 file_id, u64 from_key)
{
	struct page *least = NULL;

	for (struct page *page = *head_of(bucket); page; page = page->owner_next)
		if (page->owner_key >> CACHE_INDEX_BITS == file_id && page->owner_key >= from_key &&
		    (!least || page->owner_key < least->owner_key))
			least = page;
	return least;
}

/* Most are. Relaxed: who walks sees what was there when it began; what comes and goes meanwhile, or not. */
static bool is_empty(u64 bucket)
{
	return load_relaxed(head_of(bucket)) == NULL;
}

static struct page *next_by_bucket(u32 file_id, struct cache_cursor *cursor)
{
	while (cursor->at < table.nr_buckets) {
		struct page *page;

		if (is_empty(cursor->at)) {
			cursor->at++;
			cursor->from_key = 0;
			continue;
		}
		spin_lock(lock_of(cursor->at));
		page = least_locked(cursor->at, file_id, cursor->from_key);
		if (page)
			get_page(page);
		spin_unlock(lock_of(cursor->at));
		if (page) {
			cursor->from_key = page->owner_key + 1;
			return page;
		}
		cursor->at++;
		cursor->from_key = 0;
	}
	return NULL;
}

struct page *cache_index_next(const struct cache_file *file, struct cache_cursor *cursor)
{
	/* Whichever is less to look at. */
	if (file->nr_pages > table.nr_buckets)
		return next_by_bucket(file->id, cursor);
	while (cursor->at < file->nr_pages) {
		struct page *page = cache_index_find(cache_key(file, cursor->at++));

		if (page)
			return page;
	}
	return NULL;
}

/* As one of its users, if there is one: the table stays. */
static bool keep_table(void)
{
	bool used;

	spin_lock(&users_lock);
	used = nr_users > 0;
	nr_users += used;
	spin_unlock(&users_lock);
	return used;
}

/*
 * A bucket at a time, as fn() may look at whole pages: no lock is held, and nobody kept from running, for longer
 * than a chain is.
 */
u64 cache_index_walk(void (*fn)(struct page *page, bool in_place, void *arg), void *arg)
{
	u64 nr = 0;

	if (!keep_table())
		return 0;
	for (u64 bucket = 0; bucket < table.nr_buckets; bucket++) {
		struct page *page;

		if (is_empty(bucket))
			continue;
		spin_lock(lock_of(bucket));
		for (page = *head_of(bucket); page; page = page->owner_next, nr++) {
			bool first = find_locked(bucket, page->owner_key) == page;

			fn(page, first && bucket_of(page->owner_key) == bucket, arg);
		}
		spin_unlock(lock_of(bucket));
	}
	cache_index_put();
	return nr;
}
