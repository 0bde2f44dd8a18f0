/*
 * Files of the page cache: made, written out, destroyed, counted.
 *
 * A file is a place in a table and a ledger. The table never moves, so a number in a page's key is enough to
 * find it. A file's pages keep it: it is given up only when none of them is left, and a page leaves under its
 * lock, so who has the lock of a page in the index may use the file.
 *
 *	cache_sync()            each page of the file once: waits for the write under way, begins one if it
 *	                        is dirty; then each once more: waits for that
 *	cache_file_destroy()    each that is not being written: out of the index, whatever it holds; then each
 *	                        that is left: waits for the write under way, and the same
 *
 * Both are bounded by the caller's time. Lock: `cache files` guards the table; under it nothing is taken.
 */
#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/format.h>
#include <kernel/netblk.h>
#include <mm/os.h>

#include "cache_internal.h"

/* A write that finds no room, or no memory for its packet, looks again. */
#define RETRY_NS 2000000ull

enum file_state { FILE_NONE, FILE_BEING_MADE, FILE_EXISTS };

static struct spinlock files_lock = SPINLOCK_INIT("cache files");
/* Guarded by files_lock: each one's state, and which numbers have been. */
static struct cache_file files[CACHE_MAX_FILES];
static u64 nr_files_made;
static u64 gone[NR_CACHE_COUNTS]; /* what files have counted that are no more */

struct cache_file *cache_file_of_page(const struct page *page)
{
	struct cache_file *file = &files[page->owner_key >> CACHE_INDEX_BITS];

	ASSERT(file->nr_pages > cache_key_index(page->owner_key));
	return file;
}

const struct cache_file *cache_file_at(u32 i)
{
	/* Acquire: pairs with the release of who made it. */
	return i < CACHE_MAX_FILES && load_acquire(&files[i].state) == FILE_EXISTS ? &files[i]
										   : NULL;
}

u64 cache_file_pages(const struct cache_file *file)
{
	return file->nr_pages;
}

/* --- Made and destroyed ----------------------------------------------------------------------------- */

void page_cache_init(void)
{
	cache_locks_init();
	cache_writes_init();
	netblk_init();
}

/* A place that nobody else gets, and the number that no other file ever has; NULL: all are taken. */
static struct cache_file *reserve_place(u64 *serial)
{
	struct cache_file *file = NULL;

	spin_lock(&files_lock);
	for (u32 i = 0; i < CACHE_MAX_FILES && !file; i++)
		if (load_relaxed(&files[i].state) == FILE_NONE) /* relaxed: by the lock */
			file = &files[i];
	if (file) {
		file->id = (u32)(file - files);
		store_relaxed(&file->state, FILE_BEING_MADE); /* relaxed: as good as none */
		*serial = ++nr_files_made;
	}
	spin_unlock(&files_lock);
	return file;
}

static void give_up_place(struct cache_file *file)
{
	spin_lock(&files_lock);
	for (u32 i = 0; i < NR_CACHE_COUNTS; i++) {
		/* Relaxed: figures. */
		store_relaxed(&gone[i], gone[i] + load_relaxed(&file->count[i]));
		store_relaxed(&file->count[i], 0);
	}
	store_relaxed(&file->state, FILE_NONE); /* relaxed: the lock publishes it */
	spin_unlock(&files_lock);
}

struct cache_file *cache_file_create(const char *name, u64 nr_pages, u64 seed)
{
	struct cache_file *file;
	u64 serial;

	if (cache_index_get() != 0)
		return NULL;
	file = reserve_place(&serial);
	if (!file) {
		os_log(OS_LOG_WARN, "cache", "no file '%s': there are %u", name, CACHE_MAX_FILES);
		cache_index_put();
		return NULL;
	}
	if (nr_pages == 0 || ledger_create(&file->ledger, nr_pages) != 0) {
		give_up_place(file);
		cache_index_put();
		return NULL;
	}
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->nr_pages = nr_pages;
	file->content = content_mix(content_mix(seed) ^ serial);
	/* Relaxed: nobody knows the file yet. */
	store_relaxed(&file->lose_next, false);
	store_release(&file->state, FILE_EXISTS); /* release: with all of the above */
	return file;
}

/* Each page of the file that is there, to fn, with a reference; ends with the first that is not 0. */
static int for_each_page(struct cache_file *file, u64 deadline_ns,
			 int (*fn)(struct cache_file *file, struct page *page, u64 deadline_ns))
{
	struct cache_cursor cursor = {0};
	struct page *page;
	int err = 0;

	while (!err && (page = cache_index_next(file, &cursor))) {
		err = fn(file, page, deadline_ns);
		put_page(page);
	}
	return err;
}

static u64 deadline_in(u64 timeout_ns)
{
	u64 now_ns = arch_timestamp_to_ns(arch_timestamp());

	return timeout_ns < ~(u64)0 - now_ns ? now_ns + timeout_ns : ~(u64)0;
}

static int wait_for_write(struct cache_file *file, struct page *page, u64 deadline_ns)
{
	(void)file;
	return cache_wait_written(page, deadline_ns) ? 0 : -ETIMEDOUT;
}

