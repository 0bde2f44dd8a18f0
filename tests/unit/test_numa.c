/*
 * Nodes: whose memory is whose, and in which order each node looks for more.
 */
#include "host.h"

#include <arch/page.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/memblock.h>
#include <stdio.h>

#include "mm/memblock_internal.h"

/* "0N 0D 1N": node and first letter of the zone, in the order of the list. */
static const char *zonelist_text(int nid, bool this_node_only)
{
	static const char *const letters[MAX_NR_ZONES] = {"D", "L", "N"};
	static char text[256];
	enum zone_type type;
	size_t at = 0;
	int zone_nid;

	text[0] = '\0';
	for (u32 i = 0; zonelist_entry(nid, this_node_only, i, &zone_nid, &type); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d%s", i ? " " : "",
				       zone_nid, letters[type]);
	return text;
}

/* Node 0 at the bottom has all zones (D DMA, L DMA32, N Normal), the others above only Normal. */
static const struct host_machine four_nodes = {
	.ram = {{0, MiB(64), 0},
		{GiB(4), MiB(32), 0},
		{GiB(5), MiB(64), 1},
		{GiB(6), MiB(64), 2},
		{GiB(7), MiB(64), 3}},
	.nr_nodes = 4,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 3},
	.distance = {{10, 12, 30, 25}, {12, 10, 25, 30}, {30, 25, 10, 12}, {25, 40, 12, 10}},
};

static void zonelists_follow_distance(struct ktest *t)
{
	host_machine_boot(&four_nodes);
	EXPECT_STREQ(t, zonelist_text(0, false), "0N 0L 0D 1N 3N 2N");
	EXPECT_STREQ(t, zonelist_text(1, false), "1N 0N 0L 0D 2N 3N");
	EXPECT_STREQ(t, zonelist_text(2, false), "2N 3N 1N 0N 0L 0D");
	/* Asymmetric: from 3 to 1 it is 40, from 1 to 3 30. */
	EXPECT_STREQ(t, zonelist_text(3, false), "3N 2N 0N 0L 0D 1N");
	expect_check_clean(t);
}

static void this_node_list_stays_home(struct ktest *t)
{
	host_machine_boot(&four_nodes);
	EXPECT_STREQ(t, zonelist_text(0, true), "0N 0L 0D");
	EXPECT_STREQ(t, zonelist_text(2, true), "2N");
}

static const struct host_machine four_equal = {
	.ram = {{GiB(4), MiB(64), 0},
		{GiB(5), MiB(64), 1},
		{GiB(6), MiB(64), 2},
		{GiB(7), MiB(64), 3}},
	.nr_nodes = 4,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 3},
};

/* With all distances equal each node's first fallback is another: the load is spread. */
static void ties_are_spread(struct ktest *t)
{
	host_machine_boot(&four_equal);
	EXPECT_STREQ(t, zonelist_text(0, false), "0N 1N 2N 3N");
	EXPECT_STREQ(t, zonelist_text(1, false), "1N 2N 3N 0N");
	EXPECT_STREQ(t, zonelist_text(2, false), "2N 3N 0N 1N");
	/* From 3 all are lower: nobody's first fallback so far, node 0, comes first. */
	EXPECT_STREQ(t, zonelist_text(3, false), "3N 0N 1N 2N");
	expect_check_clean(t);
}

static const struct host_machine one_apart = {
	.ram = {{GiB(4), MiB(64), 0}, {GiB(5), MiB(64), 1}, {GiB(6), MiB(64), 2}},
	.nr_nodes = 3,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
	.distance = {{10, 20, 30}, {20, 10, 21}, {30, 21, 10}},
};

/* From 1, node 0 is nearer by one; that it has a lower number and CPUs does not outweigh it. */
static void distance_outweighs_the_tie_rules(struct ktest *t)
{
	host_machine_boot(&one_apart);
	EXPECT_STREQ(t, zonelist_text(1, false), "1N 0N 2N");
	expect_check_clean(t);
}

