/*
 * The soak of tests/soak/ in the kernel: by name only. `test=soak` is the short one, which `make test` boots;
 * soak_minutes=N makes it long, as `make soak` does.
 */
#include <arch/page.h>
#include <base/atomic.h>
#include <kernel/check.h>
#include <kernel/options.h>
#include <kernel/thread.h>
#include <x86/smp.h>
#include <x86/trap.h>

#include "../soak/soak.h"
#include "tick_hook.h"

#define SHORT_SECONDS 20
#define MORE_ROUNDS   4
#define MOST_SECONDS  300 /* of a round */
#define LIMIT_SECONDS (25 * 3600)
#define LEAVE_PAGES   (MiB(96) / PAGE_SIZE)
#define NS_PER_SECOND 1000000000ull

static struct soak *ticked; /* atomic: set while nobody looks */

static void hook(void)
{
	/* Acquire: with what it points to. */
	soak_from_interrupt(load_acquire(&ticked));
}

static void begin_ticks(struct soak *s)
{
	store_release(&ticked, s);
	tick_set_hook(hook);
}

static void end_ticks(struct soak *s)
{
	(void)s;
	tick_hook_end();
}

static struct soak_plan plan_of(u64 seed, bool is_long)
{
	struct soak_plan plan = {
		.seed = seed,
		.figures_ns = (is_long ? 60 : SHORT_SECONDS / 4) * NS_PER_SECOND,
		.leave_pages = LEAVE_PAGES,
		.file_percent = 150,
		.read_back_percent = is_long ? 100 : 10,
		.stress_operations = 120,
		.settle = threads_release_spares,
		.begin = begin_ticks,
		.end = end_ticks,
		.check = kernel_check,
	};
	u32 cpu;

	for_each_online_cpu(cpu)
		plan.cpus |= (u64)1 << cpu;
	return plan;
}

/* The next one has the next seed. */
static void run_round(struct ktest *t, struct soak_plan *plan, u64 seconds,
		      struct soak_figures *sum)
{
	ktest_note(t, "round: seed=%llu seconds=%llu", (unsigned long long)plan->seed,
		   (unsigned long long)seconds);
	plan->load_ns = seconds * NS_PER_SECOND;
	soak_round(t, plan, sum);
	soak_expect_nothing_wrong(t, sum);
	plan->before_s += seconds;
	plan->seed++;
}

static void everything_at_once(struct ktest *t)
{
	bool is_long = options.soak_minutes > 0;
	u64 seconds = is_long ? options.soak_minutes * 60 : SHORT_SECONDS;
	struct soak_plan plan = plan_of(t->seed, is_long);
	struct soak_figures sum = {0};

	while (plan.before_s < seconds && t->failures == 0)
		run_round(t, &plan, MIN(seconds - plan.before_s, (u64)MOST_SECONDS), &sum);
	/* On a busy host a short one may not have come to all. */
	for (u32 i = 0; i < MORE_ROUNDS && soak_missing_part(&sum) && t->failures == 0; i++)
		run_round(t, &plan, SHORT_SECONDS, &sum);
	soak_print(t, &sum, "all", plan.before_s);
	soak_expect_all_parts(t, &sum);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(everything_at_once, LIMIT_SECONDS),
};
KTEST_SUITE_BY_NAME(soak, cases);
