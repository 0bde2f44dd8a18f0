/*
 * What is said of a request and what becomes of it are the same.
 */
#include "host.h"

#include <base/string.h>
#include <mm/explain.h>
#include <mm/os.h>
#include <mm/page_alloc.h>

#include "tests/stress/rehearsal.h"

static const struct host_machine small = {
	.ram = {{0, MiB(32), 0},
		{GiB(4), MiB(24), 0},
		{GiB(5), MiB(40), 1},
		{GiB(6), MiB(16), 2},
		{GiB(7), MiB(33), 3}},
	.nr_nodes = 4,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 3},
	.distance = {{10, 20, 30, 20}, {15, 10, 20, 30}, {30, 20, 10, 20}, {40, 30, 20, 10}},
};

/* A step without a number is one that no request was served at. */
static void what_is_said_is_done(struct ktest *t)
{
	struct rehearsal_counts counts = {0};

	host_machine_boot(&small);
	rehearse_and_do(t, t->seed, 20000, REHEARSAL_MAX_HELD, 0, &counts);
	EXPECT_EQ(t, counts.requests, 20000);
	EXPECT(t, counts.steps[STEP_HIT] > 10 && counts.steps[STEP_FAST] > 100);
	EXPECT(t, counts.steps[STEP_MIN] > 100 && counts.steps[STEP_NO_MARKS] > 100);
	EXPECT(t, counts.steps[STEP_AFTER_DRAIN] > 0 && counts.ends[EXPLAIN_FAILS] > 100);
	EXPECT(t, counts.ends[EXPLAIN_MAYBE] < counts.requests / 10);
	ktest_note(t, "hit %u, fast %u, min %u, no marks %u, after drain %u, fails %u, maybe %u",
		   counts.steps[STEP_HIT], counts.steps[STEP_FAST], counts.steps[STEP_MIN],
		   counts.steps[STEP_NO_MARKS], counts.steps[STEP_AFTER_DRAIN],
		   counts.ends[EXPLAIN_FAILS], counts.ends[EXPLAIN_MAYBE]);
	drain_all_pages();
	expect_check_clean(t);
}

struct heard {
	struct alloc_recorder recorder;
	u32 begins, steps, zones;
	enum alloc_step step[NR_ALLOC_STEPS];
	struct explained_zone zone[32];
};

static void hear_begin(struct alloc_recorder *recorder, const struct explanation *so_far)
{
	(void)so_far;
	container_of(recorder, struct heard, recorder)->begins++;
}

static void hear_step(struct alloc_recorder *recorder, enum alloc_step step)
{
	struct heard *heard = container_of(recorder, struct heard, recorder);

	heard->step[heard->steps++] = step;
}

static void hear_zone(struct alloc_recorder *recorder, const struct explained_zone *zone)
{
	struct heard *heard = container_of(recorder, struct heard, recorder);

	heard->zone[heard->zones++] = *zone;
}

static struct heard heard;

static void hear(int nid, gfp_t gfp, unsigned int order, struct explanation *out)
{
	heard = (struct heard){.recorder = {hear_begin, hear_step, hear_zone, NULL, false}};
	explain_request(nid, gfp, order, &heard.recorder, out);
}

static void the_steps_in_their_order(struct ktest *t)
{
	static const enum alloc_step all[] = {STEP_HIT,         STEP_FAST,    STEP_WAKE_KSWAPD,
					      STEP_MIN,         STEP_RECLAIM, STEP_DRAIN,
					      STEP_AFTER_DRAIN, STEP_OOM,     STEP_GIVE_UP};
	struct explanation said;

	host_machine_boot(&small);
	while (alloc_pages_node(2, GFP_ATOMIC | __GFP_THISNODE | __GFP_NOWARN, 0))
		;
	drain_all_pages();
	/* Node 2 and no other, so that the walk has one zone. */
	ASSERT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(2)), 0);
	hear(2, GFP_KERNEL, 0, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_FAILS);
	EXPECT_EQ(t, said.hit, HIT_LIMITED);
	EXPECT_EQ(t, heard.begins, 1);
	ASSERT_EQ(t, heard.steps, ARRAY_SIZE(all));
	EXPECT_EQ(t, memcmp(heard.step, all, sizeof(all)), 0);
	/* fast, min, after drain: all zones of all nodes each time. */
	EXPECT_EQ(t, heard.zones, 3 * 6);
	for (u32 i = 0; i < heard.zones; i++)
		EXPECT_EQ(t, heard.zone[i].verdict,
			  heard.zone[i].nid == 2 ? VERDICT_MARK : VERDICT_POLICY);
	hear(2, GFP_KERNEL | __GFP_NOFAIL, 0, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_WAITS);
	EXPECT_EQ(t, said.hit, HIT_NOT_ASKED); /* by its flags, whoever asks */
	/* Who may neither sleep nor wake anybody has less to do. */
	hear(2, __GFP_HIGH, 0, &said);
	EXPECT_EQ(t, heard.steps, 6);
	EXPECT_EQ(t, heard.step[2], STEP_MIN);
}

