/*
 * Requests for objects: who gets them from where, what is refused, and what many at once come to.
 */
#include "host.h"

#include <arch/irq.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/fault_inject.h>
#include <mm/kmalloc.h>
#include <mm/mempolicy.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "mm/slab.h"

#define SIZE 256u

/* Node 2 has a CPU and no memory; node 1 is nearer to it. */
static const struct host_machine machine = {
	.ram = {{0, MiB(24), 0}, {GiB(4), MiB(24), 0}, {GiB(5), MiB(24), 1}},
	.nr_nodes = 3,
	.nr_cpus = 3,
	.cpu_nid = {0, 1, 2},
	.distance = {{10, 20, 30}, {20, 10, 15}, {30, 15, 10}},
	.min_free_kbytes = 512,
};

static struct kmem_cache *cache;

static void nothing(void *object)
{
	(void)object;
}

static void boot(void)
{
	host_machine_boot(&machine);
	slab_all_cpus_run();
	cache = kmem_cache_create("test", SIZE, 0, 0, NULL);
}

static int node_of(const void *object)
{
	return object ? virt_to_page(object)->nid : NUMA_NO_NODE;
}

static u64 item(enum vmstat_item i)
{
	return vmstat_read(i);
}

/* --- What is refused ---------------------------------------------------------------------------------- */

static void expect_refused(struct ktest *t, struct kmem_cache *of, gfp_t gfp, int nid,
			   const char *why)
{
	u64 refused = item(VMSTAT_ALLOC_REFUSED);

	host_log_clear();
	EXPECT(t, !kmem_cache_alloc_node(of, gfp, nid));
	EXPECT_EQ(t, item(VMSTAT_ALLOC_REFUSED), refused + 1);
	EXPECT_MSG(t, host_log_contains(why), "not said: %s", why);
}

static void bad_words_are_refused(struct ktest *t)
{
	struct kmem_cache *constructed;

	boot();
	constructed = kmem_cache_create("constructed", SIZE, 0, 0, nothing);
	expect_refused(t, cache, GFP_KERNEL, 3, "no such node (cache test, node 3");
	expect_refused(t, cache, GFP_KERNEL, MAX_NUMNODES, "no such node");
	expect_refused(t, cache, GFP_KERNEL, -2, "no such node");
	expect_refused(t, cache, GFP_KERNEL | (__GFP_ALL + 1), 0, "unknown gfp flags");
	expect_refused(t, cache, GFP_DMA, 0, "the cache has no memory of that zone");
	expect_refused(t, cache, GFP_DMA32, 0, "the cache has no memory of that zone");
	expect_refused(t, constructed, GFP_KERNEL | __GFP_ZERO, 0, "would undo the constructor");
	expect_refused(t, cache, GFP_NOWAIT | __GFP_NOFAIL, 0, "__GFP_NOFAIL");
	expect_check_clean(t);
}

/* --- From where --------------------------------------------------------------------------------------- */

static void near_the_cpu_or_the_node(struct ktest *t)
{
	boot();
	EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_KERNEL)), 0);
	EXPECT_EQ(t, node_of(kmem_cache_alloc_node(cache, GFP_KERNEL, 1)), 1);
	EXPECT_EQ(t, node_of(kmem_cache_alloc_node(cache, GFP_KERNEL, NUMA_NO_NODE)), 0);
	/* Node 2 has none: its nearest has. */
	EXPECT_EQ(t, node_of(kmem_cache_alloc_node(cache, GFP_KERNEL, 2)), 1);
	EXPECT(t, !kmem_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 2));
	EXPECT_EQ(t, item(VMSTAT_SLAB_FAIL), 1);
	expect_check_clean(t);
}

static void *of_cpu_2[2];

static void take_on_cpu_2(void *arg)
{
	(void)arg;
	of_cpu_2[0] = kmem_cache_alloc(cache, GFP_ATOMIC);
	of_cpu_2[1] = kmem_cache_alloc(cache, GFP_ATOMIC);
	kmem_cache_free(cache, of_cpu_2[1]);
}

static void a_cpu_without_memory_has_its_nearest(struct ktest *t)
{
	boot();
	EXPECT_EQ(t, slab_cpu_node(2), 1);
	host_interrupt(2, take_on_cpu_2, NULL);
	EXPECT_EQ(t, node_of(of_cpu_2[0]), 1);
	EXPECT(t, cache->local[2] == cache->node[1]->stack[2]);
	EXPECT(t, cache->local[2]->nr > 0);
	EXPECT_EQ(t, cache->local[2]->limit, cache->limit);
	expect_check_clean(t);
}

