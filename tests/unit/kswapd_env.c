/*
 * kswapd on a machine of two nodes, for the suites about it: its beginning, waiting for what it does, its despair.
 */
#include "kswapd_env.h"

#include <arch/cpu.h>
#include <mm/inspect.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "mm/reclaim.h"
#include "mm/zone.h"
#include "sham_machine.h"
#include "tests/reclaim/sham.h"
#include "tests/stress/pause.h"

/* Where node 1's kswapd runs: the first CPU of the node. */
#define ITS_CPU 2

/*
 *	0    16M      64M |4G         4G+64M|8G         8G+32M|
 *	| DMA |  DMA32   | |     Normal      |     Normal      |
 *	|------ node 0 -----------------------|---- node 1 ----|    two CPUs each
 *
 * Node 1 is as small as its marks let it be: a round in vain looks at each of its pages, twice.
 */
const struct host_machine kswapd_machine = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(64), 0}, {GiB(8), MiB(32), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

void kswapd_env_boot(struct ktest *t)
{
	sham_machine_boot(&kswapd_machine);
	EXPECT_EQ(t, kswapd_start(), 0);
}

struct reclaim_snapshot kswapd_of(int nid)
{
	struct reclaim_snapshot s;

	reclaim_snapshot(nid, &s);
	return s;
}

/* --- Waiting for it ---------------------------------------------------------------------------------- */

struct expected {
	int nid;
	enum kswapd_state state;
	u64 wakes; /* at least */
};

static bool is_as_expected(void *arg)
{
	const struct expected *e = arg;
	/* Acquire: who has taken it has said before that it is awake. */
	u32 wanted = load_acquire(&NODE_DATA(e->nid)->reclaim.wanted);
	struct reclaim_snapshot s = kswapd_of(e->nid);

	/* Asked and not yet awake is not done; without hope it is not asked. */
	if (e->state == KSWAPD_ASLEEP && wanted)
		return false;
	return s.state == e->state && s.wakes >= e->wakes && s.wakes == s.balanced + s.gave_up;
}

/* Looks again and again: nobody is told of kswapd's states. */
bool kswapd_comes_to(int nid, enum kswapd_state state, u64 wakes)
{
	struct expected e = {nid, state, wakes};
	struct os_wait_queue queue;

	os_wait_queue_init(&queue, "test");
	for (u32 i = 0; i < 4000 && !is_as_expected(&e); i++)
		os_wait(&queue, is_as_expected, &e, 5000000);
	return is_as_expected(&e);
}

static bool is_not_balancing(void *arg)
{
	(void)arg;
	return kswapd_of(1).state != KSWAPD_BALANCING;
}

void kswapd_rests_a_moment(void)
{
	struct os_wait_queue queue;

	os_wait_queue_init(&queue, "test");
	os_wait(&queue, is_not_balancing, NULL, 5000000);
}

/* Its zones' free pages and high marks, Normal requests' part. */
bool node_above(int nid, enum zone_watermark mark)
{
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		struct zone_snapshot z;

		if (zone_snapshot(nid, (enum zone_type)type, &z) && z.managed_pages &&
		    z.free_pages > z.watermark[mark] + z.lowmem_reserve[ZONE_NORMAL])
			return true;
	}
	return false;
}

/* Pages to be added; then how often it had been woken by that time. */
static void add_pages(void *nr)
{
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, *(u64 *)nr);
	*(u64 *)nr = kswapd_of(1).wakes;
}

/*
 * As many as can be had, up to nr, in an interrupt of kswapd's CPU: it stands still meanwhile, so that it does not end
 * in the middle, after which the rest may be taken down to the low mark without anybody waking it. Returns
 * how often it had been woken when the last was added.
 */
u64 kswapd_add_while_it_stands_still(u64 nr)
{
	os_run_on_cpu(ITS_CPU, add_pages, &nr);
	return nr;
}

/*
 * All of node 1 is busy pages, and kswapd has seen it. As each page that comes after its last look makes the list
 * longer, which is hope, once more until there is nothing to fill.
 */
bool kswapd_lose_hope(struct ktest *t)
{
	u64 added = 1;

	kswapd_env_boot(t);
	sham_set_busy(COLD, true);
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
	for (u32 i = 0; i < 100 && (added || kswapd_of(1).state != KSWAPD_HOPELESS); i++) {
		added = sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
		kswapd_comes_to(1, KSWAPD_HOPELESS, 1);
	}
	return EXPECT_EQ(t, kswapd_of(1).state, KSWAPD_HOPELESS);
}
