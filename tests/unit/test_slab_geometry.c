/*
 * What a slab looks like: for every size and alignment, where objects and their map are.
 *
 *	| colour | place 0 | .... | place n-1 | map, if it is here |  left over: at least the last colour |
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>

#include "mm/slab.h"

static u64 slab_bytes(const struct kmem_cache *cache)
{
	return PAGE_SIZE << cache->order;
}

static struct kmem_cache lay_out(u32 size, u32 align, u32 flags, bool is_boot)
{
	struct kmem_cache cache = {.object_size = size, .align = align, .flags = flags};

	cache.size = ALIGN_UP(MAX(size, SLAB_MIN_SIZE), align);
	cache.is_boot = is_boot;
	slab_geometry(&cache);
	return cache;
}

static u64 bytes_behind(const struct kmem_cache *cache)
{
	return cache->map_kind == SLAB_MAP_ON_SLAB ? cache->map_bytes : 0;
}

/* Objects are places of `size` bytes one behind the other, so what is to be shown is where they begin and end. */
static void expect_sound(struct ktest *t, const struct kmem_cache *c)
{
	u64 last_colour = (u64)(c->colours - 1) * c->colour_bytes;
	u64 used = (u64)c->nr_objects * c->size + bytes_behind(c);
	u64 left = slab_bytes(c) - used;

	EXPECT_MSG(t,
		   c->nr_objects > 0 && c->colours > 0 && used <= slab_bytes(c) &&
			   last_colour <= left,
		   "size %u: %u objects, %u colours, order %u", c->size, c->nr_objects, c->colours,
		   c->order);
	/* No colour more would have fitted, and no object. */
	EXPECT_MSG(t, last_colour + c->colour_bytes > left, "size %u: %u colours", c->size,
		   c->colours);
	EXPECT_MSG(t, c->colour_bytes % c->align == 0 && c->colour_bytes >= 64,
		   "align %u: colour %u", c->align, c->colour_bytes);
	EXPECT_MSG(t,
		   c->map_bytes * 8 >= c->nr_objects && c->map_bytes % 8 == 0 &&
			   (c->map_bytes - 8) * 8 < c->nr_objects,
		   "%u objects, map of %u", c->nr_objects, c->map_bytes);
	EXPECT_MSG(t, (c->map_kind == SLAB_MAP_IN_PAGE) == (c->nr_objects <= 64),
		   "%u objects, map %d", c->nr_objects, c->map_kind);
	/* The classic rule: beyond an eighth only where no allowed order does better. */
	EXPECT_MSG(t, c->order <= slab_max_order || slab_bytes(c) / 2 < c->size,
		   "size %u: order %u", c->size, c->order);
}

/* At each place's first and last byte, which is where a reciprocal would be wrong. */
static void expect_exact(struct ktest *t, const struct kmem_cache *c)
{
	for (u64 i = 0; i * c->size < slab_bytes(c); i++) {
		u64 first = i * c->size, last = MIN(first + c->size, slab_bytes(c)) - 1;

		EXPECT_MSG(t,
			   first * c->reciprocal >> SLAB_RECIPROCAL_SHIFT == i &&
				   last * c->reciprocal >> SLAB_RECIPROCAL_SHIFT == i,
			   "size %u, place %llu", c->size, (unsigned long long)i);
	}
}

/* Every size to 16 KiB, beyond that more and more thinly; every alignment that is not more than twice the size. */
static void every_size_and_alignment(struct ktest *t)
{
	u64 nr = 0;

	for (u32 size = 1; size <= SLAB_MAX_SIZE; size += size < 16384 ? 1 : size / 97) {
		for (u32 align = 8; align <= PAGE_SIZE && align <= 2 * size + 8; align *= 2) {
			struct kmem_cache c = lay_out(size, align, 0, false);

			expect_sound(t, &c);
			expect_exact(t, &c);
			nr++;
			if (t->failures)
				return;
		}
	}
	EXPECT(t, nr > 100000);
	for (u32 size = SLAB_MAX_SIZE - 9; size <= SLAB_MAX_SIZE; size++) {
		struct kmem_cache c = lay_out(size, 8, 0, false);

		EXPECT_EQ(t, c.order, MAX_ORDER);
		EXPECT_EQ(t, c.nr_objects, 1);
		expect_sound(t, &c);
		expect_exact(t, &c);
	}
}