static const struct host_machine cpuless_equal = {
	.ram = {{GiB(4), MiB(64), 0}, {GiB(5), MiB(64), 1}, {GiB(6), MiB(64), 2}},
	.nr_nodes = 3,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

/* Node 2 has no CPU whose own requests would need its memory: it comes before node 1. */
static void nodes_without_cpus_are_preferred(struct ktest *t)
{
	host_machine_boot(&cpuless_equal);
	EXPECT_EQ(t, node_cpu_mask(), 0x3);
	EXPECT_STREQ(t, zonelist_text(0, false), "0N 2N 1N");
	expect_check_clean(t);
}

static const struct host_machine memoryless = {
	.ram = {{0, MiB(64), 0}, {MiB(64), MiB(64), 2}},
	.nr_nodes = 3,
	.nr_cpus = 3,
	.cpu_nid = {0, 1, 2},
	.distance = {{10, 20, 40}, {30, 10, 20}, {40, 20, 10}},
};

static void node_without_memory_borrows(struct ktest *t)
{
	struct node_snapshot node;

	host_machine_boot(&memoryless);
	EXPECT_EQ(t, node_possible_mask(), 0x7);
	EXPECT_EQ(t, node_memory_mask(), 0x5);
	EXPECT_STREQ(t, zonelist_text(1, false), "2L 0L 0D");
	EXPECT_STREQ(t, zonelist_text(1, true), "");
	ASSERT_TRUE(t, node_snapshot(1, &node));
	EXPECT_EQ(t, node.present_pages, 0);
	expect_check_clean(t);
}

static void early_memory_is_nearest(struct ktest *t)
{
	static struct numa_topology topology;
	phys_addr_t at;

	host_machine_memory(&memoryless);
	host_machine_topology(&memoryless, &topology);
	ASSERT_EQ(t, numa_init(&topology), 0);
	/* Node 1 has none; node 2 is nearer to it than node 0. */
	at = numa_alloc_early(1, MiB(40), PAGE_SIZE, MEMBLOCK_OTHER);
	EXPECT(t, at >= MiB(64));
	/* Node 2 has 24 MiB left: the next goes to node 0. */
	at = numa_alloc_early(1, MiB(40), PAGE_SIZE, MEMBLOCK_OTHER);
	EXPECT(t, at > 0 && at < MiB(64));
	EXPECT_EQ(t, numa_alloc_early(1, MiB(40), PAGE_SIZE, MEMBLOCK_OTHER), 0);
}

/*
 *	firmware ranges      |== node 0 ==|      |== node 1 ==|
 *	RAM              |=======================================|
 *	                 0   4M           8M     12M         16M 20M
 *	goes to node       0 |      0     |  0   |     1       |1|
 */
static void uncovered_ram_goes_to_the_range_below(struct ktest *t)
{
	static const struct host_machine machine = {.ram = {{0, MiB(20), 0}}, .nr_nodes = 2};
	static struct numa_topology topology;
	static const int expected[5] = {0, 0, 0, 1, 1};
	struct memblock_range range;
	phys_addr_t cursor = 0;

	host_machine_memory(&machine);
	host_machine_topology(&machine, &topology);
	topology.nr_ranges = 2;
	topology.ranges[0] = (struct numa_range){MiB(4), MiB(8), 0};
	topology.ranges[1] = (struct numa_range){MiB(12), MiB(16), 1};
	ASSERT_EQ(t, numa_init(&topology), 0);
	EXPECT(t, host_log_contains("is in no range of the firmware's"));

	while (memblock_next_ram(&cursor, &range)) {
		for (phys_addr_t at = range.base; at < range.end; at += MiB(4))
			EXPECT_EQ(t, range.nid, expected[at / MiB(4)]);
	}
	EXPECT_EQ(t, cursor, MiB(20));
}

static void broken_topologies_become_one_node(struct ktest *t)
{
	static struct numa_topology good, bad;

	host_machine_memory(&four_nodes);
	host_machine_topology(&four_nodes, &good);

	bad = good;
	bad.distance[2][2] = 11;
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);
	EXPECT_EQ(t, numa_topology()->nr_nodes, 1);
	bad = good;
	bad.distance[0][1] = 10;
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);
	bad = good;
	bad.ranges[1].base = MiB(63);
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);
	bad = good;
	bad.ranges[1].nid = 4;
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);
	bad = good;
	bad.cpus[1].nid = -1;
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);
	bad = good;
	bad.nr_nodes = MAX_NUMNODES + 1;
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);
	bad = good;
	bad.nr_nodes = 0;
	EXPECT_EQ(t, numa_init(&bad), -EINVAL);

	EXPECT_EQ(t, node_memory_mask(), 1);
	EXPECT_EQ(t, numa_init(&good), 0);
	EXPECT_EQ(t, numa_topology()->nr_nodes, 4);
	EXPECT_EQ(t, node_memory_mask(), 0xf);
	EXPECT_EQ(t, numa_distance(3, 1), 40);
	EXPECT_EQ(t, cpu_to_node(2), 2);
	EXPECT_EQ(t, cpu_to_node(99), 0);
}

