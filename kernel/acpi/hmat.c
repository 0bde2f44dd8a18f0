/*
 * HMAT, the Heterogeneous Memory Attributes Table: latency and bandwidth in units, and memory that
 * works as a cache of other memory.
 *
 *	type 0, 40 bytes  memory domain and the domain of its initiator (its processors)
 *	type 1, 32 bytes  a matrix follows: one value (16 bits) for each initiator and memory domain
 *	type 2, 32 bytes  a cache in front of a memory domain
 *
 *	 0       8     9     10        12     16     20  24           32
 *	+-------+-----+-----+---------+------+------+---+------------+-----------+---------+--------+
 *	|header |level|data |         | rows | cols |   | base unit  | rows * 4  | cols * 4| values |
 *	+-------+-----+-----+---------+------+------+---+------------+-----------+---------+--------+
 *	                                                              initiators  targets   2 bytes
 *
 * Revision 1 (ACPI 6.2) and 2 (6.3) have the same layout and different units. A value times the base
 * unit is, in revision 1, a tenth of a nanosecond or of a MB/s, and in revision 2 a picosecond or a
 * MB/s. That reading of revision 1 is Linux's; firmware is tested against it. Linux refuses other
 * revisions, and so does this. In revision 1 the memory domain of type 0 is valid only if a flag says
 * so; in revision 2 the flag is gone and it always is.
 *
 * The number of rows and columns is the firmware's word: a matrix that does not fit its entry is
 * malformed, as Linux has it. All matrices share two pools, so that four of 64 x 64 fit as well as
 * thirty of a few domains; one that finds no room is counted and left out.
 *
 * Source: ACPI Specification 6.5, 5.2.28; 6.2, 5.2.27 (revision 1).
 */
#include <base/bytes.h>
#include <base/format.h>
#include <base/string.h>

#include "acpi_internal.h"

#define HMAT_FIXED_BYTES 40

enum hmat_type { HMAT_ATTRIBUTES = 0, HMAT_MATRIX = 1, HMAT_CACHE = 2 };

#define HMAT_INITIATOR_VALID (1u << 0)
#define HMAT_MEMORY_VALID    (1u << 1) /* revision 1 only */

#define MATRIX_FIXED_BYTES   32
#define VALUE_UNREACHABLE    0xffffu

static void read_attributes(void *table, const struct acpi_entry *entry)
{
	struct acpi_hmat *out = table;
	u16 flags = read_le16(entry->bytes + 8);

	if (out->nr_attributes == ACPI_HMAT_MAX_ATTRIBUTES) {
		out->nr_dropped++;
		return;
	}
	out->attributes[out->nr_attributes++] = (struct acpi_hmat_attributes){
		.initiator = read_le32(entry->bytes + 12),
		.memory = read_le32(entry->bytes + 16),
		.initiator_valid = (flags & HMAT_INITIATOR_VALID) != 0,
		.memory_valid = out->header.revision > 1 || (flags & HMAT_MEMORY_VALID) != 0,
	};
}

/* Do so many rows and columns fit into the entry? None of the sums can overflow. */
static bool matrix_fits(const struct acpi_entry *entry, u64 rows, u64 columns)
{
	u64 room = entry->len - MATRIX_FIXED_BYTES;

	return rows <= room / 4 && columns <= room / 4 &&
	       4 * (rows + columns) + 2 * rows * columns <= room;
}

static bool matrix_has_room(const struct acpi_hmat *out, u64 rows, u64 columns)
{
	return out->nr_matrices < ACPI_HMAT_MAX_MATRICES &&
	       rows + columns <= ACPI_HMAT_MAX_DOMAINS - out->nr_domains &&
	       rows * columns <= ACPI_HMAT_MAX_VALUES - out->nr_values;
}

static void read_matrix(void *table, const struct acpi_entry *entry)
{
	struct acpi_hmat *out = table;
	const u8 *at = entry->bytes;
	u32 rows = read_le32(at + 12), columns = read_le32(at + 16);

	if (!matrix_fits(entry, rows, columns)) {
		out->nr_malformed++;
		return;
	}
	if (!matrix_has_room(out, rows, columns)) {
		out->nr_dropped++;
		return;
	}
	out->matrices[out->nr_matrices++] = (struct acpi_hmat_matrix){
		.data = at[9],
		.level = at[8] & 0xf,
		.base_unit = read_le64(at + 24),
		.nr_initiators = rows,
		.nr_targets = columns,
		.first_domain = out->nr_domains,
		.first_value = out->nr_values,
	};
	at += MATRIX_FIXED_BYTES;
	for (u32 i = 0; i < rows + columns; i++, at += 4)
		out->domains[out->nr_domains++] = read_le32(at);
	for (u32 i = 0; i < rows * columns; i++, at += 2)
		out->values[out->nr_values++] = read_le16(at);
}

