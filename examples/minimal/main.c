/*
 * A kernel with one CPU and no threads that takes mm/ as it is.
 *
 * It tells mm/ what memory there is, takes all of it in blocks of every size, with a record from kmalloc() of each,
 * gives it back, and looks whether mm/ is then exactly as it was. Success is exit code 0x10 through QEMU's
 * isa-debug-exit; anything else is failure, a triple fault (there are no exception handlers) among
 * it, which ends QEMU with 0 instead.
 *
 * The command line breaks it on purpose, to show that the checks check:
 *
 *	leak          one block is not given back: failure
 *	double-free   one block is given back twice: mm/ panics through os_panic()
 *	late-reserve   early memory is reserved too late: mm/ panics through assert_failed()
 */
#include "minimal.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/kmalloc.h>
#include <mm/memblock.h>
#include <mm/mm.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>

extern char image_start[], image_end[]; /* linker.ld */

static bool asked_to(const struct hvm_start_info *start, const char *what)
{
	return start->cmdline && strstr(phys_to_virt(start->cmdline), what);
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	say("FAILED: %s", what);
	machine_exit(EXIT_FAILURE);
}

/* --- Bringing mm/ up ----------------------------------------------------------------------- */

static void reserve(phys_addr_t base, u64 size_bytes, enum memblock_owner owner)
{
	require(memblock_reserve(base, size_bytes, owner) == 0, "room to reserve");
}

/* What RAM there is, and what of it is taken already. */
static void describe_memory(const struct hvm_start_info *start)
{
	const struct hvm_memmap_entry *map = phys_to_virt(start->memmap);

	require(start->magic == HVM_START_MAGIC && start->version >= 1, "PVH with a memory map");
	for (u32 i = 0; i < start->nr_memmap; i++) {
		if (map[i].type == HVM_MEMMAP_RAM)
			require(memblock_add(map[i].base, map[i].size_bytes) == 0, "room to add");
	}
	reserve(0, PAGE_SIZE, MEMBLOCK_FIRST_PAGE);
	reserve(virt_to_phys(image_start), (u64)(image_end - image_start), MEMBLOCK_KERNEL_IMAGE);
	reserve(virt_to_phys(start), sizeof(*start), MEMBLOCK_BOOT_INFO);
	reserve(start->memmap, start->nr_memmap * sizeof(*map), MEMBLOCK_BOOT_INFO);
	if (start->cmdline)
		reserve(start->cmdline, strlen(phys_to_virt(start->cmdline)) + 1,
			MEMBLOCK_BOOT_INFO);
}

/* phys_to_virt() must work for all RAM before mm_init(); boot.asm has mapped the first GiB. */
static void map_rest_of_memory(void)
{
	struct memblock_range ram;
	phys_addr_t cursor = BOOT_MAP_END;

	while (memblock_next_ram(&cursor, &ram))
		require(map_pages((uintptr_t)phys_to_virt(ram.base), ram.base,
				  ram.end - ram.base) == 0,
			"memory for page tables");
}

static void bring_up(const struct hvm_start_info *start)
{
	static const struct mm_options defaults;
	static struct numa_topology topology; /* too large for the stack */

	describe_memory(start);
	map_rest_of_memory();
	numa_topology_flat(&topology);
	require(numa_init(&topology) == 0, "a topology of one node");
	mm_init(&defaults);
	slab_init();
}

/* --- Using it ------------------------------------------------------------------------------ */

/* A zeroed block is zero, also where the memory was written to before. */
static void check_zeroed(void)
{
	for (u32 order = 0; order <= MAX_ORDER; order++) {
		u64 *words = get_free_pages(GFP_KERNEL, order);

		require(words, "a block of every order");
		memset(words, 0xa5, PAGE_SIZE << order);
		free_pages(words, order);

		/* What was given back last is handed out first. */
		words = get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
		require(words, "a block of every order, zeroed");
		for (u64 i = 0; i < (PAGE_SIZE << order) / sizeof(*words); i++)
			require(words[i] == 0, "__GFP_ZERO gives zeros");
		free_pages(words, order);
	}
}

