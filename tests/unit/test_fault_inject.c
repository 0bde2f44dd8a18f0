/*
 * Fault injection: which requests a rule fails, counted by hand, and that nothing else changes.
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/fault_inject.h>
#include <mm/inspect.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <mm/vmstat.h>

#include "../stress/pause.h"
#include "../stress/stress.h"
#include "../sweep/sweep.h"
#include "mm/pcp.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {MiB(64), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

/* One request; bit i of the answer: the i-th of them failed. */
static __noinline bool one_fails(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	if (page)
		__free_pages(page, order);
	return !page;
}

static u64 which_fail(u32 nr, gfp_t gfp, unsigned int order)
{
	u64 failed = 0;

	for (u32 i = 0; i < nr; i++)
		failed |= (u64)one_fails(gfp, order) << i;
	return failed;
}

/* Of `nr` requests under this rule alone. */
static u64 fails_by(struct ktest *t, struct fault_rule rule, u32 nr)
{
	int id = fault_rule_add(&rule);
	u64 failed = which_fail(nr, GFP_KERNEL, 0);

	EXPECT(t, id > 0);
	EXPECT(t, fault_rule_remove((u32)id));
	return failed;
}

static void counts_are_exact(struct ktest *t)
{
	u64 injected, given_up;

	host_machine_boot(&machine);
	injected = vmstat_read(VMSTAT_FAULT_INJECTED);
	given_up = vmstat_read(VMSTAT_ALLOC_GIVE_UP);
	/* From the left: the 8th request ... the 1st. */
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){0}, 8), 0xff);
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){.nth = 3}, 8), 0x04);
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){.interval = 3}, 8), 0x24);
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){.times = 2}, 8), 0x03);
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){.interval = 2, .times = 3}, 8), 0x2a);
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){.min_order = 1}, 8), 0x00);
	EXPECT_EQ(t, vmstat_read(VMSTAT_FAULT_INJECTED) - injected, 8 + 1 + 2 + 2 + 3);
	/* They have not failed for want of memory. */
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), given_up);
	EXPECT(t, host_log_contains("fault: rule 1 fails its request 8: order 0, GFP_KERNEL, by"));
	EXPECT(t, !host_log_contains("allocation failed"));
	EXPECT_EQ(t, which_fail(8, GFP_KERNEL, 0), 0);
	expect_check_clean(t);
}

/* A draw is its seed's, and about as often as it says. */
static void draws_follow_the_seed(struct ktest *t)
{
	struct fault_rule rule = {.probability = 25, .seed = 42, .quiet = true};
	u64 first, again, other;
	u32 failed = 0;

	host_machine_boot(&machine);
	first = fails_by(t, rule, 64);
	again = fails_by(t, rule, 64);
	rule.seed = 43;
	other = fails_by(t, rule, 64);
	EXPECT_EQ(t, first, again);
	EXPECT(t, first != other);
	for (u32 i = 0; i < 100; i++)
		failed += (u32)__builtin_popcountll(fails_by(
			t, (struct fault_rule){.probability = 25, .seed = i + 1, .quiet = true},
			64));
	/* 1600 of 6400 expected; a deviation is 35, and five of them are allowed. */
	EXPECT_MSG(t, failed > 1600 - 175 && failed < 1600 + 175, "%u of 6400", failed);
	EXPECT_EQ(t, fails_by(t, (struct fault_rule){.probability = 100, .quiet = true}, 64),
		  ~(u64)0);
}

/* A thread on a CPU: interrupts come on top of it. */
struct marked {
	int id;
	u64 in_interrupt, in_thread; /* as which_fail() */
};

static void ask_as_both(void *arg)
{
	struct marked *m = arg;

	fault_rule_mark(os_current(), (u32)m->id);
	host_in_interrupt = true;
	m->in_interrupt = which_fail(4, GFP_ATOMIC, 0);
	host_in_interrupt = false;
	m->in_thread = which_fail(4, GFP_KERNEL, 0);
}

