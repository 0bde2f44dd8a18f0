/*
 * From tables to nodes and their ranges. Pictures show the firmware's ranges above, with their
 * domains, and the nodes that must come of them below.
 */
#include <base/format.h>

#include "topology_build.h"

/* --- Nodes and ranges ---------------------------------------------------------------------- */

/*
 *	0  640K 1M             2G      4G        5G          7G
 *	|--0-|  |------0-------|       |----0----|-----1-----|
 *	node 0    node 0                 node 0     node 1
 */
static void node_on_both_sides_of_the_hole(struct ktest *t)
{
	tables_begin();
	for (u32 id = 0; id < 4; id++)
		cpu(id / 2, id);
	memory(0, 0, KiB(640));
	memory(0, MiB(1), GiB(2));
	memory(0, GiB(4), GiB(5));
	memory(1, GiB(5), GiB(7));
	memory(0, 0, 0)->enabled = false;
	build(t);
	EXPECT_EQ(t, topology.nr_nodes, 2);
	EXPECT_EQ(t, topology.nr_ranges, 4);
	expect_range(t, 0, 0, 0, KiB(640));
	expect_range(t, 1, 0, MiB(1), GiB(2));
	expect_range(t, 2, 0, GiB(4), GiB(5));
	expect_range(t, 3, 1, GiB(5), GiB(7));
	ASSERT_EQ(t, topology.nr_cpus, 4);
	for (u32 i = 0; i < 4; i++) {
		EXPECT_EQ(t, topology.cpus[i].apic_id, i);
		EXPECT_EQ(t, topology.cpus[i].nid, i / 2);
	}
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT(t, noted("no SLIT"));
}

/*
 *	0           2G          4G                8G
 *	|----70000--|-----1-----|------70000------|     domain 300: only a CPU
 *	   node 1      node 0        node 1             node 2 ... in order of number: 1, 300, 70000
 */
static void sparse_domains_become_dense_nodes(struct ktest *t)
{
	tables_begin();
	cpu(300, 0);
	memory(70000, GiB(4), GiB(8));
	memory(70000, 0, GiB(2));
	memory(1, GiB(2), GiB(4));
	build(t);
	ASSERT_EQ(t, topology.nr_nodes, 3);
	EXPECT_EQ(t, topology.domain[0], 1);
	EXPECT_EQ(t, topology.domain[1], 300);
	EXPECT_EQ(t, topology.domain[2], 70000);
	EXPECT_EQ(t, topology.nr_ranges, 3);
	expect_range(t, 0, 2, 0, GiB(2));
	expect_range(t, 1, 0, GiB(2), GiB(4));
	expect_range(t, 2, 2, GiB(4), GiB(8));
	EXPECT_EQ(t, topology.cpus[0].nid, 1);
}

/*
 *	0     1G          3G
 *	|--0--|-----2-----|      domain 1: CPU 1 only; domain 2: no CPU
 */
static void nodes_without_memory_or_cpus(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	cpu(1, 1);
	memory(0, 0, GiB(1));
	memory(2, GiB(1), GiB(3));
	build(t);
	ASSERT_EQ(t, topology.nr_nodes, 3);
	EXPECT_EQ(t, topology.nr_ranges, 2);
	expect_range(t, 1, 2, GiB(1), GiB(3));
	EXPECT_EQ(t, topology.cpus[1].nid, 1);
	EXPECT_EQ(t, topology.distance[1][2], 20);
}

/* What is disabled or empty is not there, and its domain is not either. */
static void disabled_and_empty_do_not_exist(struct ktest *t)
{
	tables_begin();
	memory(1, 0, GiB(1));
	memory(2, GiB(1), GiB(2))->enabled = false;
	memory(3, GiB(1), GiB(1));
	placed_cpu(4, 9)->enabled = false;
	cpu(1, 0);
	build(t);
	ASSERT_EQ(t, topology.nr_nodes, 1);
	EXPECT_EQ(t, topology.domain[0], 1);
	EXPECT_EQ(t, topology.nr_ranges, 1);
	EXPECT(t, noted("[mem 0x40000000, 0x40000000 bytes] of domain 2 is disabled: not used"));
	EXPECT(t, noted("SRAT: 1 enabled range of length 0: passed over"));
	EXPECT_EQ(t, notes.nr, 2);
}

/*
 *	0     1G    2G
 *	|--0--|--3--|     domain 5: a network card; domain 7: a disabled one
 *	 node 0 node 1     node 2
 */
