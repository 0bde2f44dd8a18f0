/*
 * The room that mm.debug takes: what is in it does not overlap, and it is never so much that who must not fail is
 * refused. And the order in which a slab's objects are handed out, which is drawn.
 */
#include <base/string.h>
#include <mm/check.h>

#include "slab_debug_env.h"

/* --- Room ----------------------------------------------------------------------------------------------- */

/* |<- size ------------------------------>|, of all sizes, alignments and levels. */
static void the_layout_holds_it_all(struct ktest *t)
{
	static const u32 flags[] = {0,
				    SLAB_STORE_USER,
				    SLAB_RED_ZONE,
				    SLAB_POISON,
				    SLAB_STORE_USER | SLAB_POISON,
				    SLAB_DEBUG_ALL};

	for (u32 f = 0; f < ARRAY_SIZE(flags); f++) {
		for (u32 align = 8; align <= PAGE_SIZE; align *= 2) {
			for (u32 size = 1; size < 3 * PAGE_SIZE; size += 1 + size / 7) {
				struct kmem_cache c = {
					.object_size = size, .align = align, .flags = flags[f]};
				u32 red, user;

				slab_debug_layout(&c, 0);
				red = c.flags & SLAB_RED_ZONE ? 8 : 0;
				user = c.flags & SLAB_STORE_USER ? sizeof(struct slab_owner) : 0;
				EXPECT_EQ(t, c.flags, flags[f]);
				EXPECT_EQ(t, c.object_offset % align, 0);
				EXPECT_EQ(t, c.size % align, 0);
				EXPECT(t, c.object_offset >= red);
				EXPECT(t, c.object_offset + size + red + user <= c.size);
				EXPECT(t, flags[f] || c.size < size + align);
			}
		}
	}
}

/*
 * mm.debug adds no more than leaves an object the block that it has without: of 4 KiB, aligned to itself,
 *
 *	| object | cc ... cc, owner |    order 1, and no page for a zone before it
 *
 * and of 8 KiB nothing that takes room. What a cache asks for itself it has.
 */
static void what_is_added_keeps_the_order(struct ktest *t)
{
	static const struct {
		u32 size, align, asked, flags, bytes;
	} rows[] = {
		{100, 8, 0, SLAB_DEBUG_ALL, 208},
		{2048, 2048, 0, SLAB_DEBUG_ALL, 6144},
		{4096, 4096, 0, SLAB_DEBUG_ALL, 8192},
		{8088, 8, 0, SLAB_DEBUG_ALL, 8192}, /* 8 + 8088 + 8 + 88 */
		{8096, 8, 0, SLAB_DEBUG_ALL, 8192}, /* 0 + 8096 + 8 + 88 */
		{8104, 8, 0, SLAB_DEBUG_ALL & ~SLAB_STORE_USER, 8120},
		{8184, 8, 0, SLAB_DEBUG_ALL & ~SLAB_STORE_USER, 8192},
		{8185, 8, 0, SLAB_DEBUG_ALL & ~(SLAB_STORE_USER | SLAB_RED_ZONE), 8192},
		{8192, 4096, 0, SLAB_DEBUG_ALL & ~(SLAB_STORE_USER | SLAB_RED_ZONE), 8192},
		{8193, 8, 0, SLAB_DEBUG_ALL, 8304},
		{4096, 4096, SLAB_RED_ZONE, SLAB_DEBUG_ALL, 12288},
		/* What it asks for leaves it order 1, and so does what is added to that. */
		{4096, 4096, SLAB_POISON, SLAB_DEBUG_ALL, 8192},
		{8192, 4096, SLAB_POISON, SLAB_DEBUG_ALL & ~(SLAB_STORE_USER | SLAB_RED_ZONE),
		 8192},
		{8096, 8, SLAB_RED_ZONE, SLAB_DEBUG_ALL & ~SLAB_STORE_USER, 8112},
		{8176, 8, SLAB_RED_ZONE, SLAB_DEBUG_ALL & ~SLAB_STORE_USER, 8192},
		{8104, 8, SLAB_STORE_USER, SLAB_DEBUG_ALL & ~SLAB_RED_ZONE, 8192},
		{SLAB_MAX_SIZE, 8, 0, 0, SLAB_MAX_SIZE},
		/* No room for what would be added: what it asks for it has all the same. */
		{SLAB_MAX_SIZE - 88, 8, SLAB_RED_ZONE, SLAB_RED_ZONE, SLAB_MAX_SIZE - 72},
		{SLAB_MAX_SIZE, 8, SLAB_POISON, SLAB_POISON, SLAB_MAX_SIZE},
		{SLAB_MAX_SIZE, 8, SLAB_RED_ZONE, 0, SLAB_MAX_SIZE},
	};

	EXPECT_EQ(t, sizeof(struct slab_owner), 88);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kmem_cache c = {.object_size = rows[i].size,
				       .align = rows[i].align,
				       .flags = rows[i].asked};

		slab_debug_layout(&c, SLAB_DEBUG_ALL);
		EXPECT_EQ(t, c.flags, rows[i].flags);
		EXPECT_EQ(t, c.size, rows[i].bytes);
	}
}

