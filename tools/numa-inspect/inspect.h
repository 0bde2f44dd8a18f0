/*
 * numa-inspect: the tables of a machine as files, and what the kernel would make of them.
 *
 *	files.c     files -> tables: raw bytes, acpidump's text, directories
 *	machine.c   tables -> a memory that has them -> the kernel's code -> topology
 *	show.c      the topology as text and as JSON
 *	raw.c       what the parsers read, as JSON
 *	os.c        seam 2 for mm/numa.c
 */
#ifndef NUMA_INSPECT_H
#define NUMA_INSPECT_H

#include <kernel/acpi.h>
#include <stddef.h>

/* The bytes of one table. They need not be as many as its header says. */
struct table {
	char *name; /* its file, and its address where that is known: for messages */
	u8 *bytes;
	size_t len;
};

struct table_set {
	struct table *tables;
	size_t nr;
};

/* Adds the tables of a file or directory; false, with one line on standard error, if it holds none. */
bool read_tables(struct table_set *set, const char *path);
void free_tables(struct table_set *set);

#define BOOT_CPU_BY_MADT (-1)

struct machine {
	struct acpi_tables tables;
	s64 boot_apic_id; /* or BOOT_CPU_BY_MADT: the first CPU that the MADT has enabled */
	bool have_ram;    /* memblock was told what RAM there is */
	struct numa_topology topology;
	struct topology_notes notes;
};

/* From the tables to the topology. False if the result breaks the kernel's own invariants. */
bool build_machine(struct machine *machine, const struct table_set *set);

/* Where a table is taken to stand: notes name tables by it. */
phys_addr_t table_address(const struct table_set *set, size_t index);

void show_text(const struct machine *machine, const struct table_set *set);
void show_json(const struct machine *machine);
void show_raw(const struct machine *machine);
void json_text(const char *text);

/* What mm/numa.c logged. */
const struct topology_notes *os_log_lines(void);

#endif
