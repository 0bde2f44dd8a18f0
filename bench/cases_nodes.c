/*
 * Group 16: pages and objects from this CPU's node and from another. The node is a preference.
 */
#include "bench.h"

#define NODE_PAGES 1024

/* --- Pages ------------------------------------------------------------------------------------ */

static struct page *pages[NODE_PAGES];

static void node_hot(u64 nid, struct bench_batch *batch)
{
	for (u32 i = 0; i < 4096; i++) {
		struct page *page = alloc_pages_node((int)nid, BENCH_GFP, 0);

		if (unlikely(!page))
			batch->fail++;
		else
			__free_pages(page, 0);
	}
}

static void node_batch(u64 nid, struct bench_batch *batch)
{
	for (u32 turn = 0; turn < 4; turn++) {
		u64 start = arch_timestamp(), middle;

		for (u32 i = 0; i < NODE_PAGES; i++) {
			pages[i] = alloc_pages_node((int)nid, BENCH_GFP, 0);
			if (unlikely(!pages[i]))
				batch->fail++;
		}
		middle = arch_timestamp();
		for (u32 i = 0; i < NODE_PAGES; i++) {
			if (likely(pages[i]))
				__free_pages(pages[i], 0);
		}
		batch->alloc_ticks += middle - start;
		batch->free_ticks += arch_timestamp() - middle;
	}
}

/* --- Objects --------------------------------------------------------------------------------- */

static struct kmem_cache *used;
static void *objects[BENCH_OBJECTS];

static bool slab_begin(u64 nid)
{
	(void)nid;
	used = bench_cache(256);
	return used;
}

static void slab_hot(u64 nid, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	for (u32 i = 0; i < 4096; i++) {
		void *object = kmem_cache_alloc_node(cache, BENCH_GFP, (int)nid);

		if (unlikely(!object))
			batch->fail++;
		else
			kmem_cache_free(cache, object);
	}
}

/* Object i from node nid, or, alternating, from node i & 1. */
static inline void slab_batches(bool alternate, int nid, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	for (u32 turn = 0; turn < 4; turn++) {
		u64 start = arch_timestamp(), middle;

		for (u32 i = 0; i < BENCH_OBJECTS; i++) {
			objects[i] = kmem_cache_alloc_node(cache, BENCH_GFP,
							   alternate ? (int)(i & 1) : nid);
			if (unlikely(!objects[i]))
				batch->fail++;
		}
		middle = arch_timestamp();
		for (u32 i = 0; i < BENCH_OBJECTS; i++) {
			if (likely(objects[i]))
				kmem_cache_free(cache, objects[i]);
		}
		batch->alloc_ticks += middle - start;
		batch->free_ticks += arch_timestamp() - middle;
	}
}

static void slab_batch(u64 nid, struct bench_batch *batch)
{
	slab_batches(false, (int)nid, batch);
}

static void slab_alternate(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	slab_batches(true, 0, batch);
}

#define SLAB_CASE(its_name, its_body, phases, nid)                                   \
	{                                                                            \
		.name = (its_name), .ops = 4096, .has_phases = (phases), .nodes = 2, \
		.begin = slab_begin, .body = (its_body), .arg = (nid)                \
	}

const struct bench_case bench_cases_nodes[] = {
	{.name = "local_o0_hot", .ops = 4096, .nodes = 2, .body = node_hot, .arg = 0},
	{.name = "local_o0_batch",
	 .ops = 4096,
	 .has_phases = true,
	 .nodes = 2,
	 .body = node_batch,
	 .arg = 0},
	{.name = "remote_o0_hot", .ops = 4096, .nodes = 2, .body = node_hot, .arg = 1},
	{.name = "remote_o0_batch",
	 .ops = 4096,
	 .has_phases = true,
	 .nodes = 2,
	 .body = node_batch,
	 .arg = 1},
	SLAB_CASE("local_slab_hot", slab_hot, false, 0),
	SLAB_CASE("local_slab_batch", slab_batch, true, 0),
	SLAB_CASE("remote_slab_hot", slab_hot, false, 1),
	SLAB_CASE("remote_slab_batch", slab_batch, true, 1),
	SLAB_CASE("alternate_slab_batch", slab_alternate, true, 0),
};
const u32 nr_bench_cases_nodes = ARRAY_SIZE(bench_cases_nodes);
