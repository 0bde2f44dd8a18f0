/*
 * From tables to nodes. Pictures show the firmware's ranges above, with their domains, and the
 * nodes that must come of them below.
 */
#include <kernel/acpi.h>
#include <kernel/test.h>

#include <base/string.h>

static struct acpi_srat srat;
static struct acpi_slit slit;
static struct acpi_madt madt;
static struct numa_topology topology;
static struct topology_notes notes;

/* --- What the firmware says ---------------------------------------------------------------- */

static void tables_begin(void)
{
	memset(&srat, 0, sizeof(srat));
	memset(&slit, 0, sizeof(slit));
	memset(&madt, 0, sizeof(madt));
}

static struct acpi_srat_memory *memory(u32 domain, u64 base, u64 end)
{
	struct acpi_srat_memory *m = &srat.memory[srat.nr_memory++];

	*m = (struct acpi_srat_memory){
		.base = base, .length = end - base, .domain = domain, .enabled = true};
	return m;
}

/* A CPU that SRAT places. */
static struct acpi_srat_cpu *placed_cpu(u32 domain, u32 apic_id)
{
	struct acpi_srat_cpu *cpu = &srat.cpus[srat.nr_cpus++];

	*cpu = (struct acpi_srat_cpu){.apic_id = apic_id, .domain = domain, .enabled = true};
	return cpu;
}

/* A CPU that MADT lists. */
static struct acpi_madt_cpu *listed_cpu(u32 apic_id)
{
	struct acpi_madt_cpu *cpu = &madt.cpus[madt.nr_cpus++];

	*cpu = (struct acpi_madt_cpu){.apic_id = apic_id, .uid = apic_id, .enabled = true};
	return cpu;
}

/* A CPU in both. */
static void cpu(u32 domain, u32 apic_id)
{
	placed_cpu(domain, apic_id);
	listed_cpu(apic_id);
}

static void distances(u32 localities, const u8 *matrix)
{
	slit.localities = slit.nr_kept = localities;
	for (u32 i = 0; i < localities; i++)
		for (u32 j = 0; j < localities; j++)
			slit.distance[i][j] = matrix[i * localities + j];
}

/* --- What comes of it ---------------------------------------------------------------------- */

/* NUMA-1 to NUMA-3 of <mm/numa.h>, and that no APIC id is there twice. */
static bool is_sound(const struct numa_topology *n)
{
	bool sound = n->nr_nodes >= 1 && n->nr_nodes <= MAX_NUMNODES && n->nr_cpus >= 1 &&
		     n->nr_cpus <= NUMA_MAX_CPUS && n->nr_ranges <= NUMA_MAX_RANGES;

	for (u32 i = 0; sound && i < n->nr_ranges; i++) {
		sound &= n->ranges[i].base < n->ranges[i].end;
		sound &= n->ranges[i].nid >= 0 && n->ranges[i].nid < (int)n->nr_nodes;
		sound &= i == 0 || n->ranges[i - 1].end <= n->ranges[i].base;
	}
	for (u32 i = 0; sound && i < n->nr_cpus; i++) {
		sound &= n->cpus[i].nid >= 0 && n->cpus[i].nid < (int)n->nr_nodes;
		for (u32 j = 0; j < i; j++)
			sound &= n->cpus[i].apic_id != n->cpus[j].apic_id;
	}
	for (u32 i = 0; sound && i < n->nr_nodes; i++) {
		sound &= i == 0 || n->domain[i - 1] < n->domain[i];
		for (u32 j = 0; j < n->nr_nodes; j++)
			sound &= i == j ? n->distance[i][j] == 10 : n->distance[i][j] > 10;
	}
	return sound;
}

static void build_from(const struct acpi_srat *s, const struct acpi_slit *d,
		       const struct acpi_madt *m, u32 boot_apic_id)
{
	memset(&topology, 0xa5, sizeof(topology)); /* nothing of what was there may count */
	memset(&notes, 0, sizeof(notes));
	acpi_build_topology(s, d, m, boot_apic_id, &topology, &notes);
}

/* With a SLIT only where the test gave one. */
static void build(struct ktest *t)
{
	build_from(&srat, slit.localities ? &slit : NULL, &madt, 0);
	EXPECT(t, is_sound(&topology));
}

