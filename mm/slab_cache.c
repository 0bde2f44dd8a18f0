/*
 * Object caches: the whole of the layer, and how a cache comes and goes.
 *
 * The page allocator deals in pages; what a kernel asks for is mostly smaller, of few sizes, and asked for again
 * as soon as it was given back. A *cache* keeps memory in objects of one size. It has three layers, each of which
 * serves a batch of requests to the one above with one step into the one below:
 *
 *	 request                              done without                     theory
 *	    |
 *	    v
 *	1  this CPU's stack of objects        lock, interrupts off             mm/slab_cpu.c, mm/slab_stacks.c
 *	    |  ^
 *	    v  |  a batch                     the home's lock                  mm/slab_stack.c
 *	2  the node's: shared array,          a page                           mm/slab_node.c
 *	   slabs partly free, slabs free
 *	    |  ^
 *	    v  |  a slab                                                       mm/slab_grow.c, mm/slab_geometry.c
 *	3  the page allocator
 *
 * --- Terms
 *
 *	slab      a block of pages cut into objects of one cache; which of them are free says a map of bits
 *	home      a cache's part of one node (struct kmem_cache_node): all its slabs of that node's pages. An object
 *	          belongs to the home of its page, always, whoever has it
 *	stack     a CPU's objects of one home. A CPU has a large one for its own node's home, and a small one for each
 *	          other's ("alien"), on which it gathers what it frees of theirs, to bring it home in a batch
 *	shared    objects on their way from one CPU of a node to another, in an array: cheaper than through slabs
 *
 * A request goes down only as far as it must, what is freed up only as far as there is room. The order of a request that
 * its own node cannot serve is mm/slab_request.c's and mm/slab_fallback.c's.
 *
 * --- Boot, without a maze
 *
 * The descriptions of caches, homes and stacks are objects themselves, so who comes first? A cache gives objects as
 * soon as it has homes. Stacks and shared arrays only make it fast: without, everybody has slab_no_stack, which is
 * empty and full, and each request goes to the lists. So there is one kind of cache, one way to make it, and no
 * allocator for boot. Only two are not made by it, as it takes from them:
 *
 *	1  kmem_cache, kmem_cache_node    static; their homes stand in one page of each node
 *	2  kmalloc's classes              made as all others are; they have homes, and no stacks
 *	3  stacks, for all of these       kmalloc memory; of the one CPU that runs: slab_init() ends
 *	4  the other CPUs' stacks         slab_start(), when they run
 *
 * From 2 on every cache has a home on every node that the machine may have, with memory or without, on that node's memory where
 * it has some. So no request ever finds that a node's state is not there yet.
 *
 * --- How much
 *
 * What CPUs may keep follows from the size, by the classic table (`limits` below): many small objects, few large ones. A
 * batch is half of that. What a node shares is 8 batches, of objects up to a page: also where one CPU is alone, since
 * to come from there and to go there costs an object a sixth of what its slab costs it.
 * A node keeps free slabs for a batch of each of its CPUs, one more, and a slab; or, if that is more, 1/4096 of its memory, 1 MiB at most:
 * a slab given back and made anew costs a thousand instructions, and reaping and the shrinker find those that nobody wants.
 * What is above goes back at once. kmem_cache_tune() changes the first three at run time, as a write to Linux's
 * /proc/slabinfo does.
 *
 * --- Coming and going
 *
 * A cache is on the list before its stacks are made, so that who closes all stacks meets either the cache or the
 * closed stacks it then gets. Who keeps it from going, and who changes its stacks: mm/slab_list.c. When the last object
 * is home, its slabs are given back, then its homes, then itself.
 *
 * Locks: "slab caches", a spinlock of threads, over the list, the counts of users and is_going, is_tuning; nothing is
 * taken under it. A home's lock: interrupts off, nothing is taken under it. No memory is asked for under either.
 *
 * Limits: objects up to the largest block. The list is walked from its start, which is fine for some hundred caches.
 *
 * Sources: Bonwick, "The Slab Allocator", USENIX 1994; Bonwick and Adams, "Magazines and Vmem", USENIX 2001; Lameter and
 * others, Linux mm/slab.c with NUMA (2.6.14 to 6.7), whose names, numbers and alien caches these are.
 */
#include "slab.h"

