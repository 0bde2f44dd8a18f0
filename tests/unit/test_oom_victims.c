/*
 * What a victim of the OOM killer may do, and how it comes and goes.
 */
#include "oom_hog.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <mm/mempolicy.h>
#include <mm/os.h>
#include <mm/page_alloc.h>

#include "mm/oom.h"
#include "mm/zone.h"

/* --- A victim's own requests ------------------------------------------------------------------------- */

static u64 own_badness(struct oom_victim *victim, nodemask_t nodes)
{
	(void)victim;
	(void)nodes;
	return 1;
}

static void own_kill(struct oom_victim *victim)
{
	(void)victim;
}

/*
 *	free   min                          min / 2
 *	  |-----|------------------------------|----------------- 0
 *	        ^ others stop here             ^ it stops here, and is not waited for
 */
static void a_victim_may_go_lower_and_does_not_wait_for_itself(struct ktest *t)
{
	struct oom_victim me = {.name = "me", .badness = own_badness, .kill = own_kill};
	static const struct mempolicy bind = {MPOL_BIND, NODE_BIT(1)};
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	struct zone *zone;
	struct page *list = NULL;
	u64 min, began;

	host_machine_boot(&oom_two_nodes);
	zone = &NODE_DATA(1)->zones[ZONE_NORMAL];
	me.task = os_current();
	oom_victim_register(&me);
	task_set_mempolicy(&bind);
	oom_flood(NUMA_NO_NODE, GFP_KERNEL, &list);
	min = zone->watermark[WMARK_MIN];
	EXPECT_EQ(t, zone->nr_free_pages, min);
	began = oom_now_ns();
	EXPECT(t, alloc_pages(gfp, 0) != NULL);
	EXPECT(t, task_is_oom_victim(os_current()));
	while (alloc_pages(gfp, 0)) {
	}
	EXPECT_EQ(t, zone->nr_free_pages, (min + 1) / 2);
	EXPECT(t, oom_now_ns() - began < 900000000ull);
	EXPECT_EQ(t, oom_kills(), 1);
	oom_victim_unregister(&me);
	EXPECT(t, !task_is_oom_victim(os_current()));
	EXPECT(t, !alloc_pages(gfp, 0));
	EXPECT_EQ(t, zone->nr_free_pages, (min + 1) / 2);
	expect_check_clean(t);
}

/*
 * A victim that must have a page, and has eaten what victims may: it cannot end without, so it asks the next
 * one, as others do.
 */
static void a_victim_that_must_not_fail_asks_the_next(struct ktest *t)
{
	struct oom_victim me = {.name = "me", .badness = own_badness, .kill = own_kill};
	static const struct mempolicy bind = {MPOL_BIND, NODE_BIT(1)};
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	static struct hog next;

	host_machine_boot(&oom_two_nodes);
	me.task = os_current();
	oom_victim_register(&me);
	task_set_mempolicy(&bind);
	oom_flood(NUMA_NO_NODE, GFP_KERNEL, &next.list);
	while (alloc_pages(gfp, 0)) {
	}
	EXPECT(t, task_is_oom_victim(os_current()));
	hog_add(&next, "next", 1);
	EXPECT(t, !alloc_pages(gfp, 0));
	EXPECT(t, !next.told);
	EXPECT(t, alloc_pages(gfp | __GFP_NOFAIL, 0) != NULL);
	EXPECT(t, next.told);
	EXPECT_EQ(t, oom_kills(), 2);
	os_thread_join(next.thread);
	oom_victim_unregister(&me);
	expect_check_clean(t);
}

/* --- Coming and going ------------------------------------------------------------------------------- */

static bool in_kill, may_return, unregistered; /* atomic */
static struct oom_victim slow;

static void slow_kill(struct oom_victim *victim)
{
	(void)victim;
	store_release(&in_kill, true);
	while (!load_acquire(&may_return))
		cpu_relax();
}

