/*
 * Is what a page holds what was written last? And if not: what is it instead?
 *
 *	lost       an older version, whole: a write that the store had acknowledged is not there
 *	stale      the same of a page that somebody has read before it was filled anew
 *	misplaced  the content of another page, whole, or of another file
 *	corrupted  nobody's: somebody has written into it
 *
 * Each is said with what was expected, what was found, and where in memory. The first MAX_SAID of a file are
 * lines in the log, all are counted.
 */
#include <base/format.h>
#include <mm/os.h>

#include "cache_internal.h"

#define MAX_SAID 8

static const char *name_of_content(u64 content)
{
	for (u32 i = 0; i < CACHE_MAX_FILES; i++) {
		const struct cache_file *file = cache_file_at(i);

		if (file && file->content == content)
			return file->name;
	}
	return "a file that is gone";
}

static void describe(const void *data, u32 offset, char *buf, size_t size)
{
	const u64 *word = (const void *)((const char *)data + offset);
	struct content_id id;

	if (content_identify(data, &id))
		snprintf(buf, size, "found page %llu of '%s', version %llu",
			 (unsigned long long)id.index, name_of_content(id.file),
			 (unsigned long long)id.version);
	else
		snprintf(buf, size, "corrupted from byte 0x%x on, which is 0x%016llx", offset,
			 (unsigned long long)*word);
}

/* Counts it; shall it be said? */
static bool is_worth_a_line(struct cache_file *file)
{
	/* Relaxed: a figure. */
	return __atomic_fetch_add(&file->count[CACHE_WRONG], 1, __ATOMIC_RELAXED) < MAX_SAID;
}

bool cache_verify(struct cache_file *file, const struct page *page)
{
	u64 index = cache_key_index(page->owner_key);
	u32 expected = ledger_entry(&file->ledger, index)->written;
	struct content_id id = cache_content(file, index, expected);
	u32 offset = content_verify(page_address(page), &id);
	char found[96];

	cache_count(file, CACHE_VERIFIED, 1);
	if (offset == CONTENT_MATCHES)
		return true;
	if (is_worth_a_line(file)) {
		describe(page_address(page), offset, found, sizeof(found));
		os_log(OS_LOG_ERR, "cache",
		       "page %llu of '%s': expected version %u, %s; pfn 0x%llx",
		       (unsigned long long)index, file->name, expected, found,
		       (unsigned long long)page_to_pfn(page));
	}
	return false;
}

bool cache_verify_arrived(struct cache_file *file, u64 index, u64 version, u64 checksum)
{
	struct content_id id = cache_content(file, index, version);

	if (content_digest(&id) == checksum)
		return true;
	if (is_worth_a_line(file))
		os_log(OS_LOG_ERR, "cache",
		       "page %llu of '%s': what arrived at the store as version %llu is not that",
		       (unsigned long long)index, file->name, (unsigned long long)version);
	return false;
}