/* A block that is taken: what it was when it was taken. */
struct taken {
	struct list_head link;
	struct page *page;
	u64 serial;
	u32 order;
};

/* False: there is no such block, or no memory for its record. */
static bool take(struct list_head *all, u32 order, u64 serial)
{
	struct taken *taken = kmalloc(sizeof(*taken), GFP_KERNEL | __GFP_NOWARN);

	if (!taken)
		return false;
	taken->page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);
	if (!taken->page) {
		kfree(taken);
		return false;
	}
	taken->order = order;
	taken->serial = serial;
	*(u64 *)page_address(taken->page) = serial;
	list_add(&taken->link, all);
	return true;
}

/*
 * Takes blocks of all orders in turn until there is none, leaving out the orders that have failed.
 * Each block gets a number of its own, so that one handed out twice is seen.
 */
static u64 take_all(struct list_head *all)
{
	u64 pages = 0;

	for (u32 turn = 0, nr_orders = NR_ORDERS; nr_orders > 0; turn++) {
		u32 order = turn % nr_orders;

		if (take(all, order, turn))
			pages += (u64)1 << order;
		else
			nr_orders = order;
	}
	return pages;
}

static u64 give_all_back(struct list_head *all, u64 *records)
{
	u64 pages = 0;

	while (!list_empty(all)) {
		struct taken *taken = list_first_entry(all, struct taken, link);

		require(*(u64 *)page_address(taken->page) == taken->serial,
			"nobody else writes to a block");
		list_del(&taken->link);
		__free_pages(taken->page, taken->order);
		pages += (u64)1 << taken->order;
		kfree(taken);
		++*records;
	}
	return pages;
}

/* With nothing that caches and the CPU keep at hand, since that does not merge. */
static void snapshot(struct zone_snapshot *zones)
{
	kmem_cache_shrink_all();
	drain_all_pages();
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		require(zone_snapshot(0, (enum zone_type)type, &zones[type]), "node 0");
}

/* Merging is eager, so the free lists must be block for block what they were. */
static void check_unchanged(const struct zone_snapshot *before)
{
	struct zone_snapshot after[MAX_NR_ZONES];

	snapshot(after);
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		say("%-6s %7llu pages managed, %7llu free again", after[type].name,
		    (unsigned long long)after[type].managed_pages,
		    (unsigned long long)after[type].free_pages);
		require(after[type].free_pages == before[type].free_pages &&
				memcmp(after[type].free_blocks, before[type].free_blocks,
				       sizeof(after[type].free_blocks)) == 0,
			"every page comes back");
	}
}

/* What the command line asks to be done wrong. */
static void misbehave(const struct hvm_start_info *start)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	require(page, "a page");
	if (!asked_to(start, "leak"))
		__free_pages(page, 0);
	if (asked_to(start, "double-free"))
		__free_pages(page, 0);
	if (asked_to(start, "late-reserve"))
		memblock_reserve(0, PAGE_SIZE, MEMBLOCK_OTHER);
}

_Noreturn void kernel_main(const struct hvm_start_info *start)
{
	struct zone_snapshot before[MAX_NR_ZONES];
	struct list_head taken = {&taken, &taken};
	struct page_accounting memory;
	struct check_report report;
	u64 pages, records = 0;

	serial_init();
	bring_up(start);
	snapshot(before);
	check_zeroed();
	pages = take_all(&taken);
	require(give_all_back(&taken, &records) == pages, "what was taken is given back");
	say("%llu blocks, each with a record of %llu bytes from kmalloc()",
	    (unsigned long long)records, (unsigned long long)sizeof(struct taken));
	misbehave(start);

	check_unchanged(before);
	page_accounting(&memory);
	require(pages > memory.managed_pages / 10 * 9, "nine tenths of memory can be taken");
	require(mm_check(&report), report.first);
	say("%llu MiB managed, %llu pages taken and returned, %u invariants hold",
	    (unsigned long long)(memory.managed_pages << PAGE_SHIFT >> 20),
	    (unsigned long long)pages, report.run);
	machine_exit(EXIT_SUCCESS);
}