#include <base/assert.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/os.h>
#include <mm/page_alloc.h>

#include "pcp.h"
#include "slab_list.h"

#define CACHE_LINE_BYTES    64u
#define SMALL_MACHINE_BYTES MiB(32) /* below, slabs of small objects are single pages */
#define SHARED_BATCHES      8u
/* As much as kmem_cache_tune() takes: a stack is then a block of 64 KiB at most, an array of 4 MiB. */
#define MAX_LIMIT  8000u
#define MAX_SHARED 500000u

/* Objects that a CPU keeps, by their size. */
static const struct {
	u32 above_bytes, limit;
} limits[] = {
	{131072, 1}, {PAGE_SIZE, 8}, {1024, 24}, {256, 54}, {0, 120},
};

static struct kmem_cache cache_cache = {
	.name = "kmem_cache", .object_size = sizeof(struct kmem_cache), .align = CACHE_LINE_BYTES};
static struct kmem_cache node_cache = {.name = "kmem_cache_node",
				       .object_size = sizeof(struct kmem_cache_node),
				       .align = CACHE_LINE_BYTES};
static bool stacks_ready; /* boot is so far that there is memory for them */

/* --- What it is to be --------------------------------------------------------------------------------- */

/* What a cache is asked to be. */
struct cache_words {
	const char *name;
	u32 size, align, flags;
	void (*ctor)(void *object);
	bool is_boot;
};

/* As reports are columns, and commands are words. */
static bool is_one_word(const char *name)
{
	while (*name > ' ' && *name <= '~')
		name++;
	return *name == '\0';
}

static const char *wrong_words(const struct cache_words *words)
{
	u32 align = words->align, flags = words->flags;

	if (!words->name || !words->name[0])
		return "it has no name";
	if (strlen(words->name) >= SLAB_NAME_BYTES)
		return "its name is too long";
	if (!is_one_word(words->name))
		return "its name is no one word";
	if (words->size == 0)
		return "its objects have no size";
	if (words->size > SLAB_MAX_SIZE)
		return "its objects are larger than the largest block";
	if ((align & (align - 1)) || align > PAGE_SIZE)
		return "its alignment is no power of two up to a page";
	if (flags & ~SLAB_FLAGS_ALL)
		return "it has unknown flags";
	if ((flags & SLAB_CACHE_DMA) && (flags & SLAB_CACHE_DMA32))
		return "it is of two zones";
	if (words->ctor && (flags & SLAB_POISON))
		return "poison would undo what its constructor does";
	return NULL;
}

/* A line for objects of a line's half and more, half of one for those of a quarter and more, and so on. */
static u32 line_align(u32 size)
{
	u32 align = CACHE_LINE_BYTES;

	while (size <= align / 2 && align > SLAB_MIN_SIZE)
		align /= 2;
	return align;
}

/*
 * All that is constant, from name, object_size, align, flags, ctor and is_boot, and what it is debugged by beyond
 * what it asks for. False: no block is so large.
 */
static bool lay_out(struct kmem_cache *cache, u32 debug_flags)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		cache->local[cpu] = &slab_no_stack;
	for (u32 nid = 0; nid < MAX_NUMNODES; nid++)
		cache->node[nid] = &slab_no_home;
	cache->align = MAX(cache->align, SLAB_MIN_SIZE);
	if (cache->flags & SLAB_HWCACHE_ALIGN)
		cache->align = MAX(cache->align, line_align(cache->object_size));
	cache->zone_gfp = (cache->flags & SLAB_CACHE_DMA ? __GFP_DMA : 0) |
			  (cache->flags & SLAB_CACHE_DMA32 ? __GFP_DMA32 : 0);
	slab_debug_layout(cache, debug_flags);
	if (cache->size > SLAB_MAX_SIZE)
		return false;
	slab_geometry(cache);
	return true;
}

struct amounts {
	u32 limit, batch, shared;
};

/* Nothing is kept where each request is to be seen; nor of what hardly anybody asks for, kmalloc's DMA memory. */
static struct amounts default_amounts(const struct kmem_cache *cache)
{
	struct amounts amounts = {0, 0, 0};
	u32 i = 0;