static void expect_range(struct ktest *t, u32 i, int nid, u64 base, u64 end)
{
	const struct numa_range *r = &topology.ranges[i];

	EXPECT_MSG(t, i < topology.nr_ranges && r->nid == nid && r->base == base && r->end == end,
		   "range %u of %u is node %d 0x%llx-0x%llx, expected node %d 0x%llx-0x%llx", i,
		   topology.nr_ranges, r->nid, (unsigned long long)r->base,
		   (unsigned long long)r->end, nid, (unsigned long long)base,
		   (unsigned long long)end);
}

static bool noted(const char *text)
{
	for (u32 i = 0; i < notes.nr; i++)
		if (strstr(notes.text[i], text))
			return true;
	return false;
}

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
 *	0     1G    2G    3G    4G
 *	|--0--|--1--|--0--|--1--|     listed backwards: the order of the table does not matter
 */
static void interleaved_nodes_keep_their_stripes(struct ktest *t)
{
	tables_begin();
	for (u32 i = 4; i-- > 0;)
		memory(i % 2, GiB(i), GiB(i + 1));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 4);
	for (u32 i = 0; i < 4; i++)
		expect_range(t, i, (int)(i % 2), GiB(i), GiB(i + 1));
}

/*
 *	0    1G    2G    3G    4G    5G    6G    7G
 *	|-0--|--0--|
 *	                 |-----0-----|
 *	                       |--0--------|
 *	                       |0-|              |-0--|
 *	|--node 0--|     |--- node 0 ------|     |----|
 */
static void ranges_of_one_node_are_merged(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, GiB(1), GiB(2));
	memory(0, 0, GiB(1));
	memory(0, GiB(3), GiB(5));
	memory(0, GiB(4), GiB(6));
	memory(0, GiB(4), GiB(4) + MiB(512));
	memory(0, GiB(7), GiB(8));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 3);
	expect_range(t, 0, 0, 0, GiB(2));
	expect_range(t, 1, 0, GiB(3), GiB(6));
	expect_range(t, 2, 0, GiB(7), GiB(8));
	EXPECT_EQ(t, notes.nr, 0);
}

/*
 *	0     1G    2G    3G    4G
 *	|--------0--------|
 *	      |--------1--------|
 *	|------node 0-----|-node1-|
 */
static void overlap_goes_to_the_lower_range(struct ktest *t)
{
	tables_begin();
	memory(1, GiB(1), GiB(4));
	memory(0, 0, GiB(3));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 2);
	expect_range(t, 0, 0, 0, GiB(3));
	expect_range(t, 1, 1, GiB(3), GiB(4));
	EXPECT(t, noted("[mem 0x40000000-0xbfffffff] is claimed by nodes 0 and 1: it is 0's"));
}

/*
 *	0     1G    2G    3G    4G    5G    6G
 *	|--------------0--------------|
 *	      |--1--|                             inside: nothing is left of it
 *	            |-----------2-----------|     cut
 *	                  |--1--|                 inside
 *	|--------------0--------|       one that starts where another does: table order
 *	|-----------node 0------------|node2|
 */
static void overlap_inside_and_in_chains(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(5));
	memory(1, GiB(1), GiB(2));
	memory(2, GiB(2), GiB(6));
	memory(1, GiB(3), GiB(4));
	memory(2, 0, GiB(4));
	build(t);
	EXPECT_EQ(t, topology.nr_nodes, 3);
	ASSERT_EQ(t, topology.nr_ranges, 2);
	expect_range(t, 0, 0, 0, GiB(5));
	expect_range(t, 1, 2, GiB(5), GiB(6));
	EXPECT(t, noted("[mem 0x80000000-0x13fffffff] is claimed by nodes 0 and 2"));
	EXPECT(t, noted("[mem 0xc0000000-0xffffffff] is claimed by nodes 0 and 1"));
	EXPECT_EQ(t, notes.nr, 5); /* four overlaps and no SLIT */
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
	EXPECT_EQ(t, notes.nr, 0);
}

/*
 *	0        1G              4G        5G
 *	|---0----|- - -0(hot)- - |.1 (nv) .|
 *	|------- node 0 ---------|           domain 1 has nothing else: no node
 */
