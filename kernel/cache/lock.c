/*
 * The lock of a page: a bit of its flags, held while content and version are made, compared or sent.
 *
 * Pages are many and waiters few, so waiting is done on one of some queues, by the page's address. Who
 * releases a page looks whether anybody waits on its queue, and wakes them only then:
 *
 *	waiter                              who releases
 *	nr_waiting + 1                      LOCKED cleared
 *	LOCKED? yes: sleeps                 nr_waiting > 0: wakes all of the queue
 *
 * Each writes one word and then reads the other's; both are sequentially consistent, so at least one of
 * them sees the other: either the waiter finds the page free, or it is woken.
 *
 * A page is held while it is filled or compared, and while sync asks for a page for its packet; never
 * while anything else is waited for. So a wait of LOCK_LIMIT_NS is a page that nobody will release, and panics.
 *
 * Lock order: a page's lock, then any spinlock. A second page only by trylock (evict). Not in interrupts.
 */
#include <base/assert.h>
#include <base/errno.h>
#include <mm/os_task.h>

#include "cache_internal.h"

#define NR_QUEUES     16
#define LOCK_LIMIT_NS (120ull * 1000000000)

static struct {
	struct os_wait_queue queue;
	u32 nr_waiting; /* atomic */
} queues[NR_QUEUES];

void cache_locks_init(void)
{
	for (u32 i = 0; i < NR_QUEUES; i++)
		os_wait_queue_init(&queues[i].queue, "cache page");
}

static u32 queue_of(const struct page *page)
{
	return (u32)(content_mix(page_to_pfn(page)) % NR_QUEUES);
}

bool cache_trylock_page(struct page *page)
{
	/* Acquire: what the last holder did is seen. Seq_cst: see above. */
	return !(__atomic_fetch_or(&page->lru_flags, CACHE_LOCKED, __ATOMIC_SEQ_CST) &
		 CACHE_LOCKED);
}

static bool is_unlocked(void *arg)
{
	const struct page *page = arg;

	return !(__atomic_load_n(&page->lru_flags, __ATOMIC_SEQ_CST) & CACHE_LOCKED);
}

/* Others may be quicker, as often as they come; each time somebody has got on. */
static void wait_for_page(struct page *page)
{
	u32 i = queue_of(page);
	bool in_time;

	__atomic_fetch_add(&queues[i].nr_waiting, 1, __ATOMIC_SEQ_CST);
	do {
		in_time = os_wait(&queues[i].queue, is_unlocked, page, LOCK_LIMIT_NS);
	} while (in_time && !cache_trylock_page(page));
	/* Relaxed: one wake too many does no harm. */
	__atomic_fetch_sub(&queues[i].nr_waiting, 1, __ATOMIC_RELAXED);
	ASSERT_MSG(in_time, "page 0x%llx of the page cache, pfn 0x%llx, is not released",
		   (unsigned long long)page->owner_key, (unsigned long long)page_to_pfn(page));
}

int cache_lock_page(struct page *page, bool may_sleep)
{
	if (cache_trylock_page(page))
		return 0;
	if (!may_sleep)
		return -EAGAIN;
	wait_for_page(page);
	return 0;
}

void cache_unlock_page(struct page *page)
{
	u32 i = queue_of(page), before;

	/* Release; seq_cst with the look that follows: see above. */
	before = __atomic_fetch_and(&page->lru_flags, ~CACHE_LOCKED, __ATOMIC_SEQ_CST);
	ASSERT(before & CACHE_LOCKED);
	if (__atomic_load_n(&queues[i].nr_waiting, __ATOMIC_SEQ_CST) > 0)
		os_wake_all(&queues[i].queue);
}
