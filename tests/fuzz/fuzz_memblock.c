/*
 * memblock and numa_init() against a naive model: the input is a list of calls.
 *
 * All addresses are drawn from two windows of pages, at the bottom and at the top of the physical
 * address space, so that memory is always a whole number of cells:
 *
 *	cell   0   1   2        47    48                 49        96
 *	     |---|---|---| ... |---|----------------------|---| ... |---|
 *	     0  4K  8K         192K     one huge cell    top-192K      top
 *
 * The model is an array of cells (RAM? whose? reserved by whom?), each call a loop over it. After
 * each call memblock must give the same picture, and its lists obey MEMBLOCK-1 and -2. An
 * allocation must be the block that the model works out: the highest that fits.
 */
#include "fuzz.h"

#include <arch/page.h>
#include <base/errno.h>
#include <mm/memblock.h>
#include <mm/numa.h>

#include "mm/memblock_internal.h"
#include "mm/numa_internal.h"

#define WINDOW_PAGES 48
#define NR_CELLS     (2 * WINDOW_PAGES + 1)
#define TOP          ((phys_addr_t)1 << PHYS_ADDR_BITS_MAX)
#define WINDOW_BYTES (WINDOW_PAGES * PAGE_SIZE)
#define MAX_CALLS    48
#define NOBODY       (-1)

struct cell {
	bool ram;
	int nid;
	int owner; /* enum memblock_owner, or NOBODY */
};
static struct cell model[NR_CELLS];

static phys_addr_t cell_base(u32 cell)
{
	return cell <= WINDOW_PAGES ? cell * PAGE_SIZE : TOP - (NR_CELLS - cell) * PAGE_SIZE;
}

static phys_addr_t cell_end(u32 cell)
{
	return cell_base(cell + 1);
}

/* --- Ranges out of the input ---------------------------------------------------------------- */

struct span {
	phys_addr_t base;
	u64 size_bytes;
};

/* An edge of a page in a window, or a byte off: two bytes of input. */
static phys_addr_t take_address(struct fuzz_bytes *in)
{
	static const u32 offsets[] = {0, 0, 1, PAGE_SIZE - 1};
	u16 choice = (u16)fuzz_take(in, 2);
	u32 page = choice % (2 * WINDOW_PAGES + 2);
	u32 offset = offsets[choice >> 14];

	if (page == WINDOW_PAGES) /* the huge cell begins: nothing may end inside it */
		return WINDOW_BYTES;
	if (page < WINDOW_PAGES)
		return page * PAGE_SIZE + offset;
	return TOP - WINDOW_BYTES + (page - WINDOW_PAGES - 1) * PAGE_SIZE + offset;
}

/* An end below the base makes a size that wraps: up to the top, and further. */
static struct span take_span(struct fuzz_bytes *in)
{
	phys_addr_t base = take_address(in), end = take_address(in);

	return (struct span){base, end - base};
}

/* The cells that a range means: [*first, *last), whole pages inward or outward. */
static void cells_of(const struct span *span, bool inward, u32 *first, u32 *last)
{
	phys_addr_t end =
		span->size_bytes > TOP - MIN(span->base, TOP) ? TOP : span->base + span->size_bytes;

	*first = 0;
	*last = 0;
	if (span->size_bytes == 0 || span->base >= TOP)
		return;
	while (*first < NR_CELLS &&
	       (inward ? cell_base(*first) < span->base : cell_end(*first) <= span->base))
		++*first;
	*last = *first;
	while (*last < NR_CELLS && (inward ? cell_end(*last) <= end : cell_base(*last) < end))
		++*last;
}

/* --- Comparing ------------------------------------------------------------------------------ */

static void expect_cell(u32 cell, const struct memblock_range *range)
{
	const struct cell *want = &model[cell];

	FUZZ_CHECK(want->ram, "cell %u is no RAM", cell);
	FUZZ_SAME(range->nid, want->nid);
	FUZZ_SAME(range->reserved, want->owner != NOBODY);
	if (range->reserved)
		FUZZ_SAME((int)range->owner, want->owner);
}