/* Every class, at each level, by who has no line for NULL; looked at as far as its class is debugged. */
static void nofail_at(struct ktest *t, u32 level)
{
	struct kmem_cache *cache = NULL;
	char *object;
	u32 nr = 0;

	boot(level);
	while ((cache = slab_cache_next(cache))) {
		if (strncmp(cache->name, "kmalloc-", 8) != 0)
			continue;
		EXPECT_MSG(t, cache->order <= 1, "%s: order %u", cache->name, cache->order);
		object = kmalloc(cache->object_size, GFP_KERNEL | __GFP_NOFAIL);
		if (!EXPECT_MSG(t, object != NULL, "%s", cache->name))
			continue;
		EXPECT_EQ(t, ksize(object), cache->object_size);
		memset(object, 1, cache->object_size);
		kfree(object);
		if (level >= 2)
			EXPECT_MSG(t, is_all(object, SLAB_FREE_BYTE, cache->object_size), "%s",
				   cache->name);
		nr++;
	}
	EXPECT_EQ(t, nr, 31);
	expect_check_clean(t);
}

static void nofail_at_level_0(struct ktest *t)
{
	nofail_at(t, 0);
}

static void nofail_at_level_1(struct ktest *t)
{
	nofail_at(t, 1);
}

static void nofail_at_level_2(struct ktest *t)
{
	nofail_at(t, 2);
}

static void nofail_at_level_3(struct ktest *t)
{
	nofail_at(t, 3);
}

static void the_largest_are_not_debugged(struct ktest *t)
{
	struct kmem_cache *cache;

	boot(3);
	cache = kmem_cache_create("large", SLAB_MAX_SIZE, 0, 0, NULL);
	ASSERT_TRUE(t, cache != NULL);
	EXPECT_EQ(t, cache->flags & SLAB_DEBUG_ALL, 0);
	kmem_cache_free(cache, get(cache));
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* --- The order of free objects --------------------------------------------------------------------------- */

/* How many of a slab's objects come right behind the one before; all of them are different, and of one slab. */
static u32 neighbours(struct ktest *t, bool random)
{
	struct kmem_cache *cache;
	void *object[64] = {NULL};
	u64 seen = 0;
	u32 in_order = 0;

	slab_order_choose(random, t->seed);
	cache = kmem_cache_create(random ? "drawn" : "in-order", 64, 64, 0, NULL);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
	for (u32 i = 0; i < 64; i++) {
		object[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, 0);
		if (!EXPECT_EQ(t, slab_of(cache, object[i]), slab_of(cache, object[0])))
			break;
		seen |= (u64)1 << slab_index(cache, slab_of(cache, object[i]), object[i]);
		in_order += i > 0 && (char *)object[i] == (char *)object[i - 1] + 64;
	}
	EXPECT_MSG(t, seen == ~(u64)0, "each place once: 0x%llx", (unsigned long long)seen);
	for (u32 i = 0; i < 64; i++)
		kmem_cache_free(cache, object[i]);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	return in_order;
}

static void the_order_is_drawn(struct ktest *t)
{
	u32 drawn;

	boot(0);
	EXPECT_EQ(t, neighbours(t, false), 63);
	/* One in four would be many: the next one is as likely as any, and more so only as few are left. */
	drawn = neighbours(t, true);
	EXPECT_MSG(t, drawn < 24, "%u of 63 are neighbours", drawn);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(the_layout_holds_it_all),
	KTEST(what_is_added_keeps_the_order),
	KTEST(nofail_at_level_0),
	KTEST(nofail_at_level_1),
	KTEST(nofail_at_level_2),
	KTEST(nofail_at_level_3),
	KTEST(the_largest_are_not_debugged),
	KTEST(the_order_is_drawn),
};
KTEST_SUITE(slab_debug_layout, cases);