static void tasks_are_told_apart(struct ktest *t)
{
	struct fault_rule_state state;
	struct marked m;
	struct os_thread *thread;

	host_machine_boot(&machine);
	m.id = fault_rule_add(&(struct fault_rule){.of_tasks = true, .nth = 2});
	EXPECT_EQ(t, which_fail(4, GFP_KERNEL, 0), 0);
	thread = os_thread_start("marked", 0, ask_as_both, &m);
	ASSERT_TRUE(t, thread != NULL);
	os_thread_join(thread);
	EXPECT_EQ(t, m.in_interrupt, 0);
	EXPECT_EQ(t, m.in_thread, 0x02);
	ASSERT_TRUE(t, fault_rule_state((u32)m.id, &state));
	EXPECT_EQ(t, state.seen, 4);
	EXPECT_EQ(t, state.failed, 1);
	fault_rule_mark(os_current(), (u32)m.id);
	/* The mark outlives the rule, and means nothing to the next. */
	EXPECT(t, fault_rule_remove((u32)m.id));
	EXPECT(t, fault_rule_add(&(struct fault_rule){.of_tasks = true}) > m.id);
	EXPECT_EQ(t, which_fail(4, GFP_KERNEL, 0), 0);
	fault_rules_remove_all();
}

/* In a section of its own: its call site is between the two names that the linker gives it. */
extern const char __start_fault_site[], __stop_fault_site[];

static __noinline __section("fault_site") struct page *another_site(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	__asm__ volatile("" : "+r"(page)); /* no tail call: the site is here */
	return page;
}

static void sites_are_told_apart(struct ktest *t)
{
	struct page *page;
	int id;

	host_machine_boot(&machine);
	id = fault_rule_add(&(struct fault_rule){.from = (uintptr_t)__start_fault_site,
						 .end = (uintptr_t)__stop_fault_site});
	EXPECT_EQ(t, which_fail(3, GFP_KERNEL, 0), 0);
	EXPECT(t, another_site() == NULL);
	EXPECT(t, fault_rule_remove((u32)id));

	/* The host's names of callers are their addresses. */
	id = fault_rule_add(&(struct fault_rule){.site = "caller 0x1234?"});
	EXPECT(t, (page = another_site()) != NULL);
	__free_pages(page, 0);
	EXPECT(t, fault_rule_remove((u32)id));
	id = fault_rule_add(&(struct fault_rule){.site = "caller *"});
	EXPECT(t, another_site() == NULL);
	EXPECT(t, fault_rule_remove((u32)id));
	expect_check_clean(t);
}

/* Each rule counts as if it were alone; a request fails once. */
static void rules_do_not_disturb_each_other(struct ktest *t)
{
	struct fault_rule_state state;
	u64 injected;
	int odd, all;

	host_machine_boot(&machine);
	injected = vmstat_read(VMSTAT_FAULT_INJECTED);
	all = fault_rule_add(&(struct fault_rule){.times = 5});
	odd = fault_rule_add(&(struct fault_rule){.interval = 2});
	EXPECT_EQ(t, which_fail(8, GFP_KERNEL, 0), 0xbf);
	EXPECT_EQ(t, vmstat_read(VMSTAT_FAULT_INJECTED) - injected, 7);
	ASSERT_TRUE(t, fault_rule_state((u32)odd, &state));
	EXPECT_EQ(t, state.seen, 8);
	EXPECT_EQ(t, state.failed, 4);
	ASSERT_TRUE(t, fault_rule_describe(0, &state));
	EXPECT_EQ(t, state.id, all);
	EXPECT_EQ(t, state.failed, 5);
	EXPECT(t, fault_rule_remove((u32)all));
	EXPECT(t, !fault_rule_remove((u32)all));
	ASSERT_TRUE(t, fault_rule_describe(0, &state));
	EXPECT_EQ(t, state.id, odd);
	fault_rules_remove_all();
	EXPECT(t, !fault_rule_describe(0, &state));
}

static void what_must_not_fail_does_not(struct ktest *t)
{
	struct fault_rule_state state;
	int id;

	host_machine_boot(&machine);
	id = fault_rule_add(&(struct fault_rule){0});
	EXPECT_EQ(t, which_fail(8, GFP_KERNEL | __GFP_NOFAIL, 0), 0);
	ASSERT_TRUE(t, fault_rule_state((u32)id, &state));
	EXPECT_EQ(t, state.seen, 0);
	EXPECT_EQ(t, which_fail(8, GFP_ATOMIC, 3), 0xff);
	/* What is refused for its flags is no request, and no rule sees it. */
	EXPECT(t, one_fails(GFP_KERNEL, NR_ORDERS));
	ASSERT_TRUE(t, fault_rule_state((u32)id, &state));
	EXPECT_EQ(t, state.seen, 8);
	fault_rules_remove_all();
}

