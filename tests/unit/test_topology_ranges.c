/*
 * Whose memory is whose. Pictures show the firmware's ranges above, with their domains, and what
 * must come of them below.
 */
#include "topology_build.h"

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
	EXPECT(t, noted("2 nodes (first: 0) with others' memory between the parts"));
	EXPECT_EQ(t, notes.nr, 4); /* no SLIT, and CPU 0 is in neither table */

	/* One stripe each is not interleaved. */
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2));
	memory(1, GiB(3), GiB(4));
	build(t);
	EXPECT(t, !noted("between parts of theirs"));
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
	EXPECT(t, noted("SRAT: 2 ranges across others of the same node: merged"));
	EXPECT_EQ(t, notes.nr, 1);
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
	EXPECT(t, noted("1 hot-pluggable range"));
	EXPECT(t, noted("of domain 1 is non-volatile: not used"));
}

/* A page cannot be shared: that two nodes meet in one is said. */
static void edges_inside_a_page(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	memory(1, GiB(1), GiB(2) + 123);
	memory(2, GiB(2) + 123, GiB(3));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 3);
	expect_range(t, 1, 1, GiB(1), GiB(2) + 123);
	EXPECT(t, noted("SRAT: 2 ranges with an edge inside a page: it is the lower node's"));
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
	EXPECT(t, noted("1 range beyond any physical address: cut"));
	EXPECT(t, noted("of domain 2 is beyond any physical address"));
	EXPECT(t, noted("of domain 3 is beyond any physical address"));
}

/* --- Ranges of two nodes overlap ------------------------------------------------------------ */

/*
 *	0     1G    2G    3G    4G    5G
 *	|-----------0-----------|
 *	                  |-----1-----|     the shorter one has the shared part, wherever it lies
 *	|----node 0-------|---node 1--|
 */
static void shorter_range_decides(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(4));
	memory(1, GiB(3), GiB(5));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 2);
	expect_range(t, 0, 0, 0, GiB(3));
	expect_range(t, 1, 1, GiB(3), GiB(5));
	EXPECT(t, noted("[mem 0xc0000000-0xffffffff] is claimed by nodes 0 and 1: it is 1's"));
	EXPECT_EQ(t, notes.nr, 2); /* and no SLIT */
}

/*
 *	0     1G    2G    3G    4G
 *	|--------0--------|
 *	      |--------1--------|     equally long: the lower one
 *	|------node 0-----|-node1-|
 */
static void equally_long_goes_to_the_lower(struct ktest *t)
{
	for (u32 order = 0; order < 2; order++) {
		tables_begin();
		if (order)
			memory(0, 0, GiB(3));
		memory(1, GiB(1), GiB(4));
		if (!order)
			memory(0, 0, GiB(3));
		build(t);
		ASSERT_EQ(t, topology.nr_ranges, 2);
		expect_range(t, 0, 0, 0, GiB(3));
		expect_range(t, 1, 1, GiB(3), GiB(4));
		EXPECT(t, noted("[mem 0x40000000-0xbfffffff] is claimed by nodes 0 and 1: it is "
				"0's"));
	}
}

/*
 *	0     1G    2G    3G    4G
 *	|-----------2-----------|
 *	      |--5--|                 wholly inside: it is the more exact statement
 *	|node0|node1|---node 0--|
 */
static void range_inside_another_is_kept(struct ktest *t)
{
	tables_begin();
	cpu(2, 0);
	memory(2, 0, GiB(4));
	memory(5, GiB(1), GiB(2));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 3);
	expect_range(t, 0, 0, 0, GiB(1));
	expect_range(t, 1, 1, GiB(1), GiB(2));
	expect_range(t, 2, 0, GiB(2), GiB(4));
	EXPECT(t, noted("[mem 0x40000000-0x7fffffff] is claimed by nodes 0 and 1: it is 1's"));
	EXPECT(t, noted("1 node (first: 0) with others' memory"));
}

/*
 *	0     1G
 *	|--7--|
 *	|--3--|     equal: the lower domain, whatever the order
 *	|-n 0-|     domain 7 is a node without memory
 */
static void equal_ranges_go_to_the_lower_domain(struct ktest *t)
{
	for (u32 order = 0; order < 2; order++) {
		tables_begin();
		cpu(3, 0);
		memory(order ? 3 : 7, 0, GiB(1));
		memory(order ? 7 : 3, 0, GiB(1));
		build(t);
		EXPECT_EQ(t, topology.nr_nodes, 2);
		ASSERT_EQ(t, topology.nr_ranges, 1);
		expect_range(t, 0, 0, 0, GiB(1));
		EXPECT(t, noted("[mem 0x0-0x3fffffff] is claimed by nodes 0 and 1: it is 0's"));
	}
}

/*
 *	0     1G    2G    3G    4G    5G    6G
 *	|--------------0--------------|
 *	      |--1--|
 *	            |-----------2-----------|
 *	                  |--1--|
 *	|-----------2-----------|
 *	|--2--|--1--|--2--|--1--|--2--------|     the two of 4G before the one of 5G
 */
static void chains_of_overlaps(struct ktest *t)
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
	ASSERT_EQ(t, topology.nr_ranges, 5);
	expect_range(t, 0, 2, 0, GiB(1));
	expect_range(t, 1, 1, GiB(1), GiB(2));
	expect_range(t, 2, 2, GiB(2), GiB(3));
	expect_range(t, 3, 1, GiB(3), GiB(4));
	expect_range(t, 4, 2, GiB(4), GiB(6));
	EXPECT(t, noted("[mem 0x0-0x3fffffff] is claimed by nodes 0 and 2: it is 2's"));
	EXPECT(t, noted("[mem 0x40000000-0x7fffffff] is claimed by nodes 0 and 1 and others: it is "
			"1's"));
	EXPECT(t, noted("[mem 0x100000000-0x13fffffff] is claimed by nodes 0 and 2"));
	EXPECT(t, noted("SRAT: 1 range across others of the same node: merged"));
}

