/*
 * Reclaim's part, by hand: pages are isolated and offered to their owner as mm/reclaim.c does, one at a time or
 * those at the tails, so that a test says which, and needs no pressure.
 */
#include "evict.h"

#include <mm/numa.h>
#include <mm/os_task.h>

#include "../../kernel/cache/cache_internal.h"
#include "../../mm/lru.h"

#define WRITE_NS 10000000000ull

/* The page is isolated; afterwards it is where it belongs. */
static enum lru_outcome offer(struct page *page, bool may_write)
{
	const struct reclaim_scope scope = {.may_write = may_write};
	struct os_task *task = os_current();
	u32 flags = task->flags;
	enum lru_outcome outcome;

	task->flags |= PF_MEMALLOC;
	outcome = page->lru_owner->evict(page, &scope);
	task->flags = flags;
	if (outcome == LRU_FREED)
		lru_free_frozen(page);
	else
		lru_putback(page, LRU_INACTIVE, false);
	return outcome;
}

enum lru_outcome evict_index(struct cache_file *file, u64 index, bool may_write)
{
	struct page *page = cache_index_find(cache_key(file, index));
	bool isolated;

	if (!page)
		return NR_LRU_OUTCOMES;
	isolated = lru_isolate_page(page);
	put_page(page);
	return isolated ? offer(page, may_write) : NR_LRU_OUTCOMES;
}

static u32 evict_tail(int nid, enum lru_list list, u32 nr, bool may_write)
{
	struct list_head pages;
	u32 scanned, freed = 0;

	list_init(&pages);
	lru_isolate_tail(nid, list, ZONE_NORMAL, nr, &pages, &scanned);
	while (!list_empty(&pages)) {
		struct page *page = list_first_entry(&pages, struct page, lru_link);

		list_del(&page->lru_link);
		freed += offer(page, may_write) == LRU_FREED;
	}
	return freed;
}

u32 evict_oldest(u32 nr, bool may_write)
{
	u32 freed = 0;

	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		freed += evict_tail(nid, LRU_INACTIVE, nr, may_write);
		freed += evict_tail(nid, LRU_ACTIVE, nr, may_write);
	}
	return freed;
}

u64 evict_file(struct cache_file *file)
{
	struct cache_snapshot s;

	cache_sync(file, WRITE_NS);
	for (u64 index = 0; index < cache_file_pages(file); index++)
		evict_index(file, index, false);
	cache_snapshot(file, &s);
	return s.pages;
}
