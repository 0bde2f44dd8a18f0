/*
 * Dirty pages on their way to the store, and what reclaim gets from this owner.
 *
 *	cache_begin_write()                              the device's interrupt: ended()
 *	version and checksum of the page, as of now      stored = that version
 *	DIRTY cleared, WRITEBACK set, a reference        WRITEBACK cleared, the reference put
 *	netblk_submit(): memory for the packet           (failed: DIRTY again first)
 *
 * The packet speaks for the version of the moment at which the write began. Who writes into the page
 * afterwards makes a newer one and the page dirty again; what is acknowledged is still the older.
 *
 * A write needs a record beside the packet, from a cache of its own ("cache_write"), by the gfp of who begins it; so
 * reclaim takes it from the reserve as it does the packet. MAX_WRITES of them bound what that comes to. When there is none,
 * or the device is full, the page stays dirty: later.
 *
 * evict() of reclaim: a page that is busy (locked, pinned, used by somebody) or dirty and not to be written now
 * is KEPT; a dirty one is written, with a packet from the reserve, since its caller has PF_MEMALLOC; a clean
 * one leaves its shadow in the ledger and goes.
 *
 * Lock: the page's, for all but ended().
 */
#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <base/assert.h>
#include <base/errno.h>
#include <kernel/netblk.h>
#include <mm/os_task.h>
#include <mm/slab.h>

#include "cache_internal.h"

#define MAX_WRITES 1024

struct cache_write {
	struct netblk_write write;
	struct page *page;
	struct cache_file *file;
};

static struct kmem_cache *records; /* constant after boot; NULL: there was no memory for it */
static u32 nr_under_way;           /* atomic, relaxed: a bound, and a figure */

/* Who waits for the end of a write. */
static struct os_wait_queue ended_queue;
static u32 nr_waiting; /* atomic */
static u64 nr_ended;   /* atomic */

void cache_writes_init(void)
{
	os_wait_queue_init(&ended_queue, "cache write");
	records = kmem_cache_create("cache_write", sizeof(struct cache_write), 0, 0, NULL);
}

/* --- Records --------------------------------------------------------------------------------------- */

/* 0, -EBUSY, -ENOMEM. */
static int record_get(struct cache_write **record, gfp_t gfp)
{
	int err = -EBUSY;

	if (__atomic_fetch_add(&nr_under_way, 1, __ATOMIC_RELAXED) < MAX_WRITES) {
		*record = records ? kmem_cache_alloc(records, gfp) : NULL;
		if (*record)
			return 0;
		err = -ENOMEM;
	}
	__atomic_fetch_sub(&nr_under_way, 1, __ATOMIC_RELAXED);
	return err;
}

static void record_put(struct cache_write *record)
{
	kmem_cache_free(records, record);
	__atomic_fetch_sub(&nr_under_way, 1, __ATOMIC_RELAXED);
}

u64 cache_writes_under_way(void)
{
	return load_relaxed(&nr_under_way);
}

/* --- A write ----------------------------------------------------------------------------------------- */

void cache_mark_dirty(struct cache_file *file, struct page *page)
{
	if (set_page_dirty(page))
		cache_count(file, CACHE_DIRTY, 1);
}

void cache_clear_dirty(struct cache_file *file, struct page *page)
{
	if (clear_page_dirty_for_io(page))
		cache_count(file, CACHE_DIRTY, -1);
}

/*
 * The file stays until the page is no longer being written, so it is not touched after that. Who waits changes
 * nr_waiting and then looks at the page, here it is the other way round, and both change it in one order (an
 * addition of 0 is one, too): the second of them has acquired what the first one did before.
 */
static void end_write(struct cache_write *record, void (*end)(struct page *page))
{
	struct page *page = record->page;

	record_put(record);
	/* Relaxed: it says only that it has changed. */
	__atomic_fetch_add(&nr_ended, 1, __ATOMIC_RELAXED);
	end(page);
	put_page(page);
	if (__atomic_fetch_add(&nr_waiting, 0, __ATOMIC_ACQ_REL) > 0)
		os_wake_all(&ended_queue);
}

/* The store has it: from now on it comes back as this version. False: it does not take it. */
static bool store(struct cache_file *file, u64 index, const struct netblk_write *write)
{
	struct ledger_entry *entry = ledger_entry(&file->ledger, index);

	if (!cache_verify_arrived(file, index, write->version, write->checksum))
		return false;
	/* Acquire: with what the test that asked for it has done before. */
	if (!__atomic_exchange_n(&file->lose_next, false, __ATOMIC_ACQUIRE))
		/* Release: who sees the page gone, or clean, sees what it comes back as. */
		store_release(&entry->stored, (u32)write->version);
	return true;
}

