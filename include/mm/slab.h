/*
 * Object caches: memory in pieces of one size, each near the CPU that asks. Theory in mm/slab_cache.c and
 * docs/slab.md. Names as in Linux (Bonwick's slab allocator, USENIX 1994; per-CPU layer: his magazines, USENIX 2001).
 *
 * Contexts, unless a function says otherwise: any but NMI, under any lock but mm/'s own. With __GFP_DIRECT_RECLAIM a
 * request may sleep where that is possible, and does so only if memory is short.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <mm/gfp.h>
#include <mm/numa.h>

struct kmem_cache;

/* What a cache can be asked to be. */
#define SLAB_HWCACHE_ALIGN \
	0x01u /* objects do not share a cache line of 64 bytes; less for small ones */
#define SLAB_CACHE_DMA   0x02u /* memory below 16 MiB */
#define SLAB_CACHE_DMA32 0x04u /* memory below 4 GiB */
#define SLAB_OFF_SLAB    0x08u /* what manages objects is never in their pages */
/*
 * Detection, of each object and at each request. Objects' places are wider then. mm.debug sets as many of them for
 * every cache created after it as leave it the orders that __GFP_NOFAIL gets; what a cache asks for itself it has in
 * any case, and may then be refused with that flag.
 */
#define SLAB_STORE_USER 0x10u /* who allocated it, and who freed it last */
#define SLAB_RED_ZONE   0x20u /* a zone before and behind, which nobody may write */
#define SLAB_POISON     0x40u /* while free: a pattern that nobody may write; none with a constructor */
#define SLAB_INIT_ON_ALLOC \
	0x80u /* another when it is handed out, for who reads what he has not written */
#define SLAB_CHECK_ALL 0x100u /* at each free all objects of the slab are looked at */
#define SLAB_FLAGS_ALL 0x1ffu
#define SLAB_DEBUG_ALL \
	(SLAB_STORE_USER | SLAB_RED_ZONE | SLAB_POISON | SLAB_INIT_ON_ALLOC | SLAB_CHECK_ALL)

#define SLAB_NAME_BYTES 32
#define SLAB_MIN_SIZE   8u
#define SLAB_MAX_SIZE   ((u32)PAGE_SIZE << MAX_ORDER) /* a block of the largest order */

/*
 * A cache of objects of `size` bytes, 1 .. SLAB_MAX_SIZE, aligned to `align`: a power of two up to PAGE_SIZE, or
 * 0, which means 8. `ctor` prepares an object when its slab is made, and is not called again: who frees an object
 * leaves it so. It may not sleep nor ask for memory. The name is copied, one word, and no other cache's.
 * Threads; may sleep. NULL and a line in the log that says why: a word is wrong, or there is no memory.
 */
struct kmem_cache *kmem_cache_create(const char *name, u32 size, u32 align, u32 flags,
				     void (*ctor)(void *object)) __must_check;

/*
 * Gives back all of a cache's memory, and the cache. Threads, interrupts on; may sleep. -EBUSY: objects are still
 * out; a report names up to 16 of them and, with SLAB_STORE_USER, who has them; the cache goes on. NULL is 0.
 */
int kmem_cache_destroy(struct kmem_cache *cache);

/* Gives back what no object is in, also what CPUs keep. Pages. Threads, interrupts on; may sleep. */
u64 kmem_cache_shrink(struct kmem_cache *cache);
/* The same of all caches, until there is no more, in four rounds at most. */
u64 kmem_cache_shrink_all(void);

/*
 * An object: near this CPU, by the task's policy; near node `nid` (NUMA_NO_NODE: as without); with __GFP_THISNODE from
 * there or not at all. NULL: there is no memory that the request may have. A node that does not exist or a flag
 * that contradicts is the caller's error: a line in the log, and NULL. With __GFP_ZERO it is zeroed, which a cache
 * with a constructor refuses. With __GFP_NOFAIL it is an object or a panic, as of pages (<mm/page_alloc.h>).
 */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp) __must_check;
void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t gfp, int nid) __must_check;

/*
 * Gives one back. NULL is ignored. What is no object of this cache, or is free already, panics, naming what it is:
 * at once, or at the latest when it is taken home to its slab.
 */
void kmem_cache_free(struct kmem_cache *cache, void *object);

/* `nr` objects at once: all, or none and 0. Interrupts on or off; nothing of it is atomic. */
u32 kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, u32 nr, void **objects) __must_check;
void kmem_cache_free_bulk(struct kmem_cache *cache, u32 nr, void **objects);

static inline void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp | __GFP_ZERO);
}

u32 kmem_cache_size(const struct kmem_cache *cache); /* as asked for */
const char *kmem_cache_name(const struct kmem_cache *cache);

/*
 * How many objects a CPU keeps, how many come and go at once, and how many times that much CPUs of a node share;
 * as a write to Linux's /proc/slabinfo: 1 <= batch <= limit, or all 0: nothing is kept. Threads, interrupts on;
 * may sleep. -EINVAL: out of range; -ENOMEM, -EBUSY (another has been at it for 30 s): as before.
 */
int kmem_cache_tune(struct kmem_cache *cache, u32 limit, u32 batch, u32 shared);

/* Boot, after mm_init(): caches from here on. Then the one CPU that runs may already have objects. */
void slab_init(void);
/*
 * Boot, before slab_init(): what each cache created from then on is debugged by, level 0 to 3: nothing; owners, and
 * double free at every free; red zones and poison, too; all of it. mm/slab_debug.c.
 */
void slab_debug_choose(u32 level);
/* Boot, before slab_init(): free objects are handed out in an order that is drawn, from this seed. */
void slab_order_choose(bool random, u64 seed);
/*
 * Boot, once threads run: all CPUs keep objects, as many as is usual, also where somebody has tuned before; what nobody
 * has used for a while is given back from here on.
 */
void slab_start(void);
/* Ends that, and the shrinker with it: for tests. Threads; may sleep. */
void slab_stop(void);
/* The same by hand, one round of it; for kernels without threads, and tests. Threads, interrupts on. */
void slab_reap(void);

#endif
