/*
 * Linux's own figures, and this arithmetic over the same managed pages: they must be equal to the page.
 *
 * Provenance: Debian 12's linux-image-6.1.0-56-cloud-amd64 (6.1.192-2) in QEMU 7.2, -machine q35 -cpu
 * qemu64 -smp 2, booted with transparent_hugepage=never; what its /proc/zoneinfo and
 * /proc/sys/vm/min_free_kbytes said. docs/watermarks-linux.md has how to do it again, and why there are
 * two rows for each machine: `booted` are marks that Linux made before it freed the pages of its start,
 * `rewritten` those it makes when the same min_free_kbytes is written to it afterwards.
 */
#include "host.h"

#include <arch/page.h>

#include "mm/watermark.h"

struct linux_zone {
	u64 managed;
	u64 mark[NR_WMARK]; /* min, low, high */
	u64 protection[MAX_NR_ZONES];
};

struct linux_machine {
	const char *name;
	u64 min_free_kbytes;
	struct linux_zone zone[2][MAX_NR_ZONES];
};

/* Pages that Linux frees after its marks are made: 2397 (initrd 252, the rest its own image). */
static const struct linux_machine machines[] = {
	{"-m 512M, booted",
	 2746,
	 {{{3840, {22, 27, 32}, {0, 445, 445}}, {116423 - 2397, {663, 828, 993}, {0}}}}},
	{"-m 512M, rewritten",
	 2746,
	 {{{3840, {21, 26, 31}, {0, 454, 454}}, {116423, {664, 830, 996}, {0}}}}},
	{"two nodes of 1G, booted",
	 5671,
	 {{{3840, {10, 13, 16}, {0, 991, 991}}, {253844, {712, 965, 1218}, {0}}},
	  {{0}, {249799 - 2397, {694, 941, 1188}, {0}}}}},
	{"two nodes of 1G, rewritten",
	 5671,
	 {{{3840, {10, 13, 16}, {0, 991, 991}}, {253844, {708, 961, 1214}, {0}}},
	  {{0}, {249799, {697, 946, 1195}, {0}}}}},
	/* A second run: Linux has put itself on the other node. */
	{"two nodes of 1G again, booted",
	 5671,
	 {{{3840, {10, 13, 16}, {0, 951, 951}}, {245741 - 2145, {683, 926, 1169}, {0}}},
	  {{0}, {257902 - 252, {722, 979, 1236}, {0}}}}},
	{"two nodes of 1G again, rewritten",
	 5671,
	 {{{3840, {10, 13, 16}, {0, 959, 959}}, {245741, {686, 931, 1176}, {0}}},
	  {{0}, {257902, {720, 977, 1234}, {0}}}}},
	{"-m 4G, booted",
	 7996,
	 {{{3840, {7, 10, 13}, {0, 1966, 3903}},
	   {503776 - 252, {1003, 1506, 2009}, {0, 0, 1936}},
	   {497894 - 2145, {987, 1482, 1977}, {0}}}}},
	{"-m 4G, rewritten",
	 7996,
	 {{{3840, {7, 10, 13}, {0, 1967, 3912}},
	   {503776, {1001, 1504, 2007}, {0, 0, 1944}},
	   {497894, {989, 1486, 1983}, {0}}}}},
	/* Booted without transparent_hugepage=never: khugepaged wants large blocks to be there. */
	{"two nodes of 1G, khugepaged, rewritten",
	 67584,
	 {{{3840, {127, 158, 189}, {0, 991, 991}}, {253844, {8451, 10563, 12675}, {0}}},
	  {{0}, {249799, {8316, 10395, 12474}, {0}}}}},
};

/* Only the arithmetic runs: that these pages are not there does not matter to it. */
static const struct host_machine two_nodes = {
	.ram = {{0, MiB(32), 0}, {MiB(32), MiB(32), 1}},
	.nr_nodes = 2,
};

static void manage_as(const struct linux_machine *machine)
{
	for (int nid = 0; nid < 2; nid++)
		for (int type = 0; type < MAX_NR_ZONES; type++)
			zone_find(nid, (enum zone_type)type)->managed_pages =
				machine->zone[nid][type].managed;
}

static void expect_zone(struct ktest *t, const struct linux_machine *machine, int nid, int type)
{
	const struct linux_zone *expected = &machine->zone[nid][type];
	u64 marks[NR_WMARK], reserve[MAX_NR_ZONES];
	const struct zone *zone = zone_find(nid, (enum zone_type)type);

	watermark_compute(zone, machine->min_free_kbytes, marks);
	lowmem_reserve_compute(zone, reserve);
	for (int i = 0; i < NR_WMARK; i++)
		EXPECT_MSG(t, marks[i] == expected->mark[i], "%s, node %d zone %d: mark %d is %llu",
			   machine->name, nid, type, i, (unsigned long long)marks[i]);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		EXPECT_MSG(t, reserve[i] == expected->protection[i],
			   "%s, node %d zone %d: reserve %d is %llu", machine->name, nid, type, i,
			   (unsigned long long)reserve[i]);
}

static void linux_managed_pages_give_linux_marks(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	for (u32 i = 0; i < ARRAY_SIZE(machines); i++) {
		manage_as(&machines[i]);
		for (int nid = 0; nid < 2; nid++)
			for (int type = 0; type < MAX_NR_ZONES; type++)
				expect_zone(t, &machines[i], nid, type);
	}
}

static u64 pages_in_all(const struct linux_machine *machine)
{
	u64 pages = 0;

	for (int nid = 0; nid < 2; nid++)
		for (int type = 0; type < MAX_NR_ZONES; type++)
			pages += machine->zone[nid][type].managed;
	return pages;
}

static u64 high_marks_in_all(u64 min_free_kbytes)
{
	u64 pages = 0, marks[NR_WMARK];

	for (int nid = 0; nid < 2; nid++) {
		for (int type = 0; type < MAX_NR_ZONES; type++) {
			watermark_compute(zone_find(nid, (enum zone_type)type), min_free_kbytes,
					  marks);
			pages += marks[WMARK_HIGH];
		}
	}
	return pages;
}

/*
 * Linux takes the high marks off before the root: none at first. A machine of 512 MiB or more does it
 * again when khugepaged is told to stay off, and by then there are some.
 */
static void linux_managed_pages_give_linux_min_free(struct ktest *t)
{
	host_machine_boot(&two_nodes);
	for (u32 i = 0; i < 8; i += 2) {
		const struct linux_machine *booted = &machines[i];
		u64 pages = pages_in_all(booted), kbytes;

		manage_as(booted);
		kbytes = watermark_default_min_free_kbytes(pages);
		if (i > 0)
			kbytes = watermark_default_min_free_kbytes(pages -
								   high_marks_in_all(kbytes));
		EXPECT_EQ(t, kbytes, booted->min_free_kbytes);
	}
}

static const struct ktest_case cases[] = {
	KTEST(linux_managed_pages_give_linux_marks),
	KTEST(linux_managed_pages_give_linux_min_free),
};
KTEST_SUITE(watermark_linux, cases);
