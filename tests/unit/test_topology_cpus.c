/* Which CPUs there are, and on which node: MADT and SRAT together, and where they disagree. */
#include "topology_build.h"

static void boot_cpu_first_then_the_tables_order(struct ktest *t)
{
	static const u32 order[] = {32, 16, 17, 33, 254};

	two_nodes();
	cpu(0, 16);
	cpu(0, 17);
	cpu(1, 32);
	placed_cpu(1, 18); /* in SRAT only: a socket that could be filled */
	listed_cpu(19)->enabled = false;
	listed_cpu(20)->enabled = false;
	madt.cpus[madt.nr_cpus - 1].online_capable = true;
	cpu(1, 33);
	placed_cpu(1, 254)->x2apic = true;
	listed_cpu(254)->x2apic = true;
	build_from(&srat, NULL, &madt, 32);
	EXPECT(t, is_sound(&topology));
	ASSERT_EQ(t, topology.nr_cpus, ARRAY_SIZE(order));
	for (u32 i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(t, topology.cpus[i].apic_id, order[i]);
		EXPECT_EQ(t, topology.cpus[i].nid, order[i] >= 32);
	}
	EXPECT(t, noted("1 CPU of SRAT not enabled in MADT (first: APIC id 18): left out"));
	EXPECT(t, noted("MADT: 1 CPU could be plugged in: left out"));
	EXPECT_EQ(t, notes.nr, 3); /* and no SLIT */
}

static void cpus_that_srat_does_not_name(struct ktest *t)
{
	two_nodes();
	cpu(1, 0);
	listed_cpu(7);
	listed_cpu(8);
	placed_cpu(1, 8)->enabled = false;
	build(t);
	ASSERT_EQ(t, topology.nr_cpus, 3);
	EXPECT_EQ(t, topology.cpus[0].nid, 1);
	EXPECT_EQ(t, topology.cpus[1].nid, 0);
	EXPECT_EQ(t, topology.cpus[2].nid, 0);
	EXPECT(t, noted("2 CPUs not in SRAT (first: APIC id 7): put on node 0"));
}

static void no_madt_is_the_boot_cpu_alone(struct ktest *t)
{
	two_nodes();
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
	EXPECT(t, noted("MADT: 2 enabled CPUs with the id that stands for all: left out"));
	EXPECT_EQ(t, notes.nr, 2);
}

/* An interrupt for one of them would need x2APIC mode. Their nodes are there all the same. */
static void ids_above_254_are_left_out(struct ktest *t)
{
	two_nodes();
	cpu(0, 0);
	cpu(1, 254);
	placed_cpu(1, 255)->x2apic = true;
	listed_cpu(255)->x2apic = true;
	placed_cpu(9, 0x12345)->x2apic = true;
	listed_cpu(0x12345)->x2apic = true;
	build(t);
	EXPECT_EQ(t, topology.nr_nodes, 3);
	ASSERT_EQ(t, topology.nr_cpus, 2);
	EXPECT_EQ(t, topology.cpus[1].apic_id, 254);
	EXPECT(t, noted("2 CPUs with an APIC id above 254 (first: 255): left out"));
	EXPECT(t, !noted("not in SRAT"));
}

/* The boot CPU runs, whatever its id. */
static void boot_cpu_may_have_a_high_id(struct ktest *t)
{
	two_nodes();
	cpu(0, 3);
	placed_cpu(1, 700)->x2apic = true;
	listed_cpu(700)->x2apic = true;
	build_from(&srat, NULL, &madt, 700);
	EXPECT(t, is_sound(&topology));
	ASSERT_EQ(t, topology.nr_cpus, 2);
	EXPECT_EQ(t, topology.cpus[0].apic_id, 700);
	EXPECT_EQ(t, topology.cpus[0].nid, 1);
	EXPECT_EQ(t, topology.cpus[1].apic_id, 3);
	EXPECT(t, !noted("left out"));
}

/* Twice in one domain is harmless; in two domains the first entry counts. */
static void srat_may_name_a_cpu_twice(struct ktest *t)
{
	two_nodes();
	cpu(0, 0);
	cpu(0, 1);
	cpu(1, 2);
	placed_cpu(0, 1)->x2apic = true;
	placed_cpu(0, 2);
	placed_cpu(1, 0)->enabled = false;
	build(t);
	ASSERT_EQ(t, topology.nr_cpus, 3);
	EXPECT_EQ(t, topology.cpus[2].nid, 1);
	EXPECT(t, noted("SRAT names 1 CPU more than once, in the same domain"));
	EXPECT(t, noted("SRAT: APIC id 2 is in domains 1 and 0: the first counts"));
	EXPECT_EQ(t, notes.nr, 3); /* and no SLIT */
}

/* All ids that can be used are, and what the parser had no room for is said. */
static void most_cpus_that_can_be(struct ktest *t)
{
	tables_begin();
	memory(0, 0, GiB(1));
	for (u32 id = 0; id < 300; id++) {
		listed_cpu(id)->x2apic = true;
		placed_cpu(0, id);
	}
	madt.nr_dropped = 5;
	build_from(&srat, NULL, &madt, 299);
	EXPECT(t, is_sound(&topology));
	EXPECT_EQ(t, topology.nr_cpus, 256); /* 0 to 254, and 299 */
	EXPECT_EQ(t, topology.cpus[0].apic_id, 299);
	EXPECT_EQ(t, topology.cpus[255].apic_id, 254);
	EXPECT(t, noted("MADT: 5 CPUs more than fit"));
	EXPECT(t, noted("44 CPUs with an APIC id above 254 (first: 255)"));
}

static const struct ktest_case cases[] = {
	KTEST(boot_cpu_first_then_the_tables_order),
	KTEST(cpus_that_srat_does_not_name),
	KTEST(no_madt_is_the_boot_cpu_alone),
	KTEST(boot_cpu_missing_from_madt),
	KTEST(one_cpu_listed_twice_is_one),
	KTEST(ids_above_254_are_left_out),
	KTEST(boot_cpu_may_have_a_high_id),
	KTEST(srat_may_name_a_cpu_twice),
	KTEST(most_cpus_that_can_be),
};
KTEST_SUITE(topology_cpus, cases);