static void read_cache(void *table, const struct acpi_entry *entry)
{
	struct acpi_hmat *out = table;
	u32 attributes = read_le32(entry->bytes + 24);

	if (out->nr_caches == ACPI_HMAT_MAX_CACHES) {
		out->nr_dropped++;
		return;
	}
	out->caches[out->nr_caches++] = (struct acpi_hmat_cache){
		.memory = read_le32(entry->bytes + 8),
		.size_bytes = read_le64(entry->bytes + 16),
		.levels = attributes & 0xf,
		.level = attributes >> 4 & 0xf,
		.associativity = attributes >> 8 & 0xf,
		.write_policy = attributes >> 12 & 0xf,
		.line_bytes = (u16)(attributes >> 16),
	};
}

static const struct acpi_entry_reader types[] = {
	[HMAT_ATTRIBUTES] = {40, read_attributes},
	[HMAT_MATRIX] = {MATRIX_FIXED_BYTES, read_matrix},
	[HMAT_CACHE] = {32, read_cache},
};

static const struct acpi_layout layout = {
	.fixed_bytes = HMAT_FIXED_BYTES,
	.wide = true,
	.nr_types = ARRAY_SIZE(types),
	.types = types,
};

int acpi_parse_hmat(const void *bytes, size_t len, struct acpi_hmat *out)
{
	struct acpi_passed passed;
	int err;

	memset(out, 0, sizeof(*out));
	err = acpi_open_table(bytes, len, "HMAT", HMAT_FIXED_BYTES, &out->header);
	if (err)
		return err;
	out->known = out->header.revision == 1 || out->header.revision == 2;
	if (!out->known)
		return 0;
	passed = acpi_read_entries(bytes, &out->header, &layout, out);
	out->nr_unknown = passed.nr_unknown;
	out->first_unknown = passed.first_unknown;
	out->nr_malformed += passed.nr_malformed;
	out->bytes_unread = passed.bytes_unread;
	return 0;
}

static u32 divide_round_up(u32 value, u32 divisor)
{
	return value / divisor + (value % divisor != 0);
}

u32 acpi_hmat_value(const struct acpi_hmat *hmat, const struct acpi_hmat_matrix *matrix, u32 row,
		    u32 column)
{
	u32 entry = hmat->values[matrix->first_value + row * matrix->nr_targets + column];
	bool latency = matrix->data <= ACPI_HMAT_WRITE_LATENCY;
	u32 value;

	if (entry == 0 || entry == VALUE_UNREACHABLE || matrix->base_unit > UINT32_MAX / entry)
		return 0;
	value = entry * (u32)matrix->base_unit;
	if (hmat->header.revision == 1)
		return divide_round_up(value, 10);
	return latency ? divide_round_up(value, 1000) : value;
}

/* --- What is odd about it ------------------------------------------------------------------ */

static u32 count_strangers(const struct acpi_hmat *hmat, const struct numa_topology *topology)
{
	u32 nr = 0;

	for (u32 i = 0; i < hmat->nr_attributes; i++) {
		const struct acpi_hmat_attributes *a = &hmat->attributes[i];

		nr += a->initiator_valid &&
		      acpi_domain_node(topology, a->initiator) == NUMA_NO_NODE;
		nr += a->memory_valid && acpi_domain_node(topology, a->memory) == NUMA_NO_NODE;
	}
	for (u32 i = 0; i < hmat->nr_domains; i++)
		nr += acpi_domain_node(topology, hmat->domains[i]) == NUMA_NO_NODE;
	for (u32 i = 0; i < hmat->nr_caches; i++)
		nr += acpi_domain_node(topology, hmat->caches[i].memory) == NUMA_NO_NODE;
	return nr;
}

void acpi_note_hmat(const struct acpi_hmat *hmat, const struct numa_topology *topology,
		    struct topology_notes *notes)
{
	u32 nr_strangers = count_strangers(hmat, topology);

	if (!hmat->known)
		topology_note(notes, "HMAT is of revision %u, not 1 or 2: not read",
			      hmat->header.revision);
	if (hmat->nr_malformed)
		topology_note(notes, "HMAT: %u malformed entr%s passed over, %u byte%s not read",
			      hmat->nr_malformed, plural_y(hmat->nr_malformed), hmat->bytes_unread,
			      plural(hmat->bytes_unread));
	if (hmat->nr_unknown)
		topology_note(notes, "HMAT: %u entr%s of unknown type passed over (first: type %u)",
			      hmat->nr_unknown, plural_y(hmat->nr_unknown), hmat->first_unknown);
	if (hmat->nr_dropped)
		topology_note(notes, "HMAT: %u entr%s more than fit, left out", hmat->nr_dropped,
			      plural_y(hmat->nr_dropped));
	/* Where one node has all memory, to call each other domain a stranger would mislead. */
	if (nr_strangers && topology->nr_nodes == 1)
		topology_note(notes, "HMAT is not applied: there is one node");
	else if (nr_strangers)
		topology_note(notes, "HMAT names domains that are no nodes, %u time%s",
			      nr_strangers, plural(nr_strangers));
}
