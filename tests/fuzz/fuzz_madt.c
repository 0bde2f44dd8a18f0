/*
 * MADT: any bytes. Each CPU entry of the table is a CPU of the result, in order and with its id.
 */
#include "fuzz.h"

#include <base/bytes.h>
#include <base/errno.h>
#include <kernel/acpi.h>

#define MADT_FIXED_BYTES 44

static struct acpi_madt madt, again;

static bool is_cpu(const u8 *entry)
{
	return (entry[0] == 0 && entry[1] >= 8) || (entry[0] == 9 && entry[1] >= 16);
}

static u32 flags_of(const u8 *entry)
{
	return read_le32(entry + (entry[0] == 9 ? 8 : 4));
}

/* How many places are left to CPUs that are not enabled. */
static u32 room_for_unused(const u8 *table)
{
	u32 length = madt.header.length, nr_used = 0;

	for (u32 at = MADT_FIXED_BYTES;
	     at + 2 <= length && table[at + 1] >= 2 && table[at + 1] <= length - at;
	     at += table[at + 1])
		nr_used += is_cpu(table + at) && (flags_of(table + at) & 1);
	return ACPI_MAX_CPUS - MIN(nr_used, (u32)ACPI_MAX_CPUS);
}

static void expect_cpus(const u8 *table)
{
	u32 length = madt.header.length, at = MADT_FIXED_BYTES, nr = 0, nr_unused = 0;
	u32 room = room_for_unused(table);

	for (; at + 2 <= length && table[at + 1] >= 2 && table[at + 1] <= length - at;
	     at += table[at + 1]) {
		const u8 *entry = table + at;
		bool x2apic = entry[0] == 9;
		u32 flags;

		if (!is_cpu(entry) || nr == ACPI_MAX_CPUS)
			continue;
		flags = flags_of(entry);
		if (!(flags & 1) && nr_unused++ >= room)
			continue;
		FUZZ_CHECK(nr < madt.nr_cpus, "CPU entry %u is lost", nr);
		FUZZ_SAME(madt.cpus[nr].apic_id, x2apic ? read_le32(entry + 4) : (u32)entry[3]);
		FUZZ_SAME(madt.cpus[nr].x2apic, x2apic);
		FUZZ_SAME(madt.cpus[nr].enabled, flags & 1);
		FUZZ_SAME(madt.cpus[nr].online_capable, flags >> 1 & 1);
		nr++;
	}
	FUZZ_SAME(madt.nr_cpus, nr);
	FUZZ_SAME(madt.bytes_unread, length - at);
	FUZZ_CHECK(length == at || madt.nr_malformed, "an entry without an end is not counted");
	FUZZ_CHECK(madt.nr_dropped == 0 || nr == ACPI_MAX_CPUS, "dropped with room left");
}

static void expect_same(void)
{
	FUZZ_SAME(madt.lapic_address, again.lapic_address);
	FUZZ_SAME(madt.nr_cpus, again.nr_cpus);
	FUZZ_SAME(madt.nr_malformed, again.nr_malformed);
	FUZZ_SAME(madt.nr_dropped, again.nr_dropped);
	FUZZ_SAME(madt.bytes_unread, again.bytes_unread);
	for (u32 i = 0; i < madt.nr_cpus; i++) {
		FUZZ_SAME(madt.cpus[i].apic_id, again.cpus[i].apic_id);
		FUZZ_SAME(madt.cpus[i].uid, again.cpus[i].uid);
		FUZZ_SAME(madt.cpus[i].enabled, again.cpus[i].enabled);
		FUZZ_SAME(madt.cpus[i].x2apic, again.cpus[i].x2apic);
	}
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return fuzz_mutate_tables(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *table = fuzz_exact_copy(data, size), *exact;
	int err = acpi_parse_madt(table, size, &madt);

	if (err) {
		FUZZ_SAME(err, -EINVAL);
	} else {
		expect_cpus(table);
		exact = fuzz_exact_copy(table, madt.header.length);
		memset(&again, 0xa5, sizeof(again));
		FUZZ_SAME(acpi_parse_madt(exact, madt.header.length, &again), 0);
		expect_same();
		fuzz_free(exact);
	}
	fuzz_free(table);
	return 0;
}
