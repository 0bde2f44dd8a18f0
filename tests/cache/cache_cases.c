/*
 * What the page cache must do with one thread at it: see cache_cases.h. Reclaim is played by evict.c, so that
 * each case says which page is wanted and when. A write that is to be met half way is held by the cable.
 */
#include "cache_cases.h"

#include <base/errno.h>
#include <base/string.h>
#include <mm/fault_inject.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "../../kernel/cache/cache_internal.h"
#include "../../mm/lru.h"
#include "../../mm/zone.h"
#include "../stress/pause.h"
#include "../sweep/sweep.h"
#include "evict.h"

#define NR_PAGES 200

static u32 stored(const struct cache_file *file, u64 index)
{
	return load_acquire(&ledger_entry(&file->ledger, index)->stored);
}

/* Misses first, then hits; each compared. */
void cache_reads_are_verified(struct ktest *t)
{
	struct cache_file *file = make_file(t, NR_PAGES);

	ASSERT_TRUE(t, file != NULL);
	read_all(t, file);
	EXPECT_EQ(t, cache_counts(file).misses, NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).hits, 0);
	read_all(t, file);
	EXPECT_EQ(t, cache_counts(file).hits, NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).pages, NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, 0);
	EXPECT_EQ(t, cache_counts(file).verified, 2 * NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).wrong, 0);
	EXPECT_EQ(t, cache_read(file, NR_PAGES, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(t, cache_write(file, NR_PAGES, GFP_KERNEL), -EINVAL);
	destroy_file(t, file);
}

void cache_evicted_comes_back(struct ktest *t)
{
	struct cache_file *file = make_file(t, NR_PAGES);

	ASSERT_TRUE(t, file != NULL);
	read_all(t, file);
	for (u64 i = 0; i < NR_PAGES; i++) {
		EXPECT(t, cache_has(file, i));
		EXPECT_EQ(t, evict_index(file, i, false), LRU_FREED);
		EXPECT(t, !cache_has(file, i));
	}
	EXPECT_EQ(t, cache_counts(file).evicted, NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).pages, 0);
	read_all(t, file);
	EXPECT_EQ(t, cache_counts(file).refaults, NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).misses, 2 * NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).wrong, 0);
	destroy_file(t, file);
}

/* Dirty: not freed, and not even written where that is not allowed; after its write it may go. */
void cache_written_comes_back(struct ktest *t)
{
	struct cache_file *file = make_file(t, NR_PAGES);

	ASSERT_TRUE(t, file != NULL);
	for (u32 version = 1; version <= 3; version++) {
		u64 submitted = device_counts().submitted;

		write_all(t, file);
		EXPECT_EQ(t, cache_counts(file).dirty_pages, NR_PAGES);
		EXPECT_EQ(t, evict_index(file, 0, false), LRU_KEPT);
		EXPECT_EQ(t, device_counts().submitted, submitted);
		EXPECT_EQ(t, evict_index(file, 0, true), LRU_WRITING);
		EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
		EXPECT_EQ(t, device_counts().submitted, submitted + NR_PAGES);
		EXPECT_EQ(t, cache_counts(file).dirty_pages, 0);
		EXPECT_EQ(t, evict_file(file), 0);
		EXPECT_EQ(t, stored(file, NR_PAGES - 1), version);
		read_all(t, file);
	}
	EXPECT_EQ(t, cache_counts(file).writes, 3 * NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).written, 3 * NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).wrong, 0);
	destroy_file(t, file);
}

/* The acknowledgement is of the version that was sent, whatever the page holds by then. */
void cache_written_while_being_written(struct ktest *t)
{
	struct cache_file *file = make_file(t, 1);

	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	netblk_unplug(true);
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_WRITING);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, 0);
	EXPECT_EQ(t, stored(file, 0), 0); /* not before it is acknowledged */
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_WRITING);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, 1);
	netblk_unplug(false);
	for (u32 i = 0; i < PATIENCE && cache_counts(file).written == 0; i++)
		pause_ns(MS);
	EXPECT_EQ(t, stored(file, 0), 1);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, 1);
	EXPECT_EQ(t, evict_index(file, 0, false), LRU_KEPT);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	EXPECT_EQ(t, stored(file, 0), 2);
	EXPECT_EQ(t, evict_index(file, 0, false), LRU_FREED);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	destroy_file(t, file);
}

/* A reference, or the page's lock, is enough. */
void cache_in_use_is_not_evicted(struct ktest *t)
{
	struct cache_file *file = make_file(t, 1);
	struct page *page;

	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	page = cache_index_find(cache_key(file, 0));
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_KEPT);
	EXPECT_EQ(t, cache_counts(file).evict_busy, 1);
	EXPECT_EQ(t, cache_counts(file).pages, 1);
	EXPECT(t, cache_trylock_page(page));
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_KEPT);
	cache_unlock_page(page);
	put_page(page);
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_FREED);
	EXPECT_EQ(t, cache_counts(file).evicted, 1);
	destroy_file(t, file);
}

