/*
 * Fake machines: RAM where a test wants it, nodes as it says.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/check.h>
#include <mm/memblock.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <stdio.h>
#include <stdlib.h>

void host_machine_topology(const struct host_machine *machine, struct numa_topology *t)
{
	memset(t, 0, sizeof(*t));
	t->nr_nodes = machine->nr_nodes ? machine->nr_nodes : 1;
	for (u32 i = 0; i < HOST_MAX_RAM && machine->ram[i].size_bytes; i++) {
		const struct host_ram *ram = &machine->ram[i];

		t->ranges[t->nr_ranges++] =
			(struct numa_range){ram->base, ram->base + ram->size_bytes, ram->nid};
	}
	t->nr_cpus = machine->nr_cpus ? machine->nr_cpus : 1;
	for (u32 cpu = 0; cpu < t->nr_cpus; cpu++)
		t->cpus[cpu] = (struct numa_cpu){cpu, machine->cpu_nid[cpu]};
	for (u32 i = 0; i < t->nr_nodes; i++) {
		for (u32 j = 0; j < t->nr_nodes; j++) {
			u8 given = i < 8 && j < 8 ? machine->distance[i][j] : 0;

			t->distance[i][j] = given    ? given
					    : i == j ? LOCAL_DISTANCE
						     : REMOTE_DISTANCE;
		}
	}
}

void host_machine_memory(const struct host_machine *machine)
{
	host_arch_start();
	for (u32 i = 0; i < HOST_MAX_RAM && machine->ram[i].size_bytes; i++) {
		const struct host_ram *ram = &machine->ram[i];

		host_arch_add_ram(ram->base, ram->size_bytes);
		if (memblock_add(ram->base, ram->size_bytes) != 0)
			abort();
	}
	if (memblock_reserve(0, PAGE_SIZE, MEMBLOCK_FIRST_PAGE) != 0)
		abort();
}

void host_machine_boot(const struct host_machine *machine)
{
	static struct numa_topology topology;
	struct mm_options options = {.min_free_kbytes = machine->min_free_kbytes,
				     .one_block_type = machine->one_block_type};

	host_machine_memory(machine);
	host_machine_topology(machine, &topology);
	if (numa_init(&topology) != 0)
		abort();
	mm_init(&options);
	if (!machine->no_slab)
		slab_init();
}

void expect_check_clean(struct ktest *t)
{
	struct check_report report;

	EXPECT_MSG(t, mm_check(&report) && report.run > 0, "%s", report.first);
}

void expect_check_finds(struct ktest *t, const char *id)
{
	struct check_report report;
	char prefix[32];

	host_log_clear();
	snprintf(prefix, sizeof(prefix), "%s broken", id);
	EXPECT_MSG(t, !mm_check(&report), "check finds nothing, expected %s", id);
	EXPECT_MSG(t, host_log_contains(prefix), "check finds %s, expected %s", report.first, id);
}
