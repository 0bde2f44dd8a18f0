/*
 * The machine: nodes, ranges, CPUs, distances, and where the RAM went at boot.
 *
 * `numa` starts with what `numactl --hardware` prints, to the blank, so that what reads that
 * reads this; sections of our own follow. "size" is what the allocator manages, as in
 * Linux.
 */
#include <arch/page.h>
#include <base/format.h>
#include <kernel/acpi.h>
#include <kernel/memory_map.h>
#include <kernel/panic.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <mm/numa.h>

#include "commands.h"

static unsigned long long megabytes(u64 pages)
{
	return (unsigned long long)(pages << PAGE_SHIFT) >> 20;
}

static void print_node(const struct numa_topology *topology, int nid)
{
	struct node_snapshot node = {.nid = nid}; /* a node that does not exist has zeros */

	kprintf("node %d cpus:", nid);
	for (u32 cpu = 0; cpu < topology->nr_cpus; cpu++)
		if (topology->cpus[cpu].nid == nid)
			kprintf(" %u", cpu);
	kprintf("\n");
	node_snapshot(nid, &node);
	kprintf("node %d size: %llu MB\n", nid, megabytes(node.managed_pages));
	kprintf("node %d free: %llu MB\n", nid, megabytes(node.free_pages));
}

static void print_distances(const struct numa_topology *topology)
{
	int nr = (int)topology->nr_nodes;

	kprintf("node distances:\nnode ");
	for (int nid = 0; nid < nr; nid++)
		kprintf("% 3d ", nid);
	kprintf("\n");
	for (int from = 0; from < nr; from++) {
		kprintf("% 3d: ", from);
		for (int to = 0; to < nr; to++)
			kprintf("% 3d ", numa_distance(from, to));
		kprintf("\n");
	}
}

/* RAM by node, as memblock knows it: the firmware's ranges cut by the firmware's map. */
static void print_ranges(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	kprintf("memory ranges:\n");
	while (memblock_next_ram(&cursor, &range))
		kprintf("node %d: [mem 0x%016llx-0x%016llx] %llu page%s\n", range.nid,
			(unsigned long long)range.base, (unsigned long long)range.end - 1,
			(unsigned long long)((range.end - range.base) >> PAGE_SHIFT),
			plural((range.end - range.base) >> PAGE_SHIFT));
}

static void print_cpus_and_domains(const struct numa_topology *topology)
{
	kprintf("cpus:\n");
	for (u32 cpu = 0; cpu < topology->nr_cpus; cpu++)
		kprintf("cpu %u: apic id %u, node %d\n", cpu, topology->cpus[cpu].apic_id,
			topology->cpus[cpu].nid);
	kprintf("domains:\n");
	for (u32 nid = 0; nid < topology->nr_nodes; nid++)
		kprintf("node %u: proximity domain %u\n", nid, topology->domain[nid]);
}

static void print_oddities(void)
{
	const struct topology_notes *notes = acpi_notes();

	kprintf("oddities:%s\n", notes->nr + notes->nr_dropped ? "" : " none");
	for (u32 i = 0; i < notes->nr; i++)
		kprintf("  %s\n", notes->text[i]);
	if (notes->nr_dropped)
		kprintf("  and %u more\n", notes->nr_dropped);
}

int command_numa(int argc, char **argv)
{
	const struct numa_topology *topology = numa_topology();
	u32 nr = topology->nr_nodes;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	if (nr == 1)
		kprintf("available: 1 nodes (0)\n");
	else
		kprintf("available: %u nodes (0-%u)\n", nr, nr - 1);
	for (u32 nid = 0; nid < nr; nid++)
		print_node(topology, (int)nid);
	print_distances(topology);
	kprintf("\n");
	print_ranges();
	print_cpus_and_domains(topology);
	acpi_describe(acpi_tables(), topology, memblock_next_ram, kprintf);
	print_oddities();
	return 0;
}

/* At boot the accounting is the log's; as a report it is the console's, whatever the log level. */
static void say_in_log(enum log_level level, const char *fmt, ...) __printf_like(2, 3);
static void say_at_console(enum log_level level, const char *fmt, ...) __printf_like(2, 3);

static void say_in_log(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vklog(level, "acct", fmt, args);
	va_end(args);
}

static void say_at_console(enum log_level level, const char *fmt, ...)
{
	va_list args;

	(void)level;
	va_start(args, fmt);
	vkprintf(fmt, args);
	va_end(args);
	kprintf("\n");
}

/* Where each page of the firmware's map went. Panics if the sum is not exact. */
static void account(void (*say)(enum log_level level, const char *fmt, ...))
{
	const struct boot_info *info = machine_memory_map.info;
	u64 firmware_pages = memory_map_pages(&machine_memory_map);
	u64 cut_pages = memory_map_cut_pages(&machine_memory_map);
	struct page_accounting acct;
	u64 sum;

	page_accounting(&acct);
	sum = acct.managed_pages + cut_pages;
	say(LOG_INFO, "%8llu page%s managed by the buddy allocator",
	    (unsigned long long)acct.managed_pages, plural(acct.managed_pages));
	for (int owner = 0; owner < MEMBLOCK_NR_OWNERS; owner++) {
		u64 pages = acct.reserved_pages[owner];

		if (pages == 0)
			continue;
		sum += pages;
		say(LOG_INFO, "%8llu page%s: %s", (unsigned long long)pages, plural(pages),
		    memblock_owner_name((enum memblock_owner)owner));
	}
	if (cut_pages)
		say(LOG_INFO, "%8llu page%s cut off by mem=", (unsigned long long)cut_pages,
		    plural(cut_pages));
	/* Not part of the sum: what had no room in boot_info is in no map. */
	if (info->nr_ram_left_out)
		say(LOG_WARN,
		    "besides, %u range%s of RAM, %llu KiB in all, left out: the firmware's map has "
		    "more than %d",
		    info->nr_ram_left_out, plural(info->nr_ram_left_out),
		    (unsigned long long)info->ram_left_out_bytes >> 10, BOOT_MAX_MEM);
	if (sum != firmware_pages)
		panic("acct: %llu pages in all, %llu in the firmware's map: WRONG",
		      (unsigned long long)sum, (unsigned long long)firmware_pages);
	say(LOG_INFO, "%8llu page%s in all, %llu in the firmware's map: exact",
	    (unsigned long long)sum, plural(sum), (unsigned long long)firmware_pages);
}

void check_accounting(void)
{
	account(say_in_log);
}

int command_memblock(int argc, char **argv)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	while (memblock_next(&cursor, &range))
		kprintf("[mem 0x%016llx-0x%016llx] node %d, %llu page%s: %s\n",
			(unsigned long long)range.base, (unsigned long long)range.end - 1,
			range.nid, (unsigned long long)((range.end - range.base) >> PAGE_SHIFT),
			plural((range.end - range.base) >> PAGE_SHIFT),
			range.reserved ? memblock_owner_name(range.owner) : "free at boot");
	account(say_at_console);
	return 0;
}
