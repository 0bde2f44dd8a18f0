/*
 * A cache's part of a node: slabs by how full they are, what the node's CPUs share, and moving batches between.
 *
 *	CPU's stack   <-- take --   shared  ................   an array: copying is all it costs
 *	              -- put  -->     | empty / full
 *	                              v
 *	                  partial (head first)  -- all taken --> full
 *	                     ^    |                                |
 *	                     |    +------- all free ----+          | one free
 *	                     +------------<-------------|----------+  (to the tail)
 *	                                                v
 *	                                              free  -- above free_limit --> surplus, for the page allocator
 *
 * Partial slabs are used up before free ones, and one that has just had its first free object comes last: so it has
 * the longest time to become free as a whole. What is shared comes first, as it costs least and is warm.
 *
 * Which objects of a slab are free says its map, a bit for each. A batch is taken by rows of bits, lowest first;
 * giving back sets the bit again, and one that is set already is a double free, seen here at the latest. So is what
 * is no object: the index of an address times the size must lead back to it. Neither is said under the lock: who
 * holds it is told (struct slab_bad), releases, and reports. A list whose links do not lead back is the end at once.
 *
 * Objects that come back are looked at by rows, too: as long as one is a size behind, or before, the one that came
 * before it, it is an object of the same slab, and all of a row's bits are looked at and set at once. A load that frees in
 * no order has rows of one, and pays a comparison for it.
 *
 * With slab_random_order (an option) each batch begins at a drawn place of the map, so that who has overrun his
 * object does not know whose is next.
 *
 * What is shared may be many objects (kmem_cache_tune()), and others wait for the lock with interrupts off. So who
 * takes them to their slabs, as they are idle, or are to be replaced, or memory is short, does so by
 * SLAB_UNSHARE_BATCH at most, from the end, where nothing has to move up, and drops the lock between.
 *
 * Lock: the node's own, "slab node", interrupts off. One node's at a time; nothing is taken under it, and no page is
 * asked for or given back: slabs that are too many are handed to the caller.
 *
 * Source: Bonwick, "The Slab Allocator", USENIX 1994; Linux mm/slab.c (4.4), for shared arrays and the free limit.
 */
#include "slab.h"

#include <base/assert.h>
#include <base/random.h>
#include <base/string.h>

#include "slab_debug.h"
#include "slab_order.h"
#include "vmstat.h"

void slab_node_init(struct kmem_cache_node *node, struct kmem_cache *cache, int nid)
{
	memset(node, 0, sizeof(*node));
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		node->stack[cpu] = &slab_no_stack;
	node->self = node;
	node->cache = cache;
	node->nid = nid;
	spin_lock_init(&node->lock, "slab node");
	list_init(&node->full);
	list_init(&node->partial);
	list_init(&node->free);
	node->shared = &slab_no_stack;
}

/* --- Out of slabs ------------------------------------------------------------------------------------- */

/* Of a word of a map: n bits from `first` on, 1 <= n <= 64. */
static inline u64 run_mask(u32 first, u32 n)
{
	/* cppcheck-suppress shiftTooManyBits ; n is 1 at least: a row has a bit, and some are wanted */
	return ~(u64)0 >> (64 - n) << first;
}

/* How many bits are set in a row from the lowest on, which is. */
static inline u32 row_of_bits(u64 bits)
{
	return ~bits ? (u32)__builtin_ctzll(~bits) : 64;
}

/* nr of a slab that has so many, lowest first: a row of free places at a time. */
static __noinline void take_from_map(const struct kmem_cache *cache, struct page *slab, void **into,
				     u32 nr)
{
	u64 size = cache->size, *word = slab->slab_map;
	const u64 *end = word + DIV_ROUND_UP(cache->nr_objects, 64u);
	char *first = slab_object(cache, slab, 0);

	for (; nr > 0; word++, first += 64 * size) {
		u64 bits;

		ASSERT(word < end);
		bits = *word;
		while (bits && nr > 0) {
			u32 low = (u32)__builtin_ctzll(bits);
			u32 n = MIN(row_of_bits(bits >> low), nr);
			char *object = first + low * size;

			bits &= ~run_mask(low, n);
			nr -= n;
			for (; n > 0; n--, object += size)
				*into++ = object;
		}
		*word = bits;
	}
}

/* All of a slab that is free. */
static inline void take_all(const struct kmem_cache *cache, struct page *slab, void **into)
{
	u64 size = cache->size;
	char *object = slab_object(cache, slab, 0);
	void **end = into + cache->nr_objects;

	for (u32 w = 0; w * 64 < cache->nr_objects; w++)
		slab->slab_map[w] = 0;
	for (; into < end; object += size)
		*into++ = object;
}

/*
 * Off its list. Written over, its links lead anywhere: each is looked at before it is followed. Whoever comes to
 * the front of a list has been the next of one that left it here.
 */
