/*
 * Executing the invariants of the page cache: CACHE-* of <kernel/page_cache.h>.
 *
 * Each walks the index, or a ledger, and compares what it finds with what is counted. A bucket's lock is held
 * while its pages are looked at, no page's lock: figures are exact while nobody uses the cache. kswapd and the device
 * may be at it all the same: they move pages from one count to another while the index is walked. Where counts
 * differ they are looked at again (CHECK_LOOKS), and are wrong if they always do.
 */
#include <base/format.h>
#include <base/string.h>
#include <mm/check.h>

#include "cache_internal.h"

/* What one walk over the index needs and finds. */
struct cache_check {
	void (*broken)(void *arg, const char *text);
	void *arg;
	u64 pages[CACHE_MAX_FILES], dirty[CACHE_MAX_FILES];
	u64 being_written;
};

static void say(const struct cache_check *c, const char *fmt, ...) __printf_like(2, 3);

static void say(const struct cache_check *c, const char *fmt, ...)
{
	char text[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->broken(c->arg, text);
}

static const struct cache_file *file_of(const struct page *page)
{
	return cache_file_at((u32)(page->owner_key >> CACHE_INDEX_BITS));
}

static void is_in_place(struct page *page, bool in_place, void *arg)
{
	const struct cache_file *file = file_of(page);
	u32 flags = page_lru_flags(page);
	bool good = in_place && file && cache_key_index(page->owner_key) < file->nr_pages &&
		    page->state == PAGE_ALLOCATED && (page->marks & PAGE_MARK_LRU) &&
		    page->lru != LRU_NONE && page->lru_owner == &cache_owner &&
		    page_ref_count(page) > 0 && (flags & CACHE_INDEXED);

	if (!good)
		say(arg, "pfn 0x%llx, key 0x%llx: %s, on list %s, %u references, flags 0x%x%s%s",
		    (unsigned long long)page_to_pfn(page), (unsigned long long)page->owner_key,
		    page_state_name((enum page_state)page->state),
		    lru_list_name((enum lru_list)page->lru), page_ref_count(page), flags,
		    in_place ? "" : ", not where its key belongs", file ? "" : ", of no file");
}

static void count_page(struct page *page, bool in_place, void *arg)
{
	struct cache_check *c = arg;
	const struct cache_file *file = file_of(page);
	u32 flags = page_lru_flags(page);

	(void)in_place;
	if (!file)
		return;
	c->pages[file->id]++;
	c->dirty[file->id] += (flags & LRU_DIRTY) != 0;
	c->being_written += (flags & LRU_WRITEBACK) != 0;
}

/* Of each file. What is wrong is said if this is the last look. */
static bool counts_are_right(const struct cache_check *c, bool last)
{
	bool right = true;

	for (u32 i = 0; i < CACHE_MAX_FILES; i++) {
		const struct cache_file *file = cache_file_at(i);
		struct cache_snapshot s;

		if (!file)
			continue;
		cache_snapshot(file, &s);
		if (s.pages == c->pages[i] && s.dirty_pages == c->dirty[i])
			continue;
		right = false;
		if (last)
			say(c, "'%s' has %llu pages, counts %llu; %llu dirty, counts %llu",
			    file->name, (unsigned long long)c->pages[i],
			    (unsigned long long)s.pages, (unsigned long long)c->dirty[i],
			    (unsigned long long)s.dirty_pages);
	}
	return right;
}

static bool writes_are_right(const struct cache_check *c, bool last)
{
	u64 under_way = cache_writes_under_way();

	if (c->being_written != under_way && last)
		say(c, "%llu pages are being written, %llu writes are under way",
		    (unsigned long long)c->being_written, (unsigned long long)under_way);
	return c->being_written == under_way;
}

static u64 count_until_right(struct cache_check *c,
			     bool (*right)(const struct cache_check *c, bool last))
{
	u64 looked_at = 0;

	for (u32 look = 0; look < CHECK_LOOKS; look++) {
		check_wait_a_moment(look);
		memset(c->pages, 0, sizeof(c->pages));
		memset(c->dirty, 0, sizeof(c->dirty));
		c->being_written = 0;
		looked_at = cache_index_walk(count_page, c);
		if (right(c, look == CHECK_LOOKS - 1))
			break;
	}
	return looked_at;
}

static u64 store_is_not_ahead(const struct cache_check *c)
{
	u64 looked_at = 0;

	for (u32 i = 0; i < CACHE_MAX_FILES; i++) {
		const struct cache_file *file = cache_file_at(i);

		for (u64 index = 0; file && index < file->nr_pages; index++, looked_at++) {
			const struct ledger_entry *entry = ledger_entry(&file->ledger, index);
			u32 stored = load_acquire(&entry->stored);

			if (stored > entry->written)
				say(c, "page %llu of '%s': stored version %u, written %u",
				    (unsigned long long)index, file->name, stored, entry->written);
		}
	}
	return looked_at;
}

static void holds_what_was_written(struct page *page, bool in_place, void *arg)
{
	const struct cache_file *file = file_of(page);
	u64 index = cache_key_index(page->owner_key);
	const struct ledger_entry *entry;
	u32 flags = page_lru_flags(page), stored;
	bool clean = !(flags & (LRU_DIRTY | LRU_WRITEBACK));

	(void)in_place;
	if (!file || index >= file->nr_pages || !(flags & CACHE_UPTODATE))
		return;
	entry = ledger_entry(&file->ledger, index);
	stored = load_acquire(&entry->stored);
	if (page->owner_value != entry->written || (clean && stored != entry->written))
		say(arg, "page %llu of '%s', %s: version %llu, written %u, stored %u",
		    (unsigned long long)index, file->name, clean ? "clean" : "not clean",
		    (unsigned long long)page->owner_value, entry->written, stored);
}

u64 cache_check(u32 i, void (*broken)(void *arg, const char *text), void *arg)
{
	struct cache_check c = {.broken = broken, .arg = arg};

	switch (i) {
	case 0:
		return cache_index_walk(is_in_place, &c);
	case 1:
		return count_until_right(&c, counts_are_right);
	case 2:
		return store_is_not_ahead(&c);
	case 3:
		return cache_index_walk(holds_what_was_written, &c);
	default:
		return count_until_right(&c, writes_are_right);
	}
}