static void leave(void *arg)
{
	oom_victim_unregister(arg);
	store_release(&unregistered, true);
}

static void it_leaves_when_it_was_told(struct ktest *t)
{
	struct page *list = NULL;
	struct os_thread *leaver;
	struct oom_asker asker;
	u64 sleeps;

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &list);
	slow = (struct oom_victim){.name = "slow", .badness = own_badness, .kill = slow_kill};
	oom_victim_register(&slow);
	asker.thread = os_thread_start("asker", 1, oom_ask, &asker);
	while (!load_acquire(&in_kill))
		cpu_relax();
	sleeps = host_sleeps();
	leaver = os_thread_start("leaver", 2, leave, &slow);
	while (host_sleeps() == sleeps && !load_acquire(&unregistered))
		cpu_relax();
	EXPECT(t, !load_acquire(&unregistered));
	store_release(&may_return, true);
	os_thread_join(leaver);
	os_thread_join(asker.thread);
	EXPECT(t, load_acquire(&unregistered));
	EXPECT_EQ(t, oom_kills(), 1);
	expect_check_clean(t);
}

static void end_and_give_back(void *arg)
{
	struct hog *hog = arg;
	u64 sleeps = host_sleeps();

	oom_give_back(&hog->list);
	oom_victim_unregister(&hog->victim);
	EXPECT_EQ(hog->t, host_sleeps(), sleeps);
}

/* The report may take a slow line seconds: who ends meanwhile does not wait for it, and is told nothing. */
static void it_may_end_while_the_report_is_printed(struct ktest *t)
{
	static struct hog hog;
	struct page *page;

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &hog.list);
	hog.t = t;
	hog_add_without_thread(&hog, "hog", 1);
	host_log_at("Call trace", end_and_give_back, &hog);
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	EXPECT(t, page != NULL);
	EXPECT(t, !hog.told && !hog.list);
	EXPECT_EQ(t, oom_kills(), 0);
	EXPECT(t, !host_log_contains("Killed"));
	__free_pages(page, 0);
	expect_check_clean(t);
}

/* The other way about: it is gone when kill() is over, whoever says afterwards that it was told. */
static void it_may_be_gone_before_it_is_said(struct ktest *t)
{
	static struct hog hog;
	char name[] = "name of its own";

	host_machine_boot(&oom_two_nodes);
	oom_flood(1, GFP_KERNEL, &hog.list);
	hog.t = t;
	hog_add_without_thread(&hog, name, 7);
	host_log_at("Out of memory: Killed name of its own (id 1), badness 7 pages",
		    end_and_give_back, &hog);
	EXPECT(t, alloc_pages_node(1, GFP_KERNEL, 0) != NULL);
	EXPECT(t, hog.told && !hog.list);
	EXPECT_EQ(t, oom_kills(), 1);
	expect_check_clean(t);
}

static void two_of_one_task(void *arg)
{
	static struct os_task task;
	static struct oom_victim one = {
		.name = "one", .badness = own_badness, .kill = own_kill, .task = &task};
	static struct oom_victim two = {
		.name = "two", .badness = own_badness, .kill = own_kill, .task = &task};

	(void)arg;
	host_machine_boot(&oom_two_nodes);
	oom_victim_register(&one);
	oom_victim_unregister(&one);
	oom_victim_register(&two);
	oom_victim_register(&one);
	os_panic("it came back");
}

static void a_task_has_one_victim(struct ktest *t)
{
	expect_panic(t, two_of_one_task, NULL, "oom: two and one are victims of one task");
}

static const struct ktest_case cases[] = {
	KTEST(a_victim_may_go_lower_and_does_not_wait_for_itself),
	KTEST(a_victim_that_must_not_fail_asks_the_next),
	KTEST(it_leaves_when_it_was_told),
	KTEST(it_may_end_while_the_report_is_printed),
	KTEST(it_may_be_gone_before_it_is_said),
	KTEST(a_task_has_one_victim),
};
KTEST_SUITE(oom_victims, cases);
