/*
 * An owner of reclaimable pages that does what a test says: for tests of who reclaims, when and how much.
 * It speaks of groups of pages, and keeps, dirties and writes as it is told; for single pages by number, and as many
 * as the caller has room for: toy_cache.h. The same on the host and in the kernel. Theory in sham.c.
 */
#ifndef TESTS_SHAM_H
#define TESTS_SHAM_H

#include <mm/lru.h>
#include <mm/page_alloc.h>

#define SHAM_MAX_PAGES 65536 /* more than any test fills it with */
#define SHAM_TAGS      4

/* What its pages have been asked for, since sham_start(). */
struct sham_counts {
	u64 asked;            /* evict() was called */
	u64 freed[SHAM_TAGS]; /* of them gone, by tag */
	u64 begun, completed; /* writes */
	u64 kept;             /* busy, or not to be written now */
	u64 refused_writes;   /* of them for want of __GFP_IO */
	u64 without_memalloc; /* asked by a thread that could be sent to reclaim again: a defect */
};

/*
 * Empty, and behaves: once a case, before anything else. It has room for as many pages as there are slots, which are the
 * caller's: a kernel's image is memory that its machine has not.
 */
void sham_start(struct page **slots, u32 nr_slots);
struct sham_counts sham_counts(void);

/* One more page, inactive, from node nid or any; false: no memory, or no room. */
bool sham_add(int nid, gfp_t gfp, u32 tag);
/* As many as can be had, up to max. */
u64 sham_fill(int nid, gfp_t gfp, u32 tag, u64 max);
/* Pages it has, all or those of a tag. */
u64 sham_pages(void);
u64 sham_pages_of(u32 tag);
/* For every page of the tag. */
void sham_touch(u32 tag);
void sham_dirty(u32 tag);
void sham_pin(u32 tag);
void sham_unpin(u32 tag);
/* A busy page is kept, whoever asks. */
void sham_set_busy(u32 tag, bool busy);
/* In evict(): ask for a page of its own before a write begins, and give it back. */
void sham_set_greedy(bool greedy);

/* Ends up to max writes, oldest first, as its device's interrupt. Any context. Returns how many. */
u64 sham_complete(u64 max);

/* All pages back; writes under way are ended. */
void sham_drop_all(void);

#endif
