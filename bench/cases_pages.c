/*
 * Group 8: pages of one node. Each loop stands as another kernel would write it: a direct call for
 * each block, a test for failure, nothing touched of the memory itself.
 */
#include "bench.h"

static struct page *pages[BENCH_PERM];

/* --- One block, taken and given back ------------------------------------------------------- */

static inline void hot_loop(u32 turns, unsigned int order, struct bench_batch *batch)
{
	for (u32 i = 0; i < turns; i++) {
		struct page *page = alloc_pages_node(0, BENCH_GFP, order);

		if (unlikely(!page))
			batch->fail++;
		else
			__free_pages(page, order);
	}
}

static void hot_small(u64 order, struct bench_batch *batch)
{
	hot_loop(4096, (unsigned int)order, batch);
}

static void hot_order_4(u64 order, struct bench_batch *batch)
{
	hot_loop(512, (unsigned int)order, batch);
}

static void hot_order_9(u64 order, struct bench_batch *batch)
{
	hot_loop(64, (unsigned int)order, batch);
}

/* --- Many, then all back ------------------------------------------------------------------- */

static void alloc_all(struct bench_batch *batch)
{
	for (u32 i = 0; i < BENCH_PERM; i++) {
		pages[i] = alloc_pages_node(0, BENCH_GFP, 0);
		if (unlikely(!pages[i]))
			batch->fail++;
	}
}

static void batch_perm(u64 arg, struct bench_batch *batch)
{
	u64 start = arch_timestamp(), middle;

	(void)arg;
	alloc_all(batch);
	middle = arch_timestamp();
	for (u32 i = 0; i < BENCH_PERM; i++) {
		struct page *page = pages[bench_perm[i]];

		if (likely(page))
			__free_pages(page, 0);
	}
	batch->alloc_ticks += middle - start;
	batch->free_ticks += arch_timestamp() - middle;
}

static void batch_fifo(u64 arg, struct bench_batch *batch)
{
	u64 start = arch_timestamp(), middle;

	(void)arg;
	alloc_all(batch);
	middle = arch_timestamp();
	for (u32 i = 0; i < BENCH_PERM; i++) {
		if (likely(pages[i]))
			__free_pages(pages[i], 0);
	}
	batch->alloc_ticks += middle - start;
	batch->free_ticks += arch_timestamp() - middle;
}

/* --- Random replace ------------------------------------------------------------------------ */

#define STORM_SLOTS  2048
#define STORM_OPS    4096
#define STORM_ORDERS 6

static struct {
	struct page *page;
	unsigned int order;
} storm[STORM_SLOTS];
static struct {
	u32 slot;
	unsigned int order;
} storm_step[STORM_OPS];
static u32 storm_state;

static void storm_end(u64 arg)
{
	(void)arg;
	for (u32 i = 0; i < STORM_SLOTS; i++) {
		if (storm[i].page)
			__free_pages(storm[i].page, storm[i].order);
		storm[i].page = NULL;
	}
}

static bool storm_begin(u64 arg)
{
	storm_state = BENCH_SEED;
	for (u32 i = 0; i < STORM_SLOTS; i++) {
		storm[i].order = bench_draw(&storm_state) % STORM_ORDERS;
		storm[i].page = alloc_pages_node(0, BENCH_GFP, storm[i].order);
		if (!storm[i].page) {
			storm_end(arg);
			return false;
		}
	}
	return true;
}

static void storm_prepare(u64 arg)
{
	(void)arg;
	for (u32 i = 0; i < STORM_OPS; i++) {
		storm_step[i].slot = bench_draw(&storm_state) % STORM_SLOTS;
		storm_step[i].order = bench_draw(&storm_state) % STORM_ORDERS;
	}
}

static void storm_body(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	for (u32 i = 0; i < STORM_OPS; i++) {
		u32 slot = storm_step[i].slot;
		unsigned int order = storm_step[i].order;

		if (likely(storm[slot].page))
			__free_pages(storm[slot].page, storm[slot].order);
		storm[slot].page = alloc_pages_node(0, BENCH_GFP, order);
		storm[slot].order = order;
		if (unlikely(!storm[slot].page))
			batch->fail++;
	}
}

const struct bench_case bench_cases_pages[] = {
	{.name = "page_hot_o0", .ops = 4096, .body = hot_small, .arg = 0},
	{.name = "page_hot_o1", .ops = 4096, .body = hot_small, .arg = 1},
	{.name = "page_hot_o2", .ops = 4096, .body = hot_small, .arg = 2},
	{.name = "page_hot_o3", .ops = 4096, .body = hot_small, .arg = 3},
	{.name = "page_hot_o4", .ops = 512, .body = hot_order_4, .arg = 4},
	{.name = "page_hot_o9", .ops = 64, .body = hot_order_9, .arg = 9},
	{.name = "page_batch_o0", .ops = BENCH_PERM, .has_phases = true, .body = batch_perm},
	{.name = "page_batch_o0_fifo", .ops = BENCH_PERM, .has_phases = true, .body = batch_fifo},
	{.name = "page_storm",
	 .ops = STORM_OPS,
	 .begin = storm_begin,
	 .prepare = storm_prepare,
	 .body = storm_body,
	 .end = storm_end},
};
const u32 nr_bench_cases_pages = ARRAY_SIZE(bench_cases_pages);
