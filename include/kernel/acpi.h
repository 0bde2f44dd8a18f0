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
#define ACPI_MAX_TABLES   256 /* servers have dozens of SSDTs, and SRAT may be the last */
#define ACPI_MAX_CPUS     NUMA_MAX_CPUS
#define ACPI_MAX_MEMORY   NUMA_MAX_RANGES

/* The highest APIC id that can be sent an interrupt without x2APIC mode; 255 stands for all. */
#define ACPI_MAX_APIC_ID 254

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

/* A device that accesses memory on its own: an accelerator, a network card. */
enum acpi_handle_type { ACPI_HANDLE_ACPI = 0, ACPI_HANDLE_PCI = 1 }; /* others are possible */
struct acpi_srat_initiator {
	u32 domain;
	bool enabled;
	u8 handle_type;
	char hid[9]; /* ACPI_HANDLE_ACPI: its _HID and _UID */
	u32 uid;
	u16 segment, bdf; /* ACPI_HANDLE_PCI: bus << 8 | device << 3 | function */
};

#define ACPI_MAX_INITIATORS 64
struct acpi_srat {
	struct acpi_header header;
	u32 nr_cpus, nr_memory, nr_initiators;
	u32 nr_unused_cpus, nr_unused_memory; /* of them: disabled, or memory of length 0 */
	struct acpi_srat_cpu cpus[ACPI_MAX_CPUS];
	struct acpi_srat_memory memory[ACPI_MAX_MEMORY];
	struct acpi_srat_initiator initiators[ACPI_MAX_INITIATORS];
	u32 nr_unknown;    /* entries of other types, passed over */
	u32 first_unknown; /* the type of the first of them */
	u32 nr_malformed;  /* entries too short for their type, or that end past the table */
	u32 nr_dropped;    /* entries that did not fit the arrays */
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
	u32 bytes_unread;  /* after the matrix */
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
	u32 nr_cpus, nr_unused_cpus; /* unused: of them, those that are not enabled */
	struct acpi_madt_cpu cpus[ACPI_MAX_CPUS];
	u32 nr_malformed, nr_dropped, bytes_unread; /* as in struct acpi_srat */
};
int acpi_parse_madt(const void *bytes, size_t len, struct acpi_madt *out);

/*
 * HMAT: what the distances of SLIT are in nanoseconds and MB/s, and which memory has a cache of its
 * own. Known and shown; nothing is decided by it.
 */
#define ACPI_HMAT_MAX_ATTRIBUTES 128
#define ACPI_HMAT_MAX_MATRICES   32
#define ACPI_HMAT_MAX_CACHES     128
#define ACPI_HMAT_MAX_DOMAINS    1024  /* of all matrices, rows and columns */
#define ACPI_HMAT_MAX_VALUES     16384 /* of all matrices */

/* Which initiator's domain a memory domain belongs to. */
struct acpi_hmat_attributes {
	u32 initiator, memory;
	bool initiator_valid, memory_valid;
};

enum acpi_hmat_data {
	ACPI_HMAT_ACCESS_LATENCY,
	ACPI_HMAT_READ_LATENCY,
	ACPI_HMAT_WRITE_LATENCY,
	ACPI_HMAT_ACCESS_BANDWIDTH,
	ACPI_HMAT_READ_BANDWIDTH,
	ACPI_HMAT_WRITE_BANDWIDTH, /* above: reserved */
};

/* One row an initiator, one column a memory domain. */
struct acpi_hmat_matrix {
	u8 data;  /* enum acpi_hmat_data */
	u8 level; /* 0: memory itself; 1 to 3: that level of its cache */
	u64 base_unit;
	u32 nr_initiators, nr_targets;
	u32 first_domain; /* in domains[]: the initiators, then the targets */
	u32 first_value;  /* in values[]: row by row */
};

struct acpi_hmat_cache {
	u32 memory; /* domain */
	u64 size_bytes;
	u8 levels, level;
	u8 associativity; /* 0: none, 1: direct mapped, 2: complex */
	u8 write_policy;  /* 0: none, 1: write back, 2: write through */
	u16 line_bytes;
};

struct acpi_hmat {
	struct acpi_header header;
	bool known; /* revision 1 or 2: of another, nothing below is read */
	u32 nr_attributes, nr_matrices, nr_caches, nr_domains, nr_values;
	struct acpi_hmat_attributes attributes[ACPI_HMAT_MAX_ATTRIBUTES];
	struct acpi_hmat_matrix matrices[ACPI_HMAT_MAX_MATRICES];
	struct acpi_hmat_cache caches[ACPI_HMAT_MAX_CACHES];
	u32 domains[ACPI_HMAT_MAX_DOMAINS];
	u16 values[ACPI_HMAT_MAX_VALUES];
	u32 nr_unknown, first_unknown, nr_malformed, nr_dropped, bytes_unread; /* as of SRAT */
};
int acpi_parse_hmat(const void *bytes, size_t len, struct acpi_hmat *out);

