/*
 * Each invariant of who frees memory, broken: caches that give back, kswapd, victims. As test_check.c.
 */
#include "host.h"

#include <mm/page_alloc.h>

#include "mm/oom.h"
#include "mm/shrinker.h"
#include "mm/zone.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

/* --- Caches that give back ------------------------------------------------------------------------------ */

static u64 count_nothing(struct shrinker *shrinker, int nid)
{
	(void)shrinker;
	(void)nid;
	return 0;
}

static u64 scan_nothing(struct shrinker *shrinker, int nid, u64 nr)
{
	(void)shrinker;
	(void)nid;
	(void)nr;
	return SHRINK_STOP;
}

static struct shrinker shrinkers[2] = {
	{.name = "one", .count = count_nothing, .scan = scan_nothing, .seeks = 2},
	{.name = "two", .count = count_nothing, .scan = scan_nothing, .seeks = 2},
};

static void boot_shrinkers(struct ktest *t)
{
	host_machine_boot(&machine);
	shrinker_register(&shrinkers[0]);
	shrinker_register(&shrinkers[1]);
	expect_check_clean(t);
}

static void shrink_1(struct ktest *t)
{
	boot_shrinkers(t);
	shrinkers[1].seeks = 0;
	expect_check_finds(t, "SHRINK-1");
	shrinkers[1].seeks = 2;
	shrinkers[1].link.prev = &shrinkers[1].link;
	expect_check_finds(t, "SHRINK-1");
}

static void shrink_2(struct ktest *t)
{
	boot_shrinkers(t);
	shrinkers[0].nr_freed = 1;
	expect_check_finds(t, "SHRINK-2");
}

/* --- kswapd: words that nothing else follows from --------------------------------------------------------- */

static void reclaim_1(struct ktest *t)
{
	host_machine_boot(&machine);
	NODE_DATA(1)->reclaim.state = KSWAPD_ASLEEP;
	expect_check_finds(t, "RECLAIM-1");
}

static void reclaim_2(struct ktest *t)
{
	host_machine_boot(&machine);
	NODE_DATA(0)->reclaim.state = KSWAPD_HOPELESS;
	NODE_DATA(1)->reclaim.state = KSWAPD_HOPELESS;
	NODE_DATA(0)->reclaim.fruitless = MAX_FRUITLESS_ROUNDS;
	NODE_DATA(1)->reclaim.fruitless = MAX_FRUITLESS_ROUNDS - 1;
	expect_check_finds(t, "RECLAIM-2");
}

static void reclaim_3(struct ktest *t)
{
	host_machine_boot(&machine);
	NODE_DATA(0)->reclaim.wakes = 3;
	NODE_DATA(0)->reclaim.balanced = 1;
	NODE_DATA(0)->reclaim.gave_up = 1;
	expect_check_clean(t);
	NODE_DATA(0)->reclaim.gave_up = 0;
	expect_check_finds(t, "RECLAIM-3");
}

static void reclaim_4(struct ktest *t)
{
	host_machine_boot(&machine);
	NODE_DATA(0)->reclaim.reclaimed[RECLAIM_DIRECT] = 1;
	expect_check_finds(t, "RECLAIM-4");
}

/* --- Victims -------------------------------------------------------------------------------------------- */

static u64 no_badness(struct oom_victim *victim, nodemask_t nodes)
{
	(void)victim;
	(void)nodes;
	return 0;
}

static void no_end(struct oom_victim *victim)
{
	(void)victim;
}

static struct os_task victim_task;
static struct oom_victim victims[2] = {
	{.name = "one", .badness = no_badness, .kill = no_end, .task = &victim_task},
	{.name = "two", .badness = no_badness, .kill = no_end},
};

static void boot_victims(struct ktest *t)
{
	host_machine_boot(&machine);
	oom_victim_register(&victims[0]);
	oom_victim_register(&victims[1]);
	expect_check_clean(t);
}

static void oom_1(struct ktest *t)
{
	boot_victims(t);
	victims[1].id = victims[0].id;
	expect_check_finds(t, "OOM-1");
	victims[1].id = victims[0].id + 1;
	victims[0].link.next = &victims[0].link;
	expect_check_finds(t, "OOM-1");
}

static void oom_2(struct ktest *t)
{
	boot_victims(t);
	victim_task.oom_victim = true;
	expect_check_finds(t, "OOM-2");
	victims[0].chosen = true;
	expect_check_clean(t);
}

static void oom_3(struct ktest *t)
{
	boot_victims(t);
	oom_state.killer = 1;
	oom_state.awaited = &victims[1];
	expect_check_finds(t, "OOM-3");
	victims[1].chosen = true;
	expect_check_clean(t);
	oom_state.killer = 0;
	expect_check_finds(t, "OOM-3");
}

static const struct ktest_case cases[] = {
	KTEST(shrink_1),  KTEST(shrink_2), KTEST(reclaim_1), KTEST(reclaim_2), KTEST(reclaim_3),
	KTEST(reclaim_4), KTEST(oom_1),    KTEST(oom_2),     KTEST(oom_3),
};
KTEST_SUITE(check_reclaim, cases);
