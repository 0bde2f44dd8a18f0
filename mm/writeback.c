/*
 * A reclaimable page's content and its store: newer than it, being written, waited for.
 *
 *	 clean --set_page_dirty()--> DIRTY --clear_page_dirty_for_io(), set_page_writeback()--> WRITEBACK
 *	   ^                           ^                                                           |
 *	   |                           +-- dirtied meanwhile: both                                 |
 *	   +------------------------------ end_page_writeback(), in the device's interrupt --------+
 *
 * Each is one bit of page->lru_flags and is changed by one atomic operation, so that of two who want the
 * same one is told that it was the first. Who writes a page has a reference of it.
 *
 * Reclaim that meets a page being written sets LRU_RECLAIM and lets it go round; the end of the write brings
 * it to the inactive tail, where reclaim finds it next. Of the end of the write and lru_putback(), which
 * may come at the same time, the second one sees both bits and does it: see write_has_ended_locked().
 *
 * Waiting: for any write of the node. A waiter counts itself, notes how many writes have ended, and looks
 * whether that has changed; an end counts first and then looks for waiters. Both look at the other's
 * word after writing their own, so all four are sequentially consistent: not both can miss the other.
 *
 * Lock: the LRU's, in lru_rotate_written() alone; woken is after it.
 */
#include "lru.h"

#include "vmstat.h"
#include "zone.h"

/* --- Flags -------------------------------------------------------------------------------------- */

/* True: it was not set. Release: the content before the flag. */
static bool set_and_count(struct page *page, u32 flag, u64 *count)
{
	if (__atomic_fetch_or(&page->lru_flags, flag, __ATOMIC_RELEASE) & flag)
		return false;
	lru_count(count, 1);
	return true;
}

/* True: it was set. Acquire: the content as of the flag; release: what was done with it is over. */
static bool clear_and_count(struct page *page, u32 flag, u64 *count)
{
	if (!(__atomic_fetch_and(&page->lru_flags, ~flag, __ATOMIC_ACQ_REL) & flag))
		return false;
	lru_count(count, -1);
	return true;
}

bool set_page_dirty(struct page *page)
{
	return set_and_count(page, LRU_DIRTY, &page_lru_node(page)->nr_dirty);
}

bool clear_page_dirty_for_io(struct page *page)
{
	return clear_and_count(page, LRU_DIRTY, &page_lru_node(page)->nr_dirty);
}

bool set_page_writeback(struct page *page)
{
	return set_and_count(page, LRU_WRITEBACK, &page_lru_node(page)->nr_writeback);
}

void end_page_writeback(struct page *page)
{
	struct lru_node *lru = page_lru_node(page);

	if (!clear_and_count(page, LRU_WRITEBACK, &lru->nr_writeback))
		return;
	/* Relaxed: the same word as above. */
	if (load_relaxed(&page->lru_flags) & LRU_RECLAIM)
		lru_rotate_written(page);
	__atomic_fetch_add(&lru->nr_written, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&lru->nr_waiting, __ATOMIC_SEQ_CST))
		os_wake_all(&lru->writeback_wait);
}

/* As an end, but none: who waits for a device that does something goes on waiting. */
void cancel_page_writeback(struct page *page)
{
	if (clear_and_count(page, LRU_WRITEBACK, &page_lru_node(page)->nr_writeback) &&
	    (load_relaxed(&page->lru_flags) & LRU_RECLAIM)) /* relaxed: as above */
		lru_rotate_written(page);
}

/* --- Waiting ------------------------------------------------------------------------------------ */

struct writeback_wait {
	struct lru_node *lru;
	u64 seen; /* writes that had ended when it began */
};

static bool write_has_ended(void *arg)
{
	const struct writeback_wait *wait = arg;

	return __atomic_load_n(&wait->lru->nr_written, __ATOMIC_SEQ_CST) != wait->seen;
}

bool lru_wait_writeback(int nid, u64 timeout_ns)
{
	struct writeback_wait wait = {.lru = lru_of_node(nid)};
	bool ended;

	if (!wait.lru)
		return false;
	__atomic_fetch_add(&wait.lru->nr_waiting, 1, __ATOMIC_SEQ_CST);
	wait.seen = __atomic_load_n(&wait.lru->nr_written, __ATOMIC_SEQ_CST);
	/*
	 * None under way: the last one has ended between the caller's look and this. Relaxed: one that begins
	 * later is not what the caller saw.
	 */
	ended = (s64)load_relaxed(&wait.lru->nr_writeback) <= 0 ||
		os_wait(&wait.lru->writeback_wait, write_has_ended, &wait, timeout_ns);
	/* Relaxed: a wake too many does no harm. */
	__atomic_fetch_sub(&wait.lru->nr_waiting, 1, __ATOMIC_RELAXED);
	return ended;
}
