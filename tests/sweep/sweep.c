/*
 * The sweep: see sweep.h.
 *
 * A rule for the n-th request of this task does it (fault_rule.nth): what other threads and interrupts
 * ask for meanwhile neither fails nor is counted. While there is a rule no hit path serves: each request for an object is
 * seen, and the one for a page that an object may need, too. Before each time the caches give back what they keep, so that
 * it is needed again. "Nothing lost" is two sums and the invariants: as many pages free as before, caches and CPUs' lists
 * emptied, plus what stays for good and is counted elsewhere.
 */
#include "sweep.h"

#include <mm/check.h>
#include <mm/fault_inject.h>
#include <mm/vmstat.h>

#include "../stress/pages_back.h"

static u64 pages_accounted(const struct sweep *s)
{
	struct vm_totals totals;

	if (s->settle)
		s->settle();
	pages_settle();
	vm_totals(&totals);
	return totals.free_pages + totals.pcp_pages + (s->kept ? s->kept() : 0);
}

/* What came of the work with its n-th request failed, or with fewer than n. */
struct round {
	struct fault_rule_state rule;
	enum sweep_answer answer;
};

static struct round work_with_failure(const struct sweep *s, u64 nth)
{
	struct round round = {0};
	int id = fault_rule_add(
		&(const struct fault_rule){.of_tasks = true, .nth = nth, .quiet = true});

	if (id <= 0)
		return round;
	fault_rule_mark(os_current(), (u32)id);
	round.answer = s->work(s->arg);
	fault_rule_state((u32)id, &round.rule);
	fault_rule_remove((u32)id);
	return round;
}

static bool answer_is_clean(const struct sweep *s, const struct round *round)
{
	if (round->rule.failed == 0)
		return round->answer == SWEEP_DONE;
	return round->answer == SWEEP_FAILED || (round->answer == SWEEP_DONE && s->has_another_way);
}

/* False: no use in going on. */
static bool one_round(struct ktest *t, const struct sweep *s, u64 nth, struct round *round)
{
	u64 before = pages_accounted(s), after, injected = vmstat_read(VMSTAT_FAULT_INJECTED);
	bool good;

	*round = work_with_failure(s, nth);
	good = EXPECT_MSG(t, round->rule.id != 0, "%s: no rule to be had", s->what);
	good &= EXPECT_MSG(t, answer_is_clean(s, round), "%s, request %llu of %llu %s: answer %d",
			   s->what, (unsigned long long)nth, (unsigned long long)round->rule.seen,
			   round->rule.failed ? "failed" : "not made", (int)round->answer);
	good &= EXPECT_EQ(t, vmstat_read(VMSTAT_FAULT_INJECTED) - injected, round->rule.failed);
	after = pages_accounted(s);
	good &= EXPECT_MSG(t, before == after, "%s, request %llu: %llu pages became %llu", s->what,
			   (unsigned long long)nth, (unsigned long long)before,
			   (unsigned long long)after);
	return good;
}

struct sweep_result sweep(struct ktest *t, const struct sweep *s)
{
	u32 stride = s->stride ? s->stride : 1;
	struct sweep_result result = {0};
	struct check_report report;
	struct round round;

	for (u32 nth = 1;; nth += stride) {
		if (!EXPECT_MSG(t, nth <= s->most + stride, "%s: more than %u requests", s->what,
				s->most) ||
		    !one_round(t, s, nth, &round))
			return (struct sweep_result){0};
		if (round.rule.failed == 0)
			break;
		if (round.answer == SWEEP_DONE)
			result.managed++;
		else
			result.failed++;
	}
	result.requests = (u32)round.rule.seen;
	EXPECT_MSG(t, mm_check(&report), "%s: check finds %s", s->what, report.first);
	ktest_note(t, "%s: %u requests; with each failed in turn: %u clean failures, %u done",
		   s->what, result.requests, result.failed, result.managed);
	return result;
}
