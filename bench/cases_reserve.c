/*
 * Group 128: requests that may use the whole reserve, and need not: what the flags cost.
 */
#include "bench.h"

#define RESERVE_GFP (GFP_ATOMIC | __GFP_MEMALLOC)

static struct kmem_cache *used;

static bool slab_begin(u64 size)
{
	used = bench_cache((u32)size);
	return used;
}

static void slab_hot(u64 arg, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	(void)arg;
	for (u32 i = 0; i < 4096; i++) {
		void *object = kmem_cache_alloc(cache, RESERVE_GFP);

		if (unlikely(!object))
			batch->fail++;
		else
			kmem_cache_free(cache, object);
	}
}

static void page_hot(u64 order, struct bench_batch *batch)
{
	for (u32 i = 0; i < 4096; i++) {
		struct page *page = alloc_pages_node(0, RESERVE_GFP, (unsigned int)order);

		if (unlikely(!page))
			batch->fail++;
		else
			__free_pages(page, (unsigned int)order);
	}
}

const struct bench_case bench_cases_reserve[] = {
	{.name = "reserve_page_o0", .ops = 4096, .body = page_hot, .arg = 0},
	{.name = "reserve_slab_256",
	 .ops = 4096,
	 .begin = slab_begin,
	 .body = slab_hot,
	 .arg = 256},
};
const u32 nr_bench_cases_reserve = ARRAY_SIZE(bench_cases_reserve);
