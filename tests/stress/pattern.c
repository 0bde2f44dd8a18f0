/*
 * What is written into a block, and how one sees that nobody else has written there.
 *
 * Each word follows from the block's serial number and from where it stands, so whoever holds a
 * block can tell each page's content from the serial, and a page that two hold, or that was
 * exchanged for another, shows a word of the other one. Word 0 is the serial itself: the message
 * then says whose it was.
 *
 * Of most pages the first two and the last two words are used, of every eighth block of small order
 * all of them: a page that is doubled has two owners who write the ends of it, while what only
 * touches the middle (a stray __GFP_ZERO, a list link of a freed page) needs a look at everything.
 */
#include "stress_internal.h"

#define WORDS             (PAGE_SIZE / sizeof(u64))
#define WHOLE_EVERY       8
#define WHOLE_UP_TO_ORDER 3

static u64 word_of(u64 serial, pfn_t pfn, u32 i)
{
	u64 x;

	if (i == 0)
		return serial;
	x = (serial + (pfn << 9 | i)) * 0x9e3779b97f4a7c15ull;
	return x ^ x >> 29;
}

bool stress_writes_whole_pages(const struct stress_block *block)
{
	return block->order <= WHOLE_UP_TO_ORDER && block->serial % WHOLE_EVERY == 0;
}

/* The word after word i that is used; WORDS: none. */
static u32 next_word(u32 i, bool whole)
{
	return !whole && i == 1 ? WORDS - 2 : i + 1;
}

void stress_write(const struct stress_block *block)
{
	bool whole = stress_writes_whole_pages(block);

	for (u64 n = 0; n < (u64)1 << block->order; n++) {
		u64 *words = page_address(block->page + n);
		pfn_t pfn = page_to_pfn(block->page + n);

		for (u32 i = 0; i < WORDS; i = next_word(i, whole))
			words[i] = word_of(block->serial, pfn, i);
	}
}

bool stress_verify(const struct stress_block *block, struct stress_difference *difference)
{
	bool whole = stress_writes_whole_pages(block);

	for (u64 n = 0; n < (u64)1 << block->order; n++) {
		const u64 *words = page_address(block->page + n);
		pfn_t pfn = page_to_pfn(block->page + n);

		for (u32 i = 0; i < WORDS; i = next_word(i, whole)) {
			u64 expected = word_of(block->serial, pfn, i);

			if (words[i] == expected)
				continue;
			*difference = (struct stress_difference){pfn, i, words[i], expected};
			return false;
		}
	}
	return true;
}

bool stress_is_zero(const struct stress_block *block)
{
	const u64 *words = page_address(block->page);
	u64 any = 0;

	for (u64 i = 0; i < WORDS << block->order; i++)
		any |= words[i];
	return any == 0;
}
