/*
 * Numbers that look random and follow from a seed, for tests, workloads and draws: the same seed, the same
 * numbers. Not for secrets.
 *
 * xorshift64*: a shift register of 64 bits that meets every state but 0, and a multiplication that
 * mixes its low bits, which are the weakest, into the high ones. So who wants few bits takes high ones.
 *
 * Source: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", ACM
 * Transactions on Mathematical Software 42 (2016).
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <base/types.h>

/* Its user's alone: there is no lock. Never 0: from that state it does not move. */
struct random_state {
	u64 state;
};

static inline u64 random_next(struct random_state *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

/* 0 to n - 1; n is not 0. Small ones come more often by n in 2^32, which no user of it sees. */
static inline u32 random_below(struct random_state *r, u32 n)
{
	return (u32)((random_next(r) >> 32) % n);
}

#endif
