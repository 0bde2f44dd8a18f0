/*
 * Copies of caches for reports: each figure against what was done.
 */
#include "host.h"

#include <base/string.h>
#include <mm/page_alloc.h>
#include <mm/slab_inspect.h>

#include "mm/slab.h"

#define BYTES 400u

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static struct kmem_cache *cache;
static void *object[64];

/* Without arrays: what is free is free in its slab's map. */
static void boot(struct ktest *t)
{
	host_machine_boot(&machine);
	slab_all_cpus_run();
	cache = kmem_cache_create("looked_at", BYTES, 0, 0, NULL);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
}

static void take(u32 nr, int nid)
{
	for (u32 i = 0; i < nr; i++)
		object[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, nid);
}

static void figures_are_what_was_done(struct ktest *t)
{
	struct slab_cache_snapshot s;

	boot(t);
	take(2 * cache->nr_objects + 3, 1);
	slab_cache_snapshot(cache, &s);
	EXPECT_STREQ(t, s.name, "looked_at");
	EXPECT_EQ(t, s.object_size, BYTES);
	EXPECT_EQ(t, s.size, BYTES);
	EXPECT_EQ(t, s.slabs, 3);
	EXPECT_EQ(t, s.active_slabs, 3);
	EXPECT_EQ(t, s.objects, 3 * s.nr_objects);
	EXPECT_EQ(t, s.active_objects, 2 * s.nr_objects + 3);
	EXPECT_EQ(t, s.shared_objects, 0);
	EXPECT_STREQ(t, s.map_place, "in struct page");
	EXPECT_EQ(t, s.left_bytes, (PAGE_SIZE << s.order) - s.nr_objects * s.size);
	EXPECT_EQ(t, s.limit | s.batch | s.shared, 0);
	for (u32 i = 0; i < 2 * cache->nr_objects + 3; i++)
		kmem_cache_free(cache, object[i]);
	slab_cache_snapshot(cache, &s);
	EXPECT_EQ(t, s.active_objects, 0);
	EXPECT_EQ(t, s.active_slabs, 0);
}

static void a_node_has_its_lists(struct ktest *t)
{
	struct slab_node_snapshot n;

	boot(t);
	take(2 * cache->nr_objects + 3, 1);
	ASSERT_TRUE(t, slab_node_snapshot(cache, 1, &n));
	EXPECT_EQ(t, n.full, 2);
	EXPECT_EQ(t, n.partial, 1);
	EXPECT_EQ(t, n.free, 0);
	EXPECT_EQ(t, n.free_objects, cache->nr_objects - 3);
	EXPECT_EQ(t, n.events[SLAB_EV_GROWN], 3);
	ASSERT_TRUE(t, slab_node_snapshot(cache, 0, &n));
	EXPECT_EQ(t, n.full + n.partial + n.free, 0);
	EXPECT(t, !slab_node_snapshot(cache, 2, &n));
	EXPECT(t, !slab_node_snapshot(cache, -1, &n));
	for (u32 i = 0; i < NR_SLAB_EVENTS; i++)
		EXPECT(t, slab_event_name((enum slab_event)i)[0] != '?');
}

/* This CPU is node 0's, and frees five objects of node 1: they are alien here. */
static void a_cpu_has_its_arrays(struct ktest *t)
{
	struct slab_cpu_snapshot c;

	boot(t);
	ASSERT_EQ(t, kmem_cache_tune(cache, 16, 8, 2), 0);
	take(5, 1);
	for (u32 i = 0; i < 5; i++)
		kmem_cache_free(cache, object[i]);
	ASSERT_TRUE(t, slab_cpu_snapshot(cache, 0, &c));
	EXPECT_EQ(t, c.nid, 0);
	EXPECT(t, c.of[1].nr >= 5 && c.of[1].limit == SLAB_ALIEN_LIMIT);
	EXPECT_EQ(t, c.of[0].limit, 16);
	EXPECT_EQ(t, c.of[0].nr, 0);
	ASSERT_TRUE(t, slab_cpu_snapshot(cache, 1, &c));
	EXPECT_EQ(t, c.nid, 1);
	EXPECT_EQ(t, c.of[1].limit, 16);
	EXPECT(t, !slab_cpu_snapshot(cache, 2, &c));
}

/* As Linux counts: nothing is out, and what CPUs and nodes keep is active all the same. */
static void what_is_kept_is_active(struct ktest *t)
{
	struct slab_cache_snapshot s;
	struct slab_cpu_snapshot c;
	u64 kept;

	boot(t);
	ASSERT_EQ(t, kmem_cache_tune(cache, 16, 8, 2), 0);
	take(40, 1);
	for (u32 i = 0; i < 40; i++)
		kmem_cache_free(cache, object[i]);
	slab_cache_snapshot(cache, &s);
	EXPECT_EQ(t, s.limit, 16);
	EXPECT_EQ(t, s.batch, 8);
	EXPECT_EQ(t, s.shared, 2);
	EXPECT(t, s.shared_objects > 0);
	kept = s.shared_objects;
	for (u32 cpu = 0; slab_cpu_snapshot(cache, cpu, &c); cpu++)
		kept += c.of[0].nr + c.of[1].nr;
	EXPECT(t, kept > s.shared_objects);
	EXPECT_EQ(t, s.active_objects, kept);
}