static void hotplug_counts_and_nonvolatile_does_not(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	memory(0, GiB(1), GiB(4))->hotplug = true;
	memory(1, GiB(4), GiB(5))->nonvolatile = true;
	build(t);
	EXPECT_EQ(t, topology.nr_nodes, 1);
	ASSERT_EQ(t, topology.nr_ranges, 1);
	expect_range(t, 0, 0, 0, GiB(4));
	EXPECT(t, noted("1 ranges are hot-pluggable"));
	EXPECT(t, noted("of domain 1 is non-volatile: not used"));
}

/* Ends past 2^64 and starts past 2^52: cut, and left out. */
static void ranges_beyond_any_address(struct ktest *t)
{
	u64 limit = (u64)1 << 52;

	tables_begin();
	memory(0, 0, limit - GiB(1));
	memory(1, limit - GiB(1), 0)->length = ~(u64)0;
	memory(2, limit, limit + GiB(1));
	memory(3, ~(u64)0, 0)->length = ~(u64)0;
	build(t);
	EXPECT_EQ(t, topology.nr_nodes, 2);
	ASSERT_EQ(t, topology.nr_ranges, 2);
	expect_range(t, 0, 0, 0, limit - GiB(1));
	expect_range(t, 1, 1, limit - GiB(1), limit);
	EXPECT(t, noted("1 ranges go beyond any physical address: cut"));
	EXPECT(t, noted("of domain 2 is beyond any physical address"));
	EXPECT(t, noted("of domain 3 is beyond any physical address"));
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
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT(t, noted("without SRAT: one node"));
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
	EXPECT(t, noted("SRAT names no enabled memory"));
	EXPECT(t, !noted("not in SRAT"));
}

/* --- Distances ----------------------------------------------------------------------------- */

