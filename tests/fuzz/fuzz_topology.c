/*
 * From tables to nodes: the input is ACPI tables one after another, each as long as its header says
 * (`cat` of acpidump's files is such an input). The first of each kind is read, and the topology is
 * held to what they said:
 *
 *	SRAT    |--- domain 7 -----|   |---- 3 ----|      every enabled byte is in a range ...
 *	            |-- 3 --|
 *	ranges  | 1 |-- 0 --|- 1 --|   |-- node 0 -|      ... of the node of its shortest claim
 *
 * Then it is laid over a machine's RAM, for the notes on what does not fit.
 */
#include "fuzz.h"

#include <base/bytes.h>
#include <kernel/acpi.h>

#include "mm/numa_internal.h"

#define PHYS_LIMIT ((u64)1 << 52)

static struct acpi_srat srat;
static struct acpi_slit slit;
static struct acpi_madt madt;

static struct acpi_hmat hmat;

static struct numa_topology topology, again;
static struct topology_notes notes;

static bool names_ram(const struct acpi_srat_memory *m)
{
	return m->enabled && !m->nonvolatile && m->length != 0 && m->base < PHYS_LIMIT;
}

/* Where the entry ends: no further than an address can go. */
static u64 end_of(const struct acpi_srat_memory *m)
{
	return m->length > PHYS_LIMIT - m->base ? PHYS_LIMIT : m->base + m->length;
}

static bool names_any_ram(const struct acpi_srat *table)
{
	for (u32 i = 0; table && i < table->nr_memory; i++)
		if (names_ram(&table->memory[i]))
			return true;
	return false;
}

/* --- What must hold ------------------------------------------------------------------------- */

static void expect_domains(void)
{
	for (u32 i = 1; i < topology.nr_nodes; i++)
		FUZZ_CHECK(topology.domain[i - 1] < topology.domain[i], "domains %u, %u",
			   topology.domain[i - 1], topology.domain[i]);
	for (u32 i = 0; i < srat.nr_memory; i++) {
		u32 domain = srat.memory[i].domain;
		int nid = acpi_domain_node(&topology, domain);

		if (!names_ram(&srat.memory[i]))
			continue;
		FUZZ_CHECK(nid >= 0 && nid < (int)topology.nr_nodes, "domain %u is node %d", domain,
			   nid);
		if (topology.nr_nodes < MAX_NUMNODES)
			FUZZ_SAME(topology.domain[nid], domain);
	}
}

/* The range that holds an address, or NULL. */
static const struct numa_range *range_at(u64 addr)
{
	for (u32 i = 0; i < topology.nr_ranges; i++)
		if (addr >= topology.ranges[i].base && addr < topology.ranges[i].end)
			return &topology.ranges[i];
	return NULL;
}

/* No memory is lost: all that an entry names is in some range. */
static void expect_covered(const struct acpi_srat_memory *m)
{
	const struct numa_range *range;

	for (u64 at = m->base; at < end_of(m); at = range->end) {
		range = range_at(at);
		FUZZ_CHECK(range, "0x%llx of domain %u is in no range", (unsigned long long)at,
			   m->domain);
	}
}

/* The entry that an address belongs to by the rule: the shortest, the lower, the lower domain. */
static const struct acpi_srat_memory *claim_at(u64 addr)
{
	const struct acpi_srat_memory *best = NULL;

	for (u32 i = 0; i < srat.nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat.memory[i];
		u64 bytes = names_ram(m) ? end_of(m) - m->base : 0;
		u64 least = best ? end_of(best) - best->base : UINT64_MAX;

		if (bytes == 0 || addr < m->base || addr >= end_of(m))
			continue;
		if (bytes < least || (bytes == least && m->base < best->base) ||
		    (bytes == least && m->base == best->base && m->domain < best->domain))
			best = m;
	}
	return best;
}

/* At an edge of an entry, and next to it, the owner is the one that the rule says. */
static void expect_owner(u64 addr)
{
	const struct acpi_srat_memory *claim = claim_at(addr);
	const struct numa_range *range = range_at(addr);

	FUZZ_CHECK((claim == NULL) == (range == NULL), "0x%llx: claimed %d, in a range %d",
		   (unsigned long long)addr, claim != NULL, range != NULL);
	if (claim)
		FUZZ_SAME(range->nid, acpi_domain_node(&topology, claim->domain));
}

