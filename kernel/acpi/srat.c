/*
 * SRAT, the System Resource Affinity Table: which CPU and which memory is in which domain.
 *
 *	type 0, 16 bytes  CPU by APIC id       domain: byte 2, and bytes 9..11 above it
 *	type 1, 40 bytes  memory               domain: bytes 2..5; base, length, flags
 *	type 2, 24 bytes  CPU by x2APIC id     domain: bytes 4..7
 *	type 5, 32 bytes  generic initiator    domain: bytes 4..7; a device by ACPI or PCI name
 *
 * Domains were 8 bits wide before revision 2; the bytes that widen them were reserved then, and
 * firmware of that age may have left anything in them. So in revision 1 only the lowest byte
 * counts, for types 0 and 1. The others came later and are 32 bits wide in any revision. What other
 * machines have (3: GICC, 4: GIC ITS, 6: generic port, 7: RINTC) is counted as unknown.
 *
 * Entries come in any order, CPUs and memory alternating, and many are disabled: they stand for
 * sockets and slots that are empty. They are kept with enabled == false, because this is a
 * reading of the table; what to make of it is topology.c's to decide. Where there are more than fit,
 * those that are empty are left out first.
 *
 * Source: ACPI Specification 6.5, 5.2.16.
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>

#include "acpi_internal.h"

#define SRAT_FIXED_BYTES 48

enum srat_type { SRAT_CPU = 0, SRAT_MEMORY = 1, SRAT_X2APIC_CPU = 2, SRAT_INITIATOR = 5 };

#define SRAT_CPU_ENABLED        (1u << 0)
#define SRAT_MEMORY_ENABLED     (1u << 0)
#define SRAT_MEMORY_HOTPLUG     (1u << 1)
#define SRAT_MEMORY_NONVOLATILE (1u << 2)
#define SRAT_INITIATOR_ENABLED  (1u << 0)

static bool cpu_in_use(const void *item)
{
	const struct acpi_srat_cpu *cpu = item;

	return cpu->enabled;
}

static void add_cpu(struct acpi_srat *out, const struct acpi_srat_cpu *cpu)
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

	acpi_keep(&array, cpu);
}

static void read_cpu(void *table, const struct acpi_entry *entry)
{
	struct acpi_srat *out = table;
	const u8 *at = entry->bytes;
	u32 domain = at[2];

	if (out->header.revision >= 2)
		domain |= (u32)at[9] << 8 | (u32)at[10] << 16 | (u32)at[11] << 24;
	add_cpu(out, &(struct acpi_srat_cpu){
			     .apic_id = at[3],
			     .domain = domain,
			     .enabled = (read_le32(at + 4) & SRAT_CPU_ENABLED) != 0,
		     });
}

static void read_x2apic_cpu(void *table, const struct acpi_entry *entry)
{
	struct acpi_srat *out = table;
	const u8 *at = entry->bytes;

	add_cpu(out, &(struct acpi_srat_cpu){
			     .apic_id = read_le32(at + 8),
			     .domain = read_le32(at + 4),
			     .enabled = (read_le32(at + 12) & SRAT_CPU_ENABLED) != 0,
			     .x2apic = true,
		     });
}

static bool memory_in_use(const void *item)
{
	const struct acpi_srat_memory *memory = item;

	return memory->enabled && memory->length != 0;
}

static void read_memory(void *table, const struct acpi_entry *entry)
{
	struct acpi_srat *out = table;
	const u8 *at = entry->bytes;
	u32 flags = read_le32(at + 28);
	const struct acpi_array array = {
		.items = out->memory,
		.item_bytes = sizeof(out->memory[0]),
		.max = ACPI_MAX_MEMORY,
		.nr = &out->nr_memory,
		.nr_unused = &out->nr_unused_memory,
		.nr_dropped = &out->nr_dropped,
		.in_use = memory_in_use,
	};
	const struct acpi_srat_memory memory = {
		.base = read_le64(at + 8),
		.length = read_le64(at + 16),
		.domain = out->header.revision >= 2 ? read_le32(at + 2) : at[2],
		.enabled = (flags & SRAT_MEMORY_ENABLED) != 0,
		.hotplug = (flags & SRAT_MEMORY_HOTPLUG) != 0,
		.nonvolatile = (flags & SRAT_MEMORY_NONVOLATILE) != 0,
	};

	acpi_keep(&array, &memory);
}

/* The name of a device: 16 bytes whose meaning depends on the type of name. */
static void read_initiator(void *table, const struct acpi_entry *entry)
{
	struct acpi_srat *out = table;
	struct acpi_srat_initiator *initiator = &out->initiators[out->nr_initiators];
	const u8 *at = entry->bytes, *name = at + 8;

	if (out->nr_initiators == ACPI_MAX_INITIATORS) {
		out->nr_dropped++;
		return;
	}
	out->nr_initiators++;
	initiator->handle_type = at[3];
	initiator->domain = read_le32(at + 4);
	initiator->enabled = (read_le32(at + 24) & SRAT_INITIATOR_ENABLED) != 0;
	if (initiator->handle_type == ACPI_HANDLE_ACPI) {
		acpi_copy_text(initiator->hid, name, 8);
		initiator->uid = read_le32(name + 8);
	} else if (initiator->handle_type == ACPI_HANDLE_PCI) {
		initiator->segment = read_le16(name);
		initiator->bdf = read_le16(name + 2);
	}
}

static const struct acpi_entry_reader types[] = {
	[SRAT_CPU] = {16, read_cpu},
	[SRAT_MEMORY] = {40, read_memory},
	[SRAT_X2APIC_CPU] = {24, read_x2apic_cpu},
	[SRAT_INITIATOR] = {32, read_initiator},
};

static const struct acpi_layout layout = {
	.fixed_bytes = SRAT_FIXED_BYTES,
	.nr_types = ARRAY_SIZE(types),
	.types = types,
};

int acpi_parse_srat(const void *bytes, size_t len, struct acpi_srat *out)
{
	struct acpi_passed passed;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_open_table(bytes, len, "SRAT", SRAT_FIXED_BYTES, &out->header);
	if (err)
		return err;
	passed = acpi_read_entries(bytes, &out->header, &layout, out);
	out->nr_unknown = passed.nr_unknown;
	out->first_unknown = passed.first_unknown;
	out->nr_malformed = passed.nr_malformed;
	out->bytes_unread = passed.bytes_unread;
	return 0;
}
