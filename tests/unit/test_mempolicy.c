/*
 * Who may take memory where: policies, cpusets, who may leave one, and one that changes at
 * the last moment. Changes under load are in test_cpuset.c.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/mm.h>
#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "mm/alloc_context.h"

/*
 * Not the same there and back, and with ties; node 3 has no CPU, node 4 no memory.
 *
 *	from \ to    0   1   2   3   4        order by hand
 *	    0       10  40  20  40  20        0 2 3 1    1 and 3 tie: a node without CPUs first
 *	    1       20  10  40  40  20        1 0 3 2    2 and 3 tie: the same
 *	    2       40  20  10  20  20        2 3 1 0    1 and 3 tie: the same
 *	    3       20  20  20  10  20        3 1 2 0    all tie: who has the least load so far
 *	    4       30  20  30  30  10        1 3 2 0    it has none; 0, 2 and 3 tie
 */
static const struct host_machine five_nodes = {
	.ram = {{GiB(4), MiB(24), 0},
		{GiB(5), MiB(24), 1},
		{GiB(6), MiB(24), 2},
		{GiB(7), MiB(24), 3}},
	.nr_nodes = 5,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 4},
	.distance = {{10, 40, 20, 40, 20},
		     {20, 10, 40, 40, 20},
		     {40, 20, 10, 20, 20},
		     {20, 20, 20, 10, 20},
		     {30, 20, 30, 30, 10}},
	.min_free_kbytes = 512,
};

#define MAX_TAKEN 32768
static struct page *taken[MAX_TAKEN];
static u32 nr_taken;

/* Takes until there is nothing; the nodes in the order in which they first gave a page, as text. */
static const char *nodes_in_order(int nid, gfp_t gfp, const struct mempolicy *policy)
{
	static char text[MAX_NUMNODES + 1];
	nodemask_t seen = 0;
	struct page *page;
	u32 nr = 0;

	nr_taken = 0;
	while ((page = policy ? alloc_pages_policy(policy, gfp | __GFP_NOWARN, 0)
			      : alloc_pages_node(nid, gfp | __GFP_NOWARN, 0))) {
		taken[nr_taken++] = page;
		if (!node_isset(page->nid, seen))
			text[nr++] = (char)('0' + page->nid);
		seen |= NODE_BIT(page->nid);
	}
	text[nr] = '\0';
	while (nr_taken > 0)
		__free_pages(taken[--nr_taken], 0);
	drain_all_pages();
	return text;
}

static const char *order_on_cpu(u32 cpu, const struct mempolicy *policy)
{
	const char *text;

	host_cpu = cpu;
	text = nodes_in_order(NUMA_NO_NODE, GFP_KERNEL, policy);
	host_cpu = 0;
	return text;
}

static void nearest_first_there_and_back(struct ktest *t)
{
	host_machine_boot(&five_nodes);
	EXPECT_STREQ(t, nodes_in_order(0, GFP_KERNEL, NULL), "0231");
	EXPECT_STREQ(t, nodes_in_order(1, GFP_KERNEL, NULL), "1032");
	EXPECT_STREQ(t, nodes_in_order(2, GFP_KERNEL, NULL), "2310");
	/* Lists 0, 1 and 2 have put a load on 2, 3 | 0, 3 | 3, 0 as the firsts of their groups. */
	EXPECT_STREQ(t, nodes_in_order(3, GFP_KERNEL, NULL), "3120");
	/* and list 3 on 1. */
	EXPECT_STREQ(t, nodes_in_order(4, GFP_KERNEL, NULL), "1320");
	/* The CPU's own node, if none is named; CPU 3 is on the one without memory. */
	EXPECT_STREQ(t, order_on_cpu(1, NULL), "1032");
	EXPECT_STREQ(t, order_on_cpu(3, NULL), "1320");
	expect_check_clean(t);
}

