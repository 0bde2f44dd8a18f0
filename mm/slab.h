/*
 * The slab layer, private to mm/: what a cache, a node of it and a slab are. Theory: mm/slab_cache.c (the whole),
 * mm/slab_cpu.c (hit paths), mm/slab_node.c (lists), mm/slab_grow.c (pages), mm/slab_request.c (a request's steps),
 * mm/slab_fallback.c (my node is empty), mm/slab_debug.c (detection).
 *
 *	kmem_cache --- local[cpu] ------------------------------> cpu_stack      this CPU's own, the hit path
 *	    |                                                         ^
 *	    +--- node[nid] --> kmem_cache_node (home) --- stack[cpu] -+          each CPU's of this node's objects
 *	                          | lock
 *	                          +--- shared                                    what CPUs of the node share
 *	                          +--- full, partial, free --> slabs (struct page)
 *
 * A *home* is where an object belongs: one cache's part of one node. Every page of a slab names its home, so a
 * free needs no more than the object: page, home, this CPU's stack of that home. A CPU has a large stack for its
 * own node's objects and a small one for each other's (Linux: alien arrays), from which a request for that node is
 * served, too. What no stack takes goes home: to `shared` if there is room, else to its slab.
 */
#ifndef MM_SLAB_PRIVATE_H
#define MM_SLAB_PRIVATE_H

#include <arch/cpu.h>
#include <arch/restart.h>
#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/list.h>
#include <mm/mempolicy.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/slab_inspect.h> /* events; caches kept from going */

#include "zone.h"

/* CPUs keep objects of other nodes on machines of up to so many; beyond that these go home one by one. */
#define SLAB_ALIEN_NODES 16
#define SLAB_ALIEN_LIMIT 12u /* at least */

/*
 * One cache on one node.
 *
 * Invariants (check):
 *   SLAB-1  a slab on a list is ALLOCATED, of the cache's order, of this node, marked, and each of its pages names
 *           this home; on full none of its objects is free, on free all are, on partial some
 *   SLAB-2  a slab's nr_free is the number of bits in its map, which has none beyond its objects
 *   SLAB-3  nr_slabs, nr_free_slabs and nr_free_objects are the lengths of the lists and the sum over them
 *   SLAB-4  an object in `shared` or on a CPU's stack is one of this home's slabs, and not free in its map; none is
 *           twice in the same place
 *   SLAB-5  a stack's nr <= limit <= capacity; a CPU that has none has slab_no_stack
 *   SLAB-6  a page that is marked is on a list of the home that it names, but for the moments of making a slab and
 *           of giving it back
 */
struct kmem_cache_node {
	/*
	 * Hit path: first, so that the address of the home is that of the array. A CPU changes its own, with
	 * interrupts off; others may look. Never NULL.
	 */
	struct cpu_stack *stack[MAX_CPUS];

	/* Constant once the cache is made. */
	const struct kmem_cache_node *self; /* what a page's word must lead to: its own address */
	struct kmem_cache *cache;
	int nid;

	/* Guarded by lock: interrupts off; nothing is taken under it, no page is asked for or given back. */
	struct spinlock lock;
	struct list_head full, partial,
		free; /* of struct page.slab_link; partial: emptied first at its head */
	u64 nr_slabs,
		nr_free_slabs; /* on all three; on free. May be read without the lock as hints */
	u64 nr_free_objects;   /* in the maps: not shared, not on stacks. Hint as well */
	u64 free_limit; /* objects: above it a slab that becomes free goes back to the page allocator */
	u32 next_colour;
	bool free_touched;        /* a free slab was taken since reaping looked last */
	struct cpu_stack *shared; /* used as a plain array, under the lock; slab_no_stack: none */
	u32 nr_shared; /* in it: a hint for who may not look there, as it may be replaced */

	/* Since the cache was made. Counted under the lock; REAPED and FALLBACK without, atomically. */
	u64 events[8]; /* enum slab_event */
};

/* Where a slab's map is. */
enum slab_map_kind {
	SLAB_MAP_IN_PAGE, /* struct page.slab_bits: up to 64 objects */
	SLAB_MAP_ON_SLAB, /* behind the last object */
	SLAB_MAP_OFF_SLAB /* a piece of kmalloc memory */
};

/*
 * A cache.
 *
 * Invariants (check):
 *   CACHES-1  size >= object_size, a multiple of align; nr_objects * size and what stands beside fits into the slab; the
 *             reciprocal leads from every byte of a place to its number
 *   CACHES-2  local[cpu] is the stack of the CPU's own home; node[nid] is its home, or slab_no_home where no node is
 *   CACHES-3  1 <= batch <= limit, or all of limit, batch, shared are 0
 */
