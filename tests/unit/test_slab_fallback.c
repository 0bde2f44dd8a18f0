/*
 * Fallback: F1, F2, F3 and F9 of docs/fallback.md, where the object comes from, each under the three policies. What
 * before and posted get wrong is asserted as well: a failure that does not come is one of this suite's.
 *
 * test_slab_fallback_caller.c has F4, F5, F7 and F8; F6 is in test_slab_cache.c.
 */
#include "slab_fallback_env.h"

#include <base/atomic.h>
#include <mm/os.h>
#include <mm/slab_inspect.h>

/* --- F1: all of memory is clean page cache --------------------------------------------------------- */

static void f1_reclaims(struct ktest *t, enum mm_behaviour behaviour, bool succeeds)
{
	void *object;

	boot(behaviour);
	fill_with_cache();
	object = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN);
	EXPECT_EQ(t, object != NULL, succeeds);
	EXPECT_EQ(t, since(VMSTAT_PGSTEAL_DIRECT) > 0, succeeds);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_PAGE), succeeds);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FAIL), !succeeds);
	/* Before, nobody even hears that memory is short. */
	EXPECT_EQ(t, since(VMSTAT_ALLOC_WAKE_KSWAPD) > 0, succeeds);
	EXPECT(t, sham_pages() > 0);
	expect_check_clean(t);
}

static void f1_before_fails_with_memory_to_be_had(struct ktest *t)
{
	f1_reclaims(t, MM_BEFORE, false);
}

static void f1_posted_reclaims(struct ktest *t)
{
	f1_reclaims(t, MM_POSTED, true);
}

static void f1_after_reclaims(struct ktest *t)
{
	f1_reclaims(t, MM_AFTER, true);
}

/* --- F2: objects before pages, nearest first, once ----------------------------------------------------- */

/* Node 0 is full, node 1 has pages, node 2 has pages and free objects. */
static void *f2_object(enum mm_behaviour behaviour)
{
	void *object;

	boot(behaviour);
	/* Stacks that leave something of a slab on its list. */
	(void)kmem_cache_tune(cache, 12, 6, 0);
	(void)leave_objects(2);
	empty_own_stack();
	exhaust(0);
	mark();
	object = kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN);
	return object;
}

static void f2_before_grows_though_there_are_objects(struct ktest *t)
{
	EXPECT_EQ(t, node_of(f2_object(MM_BEFORE)), 1);
	EXPECT_EQ(t, since(VMSTAT_SLAB_GROW), 1);
	expect_check_clean(t);
}

static void f2_uses_objects(struct ktest *t, enum mm_behaviour behaviour)
{
	EXPECT_EQ(t, node_of(f2_object(behaviour)), 2);
	EXPECT_EQ(t, since(VMSTAT_SLAB_GROW), 0);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_OBJECT), 1);
	expect_check_clean(t);
}

/* What a node has given to those who wanted another's is counted there: an object that it had, and a slab's first. */
static void counted_where_it_comes_from(struct ktest *t)
{
	struct slab_node_snapshot n;

	EXPECT_EQ(t, node_of(f2_object(MM_AFTER)), 2);
	ASSERT_TRUE(t, slab_node_snapshot(cache, 2, &n));
	EXPECT_EQ(t, n.events[SLAB_EV_FALLBACK], 1);
	exhaust(1);
	exhaust(2);
	while (slab_node_snapshot(cache, 2, &n) && n.free_objects > 0)
		EXPECT_EQ(t, node_of(kmem_cache_alloc_node(cache, GFP_NOWAIT, 2)), 2);
	EXPECT_EQ(t, n.events[SLAB_EV_FALLBACK], 1);
	ASSERT_TRUE(t, slab_node_snapshot(cache, 0, &n));
	EXPECT_EQ(t, n.events[SLAB_EV_FALLBACK], 0);
}

static void a_page_from_elsewhere_is_counted_there(struct ktest *t, enum mm_behaviour behaviour)
{
	struct slab_node_snapshot n;

	boot(behaviour);
	exhaust(0);
	EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN)), 1);
	ASSERT_TRUE(t, slab_node_snapshot(cache, 1, &n));
	EXPECT_EQ(t, n.events[SLAB_EV_FALLBACK], 1);
	ASSERT_TRUE(t, slab_node_snapshot(cache, 0, &n));
	EXPECT_EQ(t, n.events[SLAB_EV_FALLBACK], 0);
}

static void counted_of_pages_before(struct ktest *t)
{
	a_page_from_elsewhere_is_counted_there(t, MM_BEFORE);
}

static void counted_of_pages_posted(struct ktest *t)
{
	a_page_from_elsewhere_is_counted_there(t, MM_POSTED);
}

static void counted_of_pages_after(struct ktest *t)
{
	a_page_from_elsewhere_is_counted_there(t, MM_AFTER);
}

