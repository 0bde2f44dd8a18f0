/*
 * ACPI tables: pure, bounded parsers, and the step from tables to a NUMA topology.
 *
 * A parser gets bytes and a length and fills a plain struct. It has no globals, reads nothing
 * past the length, and works on any content. Finding the tables in memory (kernel/acpi/
 * tables.c) is apart from reading them, so that everything here runs on the host, too.
 *
 * Sources: ACPI Specification 6.5, section 5.2.
 */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include <base/types.h>
#include <mm/numa.h>

#define ACPI_HEADER_BYTES 36
#define ACPI_MAX_TABLES   64
#define ACPI_MAX_CPUS     NUMA_MAX_CPUS
#define ACPI_MAX_MEMORY   NUMA_MAX_RANGES

/*
 * Where the root pointer says that the list of tables is. The first 20 bytes are ACPI 1.0's and
 * have a checksum of their own; from revision 2 on, 16 more follow, and a second checksum.
 */
struct acpi_rsdp {
	u8 revision;       /* 0: ACPI 1.0, only rsdt */
	bool extension_ok; /* revision 2: the other 16 bytes are there and their checksum holds */
	u32 rsdt;
	u64 xsdt; /* 0: none, or it cannot be trusted (!extension_ok) */
};

/* The common header. `length` includes it. */
struct acpi_header {
	char signature[5];
	u32 length;
	u8 revision;
	bool checksum_ok;
	char oem_id[7], oem_table_id[9];
};

/*
 * All return 0, or -EINVAL if the bytes are not such a table: too short for their header, wrong
 * signature, length past `len`; for the RSDP also a wrong first checksum, for without it there
 * is no telling an RSDP from other bytes. A table's wrong checksum is only reported. What a
 * parser skipped or doubted is counted in its struct.
 */
int acpi_parse_rsdp(const void *bytes, size_t len, struct acpi_rsdp *out);
int acpi_parse_header(const void *bytes, size_t len, struct acpi_header *out);

/* Physical addresses of the tables that an RSDT (4-byte entries) or XSDT (8) lists. */
struct acpi_table_list {
	u32 nr;
	u64 addr[ACPI_MAX_TABLES];
	u32 nr_null;    /* null entries, left out */
	u32 nr_dropped; /* entries that did not fit */
};
int acpi_parse_rsdt(const void *bytes, size_t len, struct acpi_table_list *out);
int acpi_parse_xsdt(const void *bytes, size_t len, struct acpi_table_list *out);

struct acpi_srat_cpu {
	u32 apic_id;
	u32 domain;
	bool enabled;
	bool x2apic;
};

struct acpi_srat_memory {
	u64 base, length;
	u32 domain;
	bool enabled, hotplug, nonvolatile;
};

struct acpi_srat {
	struct acpi_header header;
	u32 nr_cpus, nr_memory;
	struct acpi_srat_cpu cpus[ACPI_MAX_CPUS];
	struct acpi_srat_memory memory[ACPI_MAX_MEMORY];
	u32 nr_unknown;   /* entries of other types, passed over */
	u32 nr_malformed; /* entries too short for their type, or that end past the table */
	u32 nr_dropped;   /* entries that did not fit the arrays */
	u32 bytes_unread; /* after an entry whose length leads nowhere; it is one of nr_malformed */
};
int acpi_parse_srat(const void *bytes, size_t len, struct acpi_srat *out);

/*
 * The matrix is indexed by domain number, which is not a node's: what is kept is enough for
 * every 8-bit domain. The counts below are over the whole matrix, kept or not.
 */
#define ACPI_MAX_LOCALITIES 256
struct acpi_slit {
	struct acpi_header header;
	u64 localities;    /* as the table says */
	bool truncated;    /* the table is shorter than localities^2 distances: none is kept */
	u32 nr_kept;       /* rows and columns kept below */
	u32 nr_bad_local;  /* distances to itself that are not 10 */
	u32 nr_bad_remote; /* distances to another that are 10 or less */
	u8 distance[ACPI_MAX_LOCALITIES][ACPI_MAX_LOCALITIES];
};
int acpi_parse_slit(const void *bytes, size_t len, struct acpi_slit *out);

struct acpi_madt_cpu {
	u32 apic_id;
	u32 uid;
	bool enabled, online_capable, x2apic;
};

struct acpi_madt {
	struct acpi_header header;
	u64 lapic_address;
	u32 nr_cpus;
	struct acpi_madt_cpu cpus[ACPI_MAX_CPUS];
	u32 nr_malformed, nr_dropped, bytes_unread; /* as in struct acpi_srat */
};
int acpi_parse_madt(const void *bytes, size_t len, struct acpi_madt *out);

/* What was odd about the tables, and what was done: for the log and `numa`. Starts zeroed. */
#define TOPOLOGY_MAX_NOTES 48
struct topology_notes {
	u32 nr;
	u32 nr_dropped;
	char text[TOPOLOGY_MAX_NOTES][120];
};
void topology_note(struct topology_notes *notes, const char *fmt, ...) __printf_like(2, 3);

/*
 * Puts SRAT, SLIT and MADT (each may be NULL) together: dense nodes in order of domain number,
 * sorted ranges without overlap, the enabled CPUs with the boot CPU (boot_apic_id) first,
 * distances. Without a usable SRAT: one node, and a note that says why. Notes are appended. Pure.
 */
void acpi_build_topology(const struct acpi_srat *srat, const struct acpi_slit *slit,
			 const struct acpi_madt *madt, u32 boot_apic_id,
			 struct numa_topology *topology, struct topology_notes *notes);

/*
 * The machine's own tables: finds them from the RSDP, parses them and builds the topology.
 * Boot only. `numa_on` false: one node.
 */
struct boot_info;
void acpi_init(const struct boot_info *info, bool numa_on);
const struct topology_notes *acpi_notes(void);
const struct numa_topology *acpi_topology(void);

/* Calls fn for each table found and for the root tables: memory that must stay. */
void acpi_for_each_table(void (*fn)(phys_addr_t base, u64 size_bytes, const char *signature));

#endif