static void ended(struct netblk_write *write, int err)
{
	struct cache_write *record = container_of(write, struct cache_write, write);
	struct cache_file *file = record->file;

	if (!err && !store(file, cache_key_index(write->block), write))
		err = -EIO;
	if (err)
		cache_mark_dirty(file, record->page);
	cache_count(file, err ? CACHE_WRITE_ERRORS : CACHE_WRITTEN, 1);
	end_write(record, end_page_writeback);
}

int cache_begin_write(struct cache_file *file, struct page *page, gfp_t gfp)
{
	struct cache_write *record;
	int err;

	/* First: reclaim asks for each dirty page, and the sum over a page costs more than all else here. */
	if (!netblk_has_room())
		return -EBUSY;
	err = record_get(&record, gfp);
	if (err)
		return err;
	record->page = page;
	record->file = file;
	record->write = (struct netblk_write){.done = ended,
					      .block = page->owner_key,
					      .version = page->owner_value,
					      .payload = page_address(page),
					      .checksum = content_sum(page_address(page))};
	get_page(page);
	cache_clear_dirty(file, page);
	ASSERT_MSG(set_page_writeback(page), "pfn 0x%llx is being written already",
		   (unsigned long long)page_to_pfn(page));
	err = netblk_submit(&record->write, gfp);
	if (err) {
		cache_mark_dirty(file, page);
		end_write(record, cancel_page_writeback);
	}
	return err;
}

static bool wait_ended(bool (*ready)(void *arg), void *arg, u64 timeout_ns)
{
	bool answer;

	__atomic_fetch_add(&nr_waiting, 1, __ATOMIC_ACQ_REL); /* see end_write() */
	answer = os_wait(&ended_queue, ready, arg, timeout_ns);
	/* Relaxed: one wake too many does no harm. */
	__atomic_fetch_sub(&nr_waiting, 1, __ATOMIC_RELAXED);
	return answer;
}

static bool is_written(void *arg)
{
	return !(page_lru_flags(arg) & LRU_WRITEBACK);
}

bool cache_wait_written(struct page *page, u64 deadline_ns)
{
	u64 now_ns = arch_timestamp_to_ns(arch_timestamp());

	return is_written(page) ||
	       wait_ended(is_written, page, deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

static bool has_ended(void *arg)
{
	const u64 *seen = arg;

	return load_relaxed(&nr_ended) != *seen; /* relaxed: one that is missed costs a time-out */
}

void cache_wait_any_ended(u64 timeout_ns)
{
	u64 seen = load_relaxed(&nr_ended); /* relaxed: as above */

	wait_ended(has_ended, &seen, timeout_ns);
}

/* --- Reclaim ----------------------------------------------------------------------------------------- */

static enum lru_outcome evict_clean(struct cache_file *file, struct page *page)
{
	u64 index = cache_key_index(page->owner_key);
	struct ledger_entry *entry = ledger_entry(&file->ledger, index);
	/* Never filled: it takes nothing away, and what the last one has left is true still. Relaxed: see index.c. */
	bool filled = page_lru_flags(page) & CACHE_UPTODATE;
	u32 shadow = filled ? workingset_eviction(page) : load_relaxed(&entry->shadow);

	/* As if it were gone: from the freezing on the file may be, too. */
	cache_count(file, CACHE_PAGES, -1);
	cache_count(file, CACHE_EVICTED, 1);
	if (cache_index_freeze(page, 2, shadow, &entry->shadow))
		return LRU_FREED;
	cache_count(file, CACHE_PAGES, 1);
	cache_count(file, CACHE_EVICTED, -1);
	cache_count(file, CACHE_EVICT_BUSY, 1);
	return LRU_KEPT;
}

static enum lru_outcome evict_locked(struct page *page, const struct reclaim_scope *scope)
{
	u32 flags = page_lru_flags(page);
	struct cache_file *file;

	/*
	 * About to enter the index, or dropped by its file. One that is in the index and not filled is clean: who is
	 * about to fill it has a reference, and who could not wait for its lock never comes back.
	 */
	if (!(flags & CACHE_INDEXED) || (flags & CACHE_PINNED))
		return LRU_KEPT;
	file = cache_file_of_page(page);
	if (flags & LRU_WRITEBACK)
		return LRU_WRITING;
	if (!(flags & LRU_DIRTY))
		return evict_clean(file, page);
	if (scope->may_write && cache_begin_write(file, page, GFP_NOWAIT | __GFP_NOWARN) == 0)
		return LRU_WRITING;
	return LRU_KEPT;
}

static enum lru_outcome evict(struct page *page, const struct reclaim_scope *scope)
{
	enum lru_outcome outcome;

	if (!cache_trylock_page(page))
		return LRU_KEPT;
	outcome = evict_locked(page, scope);
	/* What is freed is nobody's: the flag ends with it. */
	if (outcome != LRU_FREED)
		cache_unlock_page(page);
	return outcome;
}

const struct lru_owner cache_owner = {.name = "page cache", .evict = evict};