static void by_the_tasks_policy(struct ktest *t)
{
	const struct mempolicy bind = {MPOL_BIND, NODE_BIT(1)},
			       preferred = {MPOL_PREFERRED, NODE_BIT(1)},
			       interleave = {MPOL_INTERLEAVE, NODE_BIT(0) | NODE_BIT(1)};
	u32 on[2] = {0, 0};

	boot();
	EXPECT_EQ(t, task_set_mempolicy(&bind), 0);
	for (u32 i = 0; i < 40; i++)
		EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_KERNEL)), 1);
	EXPECT_EQ(t, task_set_mempolicy(&preferred), 0);
	for (u32 i = 0; i < 40; i++)
		EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_KERNEL)), 1);
	EXPECT_EQ(t, task_set_mempolicy(&interleave), 0);
	for (u32 i = 0; i < 40; i++)
		on[node_of(kmem_cache_alloc(cache, GFP_KERNEL))]++;
	EXPECT_EQ(t, on[0], 20);
	EXPECT_EQ(t, on[1], 20);
	/* By number is by number. */
	EXPECT_EQ(t, node_of(kmem_cache_alloc_node(cache, GFP_KERNEL, 0)), 0);
	EXPECT_EQ(t, task_set_mempolicy(NULL), 0);
	EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_KERNEL)), 0);
	expect_check_clean(t);
}

static void a_cpuset_holds_on_the_hit_path(struct ktest *t)
{
	void *object;

	boot();
	/* There is something on this CPU's stack of node 0. */
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	EXPECT(t, cache->local[0]->nr > 0);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(1)), 0);
	EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_KERNEL)), 1);
	EXPECT_EQ(t, node_of(kmalloc(SIZE, GFP_KERNEL)), 1);
	EXPECT_EQ(t, kmem_cache_alloc_bulk(cache, GFP_KERNEL, 1, &object), 1);
	EXPECT_EQ(t, node_of(object), 1);
	expect_check_clean(t);
}

static void zeroed_on_demand(struct ktest *t)
{
	u8 *object;

	boot();
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	memset(object, 0xff, SIZE);
	kmem_cache_free(cache, object);
	EXPECT(t, kmem_cache_zalloc(cache, GFP_KERNEL) == object);
	for (u32 i = 0; i < SIZE; i++)
		EXPECT_EQ(t, object[i], 0);
}

/* --- What fails ----------------------------------------------------------------------------------------- */

static void exhaust(void)
{
	for (int nid = 0; nid < 2; nid++) {
		while (alloc_pages_node(nid, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, 0))
			;
	}
}

static void a_failure_is_said_once(struct ktest *t)
{
	boot();
	exhaust();
	host_log_clear();
	EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN));
	EXPECT(t, !host_log_contains("no object of test"));
	EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT));
	EXPECT(t, host_log_contains("no object of test (256 bytes, order 0)"));
	EXPECT_EQ(t, item(VMSTAT_SLAB_FAIL), 2);
	expect_check_clean(t);
}

/* Who asks in a loop fails in a loop: ten lines in five seconds, as for pages. */
static void many_failures_are_said_ten_times(struct ktest *t)
{
	boot();
	exhaust();
	for (u32 i = 0; i < 10; i++) {
		host_log_clear();
		EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT));
		EXPECT_MSG(t, host_log_contains("no object of test"), "failure %u", i);
	}
	host_log_clear();
	for (u32 i = 0; i < 100; i++)
		EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT));
	EXPECT(t, !host_log_contains("no object of test"));
	EXPECT_EQ(t, item(VMSTAT_SLAB_FAIL), 110);
}

static void injected_failures_are_seen(struct ktest *t)
{
	struct fault_rule rule = {.times = 3, .quiet = true};
	void *object;
	int id;

	boot();
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	id = fault_rule_add(&rule);
	EXPECT(t, id > 0);
	for (u32 i = 0; i < 3; i++)
		EXPECT(t, !kmem_cache_alloc(cache, GFP_KERNEL));
	EXPECT_EQ(t, item(VMSTAT_FAULT_INJECTED), 3);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(t, object != NULL);
	kmem_cache_free(cache, object);
	EXPECT_EQ(t, cache->local[0]->nr, 0); /* closed while there is a rule */
	EXPECT(t, fault_rule_remove((u32)id));
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	EXPECT(t, cache->local[0]->nr > 0);
	expect_check_clean(t);
}

/* --- What must not fail ------------------------------------------------------------------------------- */

/* Of one node alone: node 2 has no memory, and node 1 is forbidden. Pages and objects end alike. */
#define GFP_THERE_OR_NEVER (GFP_KERNEL | __GFP_THISNODE | __GFP_NOFAIL | __GFP_NOWARN)

struct in_vain {
	int nid;
	bool of_cache;
};

static void ask_in_vain(void *arg)
{
	const struct in_vain *in_vain = arg;
	void *got;

	boot();
	(void)task_set_mems_allowed(os_current(), NODE_BIT(0) | NODE_BIT(2));
	got = in_vain->of_cache ? kmem_cache_alloc_node(cache, GFP_THERE_OR_NEVER, in_vain->nid)
				: (void *)alloc_pages_node(in_vain->nid, GFP_THERE_OR_NEVER, 0);
	os_panic("it came back, with %p", got);
}

static void there_or_never(struct ktest *t)
{
	for (int nid = 1; nid <= 2; nid++) {
		struct in_vain pages = {nid, false}, object = {nid, true};
		char text[80];

		snprintf(text, sizeof(text),
			 "no memory for a request that must not fail: order 0, from node %d", nid);
		expect_panic(t, ask_in_vain, &pages, text);
		expect_panic(t, ask_in_vain, &object, text);
	}
}