static void expect_lists(void)
{
	for (int i = 0; i < 2; i++) {
		const struct region_list *list = memblock_region_list(i == 1);

		FUZZ_CHECK(list->nr <= NR_CELLS, "%u regions of %d cells", list->nr, NR_CELLS);
		for (u32 r = 0; r < list->nr; r++) {
			const struct region *at = &list->region[r];

			FUZZ_CHECK(at->base < at->end && IS_ALIGNED(at->base | at->end, PAGE_SIZE),
				   "MEMBLOCK-1: region %u", r);
			if (r == 0)
				continue;
			FUZZ_CHECK(at[-1].end <= at->base, "MEMBLOCK-1: region %u overlaps", r);
			FUZZ_CHECK(at[-1].end < at->base || at[-1].attr != at->attr,
				   "MEMBLOCK-2: region %u", r);
		}
	}
}

static void expect_model(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;
	u64 pages = 0;
	u32 cell = 0;

	expect_lists();
	while (memblock_next(&cursor, &range)) {
		while (cell_base(cell) < range.base)
			FUZZ_CHECK(!model[cell++].ram, "cell %u is lost", cell - 1);
		FUZZ_SAME(cell_base(cell), range.base);
		for (; cell < NR_CELLS && cell_base(cell) < range.end; cell++)
			expect_cell(cell, &range);
		FUZZ_SAME(cell_base(cell), range.end);
		pages += (range.end - range.base) >> PAGE_SHIFT;
	}
	while (cell < NR_CELLS)
		FUZZ_CHECK(!model[cell++].ram, "cell %u is lost", cell - 1);
	FUZZ_SAME(memblock_ram_pages(), pages);
}

/* --- Calls ---------------------------------------------------------------------------------- */

static void call_add(struct fuzz_bytes *in)
{
	struct span span = take_span(in);
	u32 i, last;

	FUZZ_SAME(memblock_add(span.base, span.size_bytes), 0);
	for (cells_of(&span, true, &i, &last); i < last; i++) {
		if (!model[i].ram)
			model[i].nid = NUMA_NO_NODE;
		model[i].ram = true;
	}
}

static void call_remove(struct fuzz_bytes *in)
{
	struct span span = take_span(in);
	u32 i, last;

	FUZZ_SAME(memblock_remove(span.base, span.size_bytes), 0);
	for (cells_of(&span, false, &i, &last); i < last; i++)
		model[i].ram = false;
}

static void call_reserve(struct fuzz_bytes *in)
{
	struct span span = take_span(in);
	int owner = (int)(fuzz_take(in, 1) % MEMBLOCK_NR_OWNERS);
	u32 i, last;

	FUZZ_SAME(memblock_reserve(span.base, span.size_bytes, (enum memblock_owner)owner), 0);
	for (cells_of(&span, false, &i, &last); i < last; i++)
		if (model[i].owner == NOBODY)
			model[i].owner = owner;
}

static void call_free(struct fuzz_bytes *in)
{
	struct span span = take_span(in);
	u32 i, last;

	FUZZ_SAME(memblock_free(span.base, span.size_bytes), 0);
	for (cells_of(&span, false, &i, &last); i < last; i++)
		model[i].owner = NOBODY;
}

static void call_set_node(struct fuzz_bytes *in)
{
	struct span span = take_span(in);
	int nid = (int)(fuzz_take(in, 1) % 4);
	u32 i, last;

	FUZZ_SAME(memblock_set_node(span.base, span.size_bytes, nid), 0);
	for (cells_of(&span, true, &i, &last); i < last; i++)
		model[i].nid = nid;
}

/* --- Allocating ----------------------------------------------------------------------------- */