/*
 * A matrix's value in nanoseconds or MB/s, whatever the revision's unit; 0 where the table has none,
 * says "not reachable", or names one that does not fit 32 bits. Row and column must exist.
 */
u32 acpi_hmat_value(const struct acpi_hmat *hmat, const struct acpi_hmat_matrix *matrix, u32 row,
		    u32 column);

/* What was odd about the tables, and what was done: for the log and `numa`. Starts zeroed. */
#define TOPOLOGY_MAX_NOTES 48
struct topology_notes {
	u32 nr;
	u32 nr_dropped; /* had no room */
	char text[TOPOLOGY_MAX_NOTES][120];
};
void topology_note(struct topology_notes *notes, const char *fmt, ...) __printf_like(2, 3);

/* --- From bytes in memory to parsed tables -------------------------------------------------- */

struct acpi_place {
	phys_addr_t addr;
	struct acpi_header header;
};

/* Every table that was found, and the contents of those that are used. */
struct acpi_tables {
	u32 nr_places;
	struct acpi_place places[ACPI_MAX_TABLES + 2]; /* those of one list, RSDT and XSDT */
	bool have_srat, have_slit, have_madt, have_hmat;
	struct acpi_srat srat;
	struct acpi_slit slit;
	struct acpi_madt madt;
	struct acpi_hmat hmat;
};

/*
 * Walks from the RSDP (a copy, `rsdp_bytes` long; 0: none) to all tables, and parses the first of
 * each kind that is used. `map` gives a pointer to that many bytes of physical memory, to be
 * read until the next call, or NULL. Pure but for `map`. Notes are appended.
 */
void acpi_read_tables(const void *rsdp, size_t rsdp_bytes,
		      const void *(*map)(phys_addr_t base, u64 size_bytes), struct acpi_tables *out,
		      struct topology_notes *notes);

/* --- From parsed tables to nodes ------------------------------------------------------------ */

/*
 * Puts SRAT, SLIT and MADT (each may be NULL) together: dense nodes in order of domain number,
 * sorted ranges without overlap, distances, and the enabled CPUs up to ACPI_MAX_APIC_ID, with the
 * boot CPU (boot_apic_id) first. Without a usable SRAT: one node, and a note that says why. Notes
 * are appended. Pure.
 */
void acpi_build_topology(const struct acpi_srat *srat, const struct acpi_slit *slit,
			 const struct acpi_madt *madt, u32 boot_apic_id,
			 struct numa_topology *topology, struct topology_notes *notes);

/* The node of a domain, NUMA_NO_NODE if none is its. Of a domain that joined the last node: that. */
int acpi_domain_node(const struct numa_topology *topology, u32 domain);

/* What is odd about the HMAT of a machine with these nodes. Pure; notes are appended. */
void acpi_note_hmat(const struct acpi_hmat *hmat, const struct numa_topology *topology,
		    struct topology_notes *notes);

/*
 * How the ranges and RAM fit: `next_ram` walks RAM in address order, as memblock_next_ram(). First:
 * how much of [base, end) is RAM. Second: a note on each range without any, third: on RAM that
 * is in no range. Pure but for the walk; notes are appended.
 */
u64 acpi_ram_bytes(bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
		   phys_addr_t base, phys_addr_t end);
void acpi_note_empty_ranges(const struct numa_topology *topology,
			    bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
			    struct topology_notes *notes);
void acpi_note_uncovered_ram(const struct numa_topology *topology,
			     bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
			     struct topology_notes *notes);

/*
 * The tables as text, for `numa`: enabled CPUs that are left out, SRAT's memory and initiators as they
 * stand there, HMAT. `next_ram` as above, or NULL where RAM is not known. Pure but for the two.
 */
void acpi_describe(const struct acpi_tables *tables, const struct numa_topology *topology,
		   bool (*next_ram)(phys_addr_t *cursor, struct memblock_range *range),
		   void (*print)(const char *fmt, ...) __printf_like(1, 2));

/* --- This machine --------------------------------------------------------------------------- */

/*
 * Finds the tables from the RSDP, parses them and builds the topology. Boot only, after memblock
 * has the RAM and before numa_init(). `numa_on` false: one node.
 */
struct boot_info;
void acpi_init(const struct boot_info *info, bool numa_on);
const struct topology_notes *acpi_notes(void);
const struct numa_topology *acpi_topology(void);
const struct acpi_tables *acpi_tables(void);

/* Calls fn for each table found and for the root tables: memory that must stay. */
void acpi_for_each_table(void (*fn)(phys_addr_t base, u64 size_bytes, const char *signature));

#endif