static void generic_initiators_are_nodes(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	memory(3, GiB(1), GiB(2));
	srat.nr_initiators = 3;
	srat.initiators[0] = (struct acpi_srat_initiator){.domain = 5, .enabled = true};
	srat.initiators[1] = (struct acpi_srat_initiator){.domain = 7};
	srat.initiators[2] = (struct acpi_srat_initiator){.domain = 3, .enabled = true};
	build(t);
	ASSERT_EQ(t, topology.nr_nodes, 3);
	EXPECT_EQ(t, topology.domain[2], 5);
	EXPECT_EQ(t, topology.nr_ranges, 2);
	EXPECT_EQ(t, topology.distance[0][2], 20);
	EXPECT(t, noted("SRAT: 2 generic initiators: a node for each domain"));
}

static void domains_find_their_nodes(struct ktest *t)
{
	tables_begin();
	memory(4, 0, GiB(1));
	memory(70000, GiB(1), GiB(2));
	build(t);
	EXPECT_EQ(t, acpi_domain_node(&topology, 4), 0);
	EXPECT_EQ(t, acpi_domain_node(&topology, 70000), 1);
	EXPECT_EQ(t, acpi_domain_node(&topology, 0), NUMA_NO_NODE);
	EXPECT_EQ(t, acpi_domain_node(&topology, 5), NUMA_NO_NODE);
	EXPECT_EQ(t, acpi_domain_node(&topology, 70001), NUMA_NO_NODE);
}

/*
 * More domains than nodes, listed from the highest down. Domain 1000 + i has gigabyte i.
 *
 *	0     1G          63G   64G   65G         70G
 *	|-1000|-1001 ...  |-1063|-1064|-1065 ...  |
 *	node 0 node 1 ... |---------node 63-------|
 */
static void too_many_domains_lose_nothing(struct ktest *t)
{
	tables_begin();
	for (u32 i = 70; i-- > 0;) {
		memory(1000 + i, GiB(i), GiB(i + 1));
		cpu(1000 + i, i);
	}
	build(t);
	ASSERT_EQ(t, topology.nr_nodes, MAX_NUMNODES);
	EXPECT_EQ(t, topology.domain[0], 1000);
	EXPECT_EQ(t, topology.domain[63], 1063);
	ASSERT_EQ(t, topology.nr_ranges, MAX_NUMNODES);
	expect_range(t, 0, 0, 0, GiB(1));
	expect_range(t, 62, 62, GiB(62), GiB(63));
	expect_range(t, 63, 63, GiB(63), GiB(70));
	EXPECT_EQ(t, topology.nr_cpus, 70);
	for (u32 i = 0; i < topology.nr_cpus; i++)
		EXPECT_EQ(t, topology.cpus[i].nid, MIN(topology.cpus[i].apic_id, 63u));
	EXPECT(t, noted("more than 64 domains: those above domain 1063 join node 63"));

	/* 64 of them are not too many. */
	tables_begin();
	for (u32 i = 0; i < 64; i++)
		memory(1000 + i, GiB(i), GiB(i + 1));
	memory(1063, GiB(64), GiB(65));
	build(t);
	EXPECT_EQ(t, topology.nr_nodes, 64);
	EXPECT(t, !noted("more than 64 domains"));
}

/* --- Without a usable SRAT ------------------------------------------------------------------ */

static void expect_flat(struct ktest *t)
{
	static struct numa_topology flat;

	numa_topology_flat(&flat);
	EXPECT(t, is_sound(&topology));
	EXPECT_EQ(t, topology.nr_nodes, 1);
	ASSERT_EQ(t, topology.nr_ranges, 1);
	expect_range(t, 0, 0, flat.ranges[0].base, flat.ranges[0].end);
	EXPECT_EQ(t, topology.distance[0][0], 10);
}

static void no_srat_is_one_node_with_all_cpus(struct ktest *t)
{
	static const u8 matrix[4] = {10, 30, 30, 10};

	tables_begin();
	listed_cpu(4);
	listed_cpu(6);
	distances(2, matrix);
	build_from(NULL, &slit, &madt, 6);
	expect_flat(t);
	ASSERT_EQ(t, topology.nr_cpus, 2);
	EXPECT_EQ(t, topology.cpus[0].apic_id, 6);
	EXPECT_EQ(t, topology.cpus[1].apic_id, 4);
	ASSERT_EQ(t, notes.nr, 2);
	EXPECT_STREQ(t, notes.text[0], "without SRAT: one node owns all memory");
	EXPECT_STREQ(t, notes.text[1], "SLIT is not applied: there is one node");
}