/* The highest place for a request in free memory of one node; 0: none. */
static phys_addr_t model_alloc(const struct memblock_request *request)
{
	phys_addr_t limit = request->limit ? request->limit : UINT64_MAX;
	u32 end = NR_CELLS;

	while (end > 0) {
		const struct cell *top = &model[end - 1];
		u32 start = end;
		phys_addr_t to, at;

		while (start > 0 && model[start - 1].ram && model[start - 1].owner == NOBODY &&
		       model[start - 1].nid == top->nid)
			start--;
		to = MIN(cell_base(end), limit);
		if (start < end && (request->nid == NUMA_NO_NODE || request->nid == top->nid) &&
		    to >= request->size_bytes) {
			at = ALIGN_DOWN(to - request->size_bytes, request->align_bytes);
			if (at != 0 && at >= cell_base(start))
				return at;
		}
		end = start < end ? start : end - 1;
	}
	return 0;
}

/* A block of whole cells stays taken; one that cuts the huge cell is given back. */
static void keep_block(phys_addr_t at, const struct memblock_request *request)
{
	phys_addr_t end = at + request->size_bytes;
	u32 first = 0, last;

	while (cell_end(first) <= at)
		first++;
	for (last = first; last < NR_CELLS && cell_base(last) < end; last++)
		FUZZ_CHECK(model[last].ram && model[last].owner == NOBODY, "cell %u is not free",
			   last);
	if (cell_base(first) != at || cell_base(last) != end) {
		FUZZ_SAME(memblock_free(at, request->size_bytes), 0);
		return;
	}
	for (; first < last; first++)
		model[first].owner = (int)request->owner;
}

static struct memblock_request take_request(struct fuzz_bytes *in)
{
	u8 shape = (u8)fuzz_take(in, 1);
	u64 size_bytes = fuzz_take(in, 1) * PAGE_SIZE / 4;

	if (shape >> 7)
		size_bytes = take_address(in); /* of any size, up to all there is */
	return (struct memblock_request){
		.size_bytes = size_bytes,
		.align_bytes = PAGE_SIZE << (shape & 7),
		.limit = shape >> 3 & 1 ? take_address(in) : 0,
		.nid = shape >> 4 & 1 ? (int)(shape >> 5 & 3) : NUMA_NO_NODE,
		.owner = MEMBLOCK_OTHER,
	};
}

static void call_alloc(struct fuzz_bytes *in)
{
	struct memblock_request request = take_request(in), whole = request;
	phys_addr_t at = memblock_alloc(&request);

	whole.size_bytes = ALIGN_UP(request.size_bytes, PAGE_SIZE);
	FUZZ_SAME(at, request.size_bytes ? model_alloc(&whole) : 0);
	if (at)
		keep_block(at, &whole);
}

/* --- Nodes ---------------------------------------------------------------------------------- */

static void take_topology(struct fuzz_bytes *in, struct numa_topology *t)
{
	phys_addr_t at = 0;

	memset(t, 0, sizeof(*t));
	t->nr_nodes = (u32)fuzz_take(in, 1) % 5;
	t->nr_cpus = 1;
	for (u32 i = 0; i < t->nr_nodes; i++)
		for (u32 j = 0; j < t->nr_nodes; j++)
			t->distance[i][j] =
				i == j ? LOCAL_DISTANCE : (u8)(fuzz_take(in, 1) % 32 + 10);
	while (in->left && t->nr_ranges < 8) {
		phys_addr_t base = take_address(in), end = take_address(in);
		u8 how = (u8)fuzz_take(in, 1);
		int nid = (int)(how % 5) - (how >= 250);

		/* Mostly as topology.c would have them: in order, not overlapping. */
		if (how & 0x70) {
			base = MAX(base, at);
			if (base >= end)
				continue;
		}
		t->ranges[t->nr_ranges++] = (struct numa_range){base, end, nid};
		at = MAX(at, end);
	}
}

/* The node of the last range that begins at or below an address, else of the first. */
static int model_nearest(const struct numa_topology *t, phys_addr_t addr)
{
	int nid = t->nr_ranges ? t->ranges[0].nid : 0;

	for (u32 i = 0; i < t->nr_ranges; i++)
		if (t->ranges[i].base <= addr)
			nid = t->ranges[i].nid;
	return nid;
}

