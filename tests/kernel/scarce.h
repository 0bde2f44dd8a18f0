/*
 * The stage for tests of fallback: the preferred node has no page, and every page is counted.
 *
 *	node P, the requester's     node B, next to it     others
 *	[hhhhhhhhhhhhhhhhhh|min]    [slabs: xx..]          [slabs: x.x.]
 *	 held: has no page           free objects
 *
 * All memory is held, or nearly, for moments: whoever starts a thread does it before.
 */
#ifndef TESTS_SCARCE_H
#define TESTS_SCARCE_H

#include <kernel/hoard.h>
#include <kernel/test.h>
#include <mm/policy.h>
#include <mm/slab_inspect.h>
#include <mm/vmstat.h>

#define SCARCE_SIZE  256u
#define QUICKLY      (GFP_NOWAIT | __GFP_NOWARN)
#define SCARCE_LIMIT 20000000000ull /* ns: whoever waits so long waits for ever */

/* An object that somebody has, by its first word. */
struct out {
	struct out *next;
};

/* One at a time. */
extern struct scarce {
	struct kmem_cache *cache;
	int p, b; /* preferred, and the nearest other with memory */
	u32 nr_objects;
	struct hoard held;
	struct out *out; /* given back at the end */
} scarce;

/* Was this booted? */
bool scarce_under(enum mm_behaviour behaviour);
/* False: there is no second node with memory, and p is the only one. */
bool scarce_find_nodes(void);
/* A cache of objects of that size; pages are counted. */
void scarce_begin(struct ktest *t, u32 size);
/* All is given back, and as many pages are free as before. */
void scarce_end(struct ktest *t);
#define SCARCE_BEGIN_OR_SKIP(t, size)                           \
	do {                                                    \
		if (!scarce_find_nodes())                       \
			SKIP(t, "needs two nodes with memory"); \
		scarce_begin(t, size);                          \
	} while (0)

/* Kept until the end; the object's node. NULL: NUMA_NO_NODE. */
int scarce_keep(void *object);
void give_back_all(struct out **list);
/* All that a request for the node alone can get. */
void scarce_exhaust(int nid, gfp_t gfp);

/* What was counted since scarce_mark(). */
void scarce_mark(void);
u64 since(enum vmstat_item item);

#endif
