/*
 * Pressing the shrinkers, private to mm/: for reclaim, and for check.
 */
#ifndef MM_SHRINKER_PRIVATE_H
#define MM_SHRINKER_PRIVATE_H

#include <arch/spinlock.h>
#include <mm/shrinker.h>

/*
 * The same share of each cache as of the node's LRU pages: `scanned` of `total`. Returns objects freed.
 * *passed_by becomes true if some cache could not be asked now: it may have much. As the reclaimer's own
 * thread; no lock held.
 */
u64 shrink_caches(int nid, u64 scanned, u64 total, bool *passed_by);

/*
 * Who can give back. Guarded by lock.
 *
 * Invariants (check):
 *   SHRINK-1  the list's links agree, and each on it has a name, both functions, and seeks
 *   SHRINK-2  a cache has freed no more objects than it was asked for
 */
struct shrinker_list {
	struct spinlock lock;
	struct list_head shrinkers; /* of struct shrinker, in the order in which they came */
};
extern struct shrinker_list shrinker_list;

#endif
