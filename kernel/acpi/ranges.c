/*
 * From SRAT's memory entries to disjoint ranges of nodes.
 *
 * An entry names an owner for a range of addresses, whether or not RAM is there. Entries come in any
 * order, touch, overlap and lie within each other. Whose an address is does not depend on their
 * order: of all entries that cover it, the shortest one decides, of equally long ones the one that
 * starts lower, of equal ones that of the lower domain.
 *
 *	domain 0  |-------------------------------|
 *	domain 1          |-------|                             wholly within the first
 *	domain 2                          |-----------|         partly: it is the shorter one
 *	domain 3                                      |---|
 *	          +-------+-------+-------+-----------+---+
 *	node      |   0   |   1   |   0   |     2     | 3 |
 *	          +-------+-------+-------+-----------+---+
 *
 * Why the shortest: it is the more exact statement. A window for memory to be plugged in, laid
 * over what is there, is long; what is there is short. And of two entries one within the other the
 * outer one would leave the inner one's node with nothing. Linux (numa_cleanup_meminfo()) and
 * FreeBSD (srat_parse_entry()) refuse the whole SRAT if domains overlap, FreeBSD also if a domain
 * overlaps itself, and run as one node: we rather doubt one boundary than lose all of them. Linux
 * also joins ranges of a node across holes; here the hole stays, for it may be RAM of nobody.
 *
 * The sweep goes from edge to edge, and looks at every entry for each: n entries make at most
 * 2n - 1 pieces in 2n^2 steps, and n is at most 512. Pieces of a node that touch are one. If there
 * are more than the topology holds, what is left is RAM without a range, and numa_init() gives it
 * to the node of the range below.
 */
#include <base/format.h>

#include "topology_internal.h"

/* A stretch of addresses that the same entries cover. */
struct piece {
	u64 base, end;
	int nid;          /* NUMA_NO_NODE: covered by none */
	nodemask_t nodes; /* all that claim it */
};

/* --- Who owns an address ------------------------------------------------------------------- */

static bool is_more_exact(const struct acpi_srat_memory *a, const struct acpi_srat_memory *b)
{
	u64 a_bytes = ram_end(a) - a->base, b_bytes = ram_end(b) - b->base;

	if (a_bytes != b_bytes)
		return a_bytes < b_bytes;
	if (a->base != b->base)
		return a->base < b->base;
	return a->domain < b->domain;
}

/* The piece that begins at `at`: up to the next edge of any entry, PHYS_LIMIT if there is none. */
static struct piece piece_at(const struct acpi_srat *srat, const struct numa_topology *topology,
			     u64 at)
{
	struct piece piece = {.base = at, .end = PHYS_LIMIT, .nid = NUMA_NO_NODE};
	const struct acpi_srat_memory *owner = NULL;

	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];

		if (!names_ram(m) || ram_end(m) <= at)
			continue;
		if (m->base > at) {
			piece.end = MIN(piece.end, m->base);
			continue;
		}
		piece.end = MIN(piece.end, ram_end(m));
		piece.nodes |= NODE_BIT(acpi_domain_node(topology, m->domain));
		if (!owner || is_more_exact(m, owner))
			owner = m;
	}
	if (owner)
		piece.nid = acpi_domain_node(topology, owner->domain);
	return piece;
}

/* --- What is claimed more than once -------------------------------------------------------- */

static void note_contested(const struct piece *piece, u32 *nr, struct topology_notes *notes)
{
	nodemask_t others = piece->nodes & (piece->nodes - 1); /* all but the first */
	const char *more = others & (others - 1) ? " and others" : "";

	if (piece->base != piece->end && topology_note_this(nr))
		topology_note(
			notes, "[mem 0x%llx-0x%llx] is claimed by nodes %d and %d%s: it is %d's",
			(unsigned long long)piece->base, (unsigned long long)piece->end - 1,
			__builtin_ctzll(piece->nodes), __builtin_ctzll(others), more, piece->nid);
}

/* Collects neighbouring pieces with the same claims into one line. */
static void contest(const struct piece *piece, struct piece *contested, u32 *nr,
		    struct topology_notes *notes)
{
	bool is_contested = piece->nodes & (piece->nodes - 1);

	if (is_contested && contested->end == piece->base && contested->nid == piece->nid &&
	    contested->nodes == piece->nodes) {
		contested->end = piece->end;
		return;
	}
	note_contested(contested, nr, notes);
	*contested = is_contested ? *piece : (struct piece){0};
}

/* --- Collecting the pieces ----------------------------------------------------------------- */

/* Returns false if there is no room for it. */
static bool add_piece(struct numa_topology *topology, const struct piece *piece)
{
	struct numa_range *last =
		topology->nr_ranges ? &topology->ranges[topology->nr_ranges - 1] : NULL;

	if (last && last->nid == piece->nid && last->end == piece->base) {
		last->end = piece->end;
		return true;
	}
	if (topology->nr_ranges == NUMA_MAX_RANGES)
		return false;
	topology->ranges[topology->nr_ranges++] =
		(struct numa_range){piece->base, piece->end, piece->nid};
	return true;
}