/* What the ledger is for: the store says that it has it, and has not. */
void cache_lost_write_is_seen(struct ktest *t)
{
	struct cache_file *file = make_file(t, 2);

	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	cache_lose_next_write(file);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0); /* it is still there */
	EXPECT_EQ(t, cache_findings(3), 1);               /* CACHE-4 */
	EXPECT_EQ(t, evict_index(file, 0, false), LRU_FREED);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), -EILSEQ);
	EXPECT_EQ(t, cache_counts(file).wrong, 1);
	/* Once: the next write of it is kept. */
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, evict_file(file), 0);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_counts(file).wrong, 1);
	destroy_file(t, file);
}

/* The word in the midst of that page becomes another. */
static void scribble(struct ktest *t, struct cache_file *file, u64 index, u32 offset)
{
	struct page *page = cache_index_find(cache_key(file, index));

	ASSERT_TRUE(t, page != NULL);
	*(u64 *)(void *)((char *)page_address(page) + offset) ^= 1;
	put_page(page);
}

void cache_scribble_is_seen(struct ktest *t)
{
	static const u32 offsets[] = {0, 8, 16, 24, 2048, PAGE_SIZE - 8};
	struct cache_file *file = make_file(t, ARRAY_SIZE(offsets));

	ASSERT_TRUE(t, file != NULL);
	read_all(t, file);
	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		scribble(t, file, i, offsets[i]);
		EXPECT_EQ(t, cache_read(file, i, GFP_KERNEL), -EILSEQ);
		EXPECT_EQ(t, cache_counts(file).wrong, i + 1);
		EXPECT_EQ(t, evict_index(file, i, false), LRU_FREED);
		EXPECT_EQ(t, cache_read(file, i, GFP_KERNEL), 0); /* the store has it */
	}
	destroy_file(t, file);
}

/* In a dirty page: then what would be stored is not what was written, and the store does not take it. */
void cache_scribble_is_not_stored(struct ktest *t)
{
	struct cache_file *file = make_file(t, 1);

	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	scribble(t, file, 0, 1000);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), -EIO);
	EXPECT_EQ(t, cache_counts(file).wrong, 1);
	EXPECT_EQ(t, cache_counts(file).write_errors, 1);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, 1);
	EXPECT_EQ(t, stored(file, 0), 0);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), -EILSEQ);
	EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	EXPECT_EQ(t, stored(file, 0), 2);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	destroy_file(t, file);
}

void cache_pinned_stays(struct ktest *t)
{
	struct cache_file *file = make_file(t, 2);
	struct page *page;

	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_pin(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_pin(file, 0, GFP_KERNEL), -EBUSY);
	EXPECT_EQ(t, cache_unpin(file, 1), -EBUSY);
	page = cache_index_find(cache_key(file, 0));
	ASSERT_TRUE(t, page != NULL);
	EXPECT_EQ(t, page->lru, LRU_PINNED);
	put_page(page);
	EXPECT_EQ(t, evict_index(file, 0, true), NR_LRU_OUTCOMES);
	EXPECT_EQ(t, cache_file_destroy(file, WRITE_NS), -EBUSY);
	EXPECT(t, cache_has(file, 0));
	EXPECT_EQ(t, cache_unpin(file, 0), 0);
	EXPECT_EQ(t, cache_unpin(file, 0), -EBUSY);
	EXPECT_EQ(t, evict_index(file, 0, true), LRU_FREED);
	EXPECT_EQ(t, cache_pin(file, 2, GFP_KERNEL), -EINVAL);
	destroy_file(t, file);
}

/* Who may not sleep does not wait for a page that somebody has. */
void cache_busy_page_is_said(struct ktest *t)
{
	struct cache_file *file = make_file(t, 1);
	struct page *page;

	ASSERT_TRUE(t, file != NULL);
	EXPECT_EQ(t, cache_read(file, 0, GFP_NOWAIT), 0);
	page = cache_index_find(cache_key(file, 0));
	ASSERT_TRUE(t, page != NULL);
	EXPECT(t, cache_trylock_page(page));
	EXPECT(t, !cache_trylock_page(page));
	EXPECT_EQ(t, cache_read(file, 0, GFP_NOWAIT), -EAGAIN);
	EXPECT_EQ(t, cache_write(file, 0, GFP_ATOMIC), -EAGAIN);
	cache_unlock_page(page);
	put_page(page);
	EXPECT_EQ(t, cache_write(file, 0, GFP_ATOMIC), 0);
	destroy_file(t, file);
}

/* Who brought it could not wait for its lock, and never came back: it is in nobody's way. */
void cache_never_filled_is_evicted(struct ktest *t)
{
	struct cache_file *file = make_file(t, 1);
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_MOVABLE, 0);

	ASSERT_TRUE(t, file != NULL && page != NULL);
	page->owner_next = NULL;
	page->owner_key = cache_key(file, 0);
	page->owner_value = 0;
	lru_cache_add(page, &cache_owner);
	cache_count(file, CACHE_PAGES, 1);
	EXPECT(t, !cache_index_insert(page));
	EXPECT_EQ(t, evict_index(file, 0, false), LRU_FREED);
	EXPECT_EQ(t, cache_counts(file).pages, 0);
	EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	EXPECT_EQ(t, cache_counts(file).refaults, 0);
	destroy_file(t, file);
}

