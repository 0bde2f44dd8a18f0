/* What a page holds, as a function of whose it is: private to kernel/cache/. Theory in content.c. */
#ifndef KERNEL_CACHE_CONTENT_H
#define KERNEL_CACHE_CONTENT_H

#include <base/types.h>

/* Which content: of which file, page and version. */
struct content_id {
	u64 file, index, version;
};

#define CONTENT_MATCHES (~(u32)0)

void content_fill(void *page, const struct content_id *id);
/* The offset of the first byte of the first word that is not what it must be, or CONTENT_MATCHES. */
u32 content_verify(const void *page, const struct content_id *id);
/* Whose content is it, whole? False: nobody's. */
bool content_identify(const void *page, struct content_id *id);

/* Of what the page holds; and what that is for a page that holds what it must. */
u64 content_sum(const void *page);
u64 content_digest(const struct content_id *id);

/* A bijection of words that leaves no likeness: splitmix64's. */
static inline u64 content_mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

#endif