/* On every CPU's list a block lies ready, and each request still comes to the question. */
static void hit_paths_are_closed_meanwhile(struct ktest *t)
{
	int first, second;

	host_machine_boot(&machine);
	which_fail(8, GFP_KERNEL, 0);
	EXPECT(t, hit_paths_are_open());
	first = fault_rule_add(&(struct fault_rule){.nth = 100});
	EXPECT(t, !hit_paths_are_open());
	second = fault_rule_add(&(struct fault_rule){.nth = 100});
	EXPECT(t, fault_rule_remove((u32)first));
	EXPECT(t, !hit_paths_are_open());
	EXPECT(t, fault_rule_remove((u32)second));
	EXPECT(t, hit_paths_are_open());
}

static void bad_rules_are_refused(struct ktest *t)
{
	struct fault_rule endless = {0};

	host_machine_boot(&machine);
	memset(endless.site, 'x', sizeof(endless.site));
	EXPECT_EQ(t, fault_rule_add(&endless), -EINVAL);
	EXPECT_EQ(t, fault_rule_add(&(struct fault_rule){.probability = 101}), -EINVAL);
	EXPECT_EQ(t, fault_rule_add(&(struct fault_rule){.min_order = NR_ORDERS}), -EINVAL);
	EXPECT_EQ(t, fault_rule_add(&(struct fault_rule){.from = 2, .end = 1}), -EINVAL);
	for (u32 i = 0; i < MAX_FAULT_RULES; i++)
		EXPECT(t, fault_rule_add(&(struct fault_rule){.nth = 1000}) > 0);
	EXPECT_EQ(t, fault_rule_add(&(struct fault_rule){0}), -ENOSPC);
	fault_rules_remove_all();
	EXPECT(t, hit_paths_are_open());
	EXPECT_EQ(t, which_fail(4, GFP_KERNEL, 0), 0);
}

/* --- Rules that come and go ------------------------------------------------------------------- */

#define ROUNDS 60

static u64 nr_none;                   /* atomic: requests that got nothing */
static bool rules_rest, tracer_rests; /* atomic: those who close and open have ended */

static void ask_for_some(u32 nr)
{
	while (nr-- > 0)
		__atomic_fetch_add(&nr_none, one_fails(GFP_KERNEL, nr % 3), __ATOMIC_RELAXED);
}

static void ask_on(void *arg)
{
	(void)arg;
	/* Bounded by who closes and opens, whose rounds are. Acquire: with what they did. */
	while (!load_acquire(&rules_rest) || !load_acquire(&tracer_rests)) {
		ask_for_some(10);
		pause_ns(100000); /* the CPU is the other's for a moment */
	}
}

static void rules_come_and_go(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < ROUNDS; i++) {
		int id = fault_rule_add(&(struct fault_rule){.interval = 3, .quiet = true});

		ask_for_some(10);
		fault_rule_remove((u32)id);
	}
	store_release(&rules_rest, true);
}

static void tracing_comes_and_goes(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < ROUNDS; i++) {
		trace_switch(true);
		ask_for_some(10);
		trace_switch(false);
	}
	store_release(&tracer_rests, true);
}

/* Two that close and open the same hit paths, and two that use them: nothing stays closed or is lost. */
static void closers_do_not_disturb_each_other(struct ktest *t)
{
	static void (*const bodies[])(void *) = {ask_on, ask_on, rules_come_and_go,
						 tracing_comes_and_goes};
	struct os_thread *thread[ARRAY_SIZE(bodies)];
	struct zone *zone;

	host_machine_boot(&machine);
	for (u32 i = 0; i < ARRAY_SIZE(bodies); i++) {
		thread[i] = os_thread_start("closer", i % 2, bodies[i], NULL);
		ASSERT_TRUE(t, thread[i] != NULL);
	}
	for (u32 i = 0; i < ARRAY_SIZE(bodies); i++)
		os_thread_join(thread[i]);
	EXPECT(t, load_relaxed(&nr_none) > 0);
	EXPECT_EQ(t, vmstat_read(VMSTAT_FAULT_INJECTED), load_relaxed(&nr_none));
	EXPECT(t, hit_paths_are_open());
	zone = zone_find(0, ZONE_DMA32);
	EXPECT(t, zone->fast_mark != ~(u64)0);
	EXPECT(t, zone->pcp[0]->list[0].hit_limit > 0 && zone->pcp[1]->list[0].hit_limit > 0);
	expect_check_clean(t);
}

