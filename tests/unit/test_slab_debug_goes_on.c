/*
 * What mm.debug does and the machine goes on: who has what a cache misses is named, objects contain what they should,
 * and who does right is left alone.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/check.h>
#include <mm/os_task.h>
#include <mm/vmstat.h>

#include "slab_debug_env.h"

/* --- Leaks ---------------------------------------------------------------------------------------------- */

static void leaks_are_named(struct ktest *t)
{
	struct kmem_cache *cache;
	char line[160];
	void *object[20];

	boot(1);
	cache = things("leaky");
	for (u32 i = 0; i < ARRAY_SIZE(object); i++)
		object[i] = get(cache);
	for (u32 i = 3; i < ARRAY_SIZE(object); i++)
		kmem_cache_free(cache, object[i]);
	host_log_clear();
	EXPECT_EQ(t, kmem_cache_destroy(cache), -EBUSY);
	for (u32 i = 0; i < 3; i++) {
		const struct page *slab = slab_of(cache, object[i]);

		snprintf(line, sizeof(line),
			 "slab: cache leaky: object %u at 0x%lx (slab pfn 0x%llx, node %u) is out",
			 slab_index(cache, slab, object[i]), (unsigned long)object[i],
			 (unsigned long long)page_to_pfn(slab), slab->nid);
		EXPECT_MSG(t, host_log_contains(line), "not said: %s", line);
	}
	snprintf(line, sizeof(line), "at 0x%lx", (unsigned long)object[3]);
	EXPECT_MSG(t, !host_log_contains(line), "what was freed is no leak");
	EXPECT(t, host_log_contains("slab:   allocated by caller 0x"));
	EXPECT(t, host_log_contains(", task '"));
	EXPECT(t, !host_log_contains("mm.debug=1 would say"));
	EXPECT(t, !host_log_contains("more"));
	for (u32 i = 0; i < 3; i++)
		kmem_cache_free(cache, object[i]);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	expect_check_clean(t);
}

/* Without owners, and more of them than are named. */
static void leaks_are_counted(struct ktest *t)
{
	struct kmem_cache *cache;
	void *object[20];

	boot(0);
	cache = things("leaky");
	for (u32 i = 0; i < ARRAY_SIZE(object); i++)
		object[i] = get(cache);
	host_log_clear();
	EXPECT_EQ(t, kmem_cache_destroy(cache), -EBUSY);
	EXPECT(t, host_log_contains(
			  "slab: cache 'leaky' is not destroyed: 20 of its objects are out"));
	EXPECT(t, host_log_contains("slab: cache leaky: and 4 more"));
	EXPECT(t, host_log_contains("slab: cache leaky: mm.debug=1 would say who has them"));
	EXPECT(t, !host_log_contains("allocated by"));
	for (u32 i = 0; i < ARRAY_SIZE(object); i++)
		kmem_cache_free(cache, object[i]);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* --- Nothing wrong -------------------------------------------------------------------------------------- */

/* As in Linux: whose it is says its page. */
static void kfree_of_a_caches_object(struct ktest *t)
{
	for (u32 level = 0; level < 2; level++) {
		struct kmem_cache *cache;

		if (level == 0)
			boot(0);
		cache = kmem_cache_create(level ? "one" : "none", THING_BYTES, 0,
					  level ? SLAB_DEBUG_ALL : 0, NULL);
		ASSERT_TRUE(t, cache != NULL);
		kfree(get(cache));
		EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	}
}

static u32 constructed;

static void construct(void *object)
{
	memset(object, 0x77, THING_BYTES);
	constructed++;
}

static void what_a_new_object_contains(struct ktest *t)
{
	struct kmem_cache *plain, *with_ctor;
	void *object;

	boot(3);
	plain = things("plain");
	EXPECT_EQ(t, plain->flags & SLAB_DEBUG_ALL, SLAB_DEBUG_ALL);
	object = get(plain);
	EXPECT(t, is_all(object, SLAB_FRESH_BYTE, THING_BYTES));
	kmem_cache_free(plain, object);
	EXPECT_MSG(t, is_all(object, SLAB_FREE_BYTE, THING_BYTES), "poisoned");
	object = kmem_cache_zalloc(plain, GFP_KERNEL);
	EXPECT(t, is_all(object, 0, THING_BYTES));
	kmem_cache_free(plain, object);

	with_ctor = kmem_cache_create("ctor", THING_BYTES, 0, 0, construct);
	EXPECT_EQ(t, with_ctor->flags & SLAB_DEBUG_ALL,
		  SLAB_STORE_USER | SLAB_RED_ZONE | SLAB_CHECK_ALL);
	object = get(with_ctor);
	EXPECT(t, constructed > 0 && is_all(object, 0x77, THING_BYTES));
	kmem_cache_free(with_ctor, object);
	EXPECT_MSG(t, is_all(object, 0x77, THING_BYTES), "it stays constructed");
	EXPECT_EQ(t, kmem_cache_destroy(plain), 0);
	EXPECT_EQ(t, kmem_cache_destroy(with_ctor), 0);
}

struct worker {
	struct kmem_cache *cache[2];
	struct random_state random;
};

/* Takes, fills, gives back, at random. */
static void work(void *arg)
{
	struct worker *w = arg;
	void *held[32] = {NULL};
	struct kmem_cache *of[32];

	for (u32 i = 0; i < 4000; i++) {
		u32 k = (u32)random_below(&w->random, ARRAY_SIZE(held));

		if (held[k]) {
			kmem_cache_free(of[k], held[k]);
			held[k] = NULL;
			continue;
		}
		of[k] = w->cache[random_below(&w->random, 2)];
		held[k] =
			kmem_cache_alloc_node(of[k], GFP_KERNEL, (int)random_below(&w->random, 2));
		if (held[k])
			memset(held[k], (int)i, kmem_cache_size(of[k]));
	}
	for (u32 k = 0; k < ARRAY_SIZE(held); k++)
		if (held[k])
			kmem_cache_free(of[k], held[k]);
}

/* All levels' looks at what is right: nothing is said, and all was looked at. */
static void who_does_right_is_left_alone(struct ktest *t)
{
	struct kmem_cache *cache[2];
	struct os_thread *thread[2];
	struct worker w[2];
	u64 before, out;

	boot(3);
	cache[0] = things("small");
	cache[1] = kmem_cache_create("aligned", 200, 256, 0, NULL);
	before = vmstat_read(VMSTAT_SLAB_DEBUG_ALLOC);
	for (u32 i = 0; i < 2; i++) {
		w[i] = (struct worker){{cache[0], cache[1]}, {.state = 7 + i}};
		thread[i] = os_thread_start("worker", i, work, &w[i]);
	}
	for (u32 i = 0; i < 2; i++)
		os_thread_join(thread[i]);
	out = vmstat_read(VMSTAT_SLAB_DEBUG_ALLOC) - before;
	EXPECT_MSG(t, out > 3000, "%llu objects looked at", (unsigned long long)out);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_DEBUG_FREE) >= out);
	expect_check_clean(t);
	for (u32 i = 0; i < 2; i++)
		EXPECT_EQ(t, kmem_cache_destroy(cache[i]), 0);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(leaks_are_named),
	KTEST(leaks_are_counted),
	KTEST(kfree_of_a_caches_object),
	KTEST(what_a_new_object_contains),
	KTEST(who_does_right_is_left_alone),
};
KTEST_SUITE(slab_debug_goes_on, cases);
