/*
 * Random sequences against a naive model, `check` after every step.
 *
 * The model knows one byte a frame: whether somebody has it. What the allocator hands out must be
 * RAM that nobody has and that memblock never reserved, aligned, of one node and zone that the
 * request may use. What is free by the model must be free by the allocator's counts. Content is a
 * pattern by block, so that a block handed out twice is seen in what it holds, too.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/page_alloc.h>

#define MODEL_FRAMES (96 * 1024)
#define MAX_HELD     2048

struct held_block {
	struct page *page;
	unsigned int order;
	u64 pattern;
};

static unsigned char taken[MODEL_FRAMES]; /* by index of low frames: see frame_index() */
static struct held_block held[MAX_HELD];
static u32 nr_held;
static u64 held_pages;

/* Frames below 4 GiB as they are, those from 4 GiB on after the first 64 Ki. */
static u64 frame_index(pfn_t pfn)
{
	pfn_t high = pfn_down(GiB(4));

	return pfn < high ? pfn : 64 * 1024 + (pfn - high);
}

static void mark_reserved_taken(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	memset(taken, 1, sizeof(taken));
	while (memblock_next(&cursor, &range)) {
		for (pfn_t pfn = pfn_down(range.base); pfn < pfn_down(range.end); pfn++)
			taken[frame_index(pfn)] = range.reserved;
	}
}

static void fill(const struct held_block *b)
{
	for (u64 i = 0; i < (u64)1 << b->order; i++)
		*(u64 *)page_address(b->page + i) = b->pattern + i;
}

static bool intact(const struct held_block *b)
{
	for (u64 i = 0; i < (u64)1 << b->order; i++) {
		if (*(u64 *)page_address(b->page + i) != b->pattern + i)
			return false;
	}
	return true;
}

static bool request_allowed(const struct page *page, int nid, gfp_t gfp)
{
	if (gfp & __GFP_THISNODE && page->nid != nid)
		return false;
	if (gfp & __GFP_DMA)
		return page->zone == ZONE_DMA;
	return !(gfp & __GFP_DMA32) || page->zone <= ZONE_DMA32;
}

static bool take_step(struct ktest *t, struct random_state *random, u32 nr_nodes)
{
	static const gfp_t kinds[] = {
		GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_DMA, GFP_DMA32, GFP_KERNEL | __GFP_THISNODE,
	};
	struct held_block b = {.pattern = random_next(random)};
	gfp_t gfp = kinds[host_random_below(random, ARRAY_SIZE(kinds))];
	int nid = (int)host_random_below(random, nr_nodes);

	/* Small orders mostly, all sometimes. */
	b.order = (unsigned int)host_random_below(random, host_random_below(random, 11) + 1);
	b.page = alloc_pages_node(nid, gfp | __GFP_NOWARN, b.order);
	if (!b.page)
		return true;
	for (u64 i = 0; i < (u64)1 << b.order; i++) {
		u64 frame = frame_index(page_to_pfn(b.page) + i);

		if (!EXPECT_MSG(t, frame < MODEL_FRAMES && !taken[frame],
				"pfn 0x%llx handed out twice",
				(unsigned long long)page_to_pfn(b.page) + i))
			return false;
		taken[frame] = 1;
	}
	fill(&b);
	held[nr_held++] = b;
	held_pages += (u64)1 << b.order;
	return EXPECT(t, page_to_pfn(b.page) % ((u64)1 << b.order) == 0) &&
	       EXPECT(t, request_allowed(b.page, nid, gfp));
}

static bool give_step(struct ktest *t, struct random_state *random)
{
	u32 i = (u32)host_random_below(random, nr_held);
	struct held_block b = held[i];

	if (!EXPECT_MSG(t, intact(&b), "content of pfn 0x%llx, order %u, was overwritten",
			(unsigned long long)page_to_pfn(b.page), b.order))
		return false;
	for (u64 k = 0; k < (u64)1 << b.order; k++)
		taken[frame_index(page_to_pfn(b.page) + k)] = 0;
	__free_pages(b.page, b.order);
	held[i] = held[--nr_held];
	held_pages -= (u64)1 << b.order;
	return true;
}

static u64 total_free_pages(u32 nr_nodes)
{
	struct node_snapshot node;
	u64 pages = 0;

	for (u32 nid = 0; nid < nr_nodes; nid++) {
		node_snapshot((int)nid, &node);
		pages += node.free_pages;
	}
	return pages;
}

static void run_model(struct ktest *t, const struct host_machine *machine, u32 steps)
{
	struct random_state random = {t->seed * 2654435761u + 17};
	struct check_report report;
	u64 all_free;

	host_machine_boot(machine);
	mark_reserved_taken();
	all_free = total_free_pages(machine->nr_nodes);

	for (u32 step = 0; step < steps; step++) {
		/* Waves: filling up, then emptying, so that both ends are reached. */
		u32 odds = step / 300 % 2 ? 35 : 65;
		bool take = nr_held == 0 ||
			    (nr_held < MAX_HELD && host_random_below(&random, 100) < odds);
		bool ok = take ? take_step(t, &random, machine->nr_nodes) : give_step(t, &random);

		if (!ok ||
		    !EXPECT_EQ(t, total_free_pages(machine->nr_nodes), all_free - held_pages) ||
		    !EXPECT_MSG(t, mm_check(&report), "step %u: %s", step, report.first))
			return;
	}
	while (nr_held) {
		if (!give_step(t, &random))
			return;
	}
	EXPECT_EQ(t, total_free_pages(machine->nr_nodes), all_free);
	expect_check_clean(t);
}

static void small_machine(struct ktest *t)
{
	static const struct host_machine machine = {.ram = {{0, MiB(20), 0}}, .nr_nodes = 1};

	run_model(t, &machine, 2400);
}

/* Three zones, a hole, two nodes, one of them interleaved with the other. */
static void odd_machine(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{0, 0x9f000, 0},
			{MiB(1), MiB(14), 0},
			{MiB(15), MiB(7), 1},
			{MiB(22), MiB(2), 0},
			{GiB(4), MiB(5), 1},
			{GiB(4) + MiB(6), MiB(3), 0}},
		.nr_nodes = 2,
	};
	struct zone_snapshot z;

	run_model(t, &machine, 2400);
	/* The sequence was one that matters. */
	zone_snapshot(0, ZONE_DMA, &z);
	EXPECT(t, z.events[ZONE_SPLIT] > 0 && z.events[ZONE_MERGE] > 0);
	zone_snapshot(1, ZONE_NORMAL, &z);
	EXPECT(t, z.events[ZONE_WMARK_FAILED] > 0);
}

/* A machine drawn at random: ranges, gaps, nodes. */
static void random_machine(struct ktest *t)
{
	struct random_state random = {t->seed * 31 + 7};
	struct host_machine machine = {.nr_nodes = 3};
	phys_addr_t at = PAGE_SIZE * host_random_below(&random, 512);

	for (u32 i = 0; i < 12; i++) {
		u64 size_bytes = PAGE_SIZE * (1 + host_random_below(&random, 1500));

		machine.ram[i] =
			(struct host_ram){at, size_bytes, (int)host_random_below(&random, 3)};
		at += size_bytes + PAGE_SIZE * host_random_below(&random, 300);
	}
	run_model(t, &machine, 1200);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(small_machine, 120),
	KTEST_SLOW(odd_machine, 120),
	KTEST_SLOW(random_machine, 120),
};
KTEST_SUITE(model, cases);
