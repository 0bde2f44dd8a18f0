/*
 * CPUs' stacks of each cache: when they come, are emptied, tuned, closed and opened, and who walks all caches for it
 * by the handful.
 */
#include "slab_cache_env.h"

#include <arch/page.h>
#include <base/errno.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "mm/pcp.h"

static void late_cpus_get_stacks(struct ktest *t)
{
	struct kmem_cache *cache;

	host_machine_boot(&machine);
	cache = make("all", 100);
	ASSERT_TRUE(t, cache != NULL);
	slab_cpus_start();
	for (u32 cpu = 0; cpu < 5; cpu++) {
		int own = cpu < 4 ? (int)cpu / 2 : 0;

		EXPECT_EQ(t, slab_cpu_node(cpu), own);
		EXPECT(t, cache->local[cpu] == cache->node[own]->stack[cpu]);
		EXPECT_EQ(t, cache->local[cpu]->limit, 120);
		EXPECT_EQ(t, virt_to_page(cache->local[cpu])->nid, own);
		EXPECT_EQ(t, cache->node[!own]->stack[cpu]->limit, 60);
		EXPECT(t, cache->node[2]->stack[cpu] == &slab_no_stack);
	}
	EXPECT(t, cache->local[5] == &slab_no_stack);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* Replaced, emptied or closed: what was on a stack is home afterwards, and nothing is lost. */
static void stacks_are_emptied_home(struct ktest *t)
{
	struct kmem_cache *cache;
	void *object[200];

	host_machine_boot(&machine);
	cache = make("kept", 64);
	for (u32 i = 0; i < 200; i++)
		ASSERT_TRUE(t, (object[i] = kmem_cache_alloc(cache, GFP_KERNEL)) != NULL);
	for (u32 i = 0; i < 200; i++)
		kmem_cache_free(cache, object[i]);
	EXPECT(t, cache->local[0]->nr > 0);
	slab_stacks_drain(cache);
	EXPECT_EQ(t, cache->local[0]->nr, 0);
	EXPECT_EQ(t, cache->local[0]->limit, 120);
	EXPECT_EQ(t, cache->node[0]->shared->nr, 0);
	EXPECT_EQ(t, cache->node[0]->nr_free_slabs, cache->node[0]->nr_slabs);
	for (u32 i = 0; i < 200; i++)
		object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (u32 i = 0; i < 200; i++)
		kmem_cache_free(cache, object[i]);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
	EXPECT(t, cache->local[0] == &slab_no_stack && cache->node[0]->shared == &slab_no_stack);
	EXPECT_EQ(t, cache->node[0]->nr_free_slabs, cache->node[0]->nr_slabs);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	expect_check_clean(t);
}

static void tuned_at_run_time(struct ktest *t)
{
	struct kmem_cache *cache;
	void *object;

	host_machine_boot(&machine);
	cache = make("tuned", 64);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT_EQ(t, kmem_cache_tune(cache, 10, 11, 1), -EINVAL);
	EXPECT_EQ(t, kmem_cache_tune(cache, 10, 0, 1), -EINVAL);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 1), -EINVAL);
	EXPECT_EQ(t, kmem_cache_tune(cache, 1000000, 1, 1), -EINVAL);
	EXPECT_EQ(t, cache->limit, 120);
	EXPECT_EQ(t, kmem_cache_tune(cache, 10, 5, 2), 0);
	EXPECT_EQ(t, cache->local[0]->limit, 10);
	EXPECT_EQ(t, cache->local[0]->batch, 5);
	EXPECT_EQ(t, cache->node[1]->stack[0]->limit, 10);
	EXPECT_EQ(t, cache->node[0]->shared->limit, 10);
	EXPECT(t, !cache->is_tuning);
	kmem_cache_free(cache, object);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* While the page allocator's hit paths are closed, so are these; each request is seen, and served. */
