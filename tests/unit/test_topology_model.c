/*
 * Any tables make a sound topology: drawn at random, and compared with a model that asks for each
 * address which entries cover it.
 */
#include "topology_build.h"

static u64 random_state;

static u32 random_below(u32 limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (u32)(random_state >> 33) % limit;
}

/* A small world, so that ranges meet in every way: 64 units, 8 domains or more than fit. */
#define UNITS 64

static void random_tables(void)
{
	u32 nr_domains = random_below(4) == 0 ? 100 : 1 + random_below(8);

	tables_begin();
	for (u32 i = random_below(2) ? 100 : random_below(12); i > 0; i--) {
		u32 base = random_below(UNITS), end = base + random_below(UNITS - base + 1);
		struct acpi_srat_memory *m = memory(random_below(nr_domains), MiB(base), MiB(end));

		m->enabled = random_below(8) != 0;
		m->hotplug = random_below(2);
		m->nonvolatile = random_below(8) == 0;
	}
	for (u32 i = random_below(20); i > 0; i--)
		placed_cpu(random_below(nr_domains), random_below(16))->enabled = random_below(4);
	for (u32 i = random_below(20); i > 0; i--)
		listed_cpu(random_below(16))->enabled = random_below(4);
	slit.localities = slit.nr_kept = random_below(8);
	for (u32 i = 0; i < slit.nr_kept; i++)
		for (u32 j = 0; j < slit.nr_kept; j++)
			slit.distance[i][j] = i == j ? 10 : (u8)(11 + random_below(245));
	slit.nr_bad_remote = random_below(4) == 0;
}

static int owner_of(u64 addr)
{
	for (u32 i = 0; i < topology.nr_ranges; i++)
		if (addr >= topology.ranges[i].base && addr < topology.ranges[i].end)
			return topology.ranges[i].nid;
	return NUMA_NO_NODE;
}

/* Does entry a say more exactly than b whose an address is? */
static bool decides_over(const struct acpi_srat_memory *a, const struct acpi_srat_memory *b)
{
	if (a->length != b->length)
		return a->length < b->length;
	return a->base != b->base ? a->base < b->base : a->domain < b->domain;
}

/* The model: of the entries that cover a unit the most exact one names the owner. */
static bool owners_fit_the_entries(void)
{
	for (u32 unit = 0; unit < UNITS; unit++) {
		const struct acpi_srat_memory *best = NULL;

		for (u32 i = 0; i < srat.nr_memory; i++) {
			const struct acpi_srat_memory *m = &srat.memory[i];

			if (m->enabled && !m->nonvolatile && MiB(unit) >= m->base &&
			    MiB(unit) < m->base + m->length && (!best || decides_over(m, best)))
				best = m;
		}
		if (owner_of(MiB(unit)) !=
		    (best ? acpi_domain_node(&topology, best->domain) : NUMA_NO_NODE))
			return false;
	}
	return true;
}

static void any_tables_make_a_sound_topology(struct ktest *t)
{
	u32 nr_flat = 0, nr_overlaps = 0;

	random_state = t->seed;
	for (u32 round = 0; round < 3000; round++) {
		random_tables();
		build_from(&srat, &slit, random_below(8) ? &madt : NULL, random_below(16));
		EXPECT_MSG(t, is_sound(&topology), "round %u: not sound", round);
		if (noted("one node owns all memory"))
			nr_flat++;
		else
			EXPECT_MSG(t, owners_fit_the_entries(), "round %u: wrong owner", round);
		nr_overlaps += noted("is claimed by nodes");
		if (t->failures)
			return;
	}
	EXPECT(t, nr_flat > 0 && nr_flat < 1500);
	EXPECT(t, nr_overlaps > 1000);
}

static const struct ktest_case cases[] = {
	KTEST(any_tables_make_a_sound_topology),
};
KTEST_SUITE(topology_model, cases);