static void this_node_is_never_left(struct ktest *t)
{
	static const struct mempolicy prefer_2 = {MPOL_PREFERRED, NODE_BIT(2)};

	host_machine_boot(&five_nodes);
	for (int nid = 0; nid < 4; nid++) {
		char only[2] = {(char)('0' + nid)};

		EXPECT_STREQ(t, nodes_in_order(nid, GFP_KERNEL | __GFP_THISNODE, NULL), only);
	}
	EXPECT_STREQ(t, nodes_in_order(4, GFP_KERNEL | __GFP_THISNODE, NULL), "");
	/* Not by entitlement, */
	EXPECT_STREQ(t, nodes_in_order(1, GFP_KERNEL | __GFP_THISNODE | __GFP_MEMALLOC, NULL), "1");
	/* not by a cpuset elsewhere: then there is nothing, */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(2)), 0);
	EXPECT_STREQ(t, nodes_in_order(1, GFP_KERNEL | __GFP_THISNODE, NULL), "");
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), ~(nodemask_t)0), 0);
	/* and not by the task's policy: it is the CPU's node. */
	EXPECT_EQ(t, task_set_mempolicy(&prefer_2), 0);
	EXPECT_STREQ(t, nodes_in_order(NUMA_NO_NODE, GFP_KERNEL | __GFP_THISNODE, NULL), "0");
	EXPECT_STREQ(t, nodes_in_order(NUMA_NO_NODE, GFP_KERNEL, NULL), "2310");
}

/* What slabs will ask, who have no zonelist that says it for them. */
static void the_predicate_knows_of_this_node(struct ktest *t)
{
	static const struct mempolicy prefer_2 = {MPOL_PREFERRED, NODE_BIT(2)};
	const gfp_t this_node = GFP_KERNEL | __GFP_THISNODE;
	struct node_permit permit;

	host_machine_boot(&five_nodes);
	permit_build(&permit, 1, this_node, NULL);
	EXPECT_EQ(t, permit.nodes, NODE_BIT(1));
	permit_build(&permit, NUMA_NO_NODE, this_node, NULL);
	EXPECT_EQ(t, permit.nodes, NODE_BIT(0));
	permit_build(&permit, NUMA_NO_NODE, this_node, &prefer_2);
	EXPECT_EQ(t, permit.nodes, NODE_BIT(2));
	/* Who may leave the cpuset may not leave this; who may not has nothing left. */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(2)), 0);
	permit_build(&permit, 1, this_node | __GFP_MEMALLOC, NULL);
	EXPECT_EQ(t, permit.nodes, NODE_BIT(1));
	permit_build(&permit, 1, this_node, NULL);
	EXPECT_EQ(t, permit.nodes, 0);
}

/* A policy that stood on the stack of who set it, who is long gone: the task has it, and its child. */
static void a_policy_is_copied(struct ktest *t)
{
	struct mempolicy policy = {MPOL_BIND, NODE_BIT(3)};
	struct os_task child = {0};

	host_machine_boot(&five_nodes);
	EXPECT_EQ(t, task_set_mempolicy(&policy), 0);
	task_inherit(&child);
	policy = (struct mempolicy){NR_MEMPOLICY_MODES, 0};
	EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 3);
	EXPECT_EQ(t, task_set_mempolicy(NULL), 0);
	EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 0);
	EXPECT_EQ(t, child.mempolicy.mode, MPOL_BIND);
	EXPECT_EQ(t, child.mempolicy.nodes, NODE_BIT(3));
}

static void policies_by_call(struct ktest *t)
{
	static const struct mempolicy local = {MPOL_LOCAL, 0},
				      preferred = {MPOL_PREFERRED, NODE_BIT(2)},
				      bind = {MPOL_BIND, NODE_BIT(1) | NODE_BIT(3)},
				      interleave = {MPOL_INTERLEAVE, NODE_BIT(1) | NODE_BIT(3)};

	host_machine_boot(&five_nodes);
	EXPECT_STREQ(t, order_on_cpu(1, &local), "1032");
	EXPECT_STREQ(t, order_on_cpu(1, &preferred), "2310");
	/* Of the bound nodes the nearest to the CPU first. */
	EXPECT_STREQ(t, order_on_cpu(0, &bind), "31");
	EXPECT_STREQ(t, order_on_cpu(1, &bind), "13");
	/* In turn; then anywhere, as seen from the one whose turn it is. */
	EXPECT_STREQ(t, order_on_cpu(0, &interleave), "1302");
	/* The call's is not the task's. */
	EXPECT_STREQ(t, order_on_cpu(1, NULL), "1032");
	EXPECT(t, this_task_may_hit(0));
}

