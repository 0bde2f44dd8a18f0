/*
 * Each request that the slab layer makes, failed in turn: of creating a cache, of its first slabs on each node, of
 * what is asked for in bulk, of longer queues, of kmalloc()'s small and large. Nothing is lost, and what there was
 * before is as it was.
 */
#include <base/errno.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/kmalloc.h>
#include <mm/numa.h>
#include <mm/slab.h>
#include <x86/smp.h>

#include "../sweep/sweep.h"

/* Mapped off the slab, which holds eight: a slab is two requests. */
#define OBJECT_BYTES 500
#define BULK         20

static void *bulk[BULK];

static void expect_failed(struct ktest *t, struct sweep_result result, u32 least, u32 stride)
{
	EXPECT_MSG(t, result.requests >= least, "%u requests", result.requests);
	EXPECT_EQ(t, result.failed + result.managed, DIV_ROUND_UP(result.requests, stride));
}

/* A cache has a queue for each CPU and node, and on large machines one of many fails as the next. */
static u32 queues_stride(void)
{
	return 1 + nr_cpus_online() * numa_topology()->nr_nodes / 16;
}

/* --- A cache's life ----------------------------------------------------------------------------- */

/* One object from there and nowhere else, so that no other node helps. */
static enum sweep_answer first_object_of(struct kmem_cache *cache, int nid)
{
	void *object =
		kmem_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, nid);

	if (!object)
		return SWEEP_FAILED;
	kmem_cache_free(cache, object);
	return SWEEP_DONE;
}

static enum sweep_answer live_on_each_node(void *arg)
{
	struct kmem_cache *cache = kmem_cache_create("swept", OBJECT_BYTES, 0, SLAB_OFF_SLAB, NULL);
	enum sweep_answer answer = SWEEP_DONE;
	int nid;

	(void)arg;
	if (!cache)
		return SWEEP_FAILED;
	for_each_node_mask(nid, node_memory_mask())
		if (first_object_of(cache, nid) != SWEEP_DONE)
			answer = SWEEP_FAILED;
	return kmem_cache_destroy(cache) == 0 ? answer : SWEEP_WRONG;
}

static void a_life_on_each_node(struct ktest *t)
{
	struct sweep_result result =
		sweep(t, &(struct sweep){
				 .what = "a cache and a slab of each node",
				 .work = live_on_each_node,
				 .stride = queues_stride(),
				 .settle = threads_release_spares,
				 .most = 10000,
				 .has_another_way = true, /* what manages may be of any node */
			 });

	/* The cache, something of its own for the node, and two pages for the slab. */
	expect_failed(t, result, 4, queues_stride());
}

/* --- More of them ------------------------------------------------------------------------------- */

static enum sweep_answer take_in_bulk(void *arg)
{
	struct kmem_cache *cache = arg;
	u32 nr = kmem_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_NOWARN, BULK, bulk);

	kmem_cache_free_bulk(cache, nr, bulk);
	if (nr != 0 && nr != BULK)
		return SWEEP_WRONG;
	return nr ? SWEEP_DONE : SWEEP_FAILED;
}

static int tune_to(struct kmem_cache *cache, u32 limit)
{
	return kmem_cache_tune(cache, limit, limit / 3, 4);
}

static enum sweep_answer tune(void *arg)
{
	struct kmem_cache *cache = kmem_cache_create("swept", OBJECT_BYTES, 0, 0, NULL);
	int longer, shorter;

	(void)arg;
	if (!cache)
		return SWEEP_FAILED;
	longer = tune_to(cache, 300);
	shorter = tune_to(cache, 30);
	if (kmem_cache_destroy(cache) != 0)
		return SWEEP_WRONG;
	if (longer == 0 && shorter == 0)
		return SWEEP_DONE;
	return (longer == 0 || longer == -ENOMEM) && (shorter == 0 || shorter == -ENOMEM)
		       ? SWEEP_FAILED
		       : SWEEP_WRONG;
}

static void objects_in_bulk(struct ktest *t)
{
	struct kmem_cache *cache = kmem_cache_create("swept", OBJECT_BYTES, 0, SLAB_OFF_SLAB, NULL);
	struct sweep_result result;

	ASSERT_TRUE(t, cache != NULL);
	result = sweep(t, &(struct sweep){
				  .what = "objects in bulk",
				  .work = take_in_bulk,
				  .arg = cache,
				  .settle = threads_release_spares,
				  .most = 300,
				  .has_another_way = true, /* another node's */
			  });
	expect_failed(t, result, BULK + BULK / 8, 1);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void other_limits(struct ktest *t)
{
	struct sweep_result result =
		sweep(t, &(struct sweep){
				 .what = "other limits",
				 .work = tune,
				 .stride = queues_stride(),
				 .settle = threads_release_spares,
				 .most = 20000,
				 .has_another_way = true, /* queues of another node's memory */
			 });

	/* The cache and its queues, the longer ones, the shorter ones. */
	expect_failed(t, result, 4, queues_stride());
	EXPECT(t, result.failed >= 2);
}

/* --- Without a cache of one's own --------------------------------------------------------------- */

static enum sweep_answer grow_a_piece(void *arg)
{
	static const size_t sizes[] = {8, 200, 3000, 20000};
	void *piece = NULL, *grown;

	(void)arg;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		grown = krealloc(piece, sizes[i], GFP_KERNEL | __GFP_NOWARN);
		if (!grown) {
			kfree(piece);
			return SWEEP_FAILED;
		}
		piece = grown;
	}
	kfree(piece);
	return SWEEP_DONE;
}

static void a_piece_that_grows(struct ktest *t)
{
	struct sweep_result result = sweep(t, &(struct sweep){
						      .what = "krealloc",
						      .work = grow_a_piece,
						      .settle = threads_release_spares,
						      .most = 30,
						      .has_another_way = true,
					      });

	/* Three objects, slabs for those of which nobody else has any, and a block. */
	expect_failed(t, result, 3 + 1 + 1, 1);
}

static const struct ktest_case cases[] = {
	KTEST(a_life_on_each_node),
	KTEST(objects_in_bulk),
	KTEST(other_limits),
	KTEST(a_piece_that_grows),
};
KTEST_SUITE(slab_fault, cases);