/* --- The sweep ---------------------------------------------------------------------------------- */

#define PARTS 5

/* Five blocks or none. `*arg`: how many it forgets to give back when it fails. */
static enum sweep_answer take_five(void *arg)
{
	struct page *part[PARTS];
	u32 nr = 0, keep = *(u32 *)arg;
	bool done;

	while (nr < PARTS && (part[nr] = alloc_pages(GFP_KERNEL, nr)) != NULL)
		nr++;
	done = nr == PARTS;
	while (nr > (done ? 0 : keep)) {
		nr--;
		__free_pages(part[nr], nr);
	}
	return done ? SWEEP_DONE : SWEEP_FAILED;
}

static void a_sweep_fails_each_in_turn(struct ktest *t)
{
	u32 forgets = 0;
	struct sweep_result result;

	host_machine_boot(&machine);
	result = sweep(t, &(struct sweep){"five blocks", take_five, &forgets, .most = 10});
	EXPECT_EQ(t, result.requests, PARTS);
	EXPECT_EQ(t, result.failed, PARTS);
	EXPECT_EQ(t, result.managed, 0);
}

static enum sweep_answer pretend(void *arg)
{
	take_five(arg);
	return SWEEP_DONE;
}

static enum sweep_answer largest(void *arg)
{
	for (unsigned int order = 3;; order--) {
		if (!one_fails(GFP_KERNEL, order))
			return SWEEP_DONE;
		if (order == 0)
			return SWEEP_FAILED;
	}
	(void)arg;
}

/* A page lost, a failure hidden: the sweep's own expectations fail, each in a test of its own. */
static void a_sweep_finds_what_is_wrong(struct ktest *t)
{
	struct sweep_result result;
	struct ktest inner;
	u32 forgets = 1;

	host_machine_boot(&machine);
	inner = (struct ktest){.suite = "inner", .name = "loses"};
	sweep(&inner, &(struct sweep){"loses", take_five, &forgets, .most = 10});
	EXPECT(t, inner.failures > 0);
	forgets = 0;
	inner = (struct ktest){.suite = "inner", .name = "hides"};
	sweep(&inner, &(struct sweep){"hides", pretend, &forgets, .most = 10});
	EXPECT(t, inner.failures > 0);
	inner = (struct ktest){.suite = "inner", .name = "too many"};
	sweep(&inner, &(struct sweep){"too many", take_five, &forgets, .most = 3});
	EXPECT(t, inner.failures > 0);
	result = sweep(t, &(struct sweep){"another way", largest, NULL, .most = 3,
					  .has_another_way = true});
	EXPECT_EQ(t, result.requests, 1);
	EXPECT_EQ(t, result.managed, 1);
	EXPECT(t, hit_paths_are_open());
}

static void stress_tables_are_swept(struct ktest *t)
{
	host_machine_boot(&machine);
	stress_case_without_memory(t, 3);
}

static const struct ktest_case cases[] = {
	KTEST(counts_are_exact),
	KTEST(draws_follow_the_seed),
	KTEST(tasks_are_told_apart),
	KTEST(sites_are_told_apart),
	KTEST(rules_do_not_disturb_each_other),
	KTEST(what_must_not_fail_does_not),
	KTEST(hit_paths_are_closed_meanwhile),
	KTEST(bad_rules_are_refused),
	KTEST(closers_do_not_disturb_each_other),
	KTEST(a_sweep_fails_each_in_turn),
	KTEST(a_sweep_finds_what_is_wrong),
	KTEST(stress_tables_are_swept),
};
KTEST_SUITE(fault_inject, cases);