static struct os_task *asker;
static bool has_asked; /* atomic: it has come back */
static bool allowed;   /* atomic */

static void allow_when_it_sleeps(void *arg)
{
	u64 sleeps = *(u64 *)arg;

	while (host_sleeps() == sleeps && !load_acquire(&has_asked))
		cpu_relax();
	(void)task_set_mems_allowed(asker, NODE_BIT(0) | NODE_BIT(1));
	store_release(&allowed, true);
}

/* The cpuset moves while it is being refused: it has its object, of that node. */
static void there_when_it_is_allowed(struct ktest *t)
{
	struct os_thread *other;
	u64 sleeps;

	boot();
	asker = os_current();
	EXPECT_EQ(t, task_set_mems_allowed(asker, NODE_BIT(0)), 0);
	EXPECT(t, !kmem_cache_alloc_node(cache, GFP_THERE_OR_NEVER & ~__GFP_NOFAIL, 1));
	sleeps = host_sleeps();
	other = os_thread_start("friend", 1, allow_when_it_sleeps, &sleeps);
	ASSERT_TRUE(t, other != NULL);
	host_sleep_until(&allowed);
	EXPECT_EQ(t, node_of(kmem_cache_alloc_node(cache, GFP_THERE_OR_NEVER, 1)), 1);
	store_release(&has_asked, true);
	EXPECT(t, host_sleeps() > sleeps);
	os_thread_join(other);
	expect_check_clean(t);
}

/* --- Many at once --------------------------------------------------------------------------------------- */

#define MANY 700
static void *many[MANY];

static bool all_different(u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		*(u64 *)many[i] = i;
	for (u32 i = 0; i < nr; i++) {
		if (*(u64 *)many[i] != i)
			return false;
	}
	return true;
}

static void many_at_once(struct ktest *t)
{
	boot();
	EXPECT_EQ(t, kmem_cache_alloc_bulk(cache, GFP_KERNEL, 0, many), 0);
	kmem_cache_free_bulk(cache, 0, many);
	for (u32 nr = 1; nr <= MANY; nr += 83) {
		ASSERT_EQ(t, kmem_cache_alloc_bulk(cache, GFP_KERNEL, nr, many), nr);
		EXPECT(t, all_different(nr));
		kmem_cache_free_bulk(cache, nr, many);
		expect_check_clean(t);
	}
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void many_or_none(struct ktest *t)
{
	u64 free_objects;

	boot();
	many[0] = kmem_cache_alloc(cache, GFP_KERNEL);
	exhaust();
	free_objects = cache->local[0]->nr + cache->node[0]->nr_free_objects;
	EXPECT(t, free_objects > 0);
	EXPECT_EQ(t, kmem_cache_alloc_bulk(cache, GFP_NOWAIT | __GFP_NOWARN, MANY, many + 1), 0);
	EXPECT_EQ(t,
		  cache->local[0]->nr + cache->node[0]->nr_free_objects + cache->node[0]->nr_shared,
		  free_objects);
	kmem_cache_free(cache, many[0]);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void many_of_all_nodes(struct ktest *t)
{
	boot();
	for (u32 i = 0; i < MANY; i++)
		many[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, i % 3 == 0);
	EXPECT(t, all_different(MANY));
	kmem_cache_free_bulk(cache, MANY, many);
	EXPECT(t, cache->node[1]->events[SLAB_EV_HOME] > 0);
	expect_check_clean(t);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void free_some_twice(void *arg)
{
	(void)arg;
	many[1] = many[0];
	kmem_cache_free_bulk(cache, 2, many);
}

static void twice_in_one_call(struct ktest *t)
{
	boot();
	many[0] = kmem_cache_alloc(cache, GFP_KERNEL);
	expect_panic(t, free_some_twice, NULL, "double free");
}

/* NULL is ignored by all. */
static void nothing_is_ignored(struct ktest *t)
{
	boot();
	kmem_cache_free(cache, NULL);
	kfree(NULL);
	kfree(ZERO_SIZE_PTR);
	EXPECT_EQ(t, kmem_cache_destroy(NULL), 0);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(bad_words_are_refused),
	KTEST(near_the_cpu_or_the_node),
	KTEST(a_cpu_without_memory_has_its_nearest),
	KTEST(by_the_tasks_policy),
	KTEST(a_cpuset_holds_on_the_hit_path),
	KTEST(zeroed_on_demand),
	KTEST(a_failure_is_said_once),
	KTEST(many_failures_are_said_ten_times),
	KTEST(there_or_never),
	KTEST(there_when_it_is_allowed),
	KTEST(injected_failures_are_seen),
	KTEST(many_at_once),
	KTEST(many_or_none),
	KTEST(many_of_all_nodes),
	KTEST(twice_in_one_call),
	KTEST(nothing_is_ignored),
};
KTEST_SUITE(slab_request, cases);