struct kmem_cache {
	/* Hit path: first, as above; changed likewise. local[cpu] is node[its node]->stack[cpu]. Never NULL. */
	struct cpu_stack *local[MAX_CPUS];
	struct kmem_cache_node
		*node[MAX_NUMNODES]; /* constant; slab_no_home where there is no node */

	/* Constant once the cache is made. */
	u32 object_size;   /* bytes, as asked for */
	u32 size;          /* bytes from one object to the next: with red zones and owners */
	u32 object_offset; /* of the object in its place: behind its left red zone */
	u32 align;
	u32 flags;      /* SLAB_*, with those of mm.debug */
	gfp_t zone_gfp; /* __GFP_DMA, __GFP_DMA32 or 0 */
	u32 order;      /* of a slab */
	u32 nr_objects; /* of a slab */
	u64 reciprocal; /* slab_index() */
	enum slab_map_kind map_kind;
	u32 map_bytes;
	u32 colours, colour_bytes; /* so many first offsets, so far apart */
	void (*ctor)(void *object);
	char name[SLAB_NAME_BYTES];
	bool is_boot;                /* never destroyed: others' memory comes from it */
	struct kmem_cache *dma_twin; /* of a kmalloc class: that of __GFP_DMA */

	/* Guarded by slab_caches.lock. */
	struct list_head link;
	u32 nr_users; /* who keeps it from going */
	bool is_going;

	/* kmem_cache_tune()'s: one at a time, is_tuning says so, under slab_caches.lock. */
	bool is_tuning;
	u32 limit, batch, shared;
};

extern struct slab_cache_list {
	struct spinlock lock;    /* "slab caches": threads only; nothing is taken under it */
	struct list_head caches; /* in the order in which they were made */
	u32 nr;
} slab_caches;

/* For who has no stack, and no home: empty, full, never anybody's. Constant. */
extern struct cpu_stack slab_no_stack;
extern struct kmem_cache_node slab_no_home;

/* --- Slabs: struct page's arm ------------------------------------------------------------------------ */

#define SLAB_RECIPROCAL_SHIFT 44

/* Blocks begin at multiples of their size, in the memory map as well (VMEMMAP_BASE). */
static inline struct page *slab_of(const struct kmem_cache *cache, const void *object)
{
	return (struct page *)ALIGN_DOWN((uintptr_t)virt_to_page(object), sizeof(struct page)
										  << cache->order);
}

/* The place of the first object; each further one is cache->size behind. */
static inline char *slab_first(const struct page *slab)
{
	return (char *)page_address(slab) + slab->slab_offset;
}

/* Which place of the slab an address is in, for any address in the slab's pages; may be past the last. */
static inline u32 slab_index(const struct kmem_cache *cache, const struct page *slab,
			     const void *object)
{
	u64 offset = (u64)((const char *)object - slab_first(slab));

	return (u32)(offset * cache->reciprocal >> SLAB_RECIPROCAL_SHIFT);
}

/* The i-th object, as its holder knows it. */
static inline void *slab_object(const struct kmem_cache *cache, const struct page *slab, u32 i)
{
	return slab_first(slab) + (u64)i * cache->size + cache->object_offset;
}

/*
 * Where a member of a home stands that was found by a number, and may be none: for who loads words that may fault. Not
 * by its type, as the number may be 0, or crooked.
 */
#define SLAB_HOME_WORD(home, member) \
	((const u64 *)((home) + __builtin_offsetof(struct kmem_cache_node, member)))

/*
 * For words that their owner alone writes (a stack's: its CPU; a home's: who holds the lock) and others read as hints.
 * Relaxed: each is only itself.
 */
static inline void slab_hint_u32(u32 *word, u32 value)
{
	store_relaxed(word, value);
}

static inline void slab_hint_add(u64 *word, s64 more)
{
	store_relaxed(word, *word + (u64)more);
}

/* A batch has come or gone: so many are on it now. */
static inline void slab_stack_moved(struct cpu_stack *stack, u32 nr)
{
	slab_hint_u32(&stack->nr, nr);
	slab_hint_u32(&stack->moves, stack->moves + 1);
}

static inline void slab_shared_moved(struct kmem_cache_node *home, u32 nr)
{
	slab_stack_moved(home->shared, nr);
	slab_hint_u32(&home->nr_shared, nr);
}

/*
 * Some caches at once: for who has something done on every CPU, which is asked once for all of them. Begins with
 * nr = 0. A CPU empties its stacks of them with interrupts off, so they may have so many objects together on its own
 * node's; one that may have more comes alone. With `going_too` also those that are going: for who has to do with every
 * stack there is, and with stacks alone.
 */
#define SLAB_HANDFUL         16u
#define SLAB_HANDFUL_OBJECTS 2048u
struct slab_handful {
	u32 nr;
	struct kmem_cache *cache[SLAB_HANDFUL];
};

/* --- mm/slab_node.c: lists, under the node's lock ------------------------------------------------------ */