	if ((cache->flags & SLAB_DEBUG_ALL) || (cache->is_boot && cache->zone_gfp))
		return amounts;
	while (cache->size <= limits[i].above_bytes)
		i++;
	amounts.limit = limits[i].limit;
	amounts.batch = (amounts.limit + 1) / 2;
	amounts.shared = cache->size <= PAGE_SIZE ? SHARED_BATCHES : 0;
	return amounts;
}

/* --- Homes -------------------------------------------------------------------------------------------- */

static void home_init(struct kmem_cache_node *home, struct kmem_cache *cache, int nid)
{
	slab_node_init(home, cache, nid);
	home->free_limit = cache->nr_objects;
	cache->node[nid] = home;
}

static void free_homes(struct kmem_cache *cache)
{
	int nid;

	for_each_node(nid) {
		if (cache->node[nid] != &slab_no_home)
			kmem_cache_free(&node_cache, cache->node[nid]);
	}
}

/* On each node, near it where it has no memory. False: there is none. */
static bool make_homes(struct kmem_cache *cache)
{
	int nid;

	for_each_node(nid) {
		struct kmem_cache_node *home = kmem_cache_alloc_node(
			&node_cache, GFP_KERNEL | __GFP_NOWARN, slab_near_node(nid));

		if (!home)
			return false;
		home_init(home, cache, nid);
	}
	return true;
}

/* Objects that somebody has: not free in a map, with nothing on stacks or shared. */
static u64 objects_out(struct kmem_cache *cache)
{
	u64 out = 0;
	int nid;

	for_each_node(nid) {
		struct kmem_cache_node *home = cache->node[nid];
		unsigned long flags = spin_lock_irqsave(&home->lock);

		out += home->nr_slabs * cache->nr_objects - home->nr_free_objects;
		spin_unlock_irqrestore(&home->lock, flags);
	}
	return out;
}

/* --- Coming ------------------------------------------------------------------------------------------- */

/* One at a time. */
static int set_amounts(struct kmem_cache *cache, struct amounts amounts)
{
	int err;

	if (!slab_list_take_turn(cache))
		return -EBUSY;
	err = slab_stacks_set(cache, amounts.limit, amounts.batch, amounts.shared);
	slab_stacks_release(cache);
	return err;
}

static void complain(const char *name, const char *what)
{
	os_log(OS_LOG_ERR, "slab", "cache '%s' is not created: %s", name ? name : "", what);
}

/* On the list, nothing out, and not going by its own doing: all of it goes. */
static void take_down(struct kmem_cache *cache)
{
	/* Taking stacks away needs no memory. */
	if (set_amounts(cache, (struct amounts){0, 0, 0}) != 0)
		os_panic("slab: somebody has been tuning cache %s for too long", cache->name);
	slab_give_back_free(cache);
	slab_list_leave(cache);
	free_homes(cache);
	kmem_cache_free(&cache_cache, cache);
}

/* Laid out, not on the list yet. What is wrong, or NULL; then the cache is as it was, but for its homes. */
static const char *bring_up(struct kmem_cache *cache)
{
	if (!make_homes(cache))
		return "there is no memory for its homes";
	if (!slab_list_join(cache))
		return "its name is taken";
	return NULL;
}

static struct kmem_cache *create(const struct cache_words *words)
{
	struct kmem_cache *cache = kmem_cache_alloc(&cache_cache, GFP_KERNEL | __GFP_NOWARN);
	const char *wrong = NULL;

	if (!cache) {
		complain(words->name, "there is no memory for its description");
		return NULL;
	}
	memset(cache, 0, sizeof(*cache));
	memcpy(cache->name, words->name, strlen(words->name));
	cache->object_size = words->size;
	cache->align = words->align;
	cache->flags = words->flags;
	cache->ctor = words->ctor;
	cache->is_boot = words->is_boot;
	if (!lay_out(cache, slab_debug_flags))
		wrong = "its objects are larger than the largest block";
	else
		wrong = bring_up(cache);
	if (wrong) {
		complain(words->name, wrong);
		free_homes(cache);
		kmem_cache_free(&cache_cache, cache);
		return NULL;
	}
	if (stacks_ready && set_amounts(cache, default_amounts(cache)) != 0) {
		complain(words->name, "there is no memory for its stacks");
		slab_list_begin_to_go(cache);
		take_down(cache);
		return NULL;
	}
	return cache;
}