static void interleaving_takes_turns(struct ktest *t)
{
	static const struct mempolicy three = {MPOL_INTERLEAVE, NODE_BIT(0) | NODE_BIT(2) |
									NODE_BIT(3) | NODE_BIT(4)};
	static const int turns[] = {0, 2, 3, 0, 2, 3, 0, 2, 3};
	struct zone_snapshot z;

	host_machine_boot(&five_nodes);
	EXPECT_EQ(t, task_set_mempolicy(&three), 0);
	for (u32 i = 0; i < ARRAY_SIZE(turns); i++) {
		struct page *page = alloc_pages(GFP_KERNEL, i % 3);

		ASSERT_TRUE(t, page != NULL);
		EXPECT_EQ(t, page->nid, turns[i]);
	}
	/* A request by number does not use up a turn. */
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL, 0)->nid, 1);
	EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 0);
	zone_snapshot(2, ZONE_NORMAL, &z);
	EXPECT_EQ(t, z.events[NUMA_INTERLEAVE_HIT], 3);
	/* What the cpuset leaves of it. */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(1) | NODE_BIT(2)), 0);
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 2);
	expect_check_clean(t);
}

static void bind_within_the_cpuset(struct ktest *t)
{
	static const struct mempolicy bind = {MPOL_BIND, NODE_BIT(0) | NODE_BIT(1)},
				      preferred = {MPOL_PREFERRED, NODE_BIT(2)};

	host_machine_boot(&five_nodes);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(1) | NODE_BIT(3)), 0);
	EXPECT_STREQ(t, order_on_cpu(0, NULL), "31");
	/* What both have. */
	EXPECT_STREQ(t, order_on_cpu(0, &bind), "1");
	EXPECT_EQ(t, task_set_mempolicy(&bind), 0);
	EXPECT_STREQ(t, nodes_in_order(NUMA_NO_NODE, GFP_KERNEL, NULL), "1");
	/* A request by number does not ask the policy, but does ask the cpuset. */
	EXPECT_STREQ(t, nodes_in_order(0, GFP_KERNEL, NULL), "31");
	/* Nothing in common: the cpuset holds, the policy does not. */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(2) | NODE_BIT(3)), 0);
	EXPECT_STREQ(t, nodes_in_order(NUMA_NO_NODE, GFP_KERNEL, NULL), "23");
	/* A preferred node outside is none. */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(1) | NODE_BIT(3)), 0);
	EXPECT_EQ(t, task_set_mempolicy(&preferred), 0);
	EXPECT_STREQ(t, nodes_in_order(NUMA_NO_NODE, GFP_KERNEL, NULL), "31");
}

struct in_interrupt {
	int nid;
	gfp_t gfp;
	struct page *page;
};

static void ask(void *arg)
{
	struct in_interrupt *in = arg;

	in->page = alloc_pages_node(in->nid, in->gfp | __GFP_NOWARN, 0);
}

static struct node_permit permit_of_interrupt;
static bool interrupt_is_stale;

static void build_permit(void *arg)
{
	(void)arg;
	permit_build(&permit_of_interrupt, NUMA_NO_NODE, GFP_ATOMIC, NULL);
}

static void ask_permit(void *arg)
{
	(void)arg;
	interrupt_is_stale = permit_is_stale(&permit_of_interrupt);
}

static void who_may_leave_the_cpuset(struct ktest *t)
{
	u32 saved;

	host_machine_boot(&five_nodes);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(3)), 0);
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL, 0)->nid, 3);
	EXPECT_EQ(t, alloc_pages_node(1, GFP_ATOMIC, 0)->nid, 3); /* urgent is no reason */
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL | __GFP_MEMALLOC, 0)->nid, 1);
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, 0)->nid,
		  3);

	saved = memalloc_noreclaim_save();
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL, 0)->nid, 1);
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL | __GFP_NOMEMALLOC, 0)->nid, 3);
	memalloc_noreclaim_restore(saved);

	os_current()->oom_victim = true;
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL, 0)->nid, 1);
	os_current()->oom_victim = false;
	EXPECT_EQ(t, alloc_pages_node(1, GFP_KERNEL, 0)->nid, 3);

	expect_check_clean(t);
}