static void closed_with_the_page_lists(struct ktest *t)
{
	struct kmem_cache *old, *new;
	void *object;

	host_machine_boot(&machine);
	old = make("old", 64);
	kmem_cache_free(old, kmem_cache_alloc(old, GFP_KERNEL));
	EXPECT(t, old->local[0]->nr > 0);
	hit_paths_close();
	hit_paths_close();
	EXPECT_EQ(t, old->local[0]->limit, 0);
	EXPECT_EQ(t, old->local[0]->nr, 0);
	new = make("new", 64);
	EXPECT_EQ(t, new->local[0]->limit, 0);
	EXPECT_EQ(t, new->local[0]->capacity, 120);
	object = kmem_cache_alloc(new, GFP_KERNEL);
	ASSERT_TRUE(t, object != NULL);
	EXPECT_EQ(t, new->local[0]->nr, 0);
	kmem_cache_free(new, object);
	EXPECT_EQ(t, new->local[0]->nr, 0);
	hit_paths_open();
	EXPECT_EQ(t, old->local[0]->limit, 0);
	hit_paths_open();
	EXPECT_EQ(t, old->local[0]->limit, 120);
	EXPECT_EQ(t, new->local[0]->limit, 120);
	EXPECT_EQ(t, kmem_cache_destroy(old), 0);
	EXPECT_EQ(t, kmem_cache_destroy(new), 0);
}

/* Who destroys is at it: is this cache passed by? */
struct on_its_way {
	struct ktest *t;
	struct kmem_cache *cache;
	u32 looks;
};

static void close_and_open(void *arg)
{
	struct on_its_way *way = arg;
	struct kmem_cache *cache = way->cache;

	EXPECT(way->t, cache->is_going);
	hit_paths_close();
	EXPECT_EQ(way->t, cache->local[0]->limit, 0);
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	EXPECT_EQ(way->t, cache->local[0]->nr, 0);
	hit_paths_open();
	EXPECT_EQ(way->t, cache->local[0]->limit, 120);
	way->looks++;
	/* And what is closed when it stays after all is closed then. */
	hit_paths_close();
}

static void closed_on_its_way_out(struct ktest *t)
{
	struct on_its_way way = {.t = t};
	struct kmem_cache *cache;
	void *object;

	host_machine_boot(&machine);
	way.cache = cache = make("leaving", 64);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT_TRUE(t, object != NULL);
	host_log_at("cache leaving: object 0", close_and_open, &way);
	EXPECT_EQ(t, kmem_cache_destroy(cache), -EBUSY);
	EXPECT_EQ(t, way.looks, 1);
	EXPECT(t, !cache->is_going);
	EXPECT_EQ(t, cache->local[0]->limit, 0);
	kmem_cache_free(cache, object);
	EXPECT_EQ(t, cache->local[0]->nr, 0);
	hit_paths_open();
	EXPECT_EQ(t, cache->local[0]->limit, 120);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	expect_check_clean(t);
}

static void leave(void *cache)
{
	slab_list_leave(cache);
}

/* Who closes all stacks has one in his hands that is going: it stays on the list until he lets it go. */
static void who_closes_is_waited_for(struct ktest *t)
{
	struct kmem_cache *cache, *walker = NULL;
	struct slab_handful handful = {0};
	bool found = false;
	struct os_thread *thread;
	u64 sleeps;
	u32 nr;

	host_machine_boot(&machine);
	slab_cpus_start();
	cache = make("leaving", 64);
	nr = nr_caches();
	EXPECT(t, slab_list_begin_to_go(cache));
	while ((walker = slab_cache_next(walker)))
		EXPECT(t, walker != cache);
	while (!found && slab_handful_next(&handful, true))
		for (u32 i = 0; i < handful.nr; i++)
			found |= handful.cache[i] == cache;
	ASSERT_TRUE(t, found);
	sleeps = host_sleeps();
	thread = os_thread_start("leaver", 1, leave, cache);
	ASSERT_TRUE(t, thread != NULL);
	while (host_sleeps() == sleeps && load_relaxed(&slab_caches.nr) == nr)
		cpu_relax();
	EXPECT_EQ(t, load_relaxed(&slab_caches.nr), nr);
	for (u32 i = 0; i < handful.nr; i++)
		slab_cache_put(handful.cache[i]);
	os_thread_join(thread);
	EXPECT_EQ(t, nr_caches(), nr - 1);
	EXPECT(t, slab_list_join(cache));
	/* Who walks by the handful lets all of them go. */
	kmem_cache_shrink_all();
	while ((walker = slab_cache_next(walker)))
		EXPECT_EQ(t, walker->nr_users, 1);
	slab_list_stay(cache);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	expect_check_clean(t);
}