static int is_droppable(struct cache_file *file, struct page *page, u64 deadline_ns)
{
	(void)file;
	(void)deadline_ns;
	return page_lru_flags(page) & CACHE_PINNED ? -EBUSY : 0;
}

/* Out of the index, if it is not being written. */
static bool try_to_drop(struct cache_file *file, struct page *page)
{
	u32 flags;

	cache_lock_page(page, true);
	flags = page_lru_flags(page);
	if ((flags & CACHE_INDEXED) && !(flags & LRU_WRITEBACK)) {
		cache_clear_dirty(file, page);
		cache_index_remove(page);
		cache_count(file, CACHE_PAGES, -1);
		put_page(page); /* the index's; ours is left */
	}
	cache_unlock_page(page);
	return !(flags & LRU_WRITEBACK);
}

static int drop_now(struct cache_file *file, struct page *page, u64 deadline_ns)
{
	(void)deadline_ns;
	try_to_drop(file, page);
	return 0;
}

/* Reclaim may begin another write meanwhile: then that is waited for as well. */
static int drop(struct cache_file *file, struct page *page, u64 deadline_ns)
{
	int err;

	do {
		err = wait_for_write(file, page, deadline_ns);
	} while (!err && !try_to_drop(file, page));
	return err;
}

/* What can be dropped at once goes first: without it the writes that are waited for then may find no memory. */
int cache_file_destroy(struct cache_file *file, u64 timeout_ns)
{
	u64 deadline_ns = deadline_in(timeout_ns);

	if (for_each_page(file, deadline_ns, is_droppable) != 0 ||
	    for_each_page(file, deadline_ns, drop_now) != 0 ||
	    for_each_page(file, deadline_ns, drop) != 0)
		return -EBUSY;
	ASSERT_MSG(load_relaxed(&file->count[CACHE_PAGES]) == 0,
		   "'%s' is used while it is destroyed", file->name); /* relaxed: by its own user */
	ledger_destroy(&file->ledger);
	give_up_place(file);
	cache_index_put();
	return 0;
}

/* --- Written out ------------------------------------------------------------------------------------ */

static u64 write_errors(const struct cache_file *file)
{
	return load_relaxed(&file->count[CACHE_WRITE_ERRORS]); /* relaxed: a figure */
}

static int begin_write(struct cache_file *file, struct page *page)
{
	u32 flags;
	int err = 0;

	cache_lock_page(page, true);
	flags = page_lru_flags(page);
	if (flags & LRU_WRITEBACK)
		err = -EAGAIN;
	else if ((flags & CACHE_INDEXED) && (flags & LRU_DIRTY))
		err = cache_begin_write(file, page, GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
	cache_unlock_page(page);
	return err;
}

/* What it holds now is on its way to the store, or there. */
static int write_page(struct cache_file *file, struct page *page, u64 deadline_ns)
{
	for (;;) {
		int err = wait_for_write(file, page, deadline_ns);

		if (err)
			return err;
		err = begin_write(file, page);
		if (!err)
			return 0;
		/* No memory, or no room: a write that ends makes some. */
		if (err != -EAGAIN)
			cache_wait_any_ended(RETRY_NS);
		if (arch_timestamp_to_ns(arch_timestamp()) >= deadline_ns)
			return -ETIMEDOUT;
	}
}

int cache_sync(struct cache_file *file, u64 timeout_ns)
{
	u64 deadline_ns = deadline_in(timeout_ns), errors = write_errors(file);
	int err = for_each_page(file, deadline_ns, write_page);

	if (!err)
		err = for_each_page(file, deadline_ns, wait_for_write);
	if (!err && write_errors(file) != errors)
		err = -EIO;
	return err;
}

void cache_lose_next_write(struct cache_file *file)
{
	/* Release: pairs with the end of the write that is lost. */
	store_release(&file->lose_next, true);
}

/* --- Counted ---------------------------------------------------------------------------------------- */

static void add_counts(u64 sum[NR_CACHE_COUNTS], const u64 count[NR_CACHE_COUNTS])
{
	for (u32 i = 0; i < NR_CACHE_COUNTS; i++)
		sum[i] += load_relaxed(&count[i]); /* relaxed: figures */
}

void cache_snapshot(const struct cache_file *file, struct cache_snapshot *out)
{
	u64 sum[NR_CACHE_COUNTS] = {0};

	if (file) {
		add_counts(sum, file->count);
	} else {
		spin_lock(&files_lock);
		add_counts(sum, gone);
		for (u32 i = 0; i < CACHE_MAX_FILES; i++)
			add_counts(sum, files[i].count);
		spin_unlock(&files_lock);
	}
	*out = (struct cache_snapshot){
		.pages = sum[CACHE_PAGES],
		.dirty_pages = sum[CACHE_DIRTY],
		.hits = sum[CACHE_HITS],
		.misses = sum[CACHE_MISSES],
		.refaults = sum[CACHE_REFAULTS],
		.writes = sum[CACHE_WRITES],
		.written = sum[CACHE_WRITTEN],
		.write_errors = sum[CACHE_WRITE_ERRORS],
		.evicted = sum[CACHE_EVICTED],
		.evict_busy = sum[CACHE_EVICT_BUSY],
		.verified = sum[CACHE_VERIFIED],
		.wrong = sum[CACHE_WRONG],
	};
}