/* Its task is the thread's: main has no CPU to be interrupted on. */
static void limited_and_interrupted(void *arg)
{
	static const struct mempolicy bind = {MPOL_BIND, NODE_BIT(3)};
	struct in_interrupt in = {.nid = 1, .gfp = GFP_ATOMIC};
	struct node_permit own;
	struct ktest *t = arg;

	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(3)), 0);
	host_interrupt(0, ask, &in);
	EXPECT_EQ(t, in.page->nid, 1);
	EXPECT_EQ(t, task_set_mempolicy(&bind), 0);
	in.nid = NUMA_NO_NODE;
	os_run_on_cpu(0, ask, &in);
	EXPECT_EQ(t, in.page->nid, 0);
	EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 3);

	/* It has all nodes, whatever becomes of the cpuset below it: it is not sent round again. */
	permit_build(&own, NUMA_NO_NODE, GFP_ATOMIC, NULL);
	host_interrupt(0, build_permit, NULL);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(1)), 0);
	host_interrupt(0, ask_permit, NULL);
	EXPECT(t, permit_is_stale(&own));
	EXPECT(t, !interrupt_is_stale);
}

static void an_interrupt_has_no_limits(struct ktest *t)
{
	struct os_thread *thread;

	host_machine_boot(&five_nodes);
	thread = os_thread_start("interrupted", 0, limited_and_interrupted, t);
	ASSERT_TRUE(t, thread != NULL);
	os_thread_join(thread);
}

static void what_is_refused(struct ktest *t)
{
	static const struct mempolicy good = {MPOL_BIND, NODE_BIT(2)};
	static const struct mempolicy bad[] = {
		{MPOL_LOCAL, NODE_BIT(1)},         {MPOL_PREFERRED, 0},
		{MPOL_BIND, NODE_BIT(4)},          {MPOL_INTERLEAVE, NODE_BIT(9)},
		{NR_MEMPOLICY_MODES, NODE_BIT(0)},
	};
	u32 generation;

	host_machine_boot(&five_nodes);
	EXPECT_EQ(t, task_set_mempolicy(&good), 0);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(t, mempolicy_check(&bad[i]), -EINVAL);
		EXPECT_EQ(t, task_set_mempolicy(&bad[i]), -EINVAL);
		EXPECT(t, !alloc_pages_policy(&bad[i], GFP_KERNEL, 0));
		EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), i + 1);
	}
	EXPECT(t, host_log_contains("a policy without a node that has memory"));
	EXPECT_EQ(t, os_current()->mempolicy.mode, good.mode);
	EXPECT_EQ(t, os_current()->mempolicy.nodes, good.nodes);

	generation = os_current()->mems_generation;
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), 0), -EINVAL);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(4)), -EINVAL);
	EXPECT_EQ(t, os_current()->mems_generation, generation);
	EXPECT_EQ(t, os_current()->mems_allowed, ~(nodemask_t)0);
	EXPECT_STREQ(t, mempolicy_mode_name(MPOL_INTERLEAVE), "interleave");
	EXPECT_STREQ(t, mempolicy_mode_name(NR_MEMPOLICY_MODES), "unknown");
}

static u64 list_allocs(void)
{
	struct pcp_snapshot pcp;

	pcp_snapshot(0, ZONE_NORMAL, 0, &pcp);
	return pcp.allocs;
}

/* Limits keep a task off the hit path, and only while it has them. */
static void limits_come_and_go(struct ktest *t)
{
	static const struct mempolicy local = {MPOL_LOCAL, 0};
	struct os_task child = {0};
	u64 allocs;

	host_machine_boot(&five_nodes);
	EXPECT(t, this_task_may_hit(0));
	EXPECT_EQ(t, task_set_mempolicy(&local), 0);
	EXPECT(t, !this_task_may_hit(0));
	task_inherit(&child);
	EXPECT(t, child.limited && child.has_mempolicy && child.flags == 0);
	EXPECT_EQ(t, task_set_mempolicy(NULL), 0);
	EXPECT(t, this_task_may_hit(0));

	/* All nodes that have memory is no limit; those that there are not do not matter. */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), 0xf), 0);
	EXPECT(t, this_task_may_hit(0));
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), 0x7), 0);
	EXPECT(t, !this_task_may_hit(0));
	task_inherit(&child);
	EXPECT(t, child.limited && !child.has_mempolicy && child.mems_allowed == 0x7);
	/* Node 0 is full of pages of this CPU's list, but not in the cpuset. */
	__free_pages(alloc_pages_node(0, GFP_KERNEL, 0), 0);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), 0x2), 0);
	allocs = list_allocs();
	EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 1);
	EXPECT_EQ(t, list_allocs(), allocs);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), 0xf), 0);
	EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 0)->nid, 0);
	EXPECT_EQ(t, list_allocs(), allocs + 1);
}

/* --- Changes while a request is under way -------------------------------------------------------- */