static void f2_posted_uses_objects(struct ktest *t)
{
	f2_uses_objects(t, MM_POSTED);
}

static void f2_after_uses_objects(struct ktest *t)
{
	f2_uses_objects(t, MM_AFTER);
}

/*
 * The only free objects are those that node 2's CPUs would share: on no list. Posted does not see them, and makes a
 * slab; after takes them.
 */
static void share_all_of(int nid)
{
	struct kmem_cache_node *home = cache->node[nid];
	struct page *page = alloc_pages_node(nid, GFP_NOWAIT | __GFP_THISNODE, cache->order);
	struct page *slab = page ? slab_make(cache, page, GFP_NOWAIT) : NULL;
	unsigned long flags = spin_lock_irqsave(&home->lock);

	if (slab)
		slab_shared_moved(
			home, slab_node_add_locked(home, slab, home->shared->entry,
						   MIN(home->shared->limit, cache->nr_objects)));
	spin_unlock_irqrestore(&home->lock, flags);
}

static void *f2_shared(enum mm_behaviour behaviour)
{
	boot(behaviour);
	share_all_of(2);
	empty_own_stack();
	exhaust(0);
	mark();
	return kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN);
}

static void f2_posted_does_not_see_what_is_shared(struct ktest *t)
{
	EXPECT_EQ(t, node_of(f2_shared(MM_POSTED)), 1);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_PAGE), 1);
	expect_check_clean(t);
}

static void f2_after_sees_what_is_shared(struct ktest *t)
{
	EXPECT_EQ(t, node_of(f2_shared(MM_AFTER)), 2);
	EXPECT_EQ(t, since(VMSTAT_SLAB_GROW), 0);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_OBJECT), 1);
	expect_check_clean(t);
}

/* CPU 1 has freed objects of node 2: they are on its small stack. A request of CPU 0 that may sleep gets them. */
static void take_and_free_some(void *arg)
{
	void *object[4];

	(void)arg;
	for (u32 i = 0; i < 4; i++)
		object[i] = kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_THISNODE, 2);
	for (u32 i = 0; i < 4; i++)
		kmem_cache_free(cache, object[i]);
}

static struct kmem_cache_node *all_is_with_cpu_1(struct ktest *t)
{
	struct kmem_cache_node *home;

	boot(MM_AFTER);
	host_interrupt(1, take_and_free_some, NULL);
	home = cache->node[2];
	EXPECT(t, home->stack[1]->nr > 0);
	/* All that the lists have goes out. */
	while (load_relaxed(&home->nr_free_objects) + home->shared->nr + home->stack[0]->nr > 0)
		(void)!kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_THISNODE, 2);
	empty_own_stack();
	for (int nid = 0; nid < 3; nid++)
		exhaust(nid);
	mark();
	return home;
}

static void f2_after_asks_other_cpus(struct ktest *t)
{
	struct kmem_cache_node *home = all_is_with_cpu_1(t);
	void *object;

	EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN));
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_DRAIN), 0);
	object = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	EXPECT_EQ(t, node_of(object), 2);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_DRAIN), 1);
	EXPECT_EQ(t, home->stack[1]->nr, 0);
	expect_check_clean(t);
}

/* The same while another has the turn, as who reaps: then it may not look what they have, and asks all the same. */
static void f2_after_asks_while_another_reaps(struct ktest *t)
{
	struct kmem_cache_node *home = all_is_with_cpu_1(t);
	void *object;

	ASSERT_TRUE(t, slab_stacks_hold(cache));
	object = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	EXPECT(t, cache->is_tuning); /* the other's still */
	slab_stacks_release(cache);
	EXPECT_EQ(t, node_of(object), 2);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_DRAIN), 1);
	EXPECT_EQ(t, home->stack[1]->nr, 0);
	expect_check_clean(t);
}

/* Each permitted node once, nearest first; posted once for each of its zones. */
static const struct host_machine two_zones = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(24), 0}, {GiB(5), MiB(24), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {1, 1},
	.min_free_kbytes = 256,
};

static u64 looks_at_three_zones(enum mm_behaviour behaviour)
{
	(void)mm_policy_choose(MM_FALLBACK, behaviour);
	sham_machine_boot(&two_zones);
	cache = kmem_cache_create("test", SIZE, 0, 0, NULL);
	exhaust(0);
	exhaust(1);
	mark();
	(void)!kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN);
	return since(VMSTAT_SLAB_FALLBACK_LOOK);
}

static void f2_posted_looks_once_a_zone(struct ktest *t)
{
	EXPECT_EQ(t, looks_at_three_zones(MM_POSTED), 4); /* 1: NORMAL; 0: NORMAL, DMA32, DMA */
}

static void f2_after_looks_once_a_node(struct ktest *t)
{
	EXPECT_EQ(t, looks_at_three_zones(MM_AFTER), 1);
}

