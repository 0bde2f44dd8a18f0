/*
 * Out of memory: who is told to end, who waits for whom and for how long, what is said. What a victim may do, and how
 * it comes and goes, is in test_oom_victims.c.
 */
#include "oom_hog.h"

#include <arch/page.h>
#include <mm/mempolicy.h>
#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <mm/vmstat.h>

#include "mm/oom.h"
#include "mm/zone.h"
#include "tests/stress/oom_loop.h"

static void the_worst_is_told_and_gives_back(struct ktest *t)
{
	static struct hog small, large, none;
	struct page *page;
	u64 nr;

	host_machine_boot(&oom_two_nodes);
	nr = oom_flood(1, GFP_KERNEL, &large.list);
	hog_add(&small, "small hog", 10);
	hog_add(&large, "large hog", nr);
	hog_add(&none, "empty hog", 0);
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	EXPECT(t, page != NULL);
	EXPECT(t, large.told && !small.told && !none.told);
	EXPECT_EQ(t, oom_kills(), 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 1); /* the flood's */
	EXPECT(t,
	       host_log_contains("invoked oom-killer: gfp_mask=0x70(GFP_KERNEL), order=0, nid=1"));
	EXPECT(t, host_log_contains("Node 1 Normal free:"));
	EXPECT(t, host_log_contains("Node 0 active:0 inactive:0"));
	EXPECT(t, host_log_contains("  large hog (told to end)"));
	EXPECT(t, host_log_contains("  small hog\n"));
	EXPECT(t, host_log_contains("Out of memory: Killed large hog (id 2), badness"));
	hog_end(&small);
	hog_end(&none);
	os_thread_join(large.thread);
	__free_pages(page, 0);
	expect_check_clean(t);
}

/* Nothing of the deaf one's is had, so the next is asked; and nobody asks the deaf one again. */
static void who_does_not_end_is_passed_over(struct ktest *t)
{
	static struct hog deaf = {.deaf = true}, good;
	struct page *rest = NULL;
	u64 began;

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &good.list);
	hog_add(&deaf, "deaf hog", 1000000);
	hog_add(&good, "good hog", 1);
	began = oom_now_ns();
	EXPECT(t, alloc_pages_node(1, GFP_KERNEL, 0) != NULL);
	EXPECT(t, oom_now_ns() - began >= 1000000000ull);
	EXPECT_EQ(t, oom_kills(), 2);
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_PASSED_OVER), 1);
	EXPECT(t, host_log_contains("id 1 has not ended within a second: it is passed over"));
	oom_flood(1, GFP_KERNEL, &rest);
	EXPECT(t, !alloc_pages_node(1, GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT_EQ(t, oom_kills(), 2);
	os_thread_join(deaf.thread);
	os_thread_join(good.thread);
	oom_victim_unregister(&deaf.victim); /* late, and welcome */
	expect_check_clean(t);
}

/* The hog does not end before the second one waits: then it was not told twice, nor anybody else. */
static void of_two_requests_one_kills(struct ktest *t)
{
	static struct hog hog = {.wait_for_turn = 1}, other;
	struct oom_asker asker[2];

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &hog.list);
	hog_add(&hog, "hog", 1000);
	hog_add(&other, "other", 999);
	for (u32 i = 0; i < 2; i++)
		asker[i].thread = os_thread_start("asker", i, oom_ask, &asker[i]);
	for (u32 i = 0; i < 2; i++) {
		os_thread_join(asker[i].thread);
		EXPECT(t, asker[i].page != NULL);
	}
	EXPECT_EQ(t, oom_kills(), 1);
	EXPECT(t, vmstat_read(VMSTAT_OOM_TURN_WAIT) >= 1);
	EXPECT(t, !other.told);
	hog_end(&other);
	os_thread_join(hog.thread);
	expect_check_clean(t);
}

/*
 * More of them than a request has rounds, and two requests that wait for each other's turns: as long as there
 * is somebody to ask, neither gives up.
 */
static void as_many_as_there_are_may_be_deaf(struct ktest *t)
{
	static struct hog deaf[17], good;
	struct oom_asker asker[2];

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &good.list);
	for (u32 i = 0; i < ARRAY_SIZE(deaf); i++) {
		deaf[i].deaf = true;
		hog_add(&deaf[i], "deaf hog", 1000 + i);
	}
	hog_add(&good, "good hog", 1);
	for (u32 i = 0; i < 2; i++)
		asker[i].thread = os_thread_start("asker", i, oom_ask, &asker[i]);
	for (u32 i = 0; i < 2; i++) {
		os_thread_join(asker[i].thread);
		EXPECT(t, asker[i].page != NULL);
	}
	EXPECT_EQ(t, oom_kills(), ARRAY_SIZE(deaf) + 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_PASSED_OVER), ARRAY_SIZE(deaf));
	os_thread_join(good.thread);
	for (u32 i = 0; i < ARRAY_SIZE(deaf); i++) {
		os_thread_join(deaf[i].thread);
		oom_victim_unregister(&deaf[i].victim);
	}
	expect_check_clean(t);
}