static void unlink_slab(const struct kmem_cache_node *node, struct page *slab)
{
	struct list_head *link = &slab->slab_link;
	u64 from_next, from_prev;

	if (unlikely(((uintptr_t)link->next | (uintptr_t)link->prev) % 8 != 0) ||
	    unlikely(!load_or_fault((const u64 *)&link->next->prev, &from_next)) ||
	    unlikely(!load_or_fault((const u64 *)&link->prev->next, &from_prev)) ||
	    unlikely(from_next != (uintptr_t)link || from_prev != (uintptr_t)link))
		slab_report_list(node, slab);
	list_unlink(link);
}

/* Some of one slab; afterwards it is on the list where it belongs. */
static u32 take_from_slab(struct kmem_cache_node *node, struct page *slab, void **into, u32 max)
{
	const struct kmem_cache *cache = node->cache;
	u32 had = slab->slab_nr_free, got = MIN(had, max);

	if (unlikely(load_relaxed(&slab_random_order)))
		slab_take_at_random(cache, slab, into, got);
	else if (got == cache->nr_objects)
		take_all(cache, slab, into);
	else
		take_from_map(cache, slab, into, got);
	slab->slab_nr_free = had - got;
	slab_hint_add(&node->nr_free_objects, -(s64)got);
	if (had == cache->nr_objects) {
		slab_hint_add(&node->nr_free_slabs, -1);
		node->free_touched = true;
	} else if (got < had) {
		return got; /* partial as before */
	}
	unlink_slab(node, slab);
	list_add(&slab->slab_link, got == had ? &node->full : &node->partial);
	return got;
}

/* The slab that is next to be taken from, or NULL. */
static struct page *next_slab(const struct kmem_cache_node *node)
{
	if (!list_empty(&node->partial))
		return list_first_entry(&node->partial, struct page, slab_link);
	if (!list_empty(&node->free))
		return list_first_entry(&node->free, struct page, slab_link);
	return NULL;
}

/* As many of the shared ones, the last that came first. */
static u32 take_shared(struct kmem_cache_node *node, void **into, u32 max)
{
	struct cpu_stack *shared = node->shared;
	u32 nr = MIN(shared->nr, max);

	if (nr == 0)
		return 0;
	memcpy(into, &shared->entry[shared->nr - nr], nr * sizeof(void *));
	slab_shared_moved(node, shared->nr - nr);
	return nr;
}

u32 slab_node_take_locked(struct kmem_cache_node *node, void **into, u32 want, u32 most)
{
	u32 got = take_shared(node, into, want);

	/* What is shared is a batch or more in most cases, and then one lot will do. */
	while (got < want) {
		struct page *slab = next_slab(node);

		if (!slab)
			break;
		got += take_from_slab(node, slab, into + got,
				      slab->slab_nr_free <= most - got ? most - got : want - got);
	}
	return got;
}

/* --- Home again --------------------------------------------------------------------------------------- */

/*
 * How many of the objects, all of them at most, are `step` bytes from one to the next. Where a batch is used in order,
 * it comes back so, or the other way round; then one look at the map will do for all.
 */
static inline u32 row_length(void *const *objects, u32 max, s64 step)
{
	const char *next = (const char *)objects[0] + step;
	u32 n = 1;

	for (; n < max && objects[n] == next; n++)
		next += step;
	return n;
}

/* Which of a row of n, whose places begin at `low`, is free already: the first, as they were freed. */
static __noinline void report_twice(void *const *objects, u64 twice, u32 low, u32 n, bool upwards,
				    struct slab_bad *bad)
{
	u32 lowest = (u32)__builtin_ctzll(twice) - low;
	u32 highest = 63 - (u32)__builtin_clzll(twice) - low;

	*bad = (struct slab_bad){objects[upwards ? lowest : n - 1 - highest], "is free already"};
}

/*
 * The first object, the i-th of its slab, and those behind it that lie in a row with it, back into the map. How many; 0:
 * the slab was not touched, and *bad says why.
 */
static inline u32 mark_row_free(const struct kmem_cache *cache, struct page *slab, u32 i,
				void *const *objects, u32 nr, struct slab_bad *bad)
{
	s64 step = nr > 1 ? (char *)objects[1] - (char *)objects[0] : 0, size = cache->size;
	u64 *word = &slab->slab_map[i / 64], mask;
	u32 low = i % 64, n = 1;

	if (step == size) {
		u32 most = MIN(cache->nr_objects - i, 64 - low);

		n = row_length(objects, MIN(nr, most), step);
	} else if (step == -size) {
		n = row_length(objects, MIN(nr, low + 1), step);
		low -= n - 1;
	}
	mask = run_mask(low, n);
	if (unlikely(*word & mask)) {
		report_twice(objects, *word & mask, low, n, step > 0, bad);
		return 0;
	}
	*word |= mask;
	return n;
}

