/*
 * MADT, the Multiple APIC Description Table (signature "APIC"): which CPUs there are.
 *
 *	type 0,  8 bytes  CPU with a local APIC: id of 8 bits
 *	type 5, 12 bytes  the local APICs' address, where it is above 4 GiB
 *	type 9, 16 bytes  CPU with an x2APIC: id of 32 bits
 *
 * The other types describe interrupt controllers and wiring, which nothing here asks for.
 * A CPU counts if it is enabled; online-capable ones could be plugged in later. Tables list many
 * that are neither (they are the first to be left out, if there are more than fit), and some list
 * a CPU twice, once by each type: cpus.c sorts that out.
 *
 * Source: ACPI Specification 6.5, 5.2.12.
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>

#include "acpi_internal.h"

#define MADT_FIXED_BYTES 44

enum madt_type { MADT_LAPIC = 0, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9 };

#define MADT_CPU_ENABLED        (1u << 0)
#define MADT_CPU_ONLINE_CAPABLE (1u << 1)

static bool cpu_in_use(const void *item)
{
	const struct acpi_madt_cpu *cpu = item;

	return cpu->enabled;
}

static void add_cpu(struct acpi_madt *out, u32 apic_id, u32 uid, u32 flags, bool x2apic)
{
	const struct acpi_array array = {
		.items = out->cpus,
		.item_bytes = sizeof(out->cpus[0]),
		.max = ACPI_MAX_CPUS,
		.nr = &out->nr_cpus,
		.nr_unused = &out->nr_unused_cpus,
		.nr_dropped = &out->nr_dropped,
		.in_use = cpu_in_use,
	};
	const struct acpi_madt_cpu cpu = {
		.apic_id = apic_id,
		.uid = uid,
		.enabled = (flags & MADT_CPU_ENABLED) != 0,
		.online_capable = (flags & MADT_CPU_ONLINE_CAPABLE) != 0,
		.x2apic = x2apic,
	};

	acpi_keep(&array, &cpu);
}

static void read_lapic(void *table, const struct acpi_entry *entry)
{
	const u8 *at = entry->bytes;

	add_cpu(table, at[3], at[2], read_le32(at + 4), false);
}

static void read_lapic_address(void *table, const struct acpi_entry *entry)
{
	struct acpi_madt *out = table;

	out->lapic_address = read_le64(entry->bytes + 4);
}

static void read_x2apic(void *table, const struct acpi_entry *entry)
{
	const u8 *at = entry->bytes;

	add_cpu(table, read_le32(at + 4), read_le32(at + 12), read_le32(at + 8), true);
}

static const struct acpi_entry_reader types[] = {
	[MADT_LAPIC] = {8, read_lapic},
	[MADT_LAPIC_ADDRESS] = {12, read_lapic_address},
	[MADT_X2APIC] = {16, read_x2apic},
};

static const struct acpi_layout layout = {
	.fixed_bytes = MADT_FIXED_BYTES,
	.nr_types = ARRAY_SIZE(types),
	.types = types,
};

int acpi_parse_madt(const void *bytes, size_t len, struct acpi_madt *out)
{
	struct acpi_passed passed;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_open_table(bytes, len, "APIC", MADT_FIXED_BYTES, &out->header);
	if (err)
		return err;
	out->lapic_address = read_le32((const u8 *)bytes + ACPI_HEADER_BYTES);
	passed = acpi_read_entries(bytes, &out->header, &layout, out);
	out->nr_malformed = passed.nr_malformed;
	out->bytes_unread = passed.bytes_unread;
	return 0;
}