/*
 * By hand:   56 * 73 = 4088 of 4096: two words of map do not fit into 8 bytes, and a place is too much: off the slab
 *            48 * 85 = 4080: they do
 *             8 * 512 = 4096: 8 places, the size of the map, are given up
 *            64 * 64 = 4096: one word, in struct page
 *          1400 * 2 = 2800 of 4096 wastes a third; * 5 of 8192 a seventh: order 1
 */
static void where_the_map_is(struct ktest *t)
{
	struct kmem_cache c = lay_out(56, 8, 0, false);

	EXPECT_EQ(t, c.nr_objects, 73);
	EXPECT_EQ(t, c.map_kind, SLAB_MAP_OFF_SLAB);
	EXPECT_EQ(t, c.map_bytes, 16);
	c = lay_out(56, 8, 0, true); /* kmalloc's are never */
	EXPECT_EQ(t, c.nr_objects, 72);
	EXPECT_EQ(t, c.map_kind, SLAB_MAP_ON_SLAB);
	c = lay_out(48, 8, 0, false);
	EXPECT_EQ(t, c.nr_objects, 85);
	EXPECT_EQ(t, c.map_kind, SLAB_MAP_ON_SLAB);
	c = lay_out(48, 8, SLAB_OFF_SLAB, false);
	EXPECT_EQ(t, c.nr_objects, 85);
	EXPECT_EQ(t, c.map_kind, SLAB_MAP_OFF_SLAB);
	c = lay_out(8, 8, 0, false);
	EXPECT_EQ(t, c.nr_objects, 504);
	EXPECT_EQ(t, c.map_kind, SLAB_MAP_ON_SLAB);
	EXPECT_EQ(t, c.colours, 1);
	c = lay_out(64, 64, 0, false);
	EXPECT_EQ(t, c.nr_objects, 64);
	EXPECT_EQ(t, c.map_kind, SLAB_MAP_IN_PAGE);
	EXPECT_EQ(t, c.order, 0);
	c = lay_out(100, 128, 0, false);
	EXPECT_EQ(t, c.size, 128);
	EXPECT_EQ(t, c.nr_objects, 32);
}

static void the_smallest_order_that_wastes_little(struct ktest *t)
{
	struct kmem_cache c = lay_out(1400, 8, 0, false);

	EXPECT_EQ(t, c.order, 1);
	EXPECT_EQ(t, c.nr_objects, 5);
	EXPECT_EQ(t, c.colours, (8192 - 7000) / 64 + 1);
	/* 512 of 4096 are an eighth exactly; one alignment more is too much, but order 1 is no better. */
	c = lay_out(3584, 8, 0, false);
	EXPECT_EQ(t, c.order, 0);
	EXPECT_EQ(t, c.colours, 9);
	c = lay_out(3072, 8, 0, false);
	EXPECT_EQ(t, c.order, 0);
	c = lay_out(2704, 8, 0, false); /* 1392 of 4096; 80 of 8192 */
	EXPECT_EQ(t, c.order, 1);
	EXPECT_EQ(t, c.nr_objects, 3);
	slab_max_order = 0;
	c = lay_out(2704, 8, 0, false);
	EXPECT_EQ(t, c.order, 0);
	EXPECT_EQ(t, c.nr_objects, 1);
	c = lay_out(4100, 8, 0, false); /* one object needs more */
	EXPECT_EQ(t, c.order, 1);
	c = lay_out(20480, 8, 0, false);
	EXPECT_EQ(t, c.order, 3);
	EXPECT_EQ(t, c.nr_objects, 1);
}

static const struct ktest_case cases[] = {
	KTEST(every_size_and_alignment),
	KTEST(where_the_map_is),
	KTEST(the_smallest_order_that_wastes_little),
};
KTEST_SUITE(slab_geometry, cases);
