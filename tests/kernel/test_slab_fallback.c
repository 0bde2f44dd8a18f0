/*
 * Fallback on the machine that booted, under the policy that it booted with (mm.fallback): what must hold, holds, and
 * what before and posted get wrong, goes wrong. F1 to F9 are docs/fallback.md's; on the host each is tried under
 * each policy (tests/unit/test_slab_fallback.c). Those with somebody beside: test_slab_fallback_races.c.
 */
#include <base/string.h>
#include <mm/kmalloc.h>
#include <mm/mempolicy.h>
#include <mm/reclaim.h>

#include "../reclaim/toy_cache.h"
#include "../stress/pages_back.h"
#include "../stress/pause.h"
#include "scarce.h"

/* --- F1: all of memory is clean cache ------------------------------------------------------------- */

#define F1_PAGES    256 /* about, of each node */
#define F1_REQUESTS 64
#define SLOTS_ORDER 6
#define MAX_SLOTS   ((u32)((PAGE_SIZE << SLOTS_ORDER) / sizeof(struct page *)))

/* Until no kswapd has pages of the toy in its hands. With memory to be had again, that is soon. A second at most. */
static void let_kswapds_end(void)
{
	struct reclaim_snapshot kswapd;
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		for (u32 i = 0; i < 100; i++) {
			if (!reclaim_snapshot(nid, &kswapd) || kswapd.state != KSWAPD_BALANCING)
				break;
			pause_ns(10000000);
		}
	}
}

static void f1_reclaim_serves_when_every_node_is_full(struct ktest *t)
{
	struct page **slots;
	u64 failed = 0;
	int nid;

	if (!scarce_find_nodes())
		scarce.p = 0;
	scarce_begin(t, PAGE_SIZE / 2);
	slots = get_free_pages(GFP_KERNEL, SLOTS_ORDER);
	ASSERT_TRUE(t, slots != NULL);
	toy_begin(slots, MAX_SLOTS, TOY_WRITES_AT_ONCE);
	hoard_all_above(&scarce.held, WMARK_MIN, (u64)F1_PAGES * numa_topology()->nr_nodes);
	for_each_node_mask(nid, node_memory_mask())
		toy_fill(nid, __GFP_THISNODE | __GFP_NOWARN, MAX_SLOTS);
	scarce_mark();
	for (u32 i = 0; i < F1_REQUESTS; i++)
		failed += scarce_keep(kmem_cache_alloc(
				  scarce.cache, GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)) ==
			  NUMA_NO_NODE;
	if (scarce_under(MM_BEFORE)) {
		EXPECT(t, failed > F1_REQUESTS / 2);
		EXPECT_EQ(t, since(VMSTAT_SLAB_FAIL), failed);
		EXPECT_EQ(t, since(VMSTAT_PGSTEAL_DIRECT), 0);
	} else {
		EXPECT_EQ(t, failed, 0);
		EXPECT(t, since(VMSTAT_SLAB_FALLBACK_PAGE) > 0);
		EXPECT(t, since(VMSTAT_PGSTEAL_DIRECT) + since(VMSTAT_PGSTEAL_KSWAPD) > 0);
	}
	/* F5, on the way: posted would have slept with interrupts off. */
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_ATOMIC) > 0, scarce_under(MM_POSTED));
	give_back_all(&scarce.out);
	hoard_release(&scarce.held);
	let_kswapds_end();
	toy_empty();
	free_pages(slots, SLOTS_ORDER);
	scarce_end(t);
}

/* --- F2, F3 --------------------------------------------------------------------------------------- */

/* Slabs of a node, of which a quarter is in use, and that no CPU's stack and no shared array could hold. */
static void leave_free_objects(struct ktest *t, int nid)
{
	u32 nr = 64 * scarce.nr_objects;
	struct out *all = NULL;

	for (u32 i = 0; i < nr; i++) {
		struct out *object =
			kmem_cache_alloc_node(scarce.cache, GFP_KERNEL | __GFP_THISNODE, nid);

		if (!EXPECT(t, object != NULL))
			break;
		object->next = all;
		all = object;
	}
	for (u32 i = 0; all; i++) {
		struct out *object = all;

		all = object->next;
		if (i % 4 == 0)
			scarce_keep(object);
		else
			kfree(object);
	}
}

/*
 *	P has nothing    B has pages, and no object    F, a third node, has pages and objects
 *
 * Before takes a page of B; posted and after an object of F. With two nodes F is B.
 */
static void f2_objects_come_before_pages(struct ktest *t)
{
	int nid, f = NUMA_NO_NODE;

	SCARCE_BEGIN_OR_SKIP(t, SCARCE_SIZE);
	for_each_node_mask(nid, node_memory_mask())
		f = nid != scarce.p && (nid != scarce.b || f == NUMA_NO_NODE) ? nid : f;
	leave_free_objects(t, f);
	scarce_exhaust(scarce.p, 0);
	scarce_mark();
	for (u32 i = 0; i < scarce.nr_objects; i++) {
		int from = scarce_keep(kmem_cache_alloc(scarce.cache, QUICKLY));

		EXPECT_EQ(t, from, scarce_under(MM_BEFORE) ? scarce.b : f);
	}
	EXPECT_EQ(t, since(VMSTAT_SLAB_GROW) > 0, scarce_under(MM_BEFORE) && f != scarce.b);
	EXPECT(t, since(VMSTAT_SLAB_FALLBACK_LOOK) > 0);
	EXPECT(t, since(VMSTAT_SLAB_FALLBACK_OBJECT) > 0);
	scarce_end(t);
}

