/*
 * Group 16: pages from this CPU's node and from another. The node is a preference.
 */
#include "bench.h"

#define NODE_PAGES 1024

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
};
const u32 nr_bench_cases_nodes = ARRAY_SIZE(bench_cases_nodes);
