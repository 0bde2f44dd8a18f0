/*
 * SRAT, the System Resource Affinity Table: which CPU and which memory is in which domain.
 *
 *	type 0, 16 bytes  CPU by APIC id       domain: byte 2, and bytes 9..11 above it
 *	type 1, 40 bytes  memory               domain: bytes 2..5; base, length, flags
 *	type 2, 24 bytes  CPU by x2APIC id     domain: bytes 4..7
 *
 * Domains were 8 bits wide before revision 2; the bytes that widen them were reserved then, and
 * firmware of that age may have left anything in them. So in revision 1 only the lowest byte
 * counts, for types 0 and 1. Type 2 came later and is 32 bits wide in any revision.
 *
 * Entries come in any order, CPUs and memory alternating, and many are disabled: they stand for
 * sockets and slots that are empty. They are kept with enabled == false, because this is a
 * reading of the table; what to make of it is topology.c's to decide.
 *
 * Source: ACPI Specification 6.5, 5.2.16.
 */
#include <base/bytes.h>
#include <base/errno.h>
#include <base/string.h>

#include "acpi_internal.h"

#define SRAT_FIXED_BYTES 48

enum srat_type { SRAT_CPU = 0, SRAT_MEMORY = 1, SRAT_X2APIC_CPU = 2 };
enum srat_bytes { SRAT_CPU_BYTES = 16, SRAT_MEMORY_BYTES = 40, SRAT_X2APIC_CPU_BYTES = 24 };

#define SRAT_CPU_ENABLED        (1u << 0)
#define SRAT_MEMORY_ENABLED     (1u << 0)
#define SRAT_MEMORY_HOTPLUG     (1u << 1)
#define SRAT_MEMORY_NONVOLATILE (1u << 2)

static void add_cpu(struct acpi_srat *out, const struct acpi_srat_cpu *cpu)
{
	if (out->nr_cpus == ACPI_MAX_CPUS)
		out->nr_dropped++;
	else
		out->cpus[out->nr_cpus++] = *cpu;
}

static void parse_cpu(struct acpi_srat *out, const struct acpi_entry *entry)
{
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

static void parse_x2apic_cpu(struct acpi_srat *out, const struct acpi_entry *entry)
{
	const u8 *at = entry->bytes;

	add_cpu(out, &(struct acpi_srat_cpu){
			     .apic_id = read_le32(at + 8),
			     .domain = read_le32(at + 4),
			     .enabled = (read_le32(at + 12) & SRAT_CPU_ENABLED) != 0,
			     .x2apic = true,
		     });
}

static void parse_memory(struct acpi_srat *out, const struct acpi_entry *entry)
{
	const u8 *at = entry->bytes;
	u32 flags = read_le32(at + 28);

	if (out->nr_memory == ACPI_MAX_MEMORY) {
		out->nr_dropped++;
		return;
	}
	out->memory[out->nr_memory++] = (struct acpi_srat_memory){
		.base = read_le64(at + 8),
		.length = read_le64(at + 16),
		.domain = out->header.revision >= 2 ? read_le32(at + 2) : at[2],
		.enabled = (flags & SRAT_MEMORY_ENABLED) != 0,
		.hotplug = (flags & SRAT_MEMORY_HOTPLUG) != 0,
		.nonvolatile = (flags & SRAT_MEMORY_NONVOLATILE) != 0,
	};
}

static void parse_entry(struct acpi_srat *out, const struct acpi_entry *entry)
{
	static const struct {
		u8 min_bytes;
		void (*parse)(struct acpi_srat *out, const struct acpi_entry *entry);
	} types[] = {
		[SRAT_CPU] = {SRAT_CPU_BYTES, parse_cpu},
		[SRAT_MEMORY] = {SRAT_MEMORY_BYTES, parse_memory},
		[SRAT_X2APIC_CPU] = {SRAT_X2APIC_CPU_BYTES, parse_x2apic_cpu},
	};

	if (entry->type >= ARRAY_SIZE(types))
		out->nr_unknown++;
	else if (entry->len < types[entry->type].min_bytes)
		out->nr_malformed++;
	else
		types[entry->type].parse(out, entry);
}

int acpi_parse_srat(const void *bytes, size_t len, struct acpi_srat *out)
{
	struct acpi_walk walk;
	struct acpi_entry entry;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_open_table(bytes, len, "SRAT", SRAT_FIXED_BYTES, &out->header);
	if (err)
		return err;
	walk = acpi_walk_start(bytes, &out->header, SRAT_FIXED_BYTES);
	while (acpi_walk_next(&walk, &entry))
		parse_entry(out, &entry);
	out->bytes_unread = (u32)walk.left;
	if (walk.left)
		out->nr_malformed++;
	return 0;
}
