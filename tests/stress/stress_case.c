/*
 * What is expected of the stress: that each page is back, and that what it is about has happened.
 *
 * Back means: in each zone as many free pages as before, on its lists or CPUs' own; then, with those
 * drained, blocks of the same sizes, since blocks that merge eagerly are what they were if and only
 * if the same frames are free; and every invariant of `check`.
 *
 * The first run of a plan is without operations and is not measured: what a kernel keeps of threads
 * that have ended (stacks, tables for them) is kept by then.
 */
#include <base/string.h>
#include <kernel/lockcheck.h>
#include <mm/check.h>
#include <mm/page_alloc.h>

#include "../sweep/sweep.h"
#include "pages_back.h"
#include "stress_internal.h"

#define MAX_ROUNDS 8

/* Zone locks that were waited for. */
static u64 contended_before, contended_after;

static u64 zone_locks_contended(void)
{
	struct lock_class_info info;

	for (u32 i = 0; lockcheck_class(i, &info); i++)
		if (strcmp(info.name, "zone") == 0)
			return info.contended;
	return 0;
}

static void expect_all_invariants(struct ktest *t)
{
	struct check_report report;

	EXPECT_MSG(t, mm_check(&report) && report.run > 0, "%s", report.first);
}

/* Read off counters: without them all of the above would hold of a test that did nothing. */
static void expect_that_it_happened(struct ktest *t, const struct stress *s)
{
	static const enum stress_count all[] = {
		STRESS_ALLOCS, STRESS_FREES,      STRESS_HANDED,   STRESS_COLLECTED, STRESS_DRAINS,
		STRESS_CLOSES, STRESS_SLEEPS,     STRESS_VERIFIED, STRESS_READ,      STRESS_CLAIMS,
		STRESS_IRQS,   STRESS_IRQ_ALLOCS, STRESS_IRQ_FREES};

	for (u32 i = 0; i < ARRAY_SIZE(all); i++)
		EXPECT_MSG(t, stress_counted(s, all[i]) > 0, "no %s", stress_count_name(all[i]));
	EXPECT(t, zone_events_between(PCP_REFILL) > 0);
	EXPECT(t, zone_events_between(PCP_FLUSH) > 0);
	EXPECT(t, zone_events_between(PCP_DRAINED) > 0);
	EXPECT(t, zone_events_between(ZONE_SPLIT) > 0);
	EXPECT(t, zone_events_between(CLAIM_CAPTURED_PAGES) > 0);
	EXPECT_EQ(t, zone_events_between(CLAIM_BEGUN), stress_counted(s, STRESS_CLAIMS));
	EXPECT_EQ(t, zone_events_between(CLAIM_COMPLETED), stress_counted(s, STRESS_GATHERED));
	EXPECT(t, zone_events_between(ZONE_MERGE) > 0);
	/* Each block was freed by somebody, once. */
	EXPECT_EQ(t, stress_counted(s, STRESS_ALLOCS) + stress_counted(s, STRESS_IRQ_ALLOCS),
		  stress_counted(s, STRESS_FREES) + stress_counted(s, STRESS_COLLECTED) +
			  stress_counted(s, STRESS_IRQ_FREES));
	EXPECT_EQ(t, stress_counted(s, STRESS_HANDED), stress_counted(s, STRESS_COLLECTED));
}

static void note(struct ktest *t, const struct stress *s, u64 seed)
{
	ktest_note(t,
		   "seed %llu: %llu allocs, %llu refused, %llu handed over, %llu drains, "
		   "%llu claims, %llu complete, %llu pages verified, %llu interrupts",
		   (unsigned long long)seed, (unsigned long long)stress_counted(s, STRESS_ALLOCS),
		   (unsigned long long)stress_counted(s, STRESS_REFUSED),
		   (unsigned long long)stress_counted(s, STRESS_HANDED),
		   (unsigned long long)stress_counted(s, STRESS_DRAINS),
		   (unsigned long long)stress_counted(s, STRESS_CLAIMS),
		   (unsigned long long)stress_counted(s, STRESS_GATHERED),
		   (unsigned long long)stress_counted(s, STRESS_VERIFIED),
		   (unsigned long long)stress_counted(s, STRESS_IRQS));
	ktest_note(t, "zone locks waited for %llu times, lists found busy %llu times",
		   (unsigned long long)(contended_after - contended_before),
		   (unsigned long long)zone_events_between(PCP_BUSY));
}