/* Domains 1, 2 and 4 of a machine whose SLIT has 5 localities; it is not symmetric. */
static void slit_is_indexed_by_domain(struct ktest *t)
{
	static const u8 matrix[5][5] = {
		{10, 11, 12, 13, 14}, {20, 10, 22, 23, 24}, {30, 31, 10, 33, 34},
		{40, 41, 42, 10, 44}, {50, 51, 52, 53, 10},
	};

	tables_begin();
	cpu(4, 0);
	memory(4, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
	memory(2, GiB(2), GiB(3));
	distances(5, &matrix[0][0]);
	build(t);
	ASSERT_EQ(t, topology.nr_nodes, 3);
	EXPECT_EQ(t, topology.distance[0][1], 22); /* domain 1 to 2 */
	EXPECT_EQ(t, topology.distance[0][2], 24); /* 1 to 4 */
	EXPECT_EQ(t, topology.distance[1][0], 31); /* 2 to 1 */
	EXPECT_EQ(t, topology.distance[1][2], 34); /* 2 to 4 */
	EXPECT_EQ(t, topology.distance[2][0], 51); /* 4 to 1 */
	EXPECT_EQ(t, topology.distance[2][1], 52); /* 4 to 2 */
	EXPECT_EQ(t, notes.nr, 0);
}

/* Domains 0, 1 and 9; the SLIT knows the first two. */
static void slit_smaller_than_srat(struct ktest *t)
{
	static const u8 matrix[4] = {10, 35, 36, 10};

	tables_begin();
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
	memory(9, GiB(2), GiB(3));
	distances(2, matrix);
	build(t);
	EXPECT_EQ(t, topology.distance[0][1], 35);
	EXPECT_EQ(t, topology.distance[1][0], 36);
	EXPECT_EQ(t, topology.distance[0][2], 20);
	EXPECT_EQ(t, topology.distance[2][1], 20);
	EXPECT_EQ(t, topology.distance[2][2], 10);
	EXPECT(t, noted("SLIT: 1 nodes are not in it"));
}

static void broken_slit_is_not_used_at_all(struct ktest *t)
{
	static const u8 matrix[4] = {10, 35, 36, 10};
	static const char *const whys[] = {"shorter than its matrix", "itself is not 10",
					   "10 or less"};

	for (u32 i = 0; i < ARRAY_SIZE(whys); i++) {
		tables_begin();
		memory(0, 0, GiB(1));
		memory(1, GiB(1), GiB(2));
		distances(2, matrix);
		slit.truncated = i == 0;
		slit.nr_bad_local = i == 1;
		slit.nr_bad_remote = i == 2;
		build(t);
		EXPECT_EQ(t, topology.distance[0][1], 20);
		EXPECT_EQ(t, topology.distance[1][0], 20);
		EXPECT_EQ(t, topology.distance[1][1], 10);
		EXPECT(t, noted("SLIT of 2 localities is not used"));
		EXPECT(t, noted(whys[i]));
	}
}

static void no_slit_is_10_and_20(struct ktest *t)
{
	tables_begin();
	for (u32 i = 0; i < 8; i++)
		memory(i, GiB(i), GiB(i + 1));
	build(t);
	for (u32 i = 0; i < 8; i++)
		for (u32 j = 0; j < 8; j++)
			EXPECT_EQ(t, topology.distance[i][j], i == j ? 10 : 20);
}

/* --- CPUs ---------------------------------------------------------------------------------- */

static void boot_cpu_first_then_the_tables_order(struct ktest *t)
{
	static const u32 order[] = {32, 16, 17, 33, 300};

	tables_begin();
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
	cpu(0, 16);
	cpu(0, 17);
	cpu(1, 32);
	placed_cpu(1, 18); /* in SRAT only: a socket that could be filled */
	listed_cpu(19)->enabled = false;
	listed_cpu(20)->enabled = false;
	madt.cpus[madt.nr_cpus - 1].online_capable = true;
	cpu(1, 33);
	placed_cpu(1, 300)->x2apic = true;
	listed_cpu(300)->x2apic = true;
	build_from(&srat, NULL, &madt, 32);
	EXPECT(t, is_sound(&topology));
	ASSERT_EQ(t, topology.nr_cpus, ARRAY_SIZE(order));
	for (u32 i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(t, topology.cpus[i].apic_id, order[i]);
		EXPECT_EQ(t, topology.cpus[i].nid, order[i] >= 32);
	}
	EXPECT_EQ(t, notes.nr, 1); /* no SLIT */
}

static void cpus_that_srat_does_not_name(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
	cpu(1, 0);
	listed_cpu(7);
	listed_cpu(8);
	placed_cpu(1, 8)->enabled = false;
	build(t);
	ASSERT_EQ(t, topology.nr_cpus, 3);
	EXPECT_EQ(t, topology.cpus[0].nid, 1);
	EXPECT_EQ(t, topology.cpus[1].nid, 0);
	EXPECT_EQ(t, topology.cpus[2].nid, 0);
	EXPECT(t, noted("2 CPUs are not in SRAT (first: APIC id 7): put on node 0"));
}

static void no_madt_is_the_boot_cpu_alone(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
	cpu(0, 4);
	cpu(1, 5);
	build_from(&srat, NULL, NULL, 5);
	EXPECT(t, is_sound(&topology));
	ASSERT_EQ(t, topology.nr_cpus, 1);
	EXPECT_EQ(t, topology.cpus[0].apic_id, 5);
	EXPECT_EQ(t, topology.cpus[0].nid, 1);
	EXPECT(t, noted("no MADT"));
}

static void boot_cpu_missing_from_madt(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	cpu(0, 4);
	listed_cpu(5)->enabled = false;
	build_from(&srat, NULL, &madt, 5);
	EXPECT(t, is_sound(&topology));
	ASSERT_EQ(t, topology.nr_cpus, 2);
	EXPECT_EQ(t, topology.cpus[0].apic_id, 5);
	EXPECT_EQ(t, topology.cpus[1].apic_id, 4);
	EXPECT(t, noted("MADT does not list the boot CPU (APIC id 5)"));
}

/* Some tables list each CPU as LAPIC and as x2APIC; ids of all ones are no CPU's. */
static void one_cpu_listed_twice_is_one(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	for (u32 id = 0; id < 3; id++)
		cpu(0, id);
	for (u32 id = 0; id < 3; id++)
		listed_cpu(id)->x2apic = true;
	listed_cpu(0xff);
	listed_cpu(0xffffffff)->x2apic = true;
	build(t);
	EXPECT_EQ(t, topology.nr_cpus, 3);
	EXPECT(t, noted("MADT lists 3 CPUs more than once"));
	EXPECT_EQ(t, notes.nr, 1);
}

static void too_many_cpus(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	for (u32 i = 0; i < NUMA_MAX_CPUS; i++) {
		listed_cpu(1000 + i)->x2apic = true;
		placed_cpu(0, 1000 + i);
	}
	madt.nr_dropped = 5; /* the parser left out some already */
	build(t);            /* and the boot CPU, 0, is one more */
	EXPECT_EQ(t, topology.nr_cpus, NUMA_MAX_CPUS);
	EXPECT_EQ(t, topology.cpus[0].apic_id, 0);
	EXPECT_EQ(t, topology.cpus[1].apic_id, 1000);
	EXPECT(t, noted("MADT: 6 CPUs more than fit"));
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
	srat.nr_dropped = 4;
	madt.nr_malformed = 5;
	build(t);
	EXPECT(t, noted("SRAT: 2 malformed entries passed over, 77 bytes not read"));
	EXPECT(t, noted("SRAT: 3 entries of unknown type passed over"));
	EXPECT(t, noted("SRAT: 4 entries more than fit, left out"));
	EXPECT(t, noted("MADT: 5 malformed entries passed over"));
	EXPECT_EQ(t, notes.nr, 4);
}

static void notes_are_bounded(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	for (u32 i = 0; i < TOPOLOGY_MAX_NOTES + 10; i++)
		memory(0xffffffff, ~(u64)0 >> 1, 0)->nonvolatile = true;
	build(t);
	EXPECT_EQ(t, notes.nr, TOPOLOGY_MAX_NOTES);
	EXPECT_EQ(t, notes.nr_dropped, 10);
	for (u32 i = 0; i < notes.nr; i++)
		EXPECT(t, strstr(notes.text[i], ": not used") != NULL); /* none is cut short */
}

/* --- Any tables: against a model ------------------------------------------------------------ */

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

/*
 * The model: a unit has an owner iff some usable entry covers it, and the owner is the node of one
 * of those; where there are few enough domains, the node whose domain the entry names.
 */
static bool owners_fit_the_entries(void)
{
	for (u32 unit = 0; unit < UNITS; unit++) {
		int owner = owner_of(MiB(unit));
		bool covered = false, named = false;

		for (u32 i = 0; i < srat.nr_memory; i++) {
			const struct acpi_srat_memory *m = &srat.memory[i];

			if (!m->enabled || m->nonvolatile || MiB(unit) < m->base ||
			    MiB(unit) >= m->base + m->length)
				continue;
			covered = true;
			if (owner != NUMA_NO_NODE)
				named |= topology.domain[owner] == m->domain ||
					 (owner == MAX_NUMNODES - 1 &&
					  m->domain > topology.domain[owner]);
		}
		if (covered != (owner != NUMA_NO_NODE) || covered != named)
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
	KTEST(node_on_both_sides_of_the_hole),
	KTEST(sparse_domains_become_dense_nodes),
	KTEST(interleaved_nodes_keep_their_stripes),
	KTEST(ranges_of_one_node_are_merged),
	KTEST(overlap_goes_to_the_lower_range),
	KTEST(overlap_inside_and_in_chains),
	KTEST(nodes_without_memory_or_cpus),
	KTEST(disabled_and_empty_do_not_exist),
	KTEST(hotplug_counts_and_nonvolatile_does_not),
	KTEST(ranges_beyond_any_address),
	KTEST(too_many_domains_lose_nothing),
	KTEST(no_srat_is_one_node_with_all_cpus),
	KTEST(srat_without_memory_is_one_node),
	KTEST(slit_is_indexed_by_domain),
	KTEST(slit_smaller_than_srat),
	KTEST(broken_slit_is_not_used_at_all),
	KTEST(no_slit_is_10_and_20),
	KTEST(boot_cpu_first_then_the_tables_order),
	KTEST(cpus_that_srat_does_not_name),
	KTEST(no_madt_is_the_boot_cpu_alone),
	KTEST(boot_cpu_missing_from_madt),
	KTEST(one_cpu_listed_twice_is_one),
	KTEST(too_many_cpus),
	KTEST(what_parsers_passed_over_is_noted),
	KTEST(notes_are_bounded),
	KTEST(any_tables_make_a_sound_topology),
};
KTEST_SUITE(topology, cases);
