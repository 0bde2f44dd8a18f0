/* How far the nodes are apart: SLIT by domain, with more, fewer and stranger values than it should have. */
#include "topology_build.h"

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
	EXPECT(t, noted("SLIT: 2 of its 5 localities without a node: not used"));
	EXPECT(t, noted("SLIT: 3 pairs not symmetric (node 0 to 1: 22, back: 31): used so"));
	EXPECT_EQ(t, notes.nr, 2);
}

/* Domains 0, 1 and 9; the SLIT knows the first two. */
static void slit_smaller_than_srat(struct ktest *t)
{
	static const u8 matrix[4] = {10, 35, 36, 10};

	two_nodes();
	memory(9, GiB(2), GiB(3));
	distances(2, matrix);
	build(t);
	EXPECT_EQ(t, topology.distance[0][1], 35);
	EXPECT_EQ(t, topology.distance[1][0], 36);
	EXPECT_EQ(t, topology.distance[0][2], 20);
	EXPECT_EQ(t, topology.distance[2][1], 20);
	EXPECT_EQ(t, topology.distance[2][2], 10);
	EXPECT(t, noted("SLIT: 1 node not in it"));
	EXPECT(t, !noted("localities without a node"));
}

static void broken_slit_is_not_used_at_all(struct ktest *t)
{
	static const u8 matrix[4] = {10, 35, 36, 10};
	static const char *const whys[] = {"shorter than its matrix", "itself is not 10",
					   "10 or less", "it is empty"};

	for (u32 i = 0; i < ARRAY_SIZE(whys); i++) {
		two_nodes();
		distances(2, matrix);
		slit.truncated = i == 0;
		slit.nr_bad_local = i == 1;
		slit.nr_bad_remote = i == 2;
		if (i == 3)
			slit.localities = slit.nr_kept = 0;
		cpu(0, 0);
		build_from(&srat, &slit, &madt, 0);
		EXPECT(t, is_sound(&topology));
		EXPECT_EQ(t, topology.distance[0][1], 20);
		EXPECT_EQ(t, topology.distance[1][0], 20);
		EXPECT_EQ(t, topology.distance[1][1], 10);
		EXPECT(t, noted(i == 3 ? "SLIT of 0 localities is not used"
				       : "SLIT of 2 localities is not used"));
		EXPECT_EQ(t, notes.nr, 1);
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

/* What a good SLIT gives nothing to say about. */
static void plain_slit_is_not_odd(struct ktest *t)
{
	static const u8 matrix[4] = {10, 21, 21, 10};

	two_nodes();
	cpu(0, 0);
	distances(2, matrix);
	build(t);
	EXPECT_EQ(t, topology.distance[0][1], 21);
	EXPECT_EQ(t, notes.nr, 0);
}

/* 255 says that there is no way; the distance stays the farthest. */
static void unreachable_is_farthest(struct ktest *t)
{
	static const u8 matrix[4] = {10, 255, 255, 10};

	two_nodes();
	cpu(0, 0);
	distances(2, matrix);
	build(t);
	EXPECT_EQ(t, topology.distance[0][1], 255);
	EXPECT(t, noted("SLIT: 2 distances of 255, not reachable: used as farthest"));
}

/* One machine's table says 1 locality and has room for 64: the rest is padding. */
static void bytes_after_the_matrix_are_said(struct ktest *t)
{
	static const u8 matrix[1] = {10};

	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	distances(1, matrix);
	slit.bytes_unread = 63;
	build(t);
	EXPECT_EQ(t, topology.distance[0][0], 10);
	EXPECT(t, noted("SLIT: 63 bytes after its 1 locality: not used"));
	EXPECT_EQ(t, notes.nr, 1);
}

/* A domain above those that the parser keeps distances for. */
static void domains_above_255_are_not_in_it(struct ktest *t)
{
	tables_begin();
	cpu(0, 0);
	memory(0, 0, GiB(1));
	memory(300, GiB(1), GiB(2));
	slit.localities = 301;
	slit.nr_kept = ACPI_MAX_LOCALITIES;
	slit.distance[0][0] = 10;
	build(t);
	EXPECT_EQ(t, topology.distance[0][1], 20);
	EXPECT_EQ(t, topology.distance[1][1], 10);
	EXPECT(t, noted("SLIT: 1 node of a domain above 255: 20 away from all others"));
	EXPECT(t, !noted("not in it"));
	EXPECT(t, noted("SLIT: 299 of its 301 localities without a node"));
}

static const struct ktest_case cases[] = {
	KTEST(slit_is_indexed_by_domain),       KTEST(slit_smaller_than_srat),
	KTEST(broken_slit_is_not_used_at_all),  KTEST(no_slit_is_10_and_20),
	KTEST(plain_slit_is_not_odd),           KTEST(unreachable_is_farthest),
	KTEST(bytes_after_the_matrix_are_said), KTEST(domains_above_255_are_not_in_it),
};
KTEST_SUITE(topology_distances, cases);
