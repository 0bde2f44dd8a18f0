/*
 * The stress of tests/stress/ in the kernel: threads and timer interrupts of all CPUs at once.
 *
 * The number of operations of each follows from the number of CPUs, since under QEMU's TCG they share the
 * host's: a lock is handed over to a CPU that is not running, and that costs a slice of the host's
 * time for each of those in front of it. So what is done in all does not grow with them.
 */
#include <base/atomic.h>
#include <kernel/thread.h>
#include <x86/smp.h>
#include <x86/trap.h>

#include "../stress/stress.h"
#include "crowd.h"
#include "tick_hook.h"

#define OPERATIONS       8000u /* in all */
#define LEAST_OPERATIONS 120u  /* of a thread: each kind comes */
#define LIMIT_SECONDS    180   /* sixty-four CPUs on two of the host's */

static struct stress *ticked; /* atomic: set while nobody looks */

static void hook(void)
{
	/* Acquire: with what it points to. */
	stress_from_interrupt(load_acquire(&ticked));
}

static void begin_ticks(struct stress *s)
{
	store_release(&ticked, s);
	tick_set_hook(hook);
}

static void end_ticks(struct stress *s)
{
	(void)s;
	tick_hook_end();
}

static struct stress_plan all_cpus(const struct ktest *t)
{
	struct crowd crowd = crowd_of_all_cpus(OPERATIONS, LEAST_OPERATIONS);

	return (struct stress_plan){.seed = t->seed,
				    .cpus = crowd.cpus,
				    .threads_per_cpu = crowd.threads_per_cpu,
				    .operations = crowd.operations,
				    .max_order = 8,
				    .settle = threads_release_spares};
}

static void every_page_comes_back(struct ktest *t)
{
	struct stress_plan plan = all_cpus(t);

	stress_case(t, &plan, begin_ticks, end_ticks);
	EXPECT_EQ(t, threads_nr_spares(), 0); /* else their frames were compared, too */
}

static void a_doubled_page_is_seen(struct ktest *t)
{
	struct stress_plan plan = all_cpus(t);

	plan.cpus &= 3;
	plan.threads_per_cpu = 2;
	plan.operations = 400;
	plan.fault_at = 200;
	stress_case_fault(t, &plan);
	EXPECT_EQ(t, threads_nr_spares(), 0);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(every_page_comes_back, LIMIT_SECONDS),
	KTEST_SLOW(a_doubled_page_is_seen, LIMIT_SECONDS),
};
KTEST_SUITE(stress, cases);