struct kmem_cache *kmem_cache_create(const char *name, u32 size, u32 align, u32 flags,
				     void (*ctor)(void *object))
{
	const struct cache_words words = {name, size, align, flags, ctor, false};
	const char *wrong = wrong_words(&words);

	if (wrong) {
		complain(name, wrong);
		return NULL;
	}
	return create(&words);
}

struct kmem_cache *slab_create_boot(const char *name, u32 size, u32 align, u32 flags)
{
	const struct cache_words words = {name, size, align, flags, NULL, true};
	struct kmem_cache *cache = create(&words);

	if (!cache)
		os_panic("slab: no cache %s at boot", name);
	return cache;
}

/* --- Going, and between ------------------------------------------------------------------------------- */

int kmem_cache_destroy(struct kmem_cache *cache)
{
	if (!cache)
		return 0;
	if (cache->is_boot || !slab_list_begin_to_go(cache)) {
		os_log(OS_LOG_ERR, "slab", "cache '%s' is not destroyed: %s", cache->name,
		       cache->is_boot ? "others stand on it" : "it is going already");
		return -EBUSY;
	}
	slab_stacks_drain(cache);
	if (objects_out(cache) > 0) {
		slab_report_leaks(cache);
		slab_list_stay(cache);
		return -EBUSY;
	}
	take_down(cache);
	return 0;
}

int kmem_cache_tune(struct kmem_cache *cache, u32 limit, u32 batch, u32 shared)
{
	struct amounts amounts = {limit, batch, shared};
	bool none = limit == 0 && batch == 0 && shared == 0;

	if (!none && (batch < 1 || batch > limit || limit > MAX_LIMIT ||
		      (u64)batch * shared > MAX_SHARED || (cache->flags & SLAB_DEBUG_ALL)))
		return -EINVAL;
	return set_amounts(cache, amounts);
}

u32 kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->object_size;
}

const char *kmem_cache_name(const struct kmem_cache *cache)
{
	return cache->name;
}

/* --- Boot --------------------------------------------------------------------------------------------- */

_Static_assert(2 * ALIGN_UP(sizeof(struct kmem_cache_node), CACHE_LINE_BYTES) <= PAGE_SIZE,
	       "the homes of two caches stand in one page");

/* The two whose homes are no objects. */
static void make_first_caches(void)
{
	struct kmem_cache *const first[] = {&cache_cache, &node_cache};
	u64 step = ALIGN_UP(sizeof(struct kmem_cache_node), (u64)CACHE_LINE_BYTES);
	int nid;

	for (u32 i = 0; i < ARRAY_SIZE(first); i++) {
		first[i]->is_boot = true;
		lay_out(first[i], 0); /* reports stand on them */
	}
	for_each_node(nid) {
		struct page *page =
			alloc_pages_node(slab_near_node(nid), GFP_KERNEL | __GFP_HIGH, 0);
		char *at;

		if (!page)
			os_panic("slab: no page for the first homes of node %d", nid);
		at = page_address(page);

		for (u32 i = 0; i < ARRAY_SIZE(first); i++)
			home_init((void *)(at + i * step), first[i], nid);
	}
	for (u32 i = 0; i < ARRAY_SIZE(first); i++)
		slab_list_join(first[i]);
}

/* Who gets none goes to the lists: slower, and no worse. */
static void give_stacks(void)
{
	struct kmem_cache *cache = NULL;

	while ((cache = slab_cache_next(cache))) {
		if (set_amounts(cache, default_amounts(cache)) != 0)
			os_log(OS_LOG_WARN, "slab", "no memory for stacks of %s", cache->name);
	}
}

static u64 managed_bytes(void)
{
	const struct zone *zone;
	u64 pages = 0;
	int nid;

	for_each_zone(nid, zone)
		pages += zone->managed_pages;
	return pages << PAGE_SHIFT;
}

void slab_init(void)
{
	slab_max_order = managed_bytes() < SMALL_MACHINE_BYTES ? 0 : 1;
	slab_fallback_install();
	make_first_caches();
	kmalloc_init();
	stacks_ready = true;
	give_stacks();
	hit_paths_follow(slab_hits_close, slab_hits_open);
}

void slab_cpus_start(void)
{
	slab_all_cpus_run();
	give_stacks();
}

void slab_start(void)
{
	slab_cpus_start();
	slab_reap_start();
}
