/*
 * Reaping and the shrinker: who is idle gives a fifth, who is not gives nothing, what is on its way home goes there,
 * and pages come back when memory is short.
 */
#include "host.h"

#include <mm/inspect.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "mm/shrinker.h"
#include "mm/slab.h"

#define SIZE  256u
#define LIMIT 50u
#define BATCH 25u

static const struct host_machine two_nodes = {
	.ram = {{GiB(4), MiB(32), 0}, {GiB(5), MiB(32), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
	.min_free_kbytes = 512,
};

#define MAX_HELD 4096
static struct kmem_cache *cache;
static void *held[MAX_HELD];
static u32 nr_held;

static void boot(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	slab_all_cpus_run();
	cache = kmem_cache_create("test", SIZE, 0, 0, NULL);
	ASSERT_TRUE(t, cache != NULL);
	EXPECT_EQ(t, kmem_cache_tune(cache, LIMIT, BATCH, 4), 0);
}

static void take(u32 nr, int nid)
{
	for (; nr > 0 && nr_held < MAX_HELD; nr--)
		held[nr_held++] = kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_THISNODE, nid);
}

static void give(u32 nr)
{
	for (; nr > 0 && nr_held > 0; nr--)
		kmem_cache_free(cache, held[--nr_held]);
}

/* A round at which nodes are not looked at, so that what it does is of stacks alone; and one at which they are. */
static void reap_twice(void)
{
	slab_reap();
	slab_reap();
}

static void an_idle_stack_gives_a_fifth(struct ktest *t)
{
	struct cpu_stack *stack;
	u64 reaped;
	u32 nr;

	boot(t);
	take(60, 0);
	give(60);
	stack = cache->local[0];
	nr = stack->nr;
	ASSERT_TRUE(t, nr > LIMIT / 5);
	slab_reap(); /* it has moved since: what it is now is noted */
	EXPECT_EQ(t, stack->nr, nr);
	reaped = vmstat_read(VMSTAT_SLAB_REAPED);
	slab_reap();
	EXPECT_EQ(t, stack->nr, nr - LIMIT / 5);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_REAPED) - reaped >= LIMIT / 5);
	for (u32 i = 0; i < 2 * LIMIT; i++)
		slab_reap();
	EXPECT_EQ(t, stack->nr, 0);
	expect_check_clean(t);
}

static void a_stack_in_use_keeps_all(struct ktest *t)
{
	struct cpu_stack *stack;
	u32 nr = 0;

	boot(t);
	take(60, 0);
	give(30);
	stack = cache->local[0];
	for (u32 i = 0; i < 10; i++) {
		nr = stack->nr;
		slab_reap();
		EXPECT_EQ(t, stack->nr, nr);
		if (i % 2)
			take(1, 0);
		else
			give(1);
	}
	EXPECT(t, nr > 0);
}

static void an_idle_alien_stack_goes_home(struct ktest *t)
{
	struct kmem_cache_node *home;
	u64 came_home;

	boot(t);
	take(4, 1);
	give(4);
	home = cache->node[1];
	ASSERT_TRUE(t, home->stack[0]->nr > 0);
	came_home = home->events[SLAB_EV_HOME];
	reap_twice();
	EXPECT_EQ(t, home->stack[0]->nr, 0);
	EXPECT(t, home->events[SLAB_EV_HOME] > came_home);
	expect_check_clean(t);
}

/* Shared objects and free slabs go back in the end, pages and all, and nothing else does. */
static void in_the_end_all_is_back(struct ktest *t)
{
	struct kmem_cache_node *home;
	u64 given;

	boot(t);
	take(400, 0);
	give(390);
	home = cache->node[0];
	EXPECT(t, home->shared->nr > 0);
	EXPECT(t, home->nr_free_slabs > 0);
	given = vmstat_read(VMSTAT_SLAB_GIVE_BACK);
	for (u32 i = 0; i < 200; i++)
		slab_reap();
	EXPECT_EQ(t, home->shared->nr, 0);
	EXPECT_EQ(t, home->nr_free_slabs, 0);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GIVE_BACK) > given);
	/* The ten that are out: their slabs. */
	EXPECT(t, home->nr_slabs >= 1 && home->nr_slabs <= 10);
	give(10);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	expect_check_clean(t);
}

/*
 * Many objects are shared. Whatever takes them home does so by batches, the lock dropped between: a hole of that size
 * is all that others wait for.
 */
#define MANY 3000u

static u64 batches(void)
{
	return vmstat_read(VMSTAT_SLAB_UNSHARE);
}

/* So that exactly MANY of node 0's objects are shared, and nothing is on stacks. */
static struct kmem_cache_node *share_many(struct ktest *t)
{
	struct kmem_cache_node *home = cache->node[0];
	unsigned long flags;

	EXPECT_EQ(t, kmem_cache_tune(cache, LIMIT, 1, MANY), 0);
	take(MANY, 0);
	flags = spin_lock_irqsave(&home->lock);
	for (u32 i = 0; i < MANY; i++)
		home->shared->entry[i] = held[i];
	slab_shared_moved(home, MANY);
	spin_unlock_irqrestore(&home->lock, flags);
	nr_held = 0;
	return home;
}