static void srat_without_memory_is_one_node(struct ktest *t)
{
	tables_begin();
	cpu(3, 0);
	cpu(4, 1);
	memory(3, 0, 0);
	memory(4, 0, GiB(1))->enabled = false;
	memory(5, GiB(1), GiB(2))->nonvolatile = true;
	build(t);
	expect_flat(t);
	EXPECT_EQ(t, topology.nr_cpus, 2);
	EXPECT_EQ(t, topology.cpus[1].nid, 0);
	ASSERT_EQ(t, notes.nr, 4); /* each range, and then what follows from it */
	EXPECT(t, noted("[mem 0x0, 0x40000000 bytes] of domain 4 is disabled: not used"));
	EXPECT(t,
	       noted("[mem 0x40000000, 0x40000000 bytes] of domain 5 is non-volatile: not used"));
	EXPECT(t, noted("SRAT: 1 enabled range of length 0: passed over"));
	EXPECT_STREQ(t, notes.text[3],
		     "SRAT names no memory that is used: one node owns all memory");
	EXPECT(t, !noted("not in SRAT"));
}

/* --- Notes --------------------------------------------------------------------------------- */

static void what_parsers_passed_over_is_noted(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	cpu(0, 0);
	srat.nr_malformed = 2;
	srat.bytes_unread = 77;
	srat.nr_unknown = 3;
	srat.first_unknown = 6;
	srat.nr_dropped = 4;
	madt.nr_malformed = 5;
	build(t);
	EXPECT(t, noted("SRAT: 2 malformed entries passed over, 77 bytes not read"));
	EXPECT(t, noted("SRAT: 3 entries of unknown type passed over (first: type 6)"));
	EXPECT(t, noted("SRAT: 4 entries more than fit, left out"));
	EXPECT(t, noted("MADT: 5 malformed entries passed over"));
	EXPECT_EQ(t, notes.nr, 4);
}

/* What has no room is counted; a line that is too long is cut, and still a line. */
static void notes_are_bounded(struct ktest *t)
{
	char expected[24];

	memset(&notes, 0, sizeof(notes));
	for (u32 i = 0; i < TOPOLOGY_MAX_NOTES + 10; i++)
		topology_note(&notes, "note %u %0200u", i, i);
	EXPECT_EQ(t, notes.nr, TOPOLOGY_MAX_NOTES);
	EXPECT_EQ(t, notes.nr_dropped, 10);
	for (u32 i = 0; i < notes.nr; i++) {
		snprintf(expected, sizeof(expected), "note %u ", i);
		EXPECT(t, strncmp(notes.text[i], expected, strlen(expected)) == 0);
		EXPECT_EQ(t, strlen(notes.text[i]), sizeof(notes.text[i]) - 1);
	}
}

/* A kind of oddity that comes in hundreds leaves room for the others. */
static void notes_of_a_kind_are_few(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	for (u32 i = 0; i < 300; i++)
		memory(0xffffffff, ~(u64)0 >> 1, 0)->nonvolatile = true;
	build(t);
	EXPECT_EQ(t, notes.nr_dropped, 0);
	EXPECT_EQ(t, notes.nr, 7);
	for (u32 i = 0; i < 6; i++)
		EXPECT(t, strstr(notes.text[i], ": not used") != NULL); /* none is cut short */
	EXPECT(t, noted("and 294 more: ranges not used"));
}

static const struct ktest_case cases[] = {
	KTEST(node_on_both_sides_of_the_hole),
	KTEST(sparse_domains_become_dense_nodes),
	KTEST(nodes_without_memory_or_cpus),
	KTEST(disabled_and_empty_do_not_exist),
	KTEST(generic_initiators_are_nodes),
	KTEST(domains_find_their_nodes),
	KTEST(too_many_domains_lose_nothing),
	KTEST(no_srat_is_one_node_with_all_cpus),
	KTEST(srat_without_memory_is_one_node),
	KTEST(what_parsers_passed_over_is_noted),
	KTEST(notes_are_bounded),
	KTEST(notes_of_a_kind_are_few),
};
KTEST_SUITE(topology, cases);