/* --- F3: the slab is where its page is ------------------------------------------------------------------ */

static void f3_filed(struct ktest *t, enum mm_behaviour behaviour)
{
	void *object;

	boot(behaviour);
	exhaust(0);
	mark();
	object = kmem_cache_alloc(cache, GFP_NOWAIT);
	ASSERT_TRUE(t, object != NULL);
	EXPECT_EQ(t, node_of(object), 1);
	EXPECT(t, virt_to_page(object)->slab_home == cache->node[1]);
	EXPECT_EQ(t, cache->node[1]->nr_slabs, 1);
	EXPECT_EQ(t, cache->node[0]->nr_slabs, 0);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK), 1);
	expect_check_clean(t);
}

static void f3_before(struct ktest *t)
{
	f3_filed(t, MM_BEFORE);
}

static void f3_posted(struct ktest *t)
{
	f3_filed(t, MM_POSTED);
}

static void f3_after(struct ktest *t)
{
	f3_filed(t, MM_AFTER);
}

/* --- F9: one node is filled, and more ---------------------------------------------------------------------- */

static const struct host_machine four_nodes = {
	.ram = {{GiB(4), MiB(16), 0},
		{GiB(5), MiB(16), 1},
		{GiB(6), MiB(16), 2},
		{GiB(7), MiB(16), 3}},
	.nr_nodes = 4,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 3},
	.min_free_kbytes = 256,
};

#define F9_SIZE 196

/* Objects that are out, and objects that there are, of the class, in thousandths. */
static u64 f9_permille(struct ktest *t, enum mm_behaviour behaviour)
{
	u64 wanted = (MiB(16) + MiB(8)) / F9_SIZE, total = 0, got = 0;
	struct kmem_cache *class;
	void *first;
	int nid;

	(void)mm_policy_choose(MM_FALLBACK, behaviour);
	host_machine_boot(&four_nodes);
	first = kmalloc_node(F9_SIZE, GFP_KERNEL, 0);
	if (!EXPECT(t, first != NULL))
		return 0;
	class = virt_to_page(first)->slab_home->cache;
	for (got = 1; got < wanted; got++) {
		if (!kmalloc_node(F9_SIZE, GFP_KERNEL | __GFP_NOWARN, 0))
			break;
	}
	EXPECT_EQ(t, got, wanted);
	for_each_node(nid)
		total += class->node[nid]->nr_slabs * class->nr_objects;
	EXPECT(t, class->node[1]->nr_slabs > 0);
	expect_check_clean(t);
	return got * 1000 / total;
}

static void f9_before(struct ktest *t)
{
	EXPECT(t, f9_permille(t, MM_BEFORE) >= 990);
}

static void f9_posted(struct ktest *t)
{
	EXPECT(t, f9_permille(t, MM_POSTED) >= 990);
}

static void f9_after(struct ktest *t)
{
	EXPECT(t, f9_permille(t, MM_AFTER) >= 990);
}

/* --- Who has no code for NULL ------------------------------------------------------------------------------ */

static void nofail_gets_one(struct ktest *t, enum mm_behaviour behaviour)
{
	boot(behaviour);
	fill_with_cache();
	EXPECT(t, kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL) != NULL);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FAIL), 0);
	expect_check_clean(t);
}

static void nofail_before(struct ktest *t)
{
	nofail_gets_one(t, MM_BEFORE);
}

static void nofail_posted(struct ktest *t)
{
	nofail_gets_one(t, MM_POSTED);
}

static void nofail_after(struct ktest *t)
{
	nofail_gets_one(t, MM_AFTER);
}

static const struct ktest_case cases[] = {
	KTEST(f1_before_fails_with_memory_to_be_had),
	KTEST(f1_posted_reclaims),
	KTEST(f1_after_reclaims),
	KTEST(f2_before_grows_though_there_are_objects),
	KTEST(f2_posted_uses_objects),
	KTEST(f2_after_uses_objects),
	KTEST(f2_posted_does_not_see_what_is_shared),
	KTEST(f2_after_sees_what_is_shared),
	KTEST(f2_after_asks_other_cpus),
	KTEST(f2_after_asks_while_another_reaps),
	KTEST(f2_posted_looks_once_a_zone),
	KTEST(f2_after_looks_once_a_node),
	KTEST(f3_before),
	KTEST(f3_posted),
	KTEST(f3_after),
	KTEST(f9_before),
	KTEST(f9_posted),
	KTEST(f9_after),
	KTEST(nofail_before),
	KTEST(nofail_posted),
	KTEST(nofail_after),
	KTEST(counted_where_it_comes_from),
	KTEST(counted_of_pages_before),
	KTEST(counted_of_pages_posted),
	KTEST(counted_of_pages_after),
};
KTEST_SUITE(slab_fallback, cases);
