/*
 * Caches that can give back: who has objects that can be had again registers how many, and how to free some.
 * Theory in mm/shrinker.c.
 */
#ifndef MM_SHRINKER_H
#define MM_SHRINKER_H

#include <base/list.h>
#include <mm/numa.h>

#define SHRINK_DEFAULT_SEEKS 2
#define SHRINK_STOP          (~(u64)0)

/*
 * count: objects on the node that could be freed now; a guess will do. scan: frees up to nr of them and
 * returns how many; SHRINK_STOP: cannot now. Both in a thread that reclaims, no lock held; may not sleep nor
 * ask for memory with reclaim; trylock only. May be called by several CPUs at once, for different nodes.
 */
struct shrinker {
	const char *name;
	u64 (*count)(struct shrinker *shrinker, int nid);
	u64 (*scan)(struct shrinker *shrinker, int nid, u64 nr);
	u32 seeks; /* what an object costs to have again, in reads of a device: SHRINK_DEFAULT_SEEKS, not 0 */
	u32 batch; /* objects a call of scan; 0: 128 */

	/* mm/shrinker.c's. */
	struct list_head link;      /* under its lock */
	u32 nr_running;             /* atomic: who may be inside, and whether it is leaving */
	u64 deferred[MAX_NUMNODES]; /* atomic: pressure not yet exerted */
	u64 nr_scanned, nr_freed;   /* atomic: objects, since it was registered */
};

/* Threads; may sleep. unregister waits until nobody is inside its functions. */
void shrinker_register(struct shrinker *shrinker);
void shrinker_unregister(struct shrinker *shrinker);

/* The i-th, for reports; false past the end. */
struct shrinker_snapshot {
	const char *name;
	u64 scanned, freed, deferred;
};
bool shrinker_snapshot(u32 i, struct shrinker_snapshot *out);

#endif