static void nothing_is_taken_or_counted(struct ktest *t)
{
	static const struct mempolicy turns = {MPOL_INTERLEAVE, 0xf};
	struct zone_snapshot before, after;
	struct explanation said;
	int nid;

	host_machine_boot(&small);
	ASSERT_EQ(t, task_set_mempolicy(&turns), 0);
	for_each_node(nid) {
		zone_snapshot(nid, ZONE_NORMAL, &before);
		for (u32 i = 0; i < 10; i++)
			hear(NUMA_NO_NODE, GFP_KERNEL, 3, &said);
		/* Nobody's turn: the same node each time. */
		EXPECT_EQ(t, said.end, EXPLAIN_TAKES);
		EXPECT_EQ(t, said.zone.nid, nid);
		zone_snapshot(nid, ZONE_NORMAL, &after);
		EXPECT_EQ(t, memcmp(&before, &after, sizeof(before)), 0);
		EXPECT_EQ(t, alloc_pages(GFP_KERNEL, 3)->nid, nid);
	}
}

static void what_is_refused(struct ktest *t)
{
	struct explanation said;

	host_machine_boot(&small);
	hear(0, GFP_ATOMIC | __GFP_NOFAIL, 0, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_REFUSED);
	EXPECT_STREQ(t, said.refused, "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM");
	EXPECT_EQ(t, heard.steps + heard.zones, 0);
	hear(7, GFP_KERNEL, 0, &said);
	EXPECT_STREQ(t, said.refused, "no such node");
	hear(0, GFP_KERNEL, MAX_ORDER + 1, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_REFUSED);
	/* Nobody is told in the log: it is a question. */
	EXPECT(t, !host_log_contains("bad request"));
}

#define LAST_PAGES (GFP_ATOMIC | __GFP_THISNODE | __GFP_MEMALLOC | __GFP_NOWARN)

/* All of node 2 is taken, but for 8 pages, `apart` frames from each other, that the CPU has. */
static struct page *leave_eight(u32 apart)
{
	struct page *page, *first = NULL;

	while ((page = alloc_pages_node(2, LAST_PAGES, 5))) {
		if (!first)
			first = page;
	}
	while (alloc_pages_node(2, LAST_PAGES, 0))
		;
	__free_pages(first, 5);
	for (u32 i = 0; i < 32; i++) {
		page = alloc_pages_node(2, LAST_PAGES, 0);
		if (page < first || page >= first + 32)
			return NULL;
	}
	for (u32 i = 0; i < 8; i++)
		__free_pages(first + i * apart, 0);
	return first;
}

static void who_knows_what_a_drain_makes(struct ktest *t)
{
	struct explanation said;

	host_machine_boot(&small);
	ASSERT_TRUE(t, leave_eight(1) != NULL);
	hear(2, LAST_PAGES, 3, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_MAYBE);
	EXPECT_EQ(t, said.zone.nid, 2);
	EXPECT(t, alloc_pages_node(2, LAST_PAGES, 3) != NULL);
}

static void and_sometimes_it_makes_nothing(struct ktest *t)
{
	struct explanation said;

	host_machine_boot(&small);
	ASSERT_TRUE(t, leave_eight(2) != NULL);
	hear(2, LAST_PAGES, 3, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_MAYBE);
	EXPECT(t, alloc_pages_node(2, LAST_PAGES, 3) == NULL);
	/* For one page it is no riddle. */
	hear(2, LAST_PAGES, 0, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_TAKES);
	/* More than there is, however it lies. */
	hear(2, LAST_PAGES, 4, &said);
	EXPECT_EQ(t, said.end, EXPLAIN_FAILS);
}

static const struct ktest_case cases[] = {
	KTEST(what_is_said_is_done),         KTEST(the_steps_in_their_order),
	KTEST(nothing_is_taken_or_counted),  KTEST(what_is_refused),
	KTEST(who_knows_what_a_drain_makes), KTEST(and_sometimes_it_makes_nothing),
};
KTEST_SUITE(explain, cases);
