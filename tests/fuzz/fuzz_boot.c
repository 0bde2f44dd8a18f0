/*
 * Bringing mm/ up on machines that no firmware would dare to describe: the input is a memory map,
 * reservations and nodes, then requests.
 *
 *	      14M       16M      18M              4G-2M     4G       4G+4M
 *	no RAM |---DMA---|--DMA32-|     no RAM     |-DMA32--|-NORMAL--|
 *	           ranges of RAM begin and end on any page of these windows
 *
 * After mm_init() every invariant of `check` must hold: each page of the map is in a zone or has an
 * owner by name. Then blocks are taken until the marks refuse, given back, and all must be as it
 * was. A machine too small for its own struct pages may panic, and must say so.
 *
 * mm/ comes up once in a kernel's life. Here it does for each input: the files whose state
 * mm_init() does not set anew are part of this one, so that it can be wiped. Direct map and memory map
 * are plain memory that keeps what the machines before have written, as RAM does over a reset.
 */
#include "fuzz.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mm/memblock.c"
#include "mm/zonelist.c"

#define LOW_BASE     MiB(14)
#define LOW_BYTES    MiB(4)
#define HIGH_BASE    (GiB(4) - MiB(2))
#define HIGH_BYTES   MiB(6)
#define END          (HIGH_BASE + HIGH_BYTES)
#define MAP_BYTES    (END / PAGE_SIZE * sizeof(struct page))
#define MAX_HELD     64
#define MAX_REQUESTS 256

/* --- Seam 1 --------------------------------------------------------------------------------- */

char *host_direct_map, *host_vmemmap;
_Thread_local bool host_irqs_disabled, host_in_interrupt;
_Thread_local u32 host_cpu, host_preempt_count;

static u8 map_page_used[MAP_BYTES / PAGE_SIZE];