void slab_node_init(struct kmem_cache_node *node, struct kmem_cache *cache, int nid);
/*
 * Up to `want` objects: shared, then partial slabs, then free ones. If what the last slab has left then is no more
 * than `most` in all allow, it comes along: slabs are best used up, and freed, as a whole.
 */
u32 slab_node_take_locked(struct kmem_cache_node *node, void **into, u32 want, u32 most);
/* How taking and giving back ended: where one was wrong, after the lock is released somebody has to say so. */
struct slab_bad {
	void *object;     /* NULL: nothing wrong */
	const char *what; /* "is free already", "is no object" */
};
/*
 * nr objects of this home come back: to shared as many as there is room for, if `may_share`, the others to their
 * slabs. Slabs that are too many are put on *surplus (struct page.slab_link), for slab_give_back(). On the first bad
 * one it stops.
 */
void slab_node_put_locked(struct kmem_cache_node *node, void *const *objects, u32 nr,
			  bool may_share, struct list_head *surplus, struct slab_bad *bad);
/* As many shared objects as go to their slabs under the lock at a time. */
#define SLAB_UNSHARE_BATCH 256u
/*
 * Up to nr, and no more than a batch, of what is shared, or was until now (`array`), go to their slabs. How many;
 * 0: there are none, or *bad.
 */
u32 slab_node_unshare_locked(struct kmem_cache_node *node, struct cpu_stack *array, u32 nr,
			     struct list_head *surplus, struct slab_bad *bad);
/* A new slab, of the node's; with the objects that the maker wants: up to max of them, into `into`. How many. */
u32 slab_node_add_locked(struct kmem_cache_node *node, struct page *slab, void **into, u32 max);
/* Takes up to nr free slabs off. How many. */
u32 slab_node_strip_locked(struct kmem_cache_node *node, u64 nr, struct list_head *surplus);

/* --- mm/slab_stack.c: a CPU's stacks beyond their hit paths ----------------------------------------------- */

/* This CPU's, interrupts off: fills it from its home; how many it has then. */
u32 slab_stack_refill(struct kmem_cache_node *home, struct cpu_stack *stack);
/* This CPU's, interrupts off: how many a full one gives back; 0 if it is empty. */
u32 slab_stack_flush_batch(const struct kmem_cache *cache, const struct cpu_stack *stack);
/* This CPU's, interrupts off: gives the `nr` that have been on it longest back to their home. */
void slab_stack_flush(struct kmem_cache_node *home, struct cpu_stack *stack, u32 nr);
/*
 * Objects go to their slabs by batches, the lock dropped between: nr, or as many as there are, of an array that is the
 * caller's alone; NULL: of what the home shares. How many. Threads, interrupts on, no lock of mm/ held.
 */
u32 slab_unshare(struct kmem_cache_node *home, struct cpu_stack *array, u32 nr);
/* Memory for one, closed; NULL: there is none. */
struct cpu_stack *slab_stack_make(u32 capacity, int nid, gfp_t gfp);
void slab_stack_free(struct cpu_stack *stack);
/* Gives every CPU stacks of the limits, or takes them away (limit 0). 0, -ENOMEM. Threads, interrupts on. */
int slab_stacks_set(struct kmem_cache *cache, u32 limit, u32 batch, u32 shared);
/* Empties all CPUs' stacks of the cache, and what is shared. Threads, interrupts on. */
void slab_stacks_drain(struct kmem_cache *cache);
void slab_stacks_drain_some(struct slab_handful *handful);
/* Of the cache, those of CPUs for objects of other nodes than their own. The same contexts. */
void slab_aliens_drain(struct kmem_cache *cache);
/* From here on all CPUs are there and have interrupts; before, the one that boots is alone. */
void slab_all_cpus_run(void);
/* Closes all stacks of all caches, empty, until the same number of openings: every request is then seen. */
void slab_hits_close(void);
void slab_hits_open(void);

/* --- mm/slab_geometry.c: what a slab looks like ------------------------------------------------------------- */

/* The largest order of slabs of small objects: 1, or 0 on a small machine. Constant after slab_init(). */
extern u32 slab_max_order;
/* From size, align, flags and is_boot: order, nr_objects, map, colours, reciprocal. */
void slab_geometry(struct kmem_cache *cache);

/* --- mm/slab_grow.c: pages become slabs, and go back -------------------------------------------------------- */

/*
 * A slab of `page`, a block of the cache's order that is the caller's: unpublished, all of it free, constructed. NULL:
 * no memory for its map; the page is still the caller's.
 */
struct page *slab_make(struct kmem_cache *cache, struct page *page, gfp_t gfp);
/* A block for one, by the request's rules, and the slab of it. NULL: none; nothing is left behind. */
struct page *slab_grow(struct kmem_cache *cache, int nid, gfp_t gfp);
/* All on the list; interrupts on or off, no lock of mm/ held. Pages. */
u64 slab_give_back(struct kmem_cache *cache, struct list_head *surplus);

