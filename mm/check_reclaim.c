/*
 * Executing the invariants of reclaim (RECLAIM-*, mm/reclaim.h).
 *
 * Nothing is stopped, and no lock would do it: kswapd and requests go on meanwhile. So words are read in an order
 * in which movement cannot look like damage; where that is not enough they are read again, and what has moved
 * is left out.
 */
#include <base/atomic.h>

#include "check_internal.h"

static enum kswapd_state state_of(const struct reclaim_node *reclaim)
{
	return (enum kswapd_state)load_acquire(&reclaim->state);
}

/* kswapd_start() and kswapd_stop() are nobody's to watch: between them all nodes are alike. */
static void a_kswapd_for_each_node(struct check *c)
{
	nodemask_t with = 0;
	int nid;

	for_each_node(nid) {
		c->report->items++;
		if (state_of(&NODE_DATA(nid)->reclaim) != KSWAPD_NONE)
			with |= NODE_BIT(nid);
	}
	if (with != 0 && with != node_memory_mask())
		check_fail(c, "nodes 0x%llx have a kswapd, nodes 0x%llx memory",
			   (unsigned long long)with, (unsigned long long)node_memory_mask());
}

/* The same state before and after: the count between belongs to it. */
static void hopeless_after_enough_rounds(struct check *c)
{
	int nid;

	for_each_node(nid) {
		const struct reclaim_node *reclaim = &NODE_DATA(nid)->reclaim;
		enum kswapd_state state = state_of(reclaim);
		u32 rounds = load_acquire(&reclaim->fruitless);

		c->report->items++;
		if (rounds > MAX_FRUITLESS_ROUNDS ||
		    (state == KSWAPD_HOPELESS && rounds < MAX_FRUITLESS_ROUNDS &&
		     state_of(reclaim) == KSWAPD_HOPELESS))
			check_fail(c, "node %d: kswapd is %s after %u rounds without progress", nid,
				   kswapd_state_name(state), rounds);
	}
}

/* Ends first: one that comes between is a wake more. */
static void every_wake_has_ended(struct check *c)
{
	int nid;

	for_each_node(nid) {
		const struct reclaim_node *reclaim = &NODE_DATA(nid)->reclaim;
		u64 ends_before =
			load_acquire(&reclaim->balanced) + load_acquire(&reclaim->gave_up);
		u64 wakes = load_acquire(&reclaim->wakes);
		u64 ends_after = load_acquire(&reclaim->balanced) + load_acquire(&reclaim->gave_up);

		c->report->items++;
		if (ends_before > wakes || wakes > ends_after + 1)
			check_fail(c,
				   "node %d: kswapd was woken %llu times, and has ended %llu times",
				   nid, (unsigned long long)wakes, (unsigned long long)ends_after);
	}
}

static void no_more_than_scanned(struct check *c)
{
	struct reclaim_snapshot s;
	int nid;

	for_each_node(nid) {
		reclaim_snapshot(nid, &s);
		for (u32 who = 0; who < NR_RECLAIMERS; who++) {
			c->report->items++;
			if (s.reclaimed[who] > s.scanned[who])
				check_fail(c, "node %d: %llu pages reclaimed, %llu scanned by %s",
					   nid, (unsigned long long)s.reclaimed[who],
					   (unsigned long long)s.scanned[who],
					   who == RECLAIM_KSWAPD ? "kswapd" : "requests");
		}
	}
}

const struct invariant reclaim_invariants[] = {
	{"RECLAIM-1", "no node has a kswapd, or each with memory has one",
	 .run = a_kswapd_for_each_node},
	{"RECLAIM-2", "a kswapd has no hope after 16 rounds without progress, never earlier",
	 .run = hopeless_after_enough_rounds},
	{"RECLAIM-3", "each wake of a kswapd has ended balanced or given up, but for one",
	 .run = every_wake_has_ended},
	{"RECLAIM-4", "no more pages are reclaimed than scanned", .run = no_more_than_scanned},
};
const u32 nr_reclaim_invariants = ARRAY_SIZE(reclaim_invariants);