/* As many ranges as a topology can have, a hole of the firmware's after each. */
static void the_largest_topology_fits(struct ktest *t)
{
	static const struct host_machine machine = {.ram = {{0, GiB(2), 0}}, .nr_nodes = 2};
	static struct numa_topology topology;

	host_machine_memory(&machine);
	host_machine_topology(&machine, &topology);
	topology.nr_ranges = NUMA_MAX_RANGES;
	for (u32 i = 0; i < NUMA_MAX_RANGES; i++)
		topology.ranges[i] =
			(struct numa_range){MiB(4) * i, MiB(4) * i + MiB(2), (int)(i & 1)};
	EXPECT_EQ(t, numa_init(&topology), 0);
	EXPECT_EQ(t, numa_topology()->nr_nodes, 2);
	EXPECT_EQ(t, node_memory_mask(), 3);
}

/* RAM in more pieces than memblock can hold once ranges cut it: one node, and a line. */
static void too_many_pieces_become_one_node(struct ktest *t)
{
	static struct numa_topology topology;

	for (u64 i = 0; i < MEMBLOCK_MAX_REGIONS; i++)
		ASSERT_EQ(t, memblock_add(MiB(1) * i, KiB(512)), 0);
	numa_topology_flat(&topology);
	topology.nr_nodes = 2;
	topology.distance[1][1] = 10;
	topology.distance[0][1] = topology.distance[1][0] = 20;
	topology.ranges[0].end = MiB(1) + KiB(256);
	EXPECT_EQ(t, numa_init(&topology), -ENOSPC);
	EXPECT(t,
	       host_log_contains("memory is in more pieces than memblock holds: using one node"));
	EXPECT_EQ(t, numa_topology()->nr_nodes, 1);
	EXPECT_EQ(t, node_memory_mask(), 1);
	EXPECT_EQ(t, memblock_ram_pages(), MEMBLOCK_MAX_REGIONS * KiB(512) / PAGE_SIZE);
}

static void sixty_four_nodes(struct ktest *t)
{
	static struct numa_topology topology;

	numa_topology_flat(&topology);
	topology.nr_nodes = MAX_NUMNODES;
	for (u32 i = 0; i < MAX_NUMNODES; i++)
		for (u32 j = 0; j < MAX_NUMNODES; j++)
			topology.distance[i][j] = i == j ? 10 : 20;
	EXPECT_EQ(t, numa_init(&topology), 0);
	EXPECT_EQ(t, node_possible_mask(), ~(nodemask_t)0);
	EXPECT_EQ(t, numa_distance(63, 0), 20);
}

static const struct ktest_case cases[] = {
	KTEST(zonelists_follow_distance),
	KTEST(this_node_list_stays_home),
	KTEST(ties_are_spread),
	KTEST(distance_outweighs_the_tie_rules),
	KTEST(nodes_without_cpus_are_preferred),
	KTEST(node_without_memory_borrows),
	KTEST(early_memory_is_nearest),
	KTEST(uncovered_ram_goes_to_the_range_below),
	KTEST(broken_topologies_become_one_node),
	KTEST(the_largest_topology_fits),
	KTEST(too_many_pieces_become_one_node),
	KTEST(sixty_four_nodes),
};
KTEST_SUITE(numa, cases);