static void run_without_operations(struct ktest *t, const struct stress_plan *plan)
{
	struct stress_plan nothing = *plan;
	struct stress *s;

	nothing.operations = 0;
	s = stress_create(&nothing);
	ASSERT_TRUE(t, s != NULL);
	EXPECT(t, stress_run(s));
	stress_destroy(s);
}

/* What threads and CPUs keep for themselves goes back to the zones. */
static void settle(const struct stress_plan *plan)
{
	if (plan->settle)
		plan->settle();
	pages_settle();
}

/* NULL: it could not be done. */
static struct stress *run_measured(struct ktest *t, const struct stress_plan *plan,
				   void (*begin)(struct stress *s), void (*end)(struct stress *s))
{
	struct stress *s;
	bool complete;

	run_without_operations(t, plan);
	s = stress_create(plan);
	if (!EXPECT(t, s != NULL))
		return NULL;
	settle(plan);
	pages_before();
	contended_before = zone_locks_contended();
	if (begin)
		begin(s);
	complete = stress_run(s);
	if (end)
		end(s);
	if (plan->settle)
		plan->settle();
	pages_after();
	contended_after = zone_locks_contended();
	EXPECT(t, complete);
	expect_counts_as_before(t);
	settle(plan);
	pages_after();
	expect_blocks_as_before(t);
	expect_all_invariants(t);
	note(t, s, plan->seed);
	return s;
}

/* Did CPUs get into each other's way? */
static bool met(void)
{
	return contended_after > contended_before || zone_events_between(PCP_BUSY) > 0;
}

/* On a host that runs one CPU at a time they may meet in the next run, or the one after it. */
void stress_case(struct ktest *t, const struct stress_plan *plan, void (*begin)(struct stress *s),
		 void (*end)(struct stress *s))
{
	bool alone = (plan->cpus & (plan->cpus - 1)) == 0;
	struct stress_plan round = *plan;

	for (u32 i = 0; i == 0 || (i < MAX_ROUNDS && !alone && !met()); i++, round.seed += 1000) {
		struct stress *s = run_measured(t, &round, begin, end);

		if (!s)
			return;
		expect_that_it_happened(t, s);
		EXPECT_MSG(t,
			   stress_counted(s, STRESS_BAD) + stress_counted(s, STRESS_STRAYED) == 0,
			   "%s", stress_first_finding(s));
		stress_destroy(s);
	}
	EXPECT(t, alone || met());
}

void stress_case_fault(struct ktest *t, const struct stress_plan *plan)
{
	struct stress *s = run_measured(t, plan, NULL, NULL);

	if (!s)
		return;
	EXPECT_EQ(t, stress_counted(s, STRESS_FAULTS), 1);
	EXPECT_EQ(t, stress_counted(s, STRESS_BAD), 1);
	EXPECT_EQ(t, stress_counted(s, STRESS_STRAYED), 0);
	EXPECT_MSG(t, strncmp(stress_first_finding(s), "pfn 0x", 6) == 0, "%s",
		   stress_first_finding(s));
	ktest_note(t, "found: %s", stress_first_finding(s));
	stress_destroy(s);
}

static enum sweep_answer make_tables(void *plan)
{
	struct stress *s = stress_create(plan);

	if (!s)
		return SWEEP_FAILED;
	stress_destroy(s);
	return SWEEP_DONE;
}

void stress_case_without_memory(struct ktest *t, u64 cpus)
{
	struct stress_plan plan = {
		.seed = 1, .cpus = cpus, .threads_per_cpu = 2, .operations = 10, .max_order = 3};
	struct sweep_result result = sweep(
		t,
		&(struct sweep){.what = "stress", .work = make_tables, .arg = &plan, .most = 200});

	EXPECT(t, result.requests > 0);
	EXPECT_EQ(t, result.failed, result.requests);
}