static void model_numa_init(const struct numa_topology *t)
{
	for (u32 r = 0; r < t->nr_ranges; r++) {
		struct span span = {t->ranges[r].base, t->ranges[r].end - t->ranges[r].base};
		u32 i, last;

		for (cells_of(&span, true, &i, &last); i < last; i++)
			model[i].nid = t->ranges[r].nid;
	}
	for (u32 i = 0; i < NR_CELLS; i++) {
		int nid = model_nearest(t, cell_base(i));

		/* One decision for each piece that nobody claims. */
		for (; i < NR_CELLS && model[i].ram && model[i].nid == NUMA_NO_NODE; i++)
			model[i].nid = nid;
	}
}

static void expect_masks(void)
{
	nodemask_t mask = 0;

	for (u32 i = 0; i < NR_CELLS; i++)
		if (model[i].ram)
			mask |= NODE_BIT(model[i].nid);
	FUZZ_SAME(node_memory_mask(), mask);
	FUZZ_SAME(node_possible_mask(), ((nodemask_t)1 << numa_topology()->nr_nodes) - 1);
}

/* From node `from`: the nearest node with room, the lower number first. */
static void call_alloc_early(struct fuzz_bytes *in)
{
	int from = (int)(fuzz_take(in, 1) % numa_topology()->nr_nodes);
	struct memblock_request request = {.size_bytes = (fuzz_take(in, 1) % 8 + 1) * PAGE_SIZE,
					   .align_bytes = PAGE_SIZE,
					   .owner = MEMBLOCK_NODE_DATA};
	phys_addr_t want = 0, at;
	int distance;

	for (distance = 0; want == 0 && distance < 256; distance++) {
		for (int nid = 0; want == 0 && nid < (int)numa_topology()->nr_nodes; nid++) {
			request.nid = nid;
			if (numa_distance(from, nid) == distance)
				want = model_alloc(&request);
		}
	}
	at = numa_alloc_early(from, request.size_bytes, request.align_bytes, request.owner);
	FUZZ_SAME(at, want);
	if (at)
		keep_block(at, &request);
}

static void install_topology(struct fuzz_bytes *in)
{
	static struct numa_topology topology;
	bool sound;
	int err;

	/* Before numa_init() nothing has a node. */
	for (u32 i = 0; i < NR_CELLS; i++)
		model[i].nid = NUMA_NO_NODE;
	FUZZ_SAME(memblock_set_node(0, TOP, NUMA_NO_NODE), 0);

	take_topology(in, &topology);
	sound = numa_check_nodes(&topology) && numa_check_ranges(&topology) &&
		numa_check_distances(&topology);
	err = numa_init(&topology);
	FUZZ_SAME(err, sound ? 0 : -EINVAL);
	if (!sound)
		numa_topology_flat(&topology);
	model_numa_init(&topology);
	FUZZ_SAME(numa_topology()->nr_nodes, topology.nr_nodes);
	expect_model();
	expect_masks();
	for (int i = 0; i < 3; i++)
		call_alloc_early(in);
	expect_model();
}

/* --- One input ------------------------------------------------------------------------------ */

static void start_empty(void)
{
	FUZZ_SAME(memblock_remove(0, TOP), 0);
	FUZZ_SAME(memblock_free(0, TOP), 0);
	for (u32 i = 0; i < NR_CELLS; i++)
		model[i] = (struct cell){.nid = NUMA_NO_NODE, .owner = NOBODY};
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static void (*const calls[])(struct fuzz_bytes * in) = {
		call_add, call_add, call_remove, call_reserve, call_free, call_set_node, call_alloc,
	};
	struct fuzz_bytes in = {data, size};

	start_empty();
	for (u32 i = 0; i < MAX_CALLS && in.left; i++) {
		u32 what = (u32)fuzz_take(&in, 1) % (ARRAY_SIZE(calls) + 1);

		if (what == ARRAY_SIZE(calls)) {
			install_topology(&in);
			break;
		}
		calls[what](&in);
		expect_model();
	}
	return 0;
}
