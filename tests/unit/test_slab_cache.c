/*
 * How caches come and go: what they must not be called, what a failure leaves behind, who keeps what. Their stacks are
 * in test_slab_cache_stacks.c.
 *
 * Pages are counted before and after, with nothing left on CPUs' page lists.
 */
#include "slab_cache_env.h"

#include <arch/page.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/fault_inject.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "tests/stress/pages_back.h"

static const struct host_machine small = {
	.ram = {{MiB(1), MiB(24), 0}}, .nr_nodes = 1, .nr_cpus = 1};

/* What no cache has an object in; all CPUs' page lists are empty then. */
static u64 free_pages_in_all(void)
{
	struct vm_totals totals;

	/* Descriptions and stacks are objects of caches as well. */
	pages_settle();
	vm_totals(&totals);
	return totals.free_pages;
}

/* --- Boot ------------------------------------------------------------------------------------------------ */

static void boot_makes_the_classes(struct ktest *t)
{
	struct kmem_cache *cache = NULL;
	u32 nr = 0;

	host_machine_boot(&machine);
	while ((cache = slab_cache_next(cache))) {
		nr++;
		EXPECT(t, cache->is_boot);
		for (int nid = 0; nid < 3; nid++) {
			EXPECT(t, cache->node[nid]->self == cache->node[nid]);
			EXPECT_EQ(t, cache->node[nid]->nid, nid);
			/* In its own node's memory; node 2 has none. */
			if (nid < 2)
				EXPECT_EQ(t, virt_to_page(cache->node[nid])->nid, nid);
		}
		EXPECT(t, cache->node[3] == &slab_no_home);
	}
	EXPECT_EQ(t, nr, 2 + 31 + 8);
	EXPECT_EQ(t, nr, nr_caches());
	cache = slab_cache_get("kmem_cache_node");
	ASSERT_TRUE(t, cache != NULL);
	EXPECT_EQ(t, cache->nr_users, 1);
	EXPECT_EQ(t, kmem_cache_destroy(cache), -EBUSY); /* whoever has it */
	slab_cache_put(cache);
	EXPECT(t, !slab_cache_get("no such"));
	expect_check_clean(t);
}

/* So many batches and a slab; or, if that is more, of each of the node's pages a byte, which is 1/4096. */
static u64 free_limit(const struct kmem_cache *cache, int nid, u32 batches)
{
	u64 pages = 0;

	for (u32 i = 0; i < MAX_NR_ZONES; i++)
		pages += NODE_DATA(nid)->zones[i].managed_pages;
	return MAX((u64)batches + cache->nr_objects, pages / cache->size);
}

/*
 * The classic table, by hand:     > 128 KiB  > 4096  > 1024  > 256  the rest
 *	limit                              1       8      24     54       120
 *	batch                              1       4      12     27        60
 *	shared                             -       -       8      8         8    up to a page
 * and, of each other node's, limit / nodes, 12 at least (classic: 12).
 */
static void amounts_follow_the_size(struct ktest *t)
{
	static const struct {
		u32 size, limit, batch, shared, alien;
	} rows[] = {{8, 120, 60, 8, 60},   {256, 120, 60, 8, 60}, {264, 54, 27, 8, 27},
		    {1024, 54, 27, 8, 27}, {1032, 24, 12, 8, 12}, {4096, 24, 12, 8, 12},
		    {4104, 8, 4, 0, 8},    {131072, 8, 4, 0, 8},  {131080, 1, 1, 0, 0}};
	struct kmem_cache *cache;

	host_machine_boot(&machine);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		cache = make("sized", rows[i].size);
		ASSERT_TRUE(t, cache != NULL);
		EXPECT_EQ(t, cache->limit, rows[i].limit);
		EXPECT_EQ(t, cache->batch, rows[i].batch);
		EXPECT_EQ(t, cache->shared, rows[i].shared);
		EXPECT_EQ(t, cache->local[0]->limit, rows[i].limit);
		EXPECT_EQ(t, cache->local[0]->batch, rows[i].batch);
		EXPECT_EQ(t, cache->node[1]->shared->limit, rows[i].shared * rows[i].batch);
		/* (1 + CPUs on the node) batches and a slab; node 2's CPU is one of node 0's. */
		EXPECT_EQ(t, cache->node[0]->free_limit, free_limit(cache, 0, 4 * rows[i].batch));
		EXPECT_EQ(t, cache->node[1]->free_limit, free_limit(cache, 1, 3 * rows[i].batch));
		/* Of another node's: of 120 half, as there are two; at least 12; none of what is so large. */
		EXPECT_EQ(t, cache->node[1]->stack[0]->limit, rows[i].alien);
		EXPECT(t, cache->local[1] == &slab_no_stack); /* it does not run yet */
		EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	}
}

