/*
 * The topology: as text in the layout of the monitor's `numa` (which begins as numactl --hardware
 * does), or as JSON with one line an item.
 *
 * Addresses are hexadecimal texts in JSON: its readers take numbers for doubles, and people
 * compare them with firmware's. "end" is the address after the last byte.
 */
#include <base/format.h>
#include <mm/memblock.h>
#include <stdarg.h>
#include <stdio.h>

#include "inspect.h"

/* --- Text ---------------------------------------------------------------------------------- */

/* Of RAM, if that is known; else of what the tables would give the node. */
static unsigned long long node_megabytes(const struct machine *machine, int nid)
{
	const struct numa_topology *topology = &machine->topology;
	struct memblock_range ram;
	phys_addr_t cursor = 0;
	u64 bytes = 0;

	while (memblock_next_ram(&cursor, &ram))
		bytes += ram.nid == nid ? ram.end - ram.base : 0;
	for (u32 i = 0; !machine->have_ram && i < topology->nr_ranges; i++)
		if (topology->ranges[i].nid == nid)
			bytes += topology->ranges[i].end - topology->ranges[i].base;
	return bytes >> 20;
}

static void text_nodes(const struct machine *machine)
{
	const struct numa_topology *topology = &machine->topology;
	u32 nr = topology->nr_nodes;

	if (nr == 1)
		printf("available: 1 nodes (0)\n");
	else
		printf("available: %u nodes (0-%u)\n", nr, nr - 1);
	for (u32 nid = 0; nid < nr; nid++) {
		printf("node %u cpus:", nid);
		for (u32 cpu = 0; cpu < topology->nr_cpus; cpu++)
			if (topology->cpus[cpu].nid == (int)nid)
				printf(" %u", cpu);
		printf("\nnode %u size: %llu MB\n", nid, node_megabytes(machine, (int)nid));
	}
}

static void text_distances(const struct numa_topology *topology)
{
	printf("node distances:\nnode ");
	for (u32 nid = 0; nid < topology->nr_nodes; nid++)
		printf("%3u ", nid);
	printf("\n");
	for (u32 from = 0; from < topology->nr_nodes; from++) {
		printf("%3u: ", from);
		for (u32 to = 0; to < topology->nr_nodes; to++)
			printf("%3u ", topology->distance[from][to]);
		printf("\n");
	}
}

static void text_range(int nid, u64 base, u64 end)
{
	unsigned long long nr_pages = (end - base) >> 12;

	printf("node %d: [mem 0x%016llx-0x%016llx] %llu page%s\n", nid, (unsigned long long)base,
	       (unsigned long long)end - 1, nr_pages, plural(nr_pages));
}

static void text_ranges(const struct machine *machine)
{
	const struct numa_topology *topology = &machine->topology;
	struct memblock_range ram;
	phys_addr_t cursor = 0;

	printf("memory ranges%s:\n", machine->have_ram ? "" : " (RAM or not)");
	while (memblock_next_ram(&cursor, &ram))
		text_range(ram.nid, ram.base, ram.end);
	for (u32 i = 0; !machine->have_ram && i < topology->nr_ranges; i++)
		text_range(topology->ranges[i].nid, topology->ranges[i].base,
			   topology->ranges[i].end);
}

/* For acpi_describe(). */
static void print(const char *fmt, ...) __printf_like(1, 2);

static void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
}

static void text_notes(const struct topology_notes *notes)
{
	for (u32 i = 0; i < notes->nr; i++)
		printf("  %s\n", notes->text[i]);
	if (notes->nr_dropped)
		printf("  and %u more\n", notes->nr_dropped);
}

static void text_tables(const struct table_set *set)
{
	printf("tables:\n");
	for (size_t i = 0; i < set->nr; i++)
		printf("0x%llx: %.4s, %zu bytes of %s\n", (unsigned long long)table_address(set, i),
		       (const char *)set->tables[i].bytes, set->tables[i].len, set->tables[i].name);
}

