/* Between the files of the stress. */
#ifndef TESTS_STRESS_INTERNAL_H
#define TESTS_STRESS_INTERNAL_H

#include <arch/page.h>
#include <mm/page.h>

#include "stress.h"

/* xorshift64*: never zero. */
struct stress_random {
	u64 state;
};

static inline u64 stress_random(struct stress_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

static inline u32 stress_below(struct stress_random *r, u32 n)
{
	return (u32)((stress_random(r) >> 32) % n);
}

/* A block that somebody holds, and what was written into it. */
struct stress_block {
	struct page *page;
	u64 serial; /* no other block of the run has it: owner and number */
	u32 order;
};

/* What a page shows instead of what was written. */
struct stress_difference {
	pfn_t pfn;
	u32 word;
	u64 found, expected;
};

/* pattern.c */
bool stress_writes_whole_pages(const struct stress_block *block);
void stress_write(const struct stress_block *block);
bool stress_verify(const struct stress_block *block, struct stress_difference *difference);
bool stress_is_zero(const struct stress_block *block);

/* mailbox.c */
#define STRESS_SLOTS 16

struct stress_slot {
	u32 state; /* atomic; who made it FILLING or TAKING has the block */
	struct stress_block block;
};
struct stress_mailbox {
	struct stress_slot slot[STRESS_SLOTS];
};
bool stress_post(struct stress_mailbox *box, u32 first, const struct stress_block *block);
bool stress_collect(struct stress_mailbox *box, struct stress_block *block);

#endif
