/*
 * The content of a page: made from file, index and version, so that each page can be checked whole, and a
 * wrong one says what it is instead.
 *
 *	word   0      1       2      3 ... 510                 511
 *	       file   index   version  drawn from all three    what is missing to the digest
 *
 * The first three are for people, and for content_identify(): a page that belongs elsewhere, or is old,
 * names itself, and is believed if all the rest fits. The words between are each a bijection of their
 * position and of what is drawn from the three, so neighbours, versions and pages have nothing in
 * common. The last makes the sum of all words the digest, so that who knows the three knows the sum without
 * making the page: that is what the store compares with what a packet carries.
 *
 * Source of the mixing: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
 */
#include "content.h"

#include <arch/page.h>

#define NR_WORDS    (PAGE_SIZE / sizeof(u64))
#define FIRST_DRAWN 3
#define LAST        (NR_WORDS - 1)

static u64 drawn_from(const struct content_id *id)
{
	return content_mix(content_mix(content_mix(id->file) ^ id->index) ^ id->version);
}

/* One step of the mixing: 508 of them a page are what filling and verifying cost. */
static u64 drawn_word(u64 from, u32 i)
{
	u64 x = from + i * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

u64 content_digest(const struct content_id *id)
{
	return content_mix(~drawn_from(id));
}

void content_fill(void *page, const struct content_id *id)
{
	u64 *words = page, from = drawn_from(id), sum = id->file + id->index + id->version;

	words[0] = id->file;
	words[1] = id->index;
	words[2] = id->version;
	for (u32 i = FIRST_DRAWN; i < LAST; i++) {
		words[i] = drawn_word(from, i);
		sum += words[i];
	}
	words[LAST] = content_digest(id) - sum;
}

u32 content_verify(const void *page, const struct content_id *id)
{
	const u64 *words = page;
	u64 from = drawn_from(id), sum = id->file + id->index + id->version;

	if (words[0] != id->file)
		return 0;
	if (words[1] != id->index)
		return sizeof(u64);
	if (words[2] != id->version)
		return 2 * sizeof(u64);
	for (u32 i = FIRST_DRAWN; i < LAST; i++) {
		u64 word = drawn_word(from, i);

		if (words[i] != word)
			return i * (u32)sizeof(u64);
		sum += word;
	}
	return words[LAST] == content_digest(id) - sum ? CONTENT_MATCHES : LAST * sizeof(u64);
}

bool content_identify(const void *page, struct content_id *id)
{
	const u64 *words = page;

	*id = (struct content_id){words[0], words[1], words[2]};
	return content_verify(page, id) == CONTENT_MATCHES;
}

u64 content_sum(const void *page)
{
	const u64 *words = page;
	u64 sum = 0;

	for (u32 i = 0; i < NR_WORDS; i++)
		sum += words[i];
	return sum;
}
