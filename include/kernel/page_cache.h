/*
 * A page cache over a synthetic store: pages whose content can be checked, and had again.
 * Theory in kernel/cache/page_cache.c.
 *
 * A page's content is a function of file, index and version. The store (behind kernel/netblk.h) keeps
 * the version that was last acknowledged, the ledger the one that a read must see: the last written. A page
 * that is lost, stale or corrupted is seen by the next read of it.
 *
 * Invariants (check: CACHE-*), while nobody but reclaim and the device is at the cache:
 *   CACHE-1  a page in the index is the cache's, on an LRU, with a reference, where its key belongs, and of
 *            a file that exists and reaches so far
 *   CACHE-2  each file counts its pages in the index, and those of them that are dirty
 *   CACHE-3  no page of a file is stored with a later version than was written
 *   CACHE-4  a page in the cache holds the version that was written last; if it is clean and not being written,
 *            the store has that, too
 *   CACHE-5  as many writes are under way as pages say that they are being written
 */
#ifndef KERNEL_PAGE_CACHE_H
#define KERNEL_PAGE_CACHE_H

#include <mm/gfp.h>
#include <mm/lru.h>

#define CACHE_MAX_FILES 64

struct cache_file;

/* Boot, once there are object caches, before the first file: of its device, too. What is missing it says. */
void page_cache_init(void);

/* Threads; may sleep. NULL: no memory for its ledger (12 bytes a page), too many files, or no pages. */
struct cache_file *cache_file_create(const char *name, u64 nr_pages, u64 seed);
/*
 * Drops its pages, dirty ones too, at once, but for those being written, whose writes it waits for. 0; -EBUSY:
 * pages are pinned, or writes do not end within the time: what is left of the file is still there, call
 * again. Nobody else uses the file any more; but reclaim may. Threads; may sleep.
 */
int cache_file_destroy(struct cache_file *file, u64 timeout_ns);
u64 cache_file_pages(const struct cache_file *file);

/*
 * Reads the page, from the store if it is not there, and verifies all of it against the ledger. Writes its
 * next version. Threads; sleep if gfp says so.
 *   0; -ENOMEM: no page for it by this gfp; -EILSEQ: what was read is not what was written: said in the log,
 *   and counted; -EINVAL: beyond the end; -EAGAIN: somebody else is at the page, and gfp may not sleep
 */
int cache_read(struct cache_file *file, u64 index, gfp_t gfp);
int cache_write(struct cache_file *file, u64 index, gfp_t gfp);
/*
 * Writes what is dirty at the call, and waits for it. Threads; may sleep. 0; -ETIMEDOUT; -EIO: a write failed, its
 * page is dirty again.
 */
int cache_sync(struct cache_file *file, u64 timeout_ns);
/* Reads it, and it stays until unpinned. As cache_read(); -EBUSY: it is (not) pinned. */
int cache_pin(struct cache_file *file, u64 index, gfp_t gfp);
int cache_unpin(struct cache_file *file, u64 index);
/* Is it there? A guess. Does not touch it. */
bool cache_has(struct cache_file *file, u64 index);

/* For a test of the ledger: the next write of this file that is acknowledged is not kept. */
void cache_lose_next_write(struct cache_file *file);

struct cache_snapshot {
	u64 pages, dirty_pages; /* there now */
	u64 hits, misses, refaults;
	u64 writes, written, write_errors;
	u64 evicted, evict_busy;
	u64 verified, wrong; /* pages read and compared; of them not what they must be */
};
/* file NULL: of all, since boot. */
void cache_snapshot(const struct cache_file *file, struct cache_snapshot *out);

/* Executes CACHE-(i + 1): broken() for each finding; returns how many pages were looked at. */
#define NR_CACHE_INVARIANTS 5
u64 cache_check(u32 i, void (*broken)(void *arg, const char *text), void *arg);

#endif