/* As many as there may be, of the same seed: none holds another's content. */
void cache_files_come_and_go(struct ktest *t)
{
	struct cache_file *file[CACHE_MAX_FILES];

	EXPECT(t, !cache_file_create("empty", 0, 1));
	EXPECT(t, !cache_file_create("too long", (u64)1 << 30, 1));
	for (u32 i = 0; i < CACHE_MAX_FILES; i++) {
		file[i] = make_file(t, 1);
		ASSERT_TRUE(t, file[i] != NULL);
		EXPECT_EQ(t, cache_read(file[i], 0, GFP_KERNEL), 0);
	}
	EXPECT(t, !cache_file_create("one too many", 1, 1));
	for (u32 i = 1; i < CACHE_MAX_FILES; i++)
		EXPECT(t, file[i]->content != file[0]->content);
	for (u32 i = 1; i < CACHE_MAX_FILES; i++)
		EXPECT_EQ(t, cache_file_destroy(file[i], WRITE_NS), 0);
	destroy_file(t, file[0]);
}

static enum sweep_answer use_a_file(void *arg)
{
	struct cache_file *file = cache_file_create("swept", 3, 1);
	enum sweep_answer answer = SWEEP_DONE;
	int err;

	(void)arg;
	if (!file)
		return SWEEP_FAILED;
	for (u64 i = 0; i < 3 && answer == SWEEP_DONE; i++) {
		err = i == 1 ? cache_write(file, i, GFP_KERNEL) : cache_read(file, i, GFP_KERNEL);
		if (err)
			answer = err == -ENOMEM ? SWEEP_FAILED : SWEEP_WRONG;
	}
	if (cache_sync(file, WRITE_NS) != 0 || cache_file_destroy(file, WRITE_NS) != 0)
		answer = SWEEP_WRONG;
	return answer;
}

/*
 * Of the index in smaller pieces, and of a write later, there is another way; and of a page for objects elsewhere, or
 * asked for again.
 */
void cache_every_failure_is_clean(struct ktest *t)
{
	const struct sweep s = {.what = "a file created, read, written, synced, destroyed",
				.work = use_a_file,
				.most = 100,
				.has_another_way = true};
	struct sweep_result result = sweep(t, &s);

	EXPECT_MSG(t, result.requests >= 10, "%u requests", result.requests);
	EXPECT_EQ(t, result.failed, 3 + 3); /* the ledger's, the pages' */
	EXPECT(t, result.managed >= 4);     /* the index's, the record's, the packet's two */
}

/* On all nodes: what gives those hope who wait for writes. */
static u64 writes_ended(void)
{
	u64 ended = 0;
	int nid;

	for_each_node_mask(nid, node_memory_mask())
		ended += load_relaxed(&NODE_DATA(nid)->lru.nr_written); /* none is under way */
	return ended;
}

/* Reclaim's write of page 0, its n-th request for memory failed: what became of the page. False: it makes fewer. */
static bool evict_with_failure(struct cache_file *file, u64 nth, enum lru_outcome *outcome)
{
	struct fault_rule_state state = {0};
	int id = fault_rule_add(
		&(const struct fault_rule){.of_tasks = true, .nth = nth, .quiet = true});

	fault_rule_mark(os_current(), (u32)id);
	*outcome = evict_index(file, 0, true);
	fault_rule_state((u32)id, &state);
	fault_rule_remove((u32)id);
	return state.failed > 0;
}

/*
 * A write that cannot begin leaves the page as dirty as it was, and what was written comes back later. Of a page for
 * objects there is another way. Nor has it ended: a device that only refuses gives nobody hope.
 */
void cache_refused_write_stays_dirty(struct ktest *t)
{
	struct cache_file *file = make_file(t, 1);
	u64 refused = device_counts().refused, nr_kept = 0, ended;
	enum lru_outcome outcome;
	bool failed = true;

	ASSERT_TRUE(t, file != NULL);
	for (u64 nth = 1; failed && nth < 20; nth++) {
		EXPECT_EQ(t, cache_write(file, 0, GFP_KERNEL), 0);
		ended = writes_ended();
		failed = evict_with_failure(file, nth, &outcome);
		if (outcome == LRU_KEPT) {
			EXPECT_EQ(t, cache_counts(file).dirty_pages, 1);
			EXPECT_EQ(t, writes_ended(), ended);
			nr_kept++;
		} else {
			EXPECT_EQ(t, outcome, LRU_WRITING);
		}
		EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
		EXPECT_EQ(t, evict_index(file, 0, false), LRU_FREED);
		EXPECT_EQ(t, cache_read(file, 0, GFP_KERNEL), 0);
	}
	EXPECT(t, !failed);
	/* For want of the record, and of the packet. */
	EXPECT(t, nr_kept >= 2);
	EXPECT(t, device_counts().refused > refused);
	EXPECT_EQ(t, cache_counts(file).wrong, 0);
	destroy_file(t, file);
}