/* A CPU empties a handful's stacks with interrupts off: so it has many caches, or many objects. */
static void a_handful_has_few_objects(struct ktest *t)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct slab_handful handful = {0};
	struct kmem_cache *cache[ARRAY_SIZE(names)];
	u32 nr = 0, alone = 0;

	host_machine_boot(&machine);
	slab_cpus_start();
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		cache[i] = make(names[i], 64);
	EXPECT_EQ(t, kmem_cache_tune(cache[1], 8000, 60, 8), 0);
	EXPECT_EQ(t, kmem_cache_tune(cache[2], 2049, 60, 8), 0);
	while (slab_handful_next(&handful, false)) {
		u64 objects = 0;

		for (u32 i = 0; i < handful.nr; i++)
			objects += handful.cache[i]->limit;
		EXPECT(t, handful.nr == 1 || objects <= SLAB_HANDFUL_OBJECTS);
		alone += objects > SLAB_HANDFUL_OBJECTS;
		nr += handful.nr;
	}
	EXPECT_EQ(t, alone, 2);
	EXPECT_EQ(t, nr, nr_caches());
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_EQ(t, kmem_cache_destroy(cache[i]), 0);
	expect_check_clean(t);
}

/* Shared arrays may be long: who checks one drops its node's lock all along, and sees what is wrong at its end. */
static void a_long_array_is_checked_by_parts(struct ktest *t)
{
	enum { NR = 40000, SHARED = 4 * 8000 };
	static void *object[NR];
	struct kmem_cache *cache;
	struct cpu_stack *shared;
	void *last;
	u32 before;

	host_machine_boot(&machine);
	cache = make("long", 8);
	ASSERT_EQ(t, kmem_cache_tune(cache, 8000, 8000, SHARED / 8000), 0);
	ASSERT_EQ(t, kmem_cache_alloc_bulk(cache, GFP_KERNEL, NR, object), NR);
	kmem_cache_free_bulk(cache, NR, object);
	shared = cache->node[0]->shared;
	ASSERT_EQ(t, shared->nr, SHARED);
	before = cache->node[0]->lock.next;
	expect_check_clean(t);
	EXPECT_MSG(t, cache->node[0]->lock.next - before > SHARED / 1000, "%u times taken",
		   cache->node[0]->lock.next - before);
	last = shared->entry[SHARED - 1];
	shared->entry[SHARED - 1] = shared->entry[SHARED - 100];
	expect_check_finds(t, "SLAB-4");
	shared->entry[SHARED - 1] = last;
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* What is on a stack beyond its limit nobody would be given: closed stacks are empty. */
static void more_than_the_limit_is_found(struct ktest *t)
{
	struct kmem_cache *cache;
	u32 limit;

	host_machine_boot(&machine);
	cache = make("more", 64);
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	ASSERT_TRUE(t, cache->local[0]->nr > 0);
	limit = cache->local[0]->limit;
	cache->local[0]->limit = 0;
	expect_check_finds(t, "SLAB-5");
	cache->local[0]->limit = limit;
	expect_check_clean(t);
}

/* Node 2 has no memory, and its CPU asks for what is near it all the same. */
static void a_node_without_its_home_is_found(struct ktest *t)
{
	struct kmem_cache_node *home;
	struct kmem_cache *cache;

	host_machine_boot(&machine);
	cache = make("homeless", 64);
	home = cache->node[2];
	cache->node[2] = &slab_no_home;
	expect_check_finds(t, "CACHES-2");
	cache->node[2] = home;
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(late_cpus_get_stacks),
	KTEST(stacks_are_emptied_home),
	KTEST(tuned_at_run_time),
	KTEST(closed_with_the_page_lists),
	KTEST(closed_on_its_way_out),
	KTEST(who_closes_is_waited_for),
	KTEST(a_handful_has_few_objects),
	KTEST(a_long_array_is_checked_by_parts),
	KTEST(more_than_the_limit_is_found),
	KTEST(a_node_without_its_home_is_found),
};
KTEST_SUITE(slab_cache_stacks, cases);