void show_text(const struct machine *machine, const struct table_set *set)
{
	const struct numa_topology *topology = &machine->topology;

	text_nodes(machine);
	text_distances(topology);
	printf("\n");
	text_ranges(machine);
	printf("cpus:\n");
	for (u32 cpu = 0; cpu < topology->nr_cpus; cpu++)
		printf("cpu %u: apic id %u, node %d\n", cpu, topology->cpus[cpu].apic_id,
		       topology->cpus[cpu].nid);
	printf("domains:\n");
	for (u32 nid = 0; nid < topology->nr_nodes; nid++)
		printf("node %u: proximity domain %u\n", nid, topology->domain[nid]);
	acpi_describe(&machine->tables, topology, machine->have_ram ? memblock_next_ram : NULL,
		      print);
	printf("oddities:%s\n", machine->notes.nr ? "" : " none");
	text_notes(&machine->notes);
	text_tables(set);
}

/* --- JSON ---------------------------------------------------------------------------------- */

/* Between two items of a list, each on its own line. */
static const char *separator(u32 index, u32 nr)
{
	return index + 1 < nr ? ",\n" : "\n  ";
}

void json_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_range(int nid, u64 base, u64 end)
{
	printf("    {\"base\": \"0x%llx\", \"end\": \"0x%llx\", \"node\": %d}",
	       (unsigned long long)base, (unsigned long long)end, nid);
}

static void json_notes(const char *name, const struct topology_notes *notes)
{
	printf("  \"%s\": [%s", name, notes->nr ? "\n" : "");
	for (u32 i = 0; i < notes->nr; i++) {
		printf("    ");
		json_text(notes->text[i]);
		printf("%s", separator(i, notes->nr));
	}
	printf("],\n  \"%s_dropped\": %u", name, notes->nr_dropped);
}

static void json_distances(const struct numa_topology *topology)
{
	printf("  \"distances\": [\n");
	for (u32 from = 0; from < topology->nr_nodes; from++) {
		printf("    [");
		for (u32 to = 0; to < topology->nr_nodes; to++)
			printf("%s%u", to ? ", " : "", topology->distance[from][to]);
		printf("]%s", separator(from, topology->nr_nodes));
	}
	printf("],\n");
}

/* RAM by node, after memblock was told whose it is; and what it said about that. */
static void json_ram(void)
{
	struct memblock_range ram;
	phys_addr_t cursor = 0;
	const char *between = "\n";

	printf(",\n  \"ram\": [");
	while (memblock_next_ram(&cursor, &ram)) {
		printf("%s", between);
		json_range(ram.nid, ram.base, ram.end);
		between = ",\n";
	}
	printf("\n  ],\n");
	json_notes("log", os_log_lines());
}

void show_json(const struct machine *machine)
{
	const struct numa_topology *topology = &machine->topology;

	printf("{\n  \"nodes\": %u,\n  \"domains\": [", topology->nr_nodes);
	for (u32 nid = 0; nid < topology->nr_nodes; nid++)
		printf("%s%u", nid ? ", " : "", topology->domain[nid]);
	printf("],\n  \"ranges\": [%s", topology->nr_ranges ? "\n" : "");
	for (u32 i = 0; i < topology->nr_ranges; i++) {
		const struct numa_range *range = &topology->ranges[i];

		json_range(range->nid, range->base, range->end);
		printf("%s", separator(i, topology->nr_ranges));
	}
	printf("],\n  \"cpus\": [\n");
	for (u32 i = 0; i < topology->nr_cpus; i++)
		printf("    {\"apic_id\": %u, \"node\": %d}%s", topology->cpus[i].apic_id,
		       topology->cpus[i].nid, separator(i, topology->nr_cpus));
	printf("],\n");
	json_distances(topology);
	json_notes("notes", &machine->notes);
	if (machine->have_ram)
		json_ram();
	printf("\n}\n");
}
