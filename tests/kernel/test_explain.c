/*
 * What is said of a request and what becomes of it are the same, on the machine that booted: in the zone
 * of DMA, which is small enough to be used up anywhere, and in all of memory, as far as a table reaches.
 */
#include <kernel/test.h>
#include <mm/explain.h>
#include <mm/page_alloc.h>
#include <x86/smp.h>

#include "../stress/rehearsal.h"

static struct rehearsal_counts counts;

/* A drain looks at the lists of every CPU, so that many CPUs make each failure long. */
static u32 nr_requests(void)
{
	return nr_cpus_online() > 16 ? 2500 : 10000;
}

static void the_zone_of_dma(struct ktest *t)
{
	counts = (struct rehearsal_counts){0};
	rehearse_and_do(t, t->seed, nr_requests(), REHEARSAL_MAX_HELD, __GFP_DMA, &counts);
	EXPECT_EQ(t, counts.requests, nr_requests());
	EXPECT(t, counts.steps[STEP_FAST] > 0 && counts.steps[STEP_MIN] > 0);
	EXPECT(t, counts.steps[STEP_NO_MARKS] > 0 && counts.ends[EXPLAIN_FAILS] > 0);
	ktest_note(t, "fast %u, min %u, no marks %u, fails %u, maybe %u", counts.steps[STEP_FAST],
		   counts.steps[STEP_MIN], counts.steps[STEP_NO_MARKS], counts.ends[EXPLAIN_FAILS],
		   counts.ends[EXPLAIN_MAYBE]);
}

static void all_of_memory(struct ktest *t)
{
	counts = (struct rehearsal_counts){0};
	rehearse_and_do(t, t->seed, nr_requests(), REHEARSAL_MAX_HELD, 0, &counts);
	EXPECT_EQ(t, counts.requests, nr_requests());
	EXPECT(t, counts.steps[STEP_HIT] > 0 && counts.steps[STEP_FAST] > 0);
	ktest_note(t, "hit %u, fast %u, min %u, no marks %u, fails %u", counts.steps[STEP_HIT],
		   counts.steps[STEP_FAST], counts.steps[STEP_MIN], counts.steps[STEP_NO_MARKS],
		   counts.ends[EXPLAIN_FAILS]);
}

static const struct ktest_case cases[] = {
	KTEST(the_zone_of_dma),
	KTEST(all_of_memory),
};
KTEST_SUITE(explain, cases);