/* The slab that is next, its map, and the same found by each of its pages and objects. */
static void a_slab_is_found_by_its_page(struct ktest *t)
{
	struct slab_snapshot slab, same;
	char name[SLAB_NAME_BYTES];
	u32 free = 0, index;

	boot(t);
	EXPECT(t, !slab_snapshot(cache, 1, &slab));
	take(3, 1);
	ASSERT_TRUE(t, slab_snapshot(cache, 1, &slab));
	EXPECT_EQ(t, slab.nid, 1);
	EXPECT_EQ(t, slab.nr_free, cache->nr_objects - 3);
	for (u32 i = 0; i < slab.nr_objects; i++)
		free += slab_object_is_free(&slab, i);
	EXPECT_EQ(t, free, slab.nr_free);
	for (u32 i = 0; i < 3; i++) {
		u64 offset = virt_to_phys(object[i]) - pfn_to_phys(slab.pfn);

		ASSERT_TRUE(t, slab_of_page(virt_to_phys(object[i]) >> PAGE_SHIFT, &same, name));
		EXPECT_STREQ(t, name, "looked_at");
		EXPECT_EQ(t, same.pfn, slab.pfn);
		EXPECT(t,
		       slab_object_at(&slab, offset, &index) && !slab_object_is_free(&slab, index));
		EXPECT(t, slab_object_at(&slab, offset + BYTES - 1, &index) &&
				  !slab_object_is_free(&slab, index));
	}
	EXPECT(t, !slab_object_at(&slab, slab.offset + (u64)slab.nr_objects * slab.size, &index));
}

/* What is no slab's, and what only says that it is. */
static void other_pages_are_not_believed(struct ktest *t)
{
	struct slab_snapshot slab;
	char name[SLAB_NAME_BYTES];
	struct page *page;

	boot(t);
	page = alloc_pages(GFP_KERNEL, 0);
	EXPECT(t, !slab_of_page(page_to_pfn(page), &slab, name));
	page->slab_home = (struct kmem_cache_node *)0x1238;
	EXPECT(t, !slab_of_page(page_to_pfn(page), &slab, name));
	/* All that a slab has, but the mark. */
	page->slab_home = cache->node[0];
	page->slab_map = &page->slab_bits;
	EXPECT(t, !slab_of_page(page_to_pfn(page), &slab, name));
	page->slab_home = NULL;
	EXPECT(t, !slab_of_page(~(pfn_t)0 >> 13, &slab, name));
}

/* A slab goes back, and its page is another's, while its map is copied: that leads anywhere then. */
static void a_map_that_is_none_is_not_followed(struct ktest *t)
{
	struct slab_snapshot slab;
	char name[SLAB_NAME_BYTES];
	struct page *page;
	u64 *map;

	boot(t);
	take(1, 0);
	page = virt_to_page(object[0]);
	map = page->slab_map;
	EXPECT(t, slab_of_page(page_to_pfn(page), &slab, name));
	page->slab_map = (u64 *)0x1238;
	EXPECT(t, !slab_of_page(page_to_pfn(page), &slab, name));
	page->slab_map = (u64 *)((char *)map + 1);
	EXPECT(t, !slab_of_page(page_to_pfn(page), &slab, name));
	page->slab_map = map;
	EXPECT(t, slab_of_page(page_to_pfn(page), &slab, name));
}

/* Sums: of nodes over caches, and the largest first. */
static void sums_agree(struct ktest *t)
{
	struct slab_use use[4];
	struct slab_cache_snapshot s;
	struct kmem_cache *at = NULL;
	u64 pages = 0, before;
	u32 nr;

	boot(t);
	before = slab_pages(1);
	take(ARRAY_SIZE(object), 1);
	while ((at = slab_cache_next(at)) != NULL) {
		slab_cache_snapshot(at, &s);
		pages += s.slabs << s.order;
	}
	EXPECT_EQ(t, slab_pages(NUMA_NO_NODE), pages);
	EXPECT_EQ(t, slab_pages(0) + slab_pages(1), pages);
	EXPECT(t, slab_pages(1) > before);
	nr = slab_largest(use, ARRAY_SIZE(use));
	ASSERT_EQ(t, nr, ARRAY_SIZE(use));
	for (u32 i = 0; i + 1 < nr; i++)
		EXPECT(t, use[i].pages >= use[i + 1].pages);
	EXPECT(t, use[0].used_bytes <= use[0].pages << PAGE_SHIFT);
}

/* Every one is found among the largest of as many as there are. */
static void none_of_the_largest_is_left_out(struct ktest *t)
{
	static struct slab_use all[64], few[3];
	u32 nr, nr_few;

	boot(t);
	take(ARRAY_SIZE(object), 1);
	nr = slab_largest(all, ARRAY_SIZE(all));
	nr_few = slab_largest(few, ARRAY_SIZE(few));
	ASSERT_TRUE(t, nr > 3 && nr < ARRAY_SIZE(all) && nr_few == 3);
	for (u32 i = 0; i < nr_few; i++)
		EXPECT_EQ(t, few[i].pages, all[i].pages);
}

static void a_cache_is_named_by_its_address(struct ktest *t)
{
	char name[SLAB_NAME_BYTES] = "";

	boot(t);
	EXPECT(t, slab_cache_name_at(cache, name));
	EXPECT_STREQ(t, name, "looked_at");
	EXPECT(t, !slab_cache_name_at((char *)cache + 8, name));
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	EXPECT(t, !slab_cache_name_at(cache, name));
}

static const struct ktest_case cases[] = {
	KTEST(figures_are_what_was_done),
	KTEST(a_node_has_its_lists),
	KTEST(a_cpu_has_its_arrays),
	KTEST(what_is_kept_is_active),
	KTEST(a_slab_is_found_by_its_page),
	KTEST(other_pages_are_not_believed),
	KTEST(a_map_that_is_none_is_not_followed),
	KTEST(sums_agree),
	KTEST(none_of_the_largest_is_left_out),
	KTEST(a_cache_is_named_by_its_address),
};
KTEST_SUITE(slab_inspect, cases);