static void sweep(const struct acpi_srat *srat, struct numa_topology *topology,
		  struct topology_notes *notes)
{
	struct piece contested = {0};
	u32 nr_contested = 0, nr_lost = 0;
	u64 at = 0;

	while (at < PHYS_LIMIT) {
		struct piece piece = piece_at(srat, topology, at);

		contest(&piece, &contested, &nr_contested, notes);
		if (piece.nid != NUMA_NO_NODE && !add_piece(topology, &piece))
			nr_lost++;
		at = piece.end;
	}
	note_contested(&contested, &nr_contested, notes);
	topology_note_rest(notes, nr_contested, "memory claimed more than once");
	if (nr_lost)
		topology_note(notes, "SRAT makes %u range%s more than %d: in no range", nr_lost,
			      plural(nr_lost), NUMA_MAX_RANGES);
}

/* --- What else is odd about the entries ---------------------------------------------------- */

void topology_note_unused(const struct acpi_srat *srat, struct topology_notes *notes)
{
	u32 nr = 0, nr_empty = 0;

	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];
		const char *why = NULL;

		if (m->length == 0) {
			nr_empty += m->enabled; /* a disabled one is an empty slot */
			continue;
		}
		if (!m->enabled)
			why = "is disabled";
		else if (m->nonvolatile)
			why = "is non-volatile";
		else if (m->base >= PHYS_LIMIT)
			why = "is beyond any physical address";
		if (why && topology_note_this(&nr))
			topology_note(notes, "[mem 0x%llx, 0x%llx bytes] of domain %u %s: not used",
				      (unsigned long long)m->base, (unsigned long long)m->length,
				      m->domain, why);
	}
	topology_note_rest(notes, nr, "ranges not used");
	if (nr_empty)
		topology_note(notes, "SRAT: %u enabled range%s of length 0: passed over", nr_empty,
			      plural(nr_empty));
}

/* Does an earlier entry of the same node share an address with entry i? */
static bool repeats(const struct acpi_srat *srat, const struct numa_topology *topology, u32 i)
{
	const struct acpi_srat_memory *m = &srat->memory[i];
	int nid = acpi_domain_node(topology, m->domain);

	for (u32 j = 0; j < i; j++) {
		const struct acpi_srat_memory *other = &srat->memory[j];

		if (names_ram(other) && other->base < ram_end(m) && m->base < ram_end(other) &&
		    acpi_domain_node(topology, other->domain) == nid)
			return true;
	}
	return false;
}

static void note_entries(const struct acpi_srat *srat, const struct numa_topology *topology,
			 struct topology_notes *notes)
{
	u32 nr_hotplug = 0, nr_cut = 0, nr_repeated = 0, nr_in_page = 0;

	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];

		if (!names_ram(m))
			continue;
		nr_hotplug += m->hotplug;
		nr_cut += ram_end(m) - m->base < m->length;
		nr_repeated += repeats(srat, topology, i);
		nr_in_page += !IS_ALIGNED(m->base | ram_end(m), PAGE_BYTES);
	}
	if (nr_hotplug)
		topology_note(notes, "SRAT: %u hot-pluggable range%s: RAM where the map has it",
			      nr_hotplug, plural(nr_hotplug));
	if (nr_cut)
		topology_note(notes, "SRAT: %u range%s beyond any physical address: cut", nr_cut,
			      plural(nr_cut));
	if (nr_repeated)
		topology_note(notes, "SRAT: %u range%s across others of the same node: merged",
			      nr_repeated, plural(nr_repeated));
	if (nr_in_page)
		topology_note(notes,
			      "SRAT: %u range%s with an edge inside a page: it is the lower node's",
			      nr_in_page, plural(nr_in_page));
}

/* Does another node's memory lie between parts of this one's? */
static bool is_interleaved(const struct numa_topology *topology, int nid)
{
	bool begun = false, interrupted = false;

	for (u32 i = 0; i < topology->nr_ranges; i++) {
		if (topology->ranges[i].nid != nid)
			interrupted |= begun;
		else if (interrupted)
			return true;
		else
			begun = true;
	}
	return false;
}

static void note_interleaved(const struct numa_topology *topology, struct topology_notes *notes)
{
	u32 nr = 0;
	int first = NUMA_NO_NODE;

	for (u32 nid = 0; nid < topology->nr_nodes; nid++)
		if (is_interleaved(topology, (int)nid) && nr++ == 0)
			first = (int)nid;
	if (nr)
		topology_note(notes,
			      "%u node%s (first: %d) with others' memory between the parts: "
			      "each keeps its own",
			      nr, plural(nr), first);
}

void topology_set_ranges(const struct acpi_srat *srat, struct numa_topology *topology,
			 struct topology_notes *notes)
{
	note_entries(srat, topology, notes);
	topology->nr_ranges = 0;
	sweep(srat, topology, notes);
	note_interleaved(topology, notes);
}
