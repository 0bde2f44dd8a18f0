/*
 * Blocks that one CPU leaves for another to free. No lock: a slot's state says whose it is.
 *
 *	EMPTY --(who fills it)--> FILLING --> FULL --(who takes it)--> TAKING --> EMPTY
 *
 * Who changes EMPTY to FILLING or FULL to TAKING has the slot to itself. It may lose its CPU with it,
 * or be interrupted by who wants a slot, too: they find it in use and look at the next one. So
 * nobody waits, in threads and interrupts alike.
 *
 * Memory order: each change that takes possession is an acquire, each that gives it up a release; so
 * the block's words in the slot, and what was written into its pages, go along.
 */
#include <base/atomic.h>

#include "stress_internal.h"

enum { EMPTY, FILLING, FULL, TAKING };

static bool change(struct stress_slot *slot, u32 from, u32 to)
{
	/* Relaxed on failure: then nothing is read. */
	return load_relaxed(&slot->state) == from &&
	       __atomic_compare_exchange_n(&slot->state, &from, to, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

bool stress_post(struct stress_mailbox *box, u32 first, const struct stress_block *block)
{
	for (u32 i = 0; i < STRESS_SLOTS; i++) {
		struct stress_slot *slot = &box->slot[(first + i) % STRESS_SLOTS];

		if (!change(slot, EMPTY, FILLING))
			continue;
		slot->block = *block;
		store_release(&slot->state, FULL);
		return true;
	}
	return false;
}

bool stress_collect(struct stress_mailbox *box, struct stress_block *block)
{
	for (u32 i = 0; i < STRESS_SLOTS; i++) {
		struct stress_slot *slot = &box->slot[i];

		if (!change(slot, FULL, TAKING))
			continue;
		*block = slot->block;
		store_release(&slot->state, EMPTY);
		return true;
	}
	return false;
}