static void expect_memory(void)
{
	for (u32 i = 0; i < srat.nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat.memory[i];

		if (!names_ram(m))
			continue;
		expect_covered(m);
		expect_owner(m->base);
		expect_owner(m->base - 1);
		expect_owner(end_of(m));
		expect_owner(end_of(m) - 1);
	}
}

static void expect_distances(const struct acpi_slit *table)
{
	bool usable = table && !table->truncated && !table->nr_bad_local && !table->nr_bad_remote;
	u32 nr = usable ? table->nr_kept : 0;

	for (u32 i = 0; i < topology.nr_nodes; i++) {
		for (u32 j = 0; j < topology.nr_nodes; j++) {
			u32 from = topology.domain[i], to = topology.domain[j];

			if (from < nr && to < nr)
				FUZZ_SAME(topology.distance[i][j], table->distance[from][to]);
			else if (i != j)
				FUZZ_SAME(topology.distance[i][j], REMOTE_DISTANCE);
		}
	}
}

static bool is_cpu(u32 apic_id)
{
	for (u32 i = 0; i < topology.nr_cpus; i++)
		if (topology.cpus[i].apic_id == apic_id)
			return true;
	return false;
}

static void expect_cpus(const struct acpi_madt *table, u32 boot_apic_id)
{
	FUZZ_CHECK(topology.nr_cpus >= 1, "no CPU");
	FUZZ_SAME(topology.cpus[0].apic_id, boot_apic_id);
	for (u32 i = 0; i < topology.nr_cpus; i++)
		for (u32 j = 0; j < i; j++)
			FUZZ_CHECK(topology.cpus[i].apic_id != topology.cpus[j].apic_id,
				   "CPUs %u and %u are one", j, i);
	for (u32 i = 0; table && i < table->nr_cpus; i++) {
		const struct acpi_madt_cpu *cpu = &table->cpus[i];

		if (cpu->enabled && cpu->apic_id <= ACPI_MAX_APIC_ID)
			FUZZ_CHECK(is_cpu(cpu->apic_id), "CPU %u is lost", cpu->apic_id);
	}
}

static void expect_notes(void)
{
	FUZZ_CHECK(notes.nr <= TOPOLOGY_MAX_NOTES, "%u notes", notes.nr);
	for (u32 i = 0; i < notes.nr; i++)
		FUZZ_CHECK(strnlen(notes.text[i], sizeof(notes.text[i])) < sizeof(notes.text[i]),
			   "note %u has no end", i);
}

/* What of SRAT's memory is not used is said, the first six each, also where nothing is left. */
static void expect_unused_said(const struct acpi_srat *table)
{
	u32 nr = 0, nr_said = 0;

	for (u32 i = 0; i < table->nr_memory; i++)
		nr += table->memory[i].length != 0 && !names_ram(&table->memory[i]);
	for (u32 i = 0; i < notes.nr; i++) {
		const char *text = notes.text[i];
		size_t len = strlen(text);

		nr_said += strncmp(text, "[mem ", 5) == 0 && len > 10 &&
			   strcmp(text + len - 10, ": not used") == 0;
	}
	FUZZ_SAME(nr_said, MIN(nr, 6u));
}

/* --- RAM under it --------------------------------------------------------------------------- */

/* A machine's map, as memblock_next_ram() would walk it. */
static bool next_ram(phys_addr_t *cursor, struct memblock_range *range)
{
	static const struct memblock_range ram[] = {
		{.base = 0, .end = KiB(640)},
		{.base = MiB(1), .end = GiB(3)},
		{.base = GiB(4), .end = GiB(64)},
	};

	for (u32 i = 0; i < ARRAY_SIZE(ram); i++) {
		if (*cursor >= ram[i].end)
			continue;
		*range = ram[i];
		range->base = MAX(*cursor, range->base);
		*cursor = range->end;
		return true;
	}
	return false;
}

