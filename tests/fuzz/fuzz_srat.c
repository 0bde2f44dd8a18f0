/*
 * SRAT: any bytes. What the parser says must be what a naive second reading of the entries finds,
 * and must depend on nothing behind the table's own length.
 */
#include "fuzz.h"

#include <base/bytes.h>
#include <base/errno.h>
#include <kernel/acpi.h>

#define SRAT_FIXED_BYTES 48

static struct acpi_srat first, second;

static void expect_same(const struct acpi_srat *a, const struct acpi_srat *b)
{
	FUZZ_SAME(a->nr_cpus, b->nr_cpus);
	FUZZ_SAME(a->nr_memory, b->nr_memory);
	FUZZ_SAME(a->nr_initiators, b->nr_initiators);
	FUZZ_SAME(a->nr_unknown, b->nr_unknown);
	FUZZ_SAME(a->first_unknown, b->first_unknown);
	FUZZ_SAME(a->nr_malformed, b->nr_malformed);
	FUZZ_SAME(a->nr_dropped, b->nr_dropped);
	FUZZ_SAME(a->bytes_unread, b->bytes_unread);
	for (u32 i = 0; i < a->nr_cpus; i++) {
		FUZZ_SAME(a->cpus[i].apic_id, b->cpus[i].apic_id);
		FUZZ_SAME(a->cpus[i].domain, b->cpus[i].domain);
		FUZZ_SAME(a->cpus[i].enabled, b->cpus[i].enabled);
		FUZZ_SAME(a->cpus[i].x2apic, b->cpus[i].x2apic);
	}
	for (u32 i = 0; i < a->nr_memory; i++) {
		FUZZ_SAME(a->memory[i].base, b->memory[i].base);
		FUZZ_SAME(a->memory[i].length, b->memory[i].length);
		FUZZ_SAME(a->memory[i].domain, b->memory[i].domain);
		FUZZ_SAME(a->memory[i].enabled, b->memory[i].enabled);
		FUZZ_SAME(a->memory[i].hotplug, b->memory[i].hotplug);
		FUZZ_SAME(a->memory[i].nonvolatile, b->memory[i].nonvolatile);
	}
	for (u32 i = 0; i < a->nr_initiators; i++) {
		FUZZ_SAME(a->initiators[i].domain, b->initiators[i].domain);
		FUZZ_SAME(a->initiators[i].enabled, b->initiators[i].enabled);
		FUZZ_CHECK(strcmp(a->initiators[i].hid, b->initiators[i].hid) == 0, "other name");
		FUZZ_SAME(a->initiators[i].bdf, b->initiators[i].bdf);
	}
}

/* Every entry is in exactly one count. */
static void expect_all_counted(const u8 *table, const struct acpi_srat *srat)
{
	u32 length = read_le32(table + 4), at = SRAT_FIXED_BYTES, nr = 0;

	while (at + 2 <= length && table[at + 1] >= 2 && table[at + 1] <= length - at) {
		nr++;
		at += table[at + 1];
	}
	FUZZ_SAME(srat->bytes_unread, length - at);
	nr += length != at; /* the entry that ends the walk */
	FUZZ_SAME(srat->nr_cpus + srat->nr_memory + srat->nr_initiators + srat->nr_unknown +
			  srat->nr_malformed + srat->nr_dropped,
		  nr);
}

static bool is_cpu(const u8 *entry)
{
	return (entry[0] == 0 && entry[1] >= 16) || (entry[0] == 2 && entry[1] >= 24);
}

static bool is_memory(const u8 *entry)
{
	return entry[0] == 1 && entry[1] >= 40;
}

static bool cpu_is_used(const u8 *entry)
{
	return read_le32(entry + (entry[0] == 2 ? 12 : 4)) & 1;
}

static bool memory_is_used(const u8 *entry)
{
	return (read_le32(entry + 28) & 1) && read_le64(entry + 16) != 0;
}

/* Of `max` places, how many are left to entries that stand for nothing. */
static u32 room_for_unused(const u8 *table, u32 max, bool (*is_one)(const u8 *entry),
			   bool (*is_used)(const u8 *entry))
{
	u32 length = read_le32(table + 4), nr_used = 0;

	for (u32 at = SRAT_FIXED_BYTES;
	     at + 2 <= length && table[at + 1] >= 2 && table[at + 1] <= length - at;
	     at += table[at + 1])
		nr_used += is_one(table + at) && is_used(table + at);
	return max - MIN(nr_used, max);
}