/* --- mm/slab_request.c: from an empty stack to an object or NULL -------------------------------------------- */

/* What is asked for, by whom. Built once, then const; anew if the cpuset has moved. */
struct slab_request {
	struct kmem_cache *cache;
	gfp_t gfp; /* with the cache's zone; without __GFP_ZERO */
	int nid;   /* as asked for; may be NUMA_NO_NODE */
	bool may_block;
	struct node_permit permit;
	uintptr_t call_site;
};

void *slab_alloc_slowly(struct kmem_cache *cache, gfp_t gfp, int nid, uintptr_t call_site);
/* cache NULL: whose it is says its page. */
void slab_free_slowly(struct kmem_cache *cache, void *object, uintptr_t call_site);
/* Whose home the page of any address names; or NULL, and *what is wrong with it. */
struct kmem_cache_node *slab_home_of(const void *address, const char **what);

/* --- mm/slab_fallback.c ------------------------------------------------------------------------------------- */

/* The preferred node has neither object nor page: an object by the installed policy, or NULL. */
void *slab_fall_back(const struct slab_request *request);
/* Is a failure no answer, if the cpuset has moved since the request was built? */
bool slab_fallback_begins_anew(void);
/* Boot: the policy that was chosen. */
void slab_fallback_install(void);

/* --- mm/slab_reap.c ------------------------------------------------------------------------------------------ */

/* All slabs that are free now. Threads, interrupts on. */
void slab_give_back_free(struct kmem_cache *cache);
/* What slab_start() begins: the thread, and the shrinker. */
void slab_reap_start(void);

/* --- mm/slab_debug.c: nothing of it for a cache without SLAB_DEBUG_ALL -------------------------------------- */

/* SLAB_* of SLAB_DEBUG_ALL that each new cache gets: slab_debug_choose(). */
extern u32 slab_debug_flags;
/*
 * What debugging adds to a cache's layout: size, object_offset; and to its flags those of `more` that leave it an
 * order that __GFP_NOFAIL gets. From flags, object_size, align, ctor. Takes back those of the flags that cannot be.
 */
void slab_debug_layout(struct kmem_cache *cache, u32 more);
/* A new slab's places, before its objects are constructed. */
void slab_debug_slab_made(struct kmem_cache *cache, struct page *slab);
/* On its way out and in, by its holder; a crime found panics with its report. */
void slab_debug_alloc(struct kmem_cache *cache, void *object, uintptr_t call_site);
void slab_debug_free(struct kmem_cache *cache, void *object, uintptr_t call_site);
/* Always on: what is wrong with freeing this, said in full; does not return. cache NULL: kfree(). */
_Noreturn void slab_report_bad_free(const struct kmem_cache *cache, const void *object,
				    const char *what, uintptr_t call_site);
/* Objects that are out, for destroy: log lines, at most 16. Their number. */
u64 slab_report_leaks(struct kmem_cache *cache);

/* --- mm/slab_list.c ---------------------------------------------------------------------------------------- */

/* slab_cache_next() of those that the walker wants, by a look under the list's lock: takes and waits for nothing. */
struct kmem_cache *slab_cache_next_with(struct kmem_cache *last,
					bool (*wants)(const struct kmem_cache *cache, int nid),
					int nid);
/* Lets go of those it holds and keeps the ones that follow; false: there are none, and none is held. */
bool slab_handful_next(struct slab_handful *handful, bool going_too);
/*
 * Keeps the cache's stacks from being replaced and freed, for who looks at other CPUs'; false: they are being. A thread,
 * for a moment.
 */
bool slab_stacks_hold(struct kmem_cache *cache);
void slab_stacks_release(struct kmem_cache *cache);

/* --- mm/slab_cache.c --------------------------------------------------------------------------------------- */

/* slab_start() without reaping: stacks for all CPUs. */
void slab_cpus_start(void);
/* A cache of kmalloc's: never destroyed, its map never off the slab. Boot; panics if there is no memory. */
struct kmem_cache *slab_create_boot(const char *name, u32 size, u32 align, u32 flags);

/* --- mm/kmalloc.c ------------------------------------------------------------------------------------------ */

/* The home of blocks that kmalloc() has from the page allocator: no lists, no stacks. They are marked as slabs are. */
extern struct kmem_cache_node slab_large_home;
/* Boot: all classes. */
void kmalloc_init(void);

/* The nearest node with memory. */
static inline int slab_near_node(int nid)
{
	return first_zone[nid]->nid;
}

/* The node whose objects this CPU's own stacks hold. */
static inline int slab_cpu_node(u32 cpu)
{
	return slab_near_node(cpu_to_node(cpu));
}

#endif