static void a_small_machine_has_small_slabs(struct ktest *t)
{
	struct kmem_cache *cache;

	host_machine_boot(&small);
	EXPECT_EQ(t, slab_max_order, 0);
	cache = make("small", 2720);
	EXPECT_EQ(t, cache->order, 0);
	EXPECT_EQ(t, cache->shared, 8); /* of one CPU as well */
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* --- Coming and going --------------------------------------------------------------------------------------- */

static u32 constructed;

static void construct(void *object)
{
	*(u64 *)object = 0xc0ffee;
	constructed++;
}

static void a_constructor_runs_once_a_slab(struct ktest *t)
{
	struct kmem_cache *cache;
	u64 *object;

	host_machine_boot(&machine);
	cache = kmem_cache_create("built", 512, 0, 0, construct);
	ASSERT_TRUE(t, cache != NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT_TRUE(t, object != NULL);
	EXPECT_EQ(t, constructed, cache->nr_objects);
	EXPECT_EQ(t, *object, 0xc0ffee);
	kmem_cache_free(cache, object);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT_EQ(t, constructed, cache->nr_objects);
	kmem_cache_free(cache, object);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* Slabs in turn begin a cache line further, and start again. */
static void colours_in_turn(struct ktest *t)
{
	struct kmem_cache *cache;
	struct page *slab[12];

	host_machine_boot(&machine);
	cache = make("coloured", 3584); /* 512 of 4096 left: nine colours */
	ASSERT_TRUE(t, cache != NULL && cache->colours == 9);
	for (u32 i = 0; i < 12; i++) {
		slab[i] = slab_grow(cache, 0, GFP_KERNEL);
		ASSERT_TRUE(t, slab[i] != NULL);
		EXPECT_EQ(t, slab[i]->slab_offset, i % 9 * 64);
	}
	for (u32 i = 0; i < 12; i++) {
		struct list_head list = {&list, &list};

		list_add(&slab[i]->slab_link, &list);
		EXPECT_EQ(t, slab_give_back(cache, &list), 1);
		EXPECT(t, slab[i]->slab_home == NULL && slab[i]->marks == 0);
	}
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* Each page of a slab names its home, and the slab is marked. */
static void pages_say_whose_they_are(struct ktest *t)
{
	struct kmem_cache *cache;
	struct page *page;
	char *object;

	host_machine_boot(&machine);
	cache = make("wide", 20000); /* order 3 */
	object = kmem_cache_alloc_node(cache, GFP_KERNEL, 1);
	ASSERT_TRUE(t, object != NULL);
	page = virt_to_page(object);
	EXPECT_EQ(t, page->nid, 1);
	EXPECT(t, page->marks & PAGE_MARK_SLAB);
	for (u32 i = 0; i < 8; i++)
		EXPECT(t, page[i].slab_home == cache->node[1]);
	kmem_cache_free(cache, object);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	for (u32 i = 0; i < 8; i++)
		EXPECT(t, page[i].slab_home == NULL);
}

static void every_page_comes_back(struct ktest *t)
{
	static const u32 sizes[] = {8, 56, 100, 640, 2000, 5000, 70000, 1 << 20};
	static void *object[1000];
	u64 before;

	host_machine_boot(&machine);
	before = free_pages_in_all();
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 nr = sizes[i] < 4096 ? 1000 : 20;
		struct kmem_cache *cache = make("comes-and-goes", sizes[i]);

		ASSERT_TRUE(t, cache != NULL);
		for (u32 n = 0; n < nr; n++) {
			object[n] = kmem_cache_alloc_node(cache, GFP_KERNEL, n % 3 == 0);
			ASSERT_TRUE(t, object[n] != NULL);
			memset(object[n], 0x5a, sizes[i]);
		}
		EXPECT_EQ(t, kmem_cache_destroy(cache), -EBUSY);
		EXPECT(t, host_log_contains("cache 'comes-and-goes' is not destroyed"));
		for (u32 n = 0; n < nr; n++)
			kmem_cache_free(cache, object[n]);
		/* It goes on after all. */
		object[0] = kmem_cache_alloc(cache, GFP_KERNEL);
		kmem_cache_free(cache, object[0]);
		EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
		EXPECT_EQ(t, free_pages_in_all(), before);
		EXPECT_EQ(t, nr_caches(), 2 + 31 + 8);
	}
	expect_check_clean(t);
}

static void shrinking_gives_free_slabs_back(struct ktest *t)
{
	struct kmem_cache *cache;
	void *object[300], *kept;
	u64 pages;

	host_machine_boot(&machine);
	cache = make("shrunk", 1024);
	kept = kmem_cache_alloc(cache, GFP_KERNEL);
	for (u32 i = 0; i < 300; i++)
		object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (u32 i = 0; i < 300; i++)
		kmem_cache_free(cache, object[i]);
	pages = cache->node[0]->nr_slabs;
	EXPECT(t, pages > 1);
	EXPECT_EQ(t, kmem_cache_shrink(cache), pages - 1);
	EXPECT_EQ(t, cache->node[0]->nr_slabs, 1);
	kmem_cache_free(cache, kept);
	EXPECT_EQ(t, kmem_cache_shrink(cache), 1);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* Each request for a page that creating and a first object make fails once: nothing is left of it. */
static void no_failure_leaves_anything(struct ktest *t)
{
	u64 before;
	u32 nth = 1;

	host_machine_boot(&machine);
	slab_cpus_start();
	before = free_pages_in_all();
	for (;; nth++) {
		struct fault_rule rule = {.nth = nth, .quiet = true};
		struct fault_rule_state state;
		struct kmem_cache *cache;
		void *object;
		int id;

		free_pages_in_all(); /* so that there is nothing to be had without a page */
		id = fault_rule_add(&rule);
		ASSERT_TRUE(t, id > 0);
		/* Its map is off the slab, so the first object asks for two pages. */
		cache = kmem_cache_create("doomed", 56, 0, 0, NULL);
		object = cache ? kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN) : NULL;
		ASSERT_TRUE(t, fault_rule_state((u32)id, &state));
		fault_rules_remove_all();
		if (object)
			kmem_cache_free(cache, object);
		EXPECT(t, cache || host_log_contains("cache 'doomed' is not created"));
		host_log_clear();
		EXPECT_EQ(t, nr_caches(), 2 + 31 + 8 + (cache != NULL));
		EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
		EXPECT_EQ(t, free_pages_in_all(), before);
		if (state.failed == 0)
			break;
	}
	EXPECT_MSG(t, nth > 5, "only %u requests", nth - 1);
	ktest_note(t, "%u requests, each failed once", nth - 1);
	expect_check_clean(t);
}

static void misuse_is_named(struct ktest *t)
{
	static const struct {
		const char *name;
		u32 size, align, flags;
		void (*ctor)(void *object);
		const char *said;
	} rows[] = {
		{NULL, 8, 0, 0, NULL, "it has no name"},
		{"", 8, 0, 0, NULL, "it has no name"},
		{"a-name-of-thirty-two-characters.", 8, 0, 0, NULL, "its name is too long"},
		{"two words", 8, 0, 0, NULL, "its name is no one word"},
		{"a\nline", 8, 0, 0, NULL, "its name is no one word"},
		{"kmalloc-64", 8, 0, 0, NULL, "its name is taken"},
		{"wrong", 0, 0, 0, NULL, "its objects have no size"},
		{"wrong", SLAB_MAX_SIZE + 1, 0, 0, NULL, "larger than the largest block"},
		{"wrong", 8, 24, 0, NULL, "its alignment is no power of two"},
		{"wrong", 8, 8192, 0, NULL, "its alignment is no power of two"},
		{"wrong", 8, 0, 0x1000, NULL, "it has unknown flags"},
		{"wrong", 8, 0, SLAB_CACHE_DMA | SLAB_CACHE_DMA32, NULL, "it is of two zones"},
		{"wrong", 8, 0, SLAB_POISON, construct, "poison would undo"},
	};
	struct kmem_cache *cache;

	host_machine_boot(&machine);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		host_log_clear();
		EXPECT(t, !kmem_cache_create(rows[i].name, rows[i].size, rows[i].align,
					     rows[i].flags, rows[i].ctor));
		EXPECT_MSG(t, host_log_contains(rows[i].said), "not said: %s", rows[i].said);
	}
	EXPECT_EQ(t, nr_caches(), 2 + 31 + 8);
	EXPECT_EQ(t, kmem_cache_destroy(NULL), 0);
	/* Just not too much. */
	cache = kmem_cache_create("a-name-of-thirty-one-characters", SLAB_MAX_SIZE, PAGE_SIZE, 0,
				  NULL);
	ASSERT_TRUE(t, cache != NULL);
	EXPECT_EQ(t, kmem_cache_size(cache), SLAB_MAX_SIZE);
	EXPECT_STREQ(t, kmem_cache_name(cache), "a-name-of-thirty-one-characters");
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void alignment_as_asked(struct ktest *t)
{
	host_machine_boot(&machine);
	for (u32 align = 8; align <= PAGE_SIZE; align *= 2) {
		struct kmem_cache *cache = kmem_cache_create("aligned", 24, align, 0, NULL);
		void *object[50];

		ASSERT_TRUE(t, cache != NULL);
		for (u32 i = 0; i < 50; i++) {
			object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
			EXPECT(t, IS_ALIGNED((uintptr_t)object[i], (u64)align));
		}
		kmem_cache_free_bulk(cache, 50, object);
		EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	}
	struct kmem_cache *line = kmem_cache_create("lined", 40, 0, SLAB_HWCACHE_ALIGN, NULL);
	struct kmem_cache *half = kmem_cache_create("half", 30, 0, SLAB_HWCACHE_ALIGN, NULL);

	EXPECT_EQ(t, line->size, 64);
	EXPECT_EQ(t, half->size, 32);
	EXPECT_EQ(t, kmem_cache_destroy(line), 0);
	EXPECT_EQ(t, kmem_cache_destroy(half), 0);
}

static const struct ktest_case cases[] = {
	KTEST(boot_makes_the_classes),
	KTEST(amounts_follow_the_size),
	KTEST(a_small_machine_has_small_slabs),
	KTEST(a_constructor_runs_once_a_slab),
	KTEST(colours_in_turn),
	KTEST(pages_say_whose_they_are),
	KTEST(every_page_comes_back),
	KTEST(shrinking_gives_free_slabs_back),
	KTEST(no_failure_leaves_anything),
	KTEST(misuse_is_named),
	KTEST(alignment_as_asked),
};
KTEST_SUITE(slab_cache, cases);