/* What a victim has elsewhere is no help to who may not go there. */
static void other_nodes_victims_are_left_alone(struct ktest *t)
{
	static const struct mempolicy bind = {MPOL_BIND, NODE_BIT(1)};
	static struct hog far = {.nodes = 1}, near = {.nodes = 2};

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &near.list);
	hog_add(&far, "far", 1000000);
	hog_add(&near, "near", 1);
	EXPECT(t, alloc_pages_policy(&bind, GFP_KERNEL, 0) != NULL);
	EXPECT(t, near.told && !far.told);
	EXPECT(t, host_log_contains("[    1]          0  far"));
	hog_end(&far);
	os_thread_join(near.thread);
}

/* Somebody was killed a moment ago, and it was enough. */
static void a_last_look_at_the_high_mark(struct ktest *t)
{
	static struct hog hog;
	struct page *list = NULL;
	struct alloc_context ac;

	host_machine_boot(&oom_two_nodes);
	hog_add(&hog, "hog", 1000);
	alloc_context_build(&ac, 1, GFP_KERNEL, 0, NULL);
	EXPECT(t, out_of_memory(&ac, os_call_site()));
	EXPECT_EQ(t, oom_kills(), 0);
	oom_flood(1, GFP_KERNEL, &list); /* not above high, but not at min either, is not enough */
	for (u32 i = 0; i < 3; i++) {
		struct page *page = list;

		list = (struct page *)(uintptr_t)page->arm_words[0];
		__free_pages(page, 0);
	}
	drain_all_pages();
	EXPECT(t, out_of_memory(&ac, os_call_site()));
	EXPECT_EQ(t, oom_kills(), 1);
	os_thread_join(hog.thread);
}

/* --- Nobody ------------------------------------------------------------------------------------------- */

static void with_nobody_it_fails_and_says_so(struct ktest *t)
{
	struct page *list = NULL;
	u64 began;

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &list);
	EXPECT(t, !alloc_pages_node(1, GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT(t, !host_log_contains("oom"));
	began = oom_now_ns();
	EXPECT(t, !alloc_pages_node(1, GFP_KERNEL, 0));
	EXPECT(t, host_log_contains("invoked oom-killer"));
	EXPECT(t, host_log_contains(
			  "Out of memory: order 0 for unstarted, and nobody is left to kill"));
	EXPECT(t, host_log_contains("allocation failed: order 0"));
	host_log_clear();
	EXPECT(t, !alloc_pages_node(1, GFP_KERNEL, 0));
	if (oom_now_ns() - began < 900000000ull)
		EXPECT(t, !host_log_contains("invoked oom-killer"));
	EXPECT(t, host_log_contains("nobody is left to kill"));
	/* Ten reports of failures in five seconds, and no more. */
	for (u32 i = 2; i < 10; i++)
		EXPECT(t, !alloc_pages_node(1, GFP_KERNEL | __GFP_NORETRY, 0));
	host_log_clear();
	for (u32 i = 0; i < 1000; i++)
		EXPECT(t, !alloc_pages_node(1, GFP_KERNEL | __GFP_NORETRY, 0));
	if (oom_now_ns() - began < 4500000000ull)
		EXPECT(t, !host_log_contains("allocation failed"));
	EXPECT_EQ(t, oom_kills(), 0);
}

static void fail_with_panic(void *arg)
{
	struct page *list = NULL;

	(void)arg;
	host_machine_boot(&oom_two_nodes);
	oom_set_last_resort(OOM_PANIC);
	oom_flood(1, GFP_KERNEL, &list);
	os_panic("it came back, with %p", (void *)alloc_pages_node(1, GFP_KERNEL, 2));
}

static void by_option_it_panics(struct ktest *t)
{
	expect_panic(t, fail_with_panic, NULL,
		     "out of memory: order 2 for unstarted, and nobody is left to kill");
}

static void a_trace_tells_of_it(struct ktest *t)
{
	static struct trace_record ring[1024];
	static struct hog hog;
	struct trace_record r;
	bool found = false;

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &hog.list);
	hog_add(&hog, "hog", 4711);
	trace_set_ring(0, ring, 1024);
	trace_switch(true);
	EXPECT(t, alloc_pages_node(1, GFP_KERNEL, 0) != NULL);
	trace_switch(false);
	while (trace_read(0, &r, 1) == 1) {
		if (r.event != TRACE_OOM_KILL)
			continue;
		found = true;
		EXPECT_EQ(t, r.id, hog.victim.id);
		EXPECT_EQ(t, r.arg, 4711);
		EXPECT_EQ(t, r.nid, 1);
		EXPECT_EQ(t, r.gfp, GFP_KERNEL);
	}
	EXPECT(t, found);
	os_thread_join(hog.thread);
}

static void a_loop_on_all_cpus(struct ktest *t)
{
	static const struct oom_loop_plan plan = {.cpus = 0xf, .kills = HOST_TSAN ? 15 : 40};

	host_machine_boot(&oom_two_nodes);
	oom_loop_case(t, &plan, NULL);
}

static const struct ktest_case cases[] = {
	KTEST(the_worst_is_told_and_gives_back),
	KTEST(who_does_not_end_is_passed_over),
	KTEST_SLOW(as_many_as_there_are_may_be_deaf, 120),
	KTEST(of_two_requests_one_kills),
	KTEST(other_nodes_victims_are_left_alone),
	KTEST(a_last_look_at_the_high_mark),
	KTEST(with_nobody_it_fails_and_says_so),
	KTEST(by_option_it_panics),
	KTEST(a_trace_tells_of_it),
	KTEST_SLOW(a_loop_on_all_cpus, 120),
};
KTEST_SUITE(oom, cases);
