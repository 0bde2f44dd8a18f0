/*
 * What was counted: `vmstat` in the layout of Linux's /proc/vmstat, and `numastat` as numactl's tool of
 * that name prints it.
 *
 * Lines of Linux's come under its names, in its order, as far as this kernel has what they count;
 * then its own, whose names begin with hw_.
 */
#include <arch/page.h>
#include <kernel/monitor.h>
#include <kernel/thread.h>
#include <mm/memblock.h>
#include <mm/slab_inspect.h>
#include <mm/vmstat.h>

#include "commands.h"

static void print_line(const char *name, u64 value)
{
	kprintf("%s %llu\n", name, (unsigned long long)value);
}

/* Events of zones that Linux has under the same name are printed so; the rest are ours. */
static bool is_linux_name(enum zone_event event)
{
	return event >= NUMA_HIT && event <= NUMA_OTHER;
}

const char *zone_event_prefix(enum zone_event event)
{
	return is_linux_name(event) ? "" : "hw_";
}

static void print_events(const struct vm_totals *totals, bool linux_names)
{
	for (int i = 0; i < NR_ZONE_EVENTS; i++) {
		enum zone_event event = (enum zone_event)i;

		/* In pages they have had lines of Linux's. */
		if (event == ZONE_ALLOC_PAGES || event == ZONE_FREE_PAGES ||
		    is_linux_name(event) != linux_names)
			continue;
		kprintf("%s%s %llu\n", zone_event_prefix(event), zone_event_name(event),
			(unsigned long long)totals->events[event]);
	}
}

static void print_items(int from, int end)
{
	for (int i = from; i < end; i++)
		print_line(vmstat_name((enum vmstat_item)i), vmstat_read((enum vmstat_item)i));
}

u64 kernel_stack_pages(void)
{
	return memblock_reserved_pages(MEMBLOCK_STACKS) + threads_stack_pages();
}

bool node_figure(int nid, const struct lru_snapshot *lru, u32 i, const char **name, u64 *value)
{
	const struct {
		const char *name;
		u64 value;
	} figures[] = {
		{"nr_inactive_file", lru->pages[LRU_INACTIVE]},
		{"nr_active_file", lru->pages[LRU_ACTIVE]},
		{"nr_unevictable", lru->pages[LRU_PINNED]},
		{"nr_slab_reclaimable", 0},
		{"nr_slab_unreclaimable", slab_pages(nid)},
		{"nr_isolated_file", lru->pages[LRU_ISOLATED]},
		{"nr_dirty", lru->dirty_pages},
		{"nr_writeback", lru->writeback_pages},
	};

	if (i >= ARRAY_SIZE(figures))
		return false;
	*name = figures[i].name;
	*value = figures[i].value;
	return true;
}

int command_vmstat(int argc, char **argv)
{
	struct vm_totals totals;
	const char *name;
	u64 value;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	vm_totals(&totals);
	print_line("nr_free_pages", totals.free_pages);
	print_events(&totals, true);
	for (u32 i = 0; node_figure(NUMA_NO_NODE, &totals.lru, i, &name, &value); i++)
		print_line(name, value);
	/* In kB, in Linux as well. */
	print_line("nr_kernel_stack", kernel_stack_pages() << (PAGE_SHIFT - 10));
	print_line("pgalloc_dma", totals.alloc_pages[ZONE_DMA]);
	print_line("pgalloc_dma32", totals.alloc_pages[ZONE_DMA32]);
	print_line("pgalloc_normal", totals.alloc_pages[ZONE_NORMAL]);
	print_items(VMSTAT_ALLOCSTALL_DMA, VMSTAT_ALLOCSTALL_NORMAL + 1);
	print_line("pgfree", totals.events[ZONE_FREE_PAGES]);
	print_items(VMSTAT_ALLOCSTALL_NORMAL + 1, VMSTAT_FIRST_OWN);
	print_line("hw_pcp_pages", totals.pcp_pages);
	print_line("hw_captured_pages", totals.captured_pages);
	print_events(&totals, false);
	print_items(VMSTAT_FIRST_OWN, NR_VMSTAT_ITEMS);
	return 0;
}

/* --- numastat ------------------------------------------------------------------------------- */

#define COLUMN     16
#define MIN_LINE   80
#define NR_FIGURES 6

static void print_numastat_row(u32 row, int from, int end)
{
	static const char *const names[NR_FIGURES] = {"numa_hit",     "numa_miss",
						      "numa_foreign", "interleave_hit",
						      "local_node",   "other_node"};

	kprintf("%-*s", COLUMN, names[row]);
	for (int nid = from; nid < end; nid++) {
		struct numa_figures f;

		numa_figures(nid, &f);
		const u64 figure[NR_FIGURES] = {
			f.hit, f.miss, f.foreign, f.interleave_hit, f.local_node, f.other_node};

		kprintf("%*llu", COLUMN, (unsigned long long)figure[row]);
	}
	kprintf("\n");
}

/* Tables as wide as the terminal one below the other, as the tool does it. */
int command_numastat(int argc, char **argv)
{
	u32 width = MAX(line_editor_columns(&monitor_editor), (u32)MIN_LINE);
	int per_table = (int)(width / COLUMN) - 1, nr_nodes = (int)numa_topology()->nr_nodes;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	for (int from = 0; from < nr_nodes; from += per_table) {
		int end = MIN(from + per_table, nr_nodes);

		if (from > 0)
			kprintf("\n");
		kprintf("%*s", COLUMN, "");
		for (int nid = from; nid < end; nid++)
			kprintf("%*s%d", nid < 10 ? COLUMN - 1 : COLUMN - 2, "node", nid);
		kprintf("\n");
		for (u32 row = 0; row < NR_FIGURES; row++)
			print_numastat_row(row, from, end);
	}
	return 0;
}