/*
 * A window for memory to come, laid over what is there:
 *
 *	0        2G      4G       6G                      1T
 *	|---0----|---1---|----0---|
 *	                 |- - - - - - - 1 (hot) - - - - - -|
 *	|-node 0-|-node 1|-node 0-|------- node 1 ---------|
 */
static void hotplug_window_takes_nothing_away(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(2));
	memory(1, GiB(2), GiB(4));
	memory(1, GiB(4), GiB(1024))->hotplug = true;
	memory(0, GiB(4), GiB(6));
	build(t);
	ASSERT_EQ(t, topology.nr_ranges, 4);
	expect_range(t, 2, 0, GiB(4), GiB(6));
	expect_range(t, 3, 1, GiB(6), GiB(1024));
}

/* Three hundred ranges nested in one another make 599 pieces, more than there is room for. */
static void too_many_pieces_are_said(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	for (u32 i = 0; i < 300; i++)
		memory(i % 2, MiB(i), MiB(600 - i));
	build(t);
	EXPECT_EQ(t, topology.nr_ranges, NUMA_MAX_RANGES);
	EXPECT(t, noted("SRAT makes 87 ranges more than 512: in no range"));
	EXPECT(t, noted("more: memory claimed more than once"));
}

/* --- Ranges and RAM -------------------------------------------------------------------------- */

static struct memblock_range ram[4];
static u32 nr_ram;

static bool next_ram(phys_addr_t *cursor, struct memblock_range *range)
{
	for (u32 i = 0; i < nr_ram; i++) {
		if (ram[i].base < *cursor)
			continue;
		*range = ram[i];
		*cursor = ram[i].end;
		return true;
	}
	return false;
}

static void add_ram(phys_addr_t base, phys_addr_t end)
{
	ram[nr_ram++] = (struct memblock_range){.base = base, .end = end, .nid = NUMA_NO_NODE};
}

/*
 *	0     1G    2G    3G    4G    5G    6G    7G
 *	|--0--|     |--0--|--1--|     |--1--|--1-hot|
 *	   |---RAM----------|      |-RAM-|-|
 *	       ^uncovered           ^    none in the last: noted
 */
static void ranges_and_ram_are_compared(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	memory(0, GiB(2), GiB(3));
	memory(1, GiB(3), GiB(4));
	memory(1, GiB(5), GiB(6));
	memory(0, GiB(6), GiB(7))->hotplug = true;
	build(t);
	nr_ram = 0;
	add_ram(MiB(512), GiB(3) + MiB(512));
	add_ram(GiB(5) - MiB(256), GiB(6));
	memset(&notes, 0, sizeof(notes));
	acpi_note_empty_ranges(&topology, next_ram, &notes);
	EXPECT_EQ(t, notes.nr, 1);
	EXPECT(t, noted("[mem 0x180000000-0x1bfffffff] of node 0 has no RAM in the map"));
	memset(&notes, 0, sizeof(notes));
	acpi_note_uncovered_ram(&topology, next_ram, &notes);
	EXPECT_EQ(t, notes.nr, 2);
	EXPECT(t, noted("[mem 0x40000000-0x7fffffff] is RAM in no range"));
	EXPECT(t, noted("[mem 0x130000000-0x13fffffff] is RAM in no range"));
	EXPECT_EQ(t, acpi_ram_bytes(next_ram, 0, GiB(1)), MiB(512));
	EXPECT_EQ(t, acpi_ram_bytes(next_ram, GiB(3), GiB(5)), MiB(512) + MiB(256));
	EXPECT_EQ(t, acpi_ram_bytes(next_ram, 0, ~(u64)0), GiB(4) + MiB(256));
}

/* RAM behind the last range, and RAM that starts below the first. */
static void ram_at_both_ends_is_uncovered(struct ktest *t)
{
	tables_begin();
	memory(0, GiB(1), GiB(2));
	build(t);
	nr_ram = 0;
	add_ram(0, GiB(3));
	memset(&notes, 0, sizeof(notes));
	acpi_note_uncovered_ram(&topology, next_ram, &notes);
	EXPECT_EQ(t, notes.nr, 2);
	EXPECT(t, noted("[mem 0x0-0x3fffffff] is RAM in no range"));
	EXPECT(t, noted("[mem 0x80000000-0xbfffffff] is RAM in no range"));
}

static const struct ktest_case cases[] = {
	KTEST(interleaved_nodes_keep_their_stripes),
	KTEST(ranges_of_one_node_are_merged),
	KTEST(hotplug_counts_and_nonvolatile_does_not),
	KTEST(edges_inside_a_page),
	KTEST(ranges_beyond_any_address),
	KTEST(shorter_range_decides),
	KTEST(equally_long_goes_to_the_lower),
	KTEST(range_inside_another_is_kept),
	KTEST(equal_ranges_go_to_the_lower_domain),
	KTEST(chains_of_overlaps),
	KTEST(hotplug_window_takes_nothing_away),
	KTEST(too_many_pieces_are_said),
	KTEST(ranges_and_ram_are_compared),
	KTEST(ram_at_both_ends_is_uncovered),
};
KTEST_SUITE(topology_ranges, cases);