static void many_go_home_by_batches(struct ktest *t)
{
	struct kmem_cache_node *home;
	u32 left = MANY;
	u64 before;

	boot(t);
	/* Tuned: all of them, as the array goes. */
	home = share_many(t);
	before = batches();
	EXPECT_EQ(t, kmem_cache_tune(cache, LIMIT, BATCH, 4), 0);
	EXPECT_EQ(t, batches() - before, DIV_ROUND_UP(MANY, SLAB_UNSHARE_BATCH));
	EXPECT_EQ(t, home->shared->nr + home->nr_shared, 0);
	/* Drained. */
	share_many(t);
	before = batches();
	slab_stacks_drain(cache);
	EXPECT_EQ(t, batches() - before, DIV_ROUND_UP(MANY, SLAB_UNSHARE_BATCH));
	EXPECT_EQ(t, home->shared->nr + home->nr_shared, 0);
	/* Reaped: a fifth, and first it is looked how it is. Other caches are reaped as well: the array's own count. */
	share_many(t);
	reap_twice();
	EXPECT_EQ(t, home->shared->nr, left);
	before = home->shared->moves;
	reap_twice();
	left -= MANY / 5;
	EXPECT_EQ(t, home->shared->moves - before, DIV_ROUND_UP(MANY / 5, SLAB_UNSHARE_BATCH));
	EXPECT_EQ(t, home->shared->nr, left);
	EXPECT_EQ(t, home->nr_shared, left);
	expect_check_clean(t);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static bool going; /* atomic */

static void take_and_give(void *arg)
{
	(void)arg;
	while (load_acquire(&going)) {
		void *object[40];

		for (u32 i = 0; i < ARRAY_SIZE(object); i++)
			object[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, 0);
		for (u32 i = 0; i < ARRAY_SIZE(object); i++)
			kmem_cache_free(cache, object[i]);
	}
}

/* Another CPU takes the lock while they go: it has been free since, and what it takes is no shared one twice. */
static void nothing_is_lost_between_batches(struct ktest *t)
{
	struct os_thread *thread;

	boot(t);
	share_many(t);
	store_release(&going, true);
	thread = os_thread_start("taker", 1, take_and_give, NULL);
	for (u32 i = 0; i < 20; i++) {
		EXPECT_EQ(t, kmem_cache_tune(cache, LIMIT, BATCH, i % 2 ? 4 : 400), 0);
		slab_stacks_drain(cache);
		slab_reap();
	}
	store_release(&going, false);
	os_thread_join(thread);
	expect_check_clean(t);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* A node's free slabs stay while they are taken from. */
static void free_slabs_in_use_stay(struct ktest *t)
{
	struct kmem_cache_node *home;

	boot(t);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
	home = cache->node[0];
	for (u32 i = 0; i < 8; i++) {
		take(1, 0);
		EXPECT_EQ(t, home->nr_slabs, 1);
		give(1);
		slab_reap();
		EXPECT_EQ(t, home->nr_free_slabs, 1);
	}
	for (u32 i = 0; i < 4; i++)
		slab_reap();
	EXPECT_EQ(t, home->nr_slabs, 0);
}

/* --- The shrinker ------------------------------------------------------------------------------------- */

static void short_of_memory_gets_the_pages(struct ktest *t)
{
	struct page *page;
	u64 scanned, given;

	boot(t);
	slab_start();
	/* A large cache that keeps what is free. */
	cache->node[0]->free_limit = cache->node[1]->free_limit = ~(u64)0;
	take(MAX_HELD, 0);
	give(MAX_HELD);
	EXPECT(t, cache->node[0]->nr_free_slabs > 50);
	for (int nid = 0; nid < 2; nid++) {
		while (alloc_pages_node(nid, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, 0))
			;
	}
	scanned = vmstat_read(VMSTAT_SLABS_SCANNED);
	given = vmstat_read(VMSTAT_SLAB_GIVE_BACK);
	EXPECT(t, !alloc_pages_node(0, GFP_NOWAIT | __GFP_NOWARN, 0));
	page = alloc_pages_node(0, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0);
	EXPECT(t, page != NULL);
	EXPECT(t, vmstat_read(VMSTAT_SLABS_SCANNED) > scanned);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GIVE_BACK) > given);
	slab_stop();
	expect_check_clean(t);
}

/* What is shared becomes free slabs, above what the node keeps: they go at once, and count. */
static void what_was_shared_counts_as_freed(struct ktest *t)
{
	struct kmem_cache_node *home;
	bool passed_by = false;
	u64 given, freed;

	boot(t);
	slab_start();
	EXPECT_EQ(t, kmem_cache_tune(cache, LIMIT, BATCH, 16), 0);
	home = cache->node[0];
	take(400, 0);
	give(400);
	kmem_cache_shrink_all();
	take(400, 0);
	give(400);
	EXPECT(t, home->shared->nr > 300);
	/* All that is free goes, but for what is shared, and no slab is to be kept. */
	home->free_limit = 0;
	for (u32 i = 0; i < 100 && home->nr_free_slabs > 0; i++)
		slab_reap();
	ASSERT_TRUE(t, home->shared->nr > 200);
	given = vmstat_read(VMSTAT_SLAB_GIVE_BACK);
	freed = shrink_caches(0, 1, 1, &passed_by);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GIVE_BACK) - given > 5);
	EXPECT_MSG(t, freed >= (vmstat_read(VMSTAT_SLAB_GIVE_BACK) - given) * cache->nr_objects,
		   "%llu slabs of %u given, %llu objects said",
		   (unsigned long long)(vmstat_read(VMSTAT_SLAB_GIVE_BACK) - given),
		   cache->nr_objects, (unsigned long long)freed);
	EXPECT(t, !passed_by);
	slab_stop();
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(an_idle_stack_gives_a_fifth),     KTEST(a_stack_in_use_keeps_all),
	KTEST(an_idle_alien_stack_goes_home),   KTEST(in_the_end_all_is_back),
	KTEST(free_slabs_in_use_stay),          KTEST(short_of_memory_gets_the_pages),
	KTEST(what_was_shared_counts_as_freed), KTEST(many_go_home_by_batches),
	KTEST(nothing_is_lost_between_batches),
};
KTEST_SUITE(slab_reap, cases);