/* Ranges share no byte, so what they have of RAM is no more than there is; the rest is noted. */
static void lay_over_ram(void)
{
	u64 all = acpi_ram_bytes(next_ram, 0, PHYS_LIMIT), covered = 0;
	u32 before = notes.nr;

	FUZZ_SAME(all, KiB(640) + GiB(3) - MiB(1) + GiB(60));
	for (u32 i = 0; i < topology.nr_ranges; i++)
		covered +=
			acpi_ram_bytes(next_ram, topology.ranges[i].base, topology.ranges[i].end);
	FUZZ_CHECK(covered <= all, "%llu bytes of %llu", (unsigned long long)covered,
		   (unsigned long long)all);
	acpi_note_uncovered_ram(&topology, next_ram, &notes);
	if (before < TOPOLOGY_MAX_NOTES)
		FUZZ_SAME(notes.nr > before, covered < all);
	acpi_note_empty_ranges(&topology, next_ram, &notes);
}

/* --- One input ------------------------------------------------------------------------------ */

static void expect_same(void)
{
	FUZZ_SAME(topology.nr_nodes, again.nr_nodes);
	FUZZ_SAME(topology.nr_ranges, again.nr_ranges);
	FUZZ_SAME(topology.nr_cpus, again.nr_cpus);
	FUZZ_CHECK(memcmp(topology.domain, again.domain, sizeof(topology.domain)) == 0,
		   "the same tables give other domains");
	for (u32 i = 0; i < topology.nr_ranges; i++) {
		FUZZ_SAME(topology.ranges[i].base, again.ranges[i].base);
		FUZZ_SAME(topology.ranges[i].end, again.ranges[i].end);
		FUZZ_SAME(topology.ranges[i].nid, again.ranges[i].nid);
	}
}

static void build(const struct acpi_srat *s, const struct acpi_slit *l, const struct acpi_madt *m,
		  u32 boot_apic_id)
{
	memset(&topology, 0xa5, sizeof(topology));
	memset(&notes, 0, sizeof(notes));
	acpi_build_topology(s, l, m, boot_apic_id, &topology, &notes);

	FUZZ_CHECK(numa_check_nodes(&topology), "NUMA-1: %u nodes", topology.nr_nodes);
	FUZZ_CHECK(numa_check_ranges(&topology), "NUMA-2");
	FUZZ_CHECK(numa_check_distances(&topology), "NUMA-3");
	expect_cpus(m, boot_apic_id);
	expect_notes();
	if (s)
		expect_unused_said(s);
	if (!names_any_ram(s)) {
		FUZZ_SAME(topology.nr_nodes, 1);
		FUZZ_CHECK(notes.nr, "one node, and not a word why");
		return;
	}
	expect_domains();
	expect_memory();
	expect_distances(l);
	FUZZ_CHECK(notes.nr || !(s->nr_malformed || s->nr_unknown || s->nr_dropped),
		   "something was skipped without a note");
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return fuzz_mutate_tables(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct acpi_srat *s = NULL;
	const struct acpi_slit *l = NULL;
	const struct acpi_madt *m = NULL;
	bool have_hmat = false;
	size_t len;

	for (size_t at = 0; at < size; at += len) {
		const u8 *table = data + at;

		len = fuzz_table_bytes(table, size - at);
		if (len == 0)
			break;
		if (!s && acpi_parse_srat(table, len, &srat) == 0)
			s = &srat;
		if (!l && acpi_parse_slit(table, len, &slit) == 0)
			l = &slit;
		if (!m && acpi_parse_madt(table, len, &madt) == 0)
			m = &madt;
		if (!have_hmat)
			have_hmat = acpi_parse_hmat(table, len, &hmat) == 0;
	}
	build(s, l, m, 0);
	lay_over_ram();
	if (have_hmat)
		acpi_note_hmat(&hmat, &topology, &notes);
	expect_notes();
	again = topology;
	build(s, l, m, 0);
	expect_same();
	/* As if the last CPU had booted. */
	if (m && m->nr_cpus && m->cpus[m->nr_cpus - 1].enabled)
		build(s, l, m, m->cpus[m->nr_cpus - 1].apic_id);
	return 0;
}