/* All of it is free now: kept, or on `surplus` if there is enough without it. */
static void slab_became_free(struct kmem_cache_node *node, struct page *slab,
			     struct list_head *surplus)
{
	unlink_slab(node, slab);
	if (node->nr_free_objects > node->free_limit) {
		slab_hint_add(&node->nr_free_objects, -(s64)node->cache->nr_objects);
		slab_hint_add(&node->nr_slabs, -1);
		slab_hint_add(&node->events[SLAB_EV_GIVEN], 1);
		list_add(&slab->slab_link, surplus);
		return;
	}
	slab_hint_add(&node->nr_free_slabs, 1);
	list_add(&slab->slab_link, &node->free);
}

/* The first of them, and those in a row with it. How many; 0: *bad. */
static u32 put_row(struct kmem_cache_node *node, void *const *objects, u32 nr,
		   struct list_head *surplus, struct slab_bad *bad)
{
	const struct kmem_cache *cache = node->cache;
	struct page *slab = slab_of(cache, objects[0]);
	u32 i = slab_index(cache, slab, (const char *)objects[0] - cache->object_offset);
	u32 before = slab->slab_nr_free, n;

	if (unlikely(i >= cache->nr_objects || slab_object(cache, slab, i) != objects[0])) {
		*bad = (struct slab_bad){objects[0], "is no object"};
		return 0;
	}
	n = mark_row_free(cache, slab, i, objects, nr, bad);
	if (unlikely(n == 0))
		return 0;
	slab_hint_add(&node->nr_free_objects, n);
	slab->slab_nr_free = before + n;
	if (before + n == cache->nr_objects) {
		slab_became_free(node, slab, surplus);
	} else if (before == 0) {
		unlink_slab(node, slab);
		list_add_tail(&slab->slab_link, &node->partial);
	}
	return n;
}

/* As many as there is room for. */
static u32 put_shared(struct kmem_cache_node *node, void *const *objects, u32 nr)
{
	struct cpu_stack *shared = node->shared;
	u32 room = shared->limit - shared->nr;

	nr = MIN(nr, room);
	if (nr == 0)
		return 0;
	memcpy(&shared->entry[shared->nr], objects, nr * sizeof(void *));
	slab_shared_moved(node, shared->nr + nr);
	return nr;
}

void slab_node_put_locked(struct kmem_cache_node *node, void *const *objects, u32 nr,
			  bool may_share, struct list_head *surplus, struct slab_bad *bad)
{
	u32 n;

	for (u32 i = may_share ? put_shared(node, objects, nr) : 0; i < nr; i += n) {
		n = put_row(node, objects + i, nr - i, surplus, bad);
		if (unlikely(n == 0))
			return;
	}
}

u32 slab_node_unshare_locked(struct kmem_cache_node *node, struct cpu_stack *array, u32 nr,
			     struct list_head *surplus, struct slab_bad *bad)
{
	nr = MIN(nr, array->nr);
	nr = MIN(nr, SLAB_UNSHARE_BATCH);
	if (nr == 0)
		return 0;
	slab_node_put_locked(node, &array->entry[array->nr - nr], nr, false, surplus, bad);
	if (unlikely(bad->object))
		return 0;
	slab_stack_moved(array, array->nr - nr);
	if (array == node->shared)
		slab_hint_u32(&node->nr_shared, array->nr);
	vmstat_count(VMSTAT_SLAB_UNSHARE);
	return nr;
}

/* --- Slabs that come and go --------------------------------------------------------------------------- */

u32 slab_node_add_locked(struct kmem_cache_node *node, struct page *slab, void **into, u32 max)
{
	slab_hint_add(&node->nr_slabs, 1);
	slab_hint_add(&node->nr_free_slabs, 1);
	slab_hint_add(&node->nr_free_objects, (s64)slab->slab_nr_free);
	slab_hint_add(&node->events[SLAB_EV_GROWN], 1);
	list_add(&slab->slab_link, &node->free);
	return max ? take_from_slab(node, slab, into, max) : 0;
}

u32 slab_node_strip_locked(struct kmem_cache_node *node, u64 nr, struct list_head *surplus)
{
	u32 stripped = 0;

	for (; stripped < nr && !list_empty(&node->free); stripped++) {
		/* The last of them has been free longest. */
		struct page *slab = list_entry(node->free.prev, struct page, slab_link);

		unlink_slab(node, slab);
		slab_hint_add(&node->nr_free_objects, -(s64)node->cache->nr_objects);
		slab_hint_add(&node->nr_free_slabs, -1);
		slab_hint_add(&node->nr_slabs, -1);
		slab_hint_add(&node->events[SLAB_EV_GIVEN], 1);
		list_add(&slab->slab_link, surplus);
	}
	return stripped;
}