/* A rehearsal whose steps are a place to change things at. */
struct rehearsal {
	struct alloc_recorder recorder;
	u32 changes, steps;
	nodemask_t looked_at; /* nodes whose zones were judged, but not for their place */
};

static void change_at_the_drain(struct alloc_recorder *recorder, enum alloc_step step)
{
	struct rehearsal *r = container_of(recorder, struct rehearsal, recorder);

	r->steps++;
	if (step != STEP_AFTER_DRAIN || r->changes == 0)
		return;
	r->changes--;
	task_set_mems_allowed(os_current(), r->changes ? NODE_BIT(0) : NODE_BIT(1));
}

static void note_zone(struct alloc_recorder *recorder, const struct explained_zone *zone)
{
	struct rehearsal *r = container_of(recorder, struct rehearsal, recorder);

	if (zone->verdict != VERDICT_POLICY && zone->verdict != VERDICT_CLASS)
		r->looked_at |= NODE_BIT(zone->nid);
}

static struct page *rehearse(struct rehearsal *r)
{
	struct explanation out = {0};
	struct alloc_context ac;

	r->recorder = (struct alloc_recorder){
		.step = change_at_the_drain, .zone = note_zone, .out = &out};
	r->looked_at = 0;
	alloc_context_build(&ac, NUMA_NO_NODE, GFP_KERNEL | __GFP_NOWARN, 0, NULL);
	ac.recorder = &r->recorder;
	return alloc_by_context(&ac, NUMA_NO_NODE, NULL, 0);
}

/* Node 0 is full, and the only one allowed; at the last moment node 1 is, in its place. */
static void a_failure_looks_whether_the_cpuset_moved(struct ktest *t)
{
	struct rehearsal r = {.changes = 0};

	host_machine_boot(&five_nodes);
	while (alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_MEMALLOC | __GFP_NOWARN, 0))
		;
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	EXPECT(t, rehearse(&r) == NULL);
	EXPECT_EQ(t, r.looked_at, NODE_BIT(0));

	r = (struct rehearsal){.changes = 1};
	EXPECT(t, rehearse(&r) == REHEARSED_PAGE);
	EXPECT_EQ(t, r.looked_at, NODE_BIT(0) | NODE_BIT(1));
	EXPECT_EQ(t, r.changes, 0);

	/* As often as it moves, within bounds: 15 times to where there is nothing either. */
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	r = (struct rehearsal){.changes = 15};
	EXPECT(t, rehearse(&r) == REHEARSED_PAGE);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	r = (struct rehearsal){.changes = 1000};
	EXPECT(t, rehearse(&r) == NULL);
	EXPECT_EQ(t, r.changes, 1000 - 16);
}

static bool allowed; /* atomic */

static void allow_node_1(void *arg)
{
	struct os_task *task = arg;

	while (host_sleeps() == 0)
		cpu_relax();
	task_set_mems_allowed(task, NODE_BIT(1));
	store_release(&allowed, true);
}

/* Also a request that must not fail, asleep between its rounds. */
static void what_must_not_fail_sees_a_new_cpuset(struct ktest *t)
{
	struct os_thread *other;
	struct page *page;

	host_machine_boot(&five_nodes);
	while (alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_MEMALLOC | __GFP_NOWARN, 0))
		;
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	ASSERT_EQ(t, host_sleeps(), 0);
	other = os_thread_start("cpuset", 1, allow_node_1, os_current());
	ASSERT_TRUE(t, other != NULL);
	host_sleep_until(&allowed);
	page = alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 0);
	EXPECT_EQ(t, page->nid, 1);
	EXPECT(t, vmstat_read(VMSTAT_ALLOC_MEMS_MOVED) >= 1);
	os_thread_join(other);
}

static const struct ktest_case cases[] = {
	KTEST(nearest_first_there_and_back),
	KTEST(this_node_is_never_left),
	KTEST(the_predicate_knows_of_this_node),
	KTEST(a_policy_is_copied),
	KTEST(policies_by_call),
	KTEST(interleaving_takes_turns),
	KTEST(bind_within_the_cpuset),
	KTEST(who_may_leave_the_cpuset),
	KTEST(an_interrupt_has_no_limits),
	KTEST(what_is_refused),
	KTEST(limits_come_and_go),
	KTEST(a_failure_looks_whether_the_cpuset_moved),
	KTEST(what_must_not_fail_sees_a_new_cpuset),
};
KTEST_SUITE(mempolicy, cases);