/* The memory entries in their order, read without the parser's help. */
static void expect_memory(const u8 *table, const struct acpi_srat *srat)
{
	u32 length = read_le32(table + 4), at = SRAT_FIXED_BYTES, nr = 0, nr_unused = 0;
	u32 room = room_for_unused(table, ACPI_MAX_MEMORY, is_memory, memory_is_used);

	for (; at + 2 <= length && table[at + 1] >= 2 && table[at + 1] <= length - at;
	     at += table[at + 1]) {
		const u8 *entry = table + at;

		if (!is_memory(entry) || nr == ACPI_MAX_MEMORY)
			continue;
		if (!memory_is_used(entry) && nr_unused++ >= room)
			continue;
		FUZZ_CHECK(nr < srat->nr_memory, "memory entry %u is lost", nr);
		FUZZ_SAME(srat->memory[nr].base, read_le64(entry + 8));
		FUZZ_SAME(srat->memory[nr].length, read_le64(entry + 16));
		FUZZ_SAME(srat->memory[nr].domain,
			  table[8] >= 2 ? read_le32(entry + 2) : (u32)entry[2]);
		FUZZ_SAME(srat->memory[nr].enabled, read_le32(entry + 28) & 1);
		nr++;
	}
	FUZZ_SAME(srat->nr_memory, nr);
}

static void expect_cpu(const struct acpi_srat_cpu *cpu, const u8 *entry, u8 revision)
{
	bool x2apic = entry[0] == 2;
	u32 domain = x2apic ? read_le32(entry + 4) : (u32)entry[2];

	if (!x2apic && revision >= 2)
		domain |= read_le32(entry + 8) & 0xffffff00;
	FUZZ_SAME(cpu->x2apic, x2apic);
	FUZZ_SAME(cpu->domain, domain);
	FUZZ_SAME(cpu->apic_id, x2apic ? read_le32(entry + 8) : (u32)entry[3]);
	FUZZ_SAME(cpu->enabled, read_le32(entry + (x2apic ? 12 : 4)) & 1);
}

static void expect_initiator(const struct acpi_srat_initiator *initiator, const u8 *entry)
{
	FUZZ_SAME(initiator->domain, read_le32(entry + 4));
	FUZZ_SAME(initiator->enabled, read_le32(entry + 24) & 1);
	if (initiator->handle_type == ACPI_HANDLE_PCI)
		FUZZ_SAME(initiator->bdf, read_le16(entry + 10));
}

/* CPUs and initiators in their order, in the same way. */
static void expect_others(const u8 *table, const struct acpi_srat *srat)
{
	u32 length = read_le32(table + 4), at = SRAT_FIXED_BYTES, nr_cpus = 0, nr_initiators = 0;
	u32 room = room_for_unused(table, ACPI_MAX_CPUS, is_cpu, cpu_is_used), nr_unused = 0;

	for (; at + 2 <= length && table[at + 1] >= 2 && table[at + 1] <= length - at;
	     at += table[at + 1]) {
		const u8 *entry = table + at;

		if (is_cpu(entry) && nr_cpus < ACPI_MAX_CPUS) {
			if (!cpu_is_used(entry) && nr_unused++ >= room)
				continue;
			FUZZ_CHECK(nr_cpus < srat->nr_cpus, "CPU %u is lost", nr_cpus);
			expect_cpu(&srat->cpus[nr_cpus++], entry, table[8]);
		} else if (entry[0] == 5 && entry[1] >= 32 && nr_initiators < ACPI_MAX_INITIATORS) {
			FUZZ_CHECK(nr_initiators < srat->nr_initiators, "initiator %u is lost",
				   nr_initiators);
			expect_initiator(&srat->initiators[nr_initiators++], entry);
		}
	}
	FUZZ_SAME(srat->nr_cpus, nr_cpus);
	FUZZ_SAME(srat->nr_initiators, nr_initiators);
}

static void expect_within_bounds(const struct acpi_srat *srat)
{
	FUZZ_CHECK(srat->nr_cpus <= ACPI_MAX_CPUS, "%u CPUs", srat->nr_cpus);
	FUZZ_CHECK(srat->nr_memory <= ACPI_MAX_MEMORY, "%u ranges", srat->nr_memory);
	FUZZ_CHECK(srat->nr_initiators <= ACPI_MAX_INITIATORS, "%u initiators",
		   srat->nr_initiators);
	for (u32 i = 0; i < srat->nr_initiators; i++)
		FUZZ_CHECK(strnlen(srat->initiators[i].hid, 9) < 9, "a name without an end");
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return fuzz_mutate_tables(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *table = fuzz_exact_copy(data, size), *exact;
	int err = acpi_parse_srat(table, size, &first);

	if (err) {
		FUZZ_SAME(err, -EINVAL);
	} else {
		expect_within_bounds(&first);
		expect_all_counted(table, &first);
		expect_memory(table, &first);
		expect_others(table, &first);

		exact = fuzz_exact_copy(table, first.header.length);
		memset(&second, 0xa5, sizeof(second));
		FUZZ_SAME(acpi_parse_srat(exact, first.header.length, &second), 0);
		expect_same(&first, &second);
		fuzz_free(exact);
	}
	fuzz_free(table);
	return 0;
}