static char *reserve(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

/* Is [phys, phys + size) RAM that is reserved for struct pages? */
static bool is_for_the_map(phys_addr_t phys, u64 size_bytes)
{
	struct memblock_range range;
	phys_addr_t cursor = phys;

	while (phys < cursor + size_bytes && memblock_next(&cursor, &range)) {
		if (range.base > phys || !range.reserved || range.owner != MEMBLOCK_STRUCT_PAGE)
			return false;
		if (range.end >= phys + size_bytes)
			return true;
	}
	return false;
}

int arch_map_vmemmap(uintptr_t virt, phys_addr_t phys, u64 size_bytes)
{
	u64 offset = virt - VMEMMAP_BASE;

	FUZZ_CHECK(IS_ALIGNED(virt | phys | size_bytes, PAGE_SIZE), "crooked mapping");
	FUZZ_CHECK(offset < MAP_BYTES && size_bytes <= MAP_BYTES - offset, "outside of the window");
	FUZZ_CHECK(is_for_the_map(phys, size_bytes), "the map stands in 0x%llx",
		   (unsigned long long)phys);
	for (u64 page = offset / PAGE_SIZE; page < (offset + size_bytes) / PAGE_SIZE; page++) {
		FUZZ_CHECK(!map_page_used[page], "mapped twice");
		map_page_used[page] = 1;
	}
	return 0;
}

/* One CPU, one thread. */
void host_irqs_came_on(void)
{
}

void host_preemption_came_on(void)
{
}

void cpu_relax(void)
{
}

u64 arch_timestamp(void)
{
	return 0;
}

/* --- The machine ---------------------------------------------------------------------------- */

/* A page edge in one of the windows. */
static phys_addr_t take_edge(struct fuzz_bytes *in)
{
	u64 page = fuzz_take(in, 2) % ((LOW_BYTES + HIGH_BYTES) / PAGE_SIZE + 1);

	/* Edges of large blocks are where the work is. */
	if (fuzz_take(in, 1) % 4 == 0)
		page = ALIGN_DOWN(page, 256);
	if (page <= LOW_BYTES / PAGE_SIZE)
		return LOW_BASE + page * PAGE_SIZE;
	return HIGH_BASE + (page * PAGE_SIZE - LOW_BYTES);
}

static void take_range(struct fuzz_bytes *in, phys_addr_t *base, phys_addr_t *end)
{
	phys_addr_t a = take_edge(in), b = take_edge(in);

	*base = MIN(a, b);
	*end = MAX(a, b);
}

static void take_memory(struct fuzz_bytes *in)
{
	u32 shape = (u32)fuzz_take(in, 1);
	phys_addr_t base, end;

	for (u32 i = 0; i < shape % 4 + 1; i++) {
		take_range(in, &base, &end);
		FUZZ_SAME(memblock_add(base, end - base), 0);
	}
	FUZZ_SAME(memblock_remove(LOW_BASE + LOW_BYTES, HIGH_BASE - LOW_BASE - LOW_BYTES), 0);
	FUZZ_SAME(memblock_reserve(0, PAGE_SIZE, MEMBLOCK_FIRST_PAGE), 0);
	for (u32 i = 0; i < shape / 4 % 4; i++) {
		take_range(in, &base, &end);
		/* Short ones: machines that are all reserved show one thing only. */
		end = base + (end - base) % KiB(512);
		FUZZ_SAME(memblock_reserve(base, end - base, MEMBLOCK_KERNEL_IMAGE), 0);
	}
}

/* Sorted, without overlap, as acpi_build_topology() gives them. */
static void take_topology(struct fuzz_bytes *in, struct numa_topology *t)
{
	u32 shape = (u32)fuzz_take(in, 1);
	phys_addr_t at = 0;

	memset(t, 0, sizeof(*t));
	t->nr_nodes = shape % 4 + 1;
	t->nr_cpus = shape / 4 % 4 + 1;
	for (u32 i = 0; i < t->nr_cpus; i++)
		t->cpus[i] = (struct numa_cpu){i, (int)(fuzz_take(in, 1) % t->nr_nodes)};
	for (u32 i = 0; i < t->nr_nodes; i++)
		for (u32 j = 0; j < t->nr_nodes; j++)
			t->distance[i][j] =
				i == j ? LOCAL_DISTANCE : (u8)(11 + fuzz_take(in, 1) % 32);
	for (u32 i = 0; i < shape / 16 % 8; i++) {
		phys_addr_t edge = take_edge(in);

		if (edge > at)
			t->ranges[t->nr_ranges++] = (struct numa_range){
				at, edge, (int)(fuzz_take(in, 1) % t->nr_nodes)};
		at = MAX(at, edge);
	}
}

static void wipe(void)
{
	memset(&memory, 0, sizeof(memory));
	memset(&reserved, 0, sizeof(reserved));
	memset(map_page_used, 0, sizeof(map_page_used));
	memset(node_data, 0, sizeof(node_data));
	memset(node_load, 0, sizeof(node_load));
	closed = false;
}

/* --- Requests ------------------------------------------------------------------------------- */

struct block {
	struct page *page;
	u32 order;
};

static void expect_clean(void)
{
	struct check_report report;

	FUZZ_CHECK(mm_check(&report), "%s", report.first);
}

static u64 free_pages_in_all(void)
{
	struct node_snapshot node;
	u64 pages = 0;

	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		if (node_snapshot(nid, &node))
			pages += node.free_pages;
	return pages;
}

static u32 take_blocks(struct fuzz_bytes *in, struct block *held)
{
	u32 nr = 0;

	for (u32 i = 0; i < MAX_REQUESTS && in->left && nr < MAX_HELD; i++) {
		u8 what = (u8)fuzz_take(in, 1);
		gfp_t gfp = (gfp_t)fuzz_take(in, 1) & __GFP_ALL & ~__GFP_ZERO;
		int nid = (what >> 4) % (int)numa_topology()->nr_nodes;
		struct block block = {.order = what % 16 % NR_ORDERS};

		block.page = alloc_pages_node(nid, gfp, block.order);
		if (!block.page)
			continue;
		FUZZ_CHECK(IS_ALIGNED(page_to_pfn(block.page), (u64)1 << block.order),
			   "order %u at pfn 0x%llx", block.order,
			   (unsigned long long)page_to_pfn(block.page));
		FUZZ_CHECK(!(gfp & __GFP_THISNODE) || block.page->nid == nid,
			   "this node is %d, the page is of %u", nid, block.page->nid);
		held[nr++] = block;
	}
	return nr;
}

static void make_requests(struct fuzz_bytes *in)
{
	static struct block held[MAX_HELD];
	u64 before = free_pages_in_all(), taken = 0;
	u32 nr = take_blocks(in, held);

	for (u32 i = 0; i < nr; i++)
		taken += (u64)1 << held[i].order;
	FUZZ_SAME(free_pages_in_all(), before - taken);
	expect_clean();
	for (u32 i = 0; i < nr; i++)
		__free_pages(held[i].page, held[i].order);
	FUZZ_SAME(free_pages_in_all(), before);
	expect_clean();
}

/* --- One input ------------------------------------------------------------------------------ */

/* In a function of its own: nothing of it lives across the longjmp(). */
static void bring_up(struct fuzz_bytes *in)
{
	static struct numa_topology topology;
	struct mm_options options = {0};

	take_memory(in);
	take_topology(in, &topology);
	options.min_free_kbytes = fuzz_take(in, 2);
	FUZZ_SAME(numa_init(&topology), 0);
	mm_init(&options);
	expect_clean();
	make_requests(in);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_bytes in = {data, size};
	jmp_buf too_small;

	if (!host_direct_map) {
		host_direct_map = reserve(END);
		host_vmemmap = reserve(MAP_BYTES);
	}
	wipe();
	fuzz_panic_allowed = "mm: ";
	fuzz_panic_exit = &too_small;
	if (setjmp(too_small) == 0)
		bring_up(&in);
	fuzz_panic_exit = NULL;
	return 0;
}
