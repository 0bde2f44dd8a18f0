/*
 * What a slab of a cache looks like: how many pages, how many objects, what stands where.
 *
 *	first page                                                                  last page's end
 *	| colour | place 0 | place 1 | ........ | place n-1 | map, if it is here | left over |
 *	0        slab_offset                                 (8-byte aligned)
 *
 * A *place* is cache->size bytes: an object and what debugging puts around it. The *map* has a bit for each place,
 * set while it is free. Up to 64 places it is a word of struct page, and costs nothing. Of more it stands behind
 * the last place if what is left over holds it, or if a place is no larger than two maps: then one is given up for
 * it. Else it is a piece of kmalloc memory, so that a slab that divides up evenly stays so. kmalloc's own caches
 * are never like that, as nobody could say where to begin; so the piece is the only recursion there is.
 *
 * A *colour* is an offset of the first place. Without it the first object of every slab would begin at the start of a
 * page, and all of them would meet in the same few sets of a CPU's cache. What is left over is cut into steps of a
 * cache line (of the alignment, if that is more), and slabs take them in turn. A slab without room has one colour, 0.
 *
 * --- The order
 *
 * The smallest that wastes no more than an eighth of its bytes; if none does, that which wastes the smallest share.
 * None is larger than slab_max_order, unless an object needs more: requests of large orders are the first that
 * memory in pieces cannot serve, and a slab of many pages is less often free as a whole.
 *
 * --- The reciprocal
 *
 * Which place is an address in? A division by the size costs a freeing CPU 20 to 40 cycles, a product and a shift 4.
 * With R = ceil(2^44 / size) and any offset n < 2^22 (SLAB_MAX_SIZE; no slab is larger):
 *
 *	n = q * size + r,  0 <= r < size             R * size = 2^44 + e,  0 <= e < size
 *
 *	n * R / 2^44 = (n + n * e / 2^44) / size = q + (r + n * e / 2^44) / size
 *
 * n * e < 2^22 * 2^22 = 2^44, so n * e / 2^44 < 1, and r is at most size - 1: what is in brackets is less than size, and
 * the shift gives q exactly. The product fits into 64 bits: R <= 2^41 since size >= 8. An offset below 0, in the
 * colour, gives any number; who must know compares slab_object() of it with the address.
 *
 * Source: Bonwick, "The Slab Allocator", USENIX 1994 (colouring, and the eighth); Granlund and Montgomery, "Division by
 * Invariant Integers using Multiplication", PLDI 1994.
 */
#include "slab.h"

#include <base/assert.h>

#define CACHE_LINE_BYTES    64u
#define PLACES_IN_PAGE_WORD 64u
#define MAX_WASTE           8 /* the eighth */

_Static_assert((u64)SLAB_MAX_SIZE << 22 <= (u64)1 << SLAB_RECIPROCAL_SHIFT, "n * e < 2^44");

u32 slab_max_order = 1;

/* What one order comes to. */
struct shape {
	u32 order, nr_objects, map_bytes, left_bytes;
	enum slab_map_kind map_kind;
};

static u32 map_bytes_of(u32 nr_objects)
{
	return (u32)(DIV_ROUND_UP(nr_objects, 64u) * sizeof(u64));
}

/* Where the map of so many goes; false: there must be fewer, to make room for it. */
static bool place_map(const struct kmem_cache *cache, u32 slab_bytes, struct shape *shape)
{
	bool may_be_off = !cache->is_boot;

	shape->left_bytes = slab_bytes - shape->nr_objects * cache->size;
	shape->map_bytes = map_bytes_of(shape->nr_objects);
	if (shape->nr_objects <= PLACES_IN_PAGE_WORD) {
		shape->map_kind = SLAB_MAP_IN_PAGE;
		return true;
	}
	if (!(cache->flags & SLAB_OFF_SLAB) || !may_be_off) {
		shape->map_kind = SLAB_MAP_ON_SLAB;
		if (shape->map_bytes <= shape->left_bytes) {
			shape->left_bytes -= shape->map_bytes;
			return true;
		}
		if (!may_be_off || cache->size <= 2 * shape->map_bytes)
			return false;
	}
	shape->map_kind = SLAB_MAP_OFF_SLAB;
	return true;
}

/* False: not even one fits. */
static bool shape_of(const struct kmem_cache *cache, u32 order, struct shape *shape)
{
	u32 slab_bytes = (u32)PAGE_SIZE << order;

	*shape = (struct shape){.order = order, .nr_objects = slab_bytes / cache->size};
	if (shape->nr_objects == 0)
		return false;
	while (!place_map(cache, slab_bytes, shape))
		shape->nr_objects--;
	return true;
}

/* Of its own order's bytes. */
static bool wastes_less(const struct shape *a, const struct shape *b)
{
	return a->left_bytes < b->left_bytes << (a->order - b->order);
}

static struct shape best_shape(const struct kmem_cache *cache)
{
	struct shape best = {.nr_objects = 0}, shape;

	for (u32 order = 0; order <= MAX_ORDER; order++) {
		if (order > slab_max_order && best.nr_objects > 0)
			break;
		if (!shape_of(cache, order, &shape))
			continue;
		if (best.nr_objects == 0 || wastes_less(&shape, &best))
			best = shape;
		if (best.left_bytes * MAX_WASTE <= PAGE_SIZE << best.order)
			break;
	}
	return best;
}

void slab_geometry(struct kmem_cache *cache)
{
	struct shape shape = best_shape(cache);

	ASSERT_MSG(shape.nr_objects > 0 && IS_ALIGNED(cache->size, cache->align) &&
			   cache->size >= SLAB_MIN_SIZE,
		   "cache %s: objects of %u bytes, aligned to %u", cache->name, cache->size,
		   cache->align);
	cache->order = shape.order;
	cache->nr_objects = shape.nr_objects;
	cache->map_kind = shape.map_kind;
	cache->map_bytes = shape.map_bytes;
	cache->colour_bytes = MAX(cache->align, CACHE_LINE_BYTES);
	cache->colours = shape.left_bytes / cache->colour_bytes + 1;
	cache->reciprocal = DIV_ROUND_UP((u64)1 << SLAB_RECIPROCAL_SHIFT, (u64)cache->size);
}