static void f3_a_slab_is_where_its_page_is(struct ktest *t)
{
	struct slab_node_snapshot home;

	SCARCE_BEGIN_OR_SKIP(t, SCARCE_SIZE);
	scarce_exhaust(scarce.p, 0);
	scarce_mark();
	EXPECT_EQ(t, scarce_keep(kmem_cache_alloc(scarce.cache, QUICKLY)), scarce.b);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK), 1);
	EXPECT(t, slab_node_snapshot(scarce.cache, scarce.b, &home));
	EXPECT_EQ(t, home.objects, scarce.nr_objects);
	EXPECT_EQ(t, home.events[SLAB_EV_GROWN], 1);
	EXPECT(t, slab_node_snapshot(scarce.cache, scarce.p, &home));
	EXPECT_EQ(t, home.objects, 0);
	scarce_end(t);
}

/* --- F4: one predicate for objects and pages ------------------------------------------------------- */

#define F4_REQUESTS 96u

static void f4_an_entitled_task_fills_slabs(struct ktest *t)
{
	u64 others = 0;
	u32 saved;

	SCARCE_BEGIN_OR_SKIP(t, SCARCE_SIZE);
	EXPECT_EQ(t, kmem_cache_tune(scarce.cache, 0, 0, 0), 0); /* straight from the lists */
	pages_settle(); /* the stacks that it had were many CPUs' slabs: P's kswapd would make pages of them */
	scarce_exhaust(scarce.p, __GFP_MEMALLOC);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(scarce.p)), 0);
	saved = memalloc_noreclaim_save();
	scarce_mark();
	for (u32 i = 0; i < F4_REQUESTS; i++)
		others += scarce_keep(kmem_cache_alloc(scarce.cache, QUICKLY)) == scarce.b;
	EXPECT_EQ(t, since(VMSTAT_SLAB_GROW),
		  scarce_under(MM_POSTED) ? F4_REQUESTS
					  : DIV_ROUND_UP(F4_REQUESTS, scarce.nr_objects));
	EXPECT(t, since(VMSTAT_SLAB_FALLBACK) >= F4_REQUESTS);
	memalloc_noreclaim_restore(saved);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), ~(nodemask_t)0), 0);
	EXPECT_EQ(t, others, F4_REQUESTS);
	scarce_end(t);
}

static void f4_who_is_bound_stays(struct ktest *t)
{
	SCARCE_BEGIN_OR_SKIP(t, SCARCE_SIZE);
	leave_free_objects(t, scarce.b);
	scarce_exhaust(scarce.p, 0);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(scarce.p)), 0);
	scarce_mark();
	EXPECT(t, !kmem_cache_alloc(scarce.cache, QUICKLY));
	EXPECT(t, !kmem_cache_alloc_node(scarce.cache, QUICKLY, scarce.b));
	EXPECT_EQ(t, since(VMSTAT_SLAB_FAIL), 2);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), ~(nodemask_t)0), 0);
	EXPECT_EQ(t, scarce_keep(kmem_cache_alloc(scarce.cache, QUICKLY)), scarce.b);
	scarce_end(t);
}

/* --- F9: one node overflows ------------------------------------------------------------------------- */

#define F9_SIZE  196u
#define F9_PAGES 1024

/* The class's, in slabs, on all nodes. */
static u64 objects_of_class(const char *name)
{
	struct kmem_cache *class = slab_cache_get(name);
	struct slab_cache_snapshot shape = {.objects = 0};

	if (class) {
		slab_cache_snapshot(class, &shape);
		slab_cache_put(class);
	}
	return shape.objects;
}

/* F9_PAGES or more: half of that more is needed elsewhere. */
static u64 leave_pages_to_p(void)
{
	u64 all;

	scarce_exhaust(scarce.p, 0);
	all = scarce.held.pages;
	while (all - scarce.held.pages < F9_PAGES && hoard_drop(&scarce.held)) {
	}
	return all - scarce.held.pages;
}

static void f9_what_overflows_is_used(struct ktest *t)
{
	u64 wanted, got = 0, remote = 0, before, made;
	struct slab_snapshot slab;
	char name[SLAB_NAME_BYTES] = "";
	void *first;

	SCARCE_BEGIN_OR_SKIP(t, SCARCE_SIZE);
	first = kmalloc(F9_SIZE, GFP_KERNEL);
	ASSERT_TRUE(t,
		    first != NULL && slab_of_page(page_to_pfn(virt_to_page(first)), &slab, name));
	kfree(first);
	before = objects_of_class(name);
	wanted = leave_pages_to_p() * 3 / 2 * PAGE_SIZE / F9_SIZE;
	scarce_mark();
	for (; got < wanted; got++) {
		int from = scarce_keep(kmalloc_node(F9_SIZE, GFP_KERNEL | __GFP_NOWARN, scarce.p));

		if (from == NUMA_NO_NODE)
			break;
		remote += from != scarce.p;
	}
	made = objects_of_class(name) - before;
	EXPECT_EQ(t, got, wanted);
	EXPECT(t, remote > 0);
	EXPECT(t, since(VMSTAT_SLAB_FALLBACK) > 0);
	EXPECT_MSG(t, got * 1000 >= made * 990, "%llu objects out, slabs for %llu were made",
		   (unsigned long long)got, (unsigned long long)made);
	scarce_end(t);
}

static const struct ktest_case cases[] = {
	/* All kswapds and the test at one lock: on a host with fewer CPUs than the machine they wait for each other. */
	KTEST_SLOW(f1_reclaim_serves_when_every_node_is_full, 180),
	KTEST(f2_objects_come_before_pages),
	KTEST(f3_a_slab_is_where_its_page_is),
	KTEST(f4_an_entitled_task_fills_slabs),
	KTEST(f4_who_is_bound_stays),
	KTEST(f9_what_overflows_is_used),
};
KTEST_SUITE(slab_fallback, cases);
