/*
 * LRU lists in the kernel: the stress with threads and timer interrupts of all CPUs at once.
 */
#include <kernel/thread.h>
#include <x86/smp.h>
#include <x86/trap.h>

#include "../stress/lru_stress.h"
#include "crowd.h"
#include "tick_hook.h"

#define OPERATIONS       8000u /* in all */
#define LEAST_OPERATIONS 200u  /* of a thread */
#define LIMIT_SECONDS    180

static void begin_ticks(void)
{
	tick_set_hook(lru_stress_interrupt);
}

static void every_page_comes_back(struct ktest *t)
{
	struct crowd crowd = crowd_of_all_cpus(OPERATIONS, LEAST_OPERATIONS);

	lru_stress_case(t, &(struct lru_stress_plan){.seed = t->seed,
						     .cpus = crowd.cpus,
						     .threads_per_cpu = crowd.threads_per_cpu,
						     .operations = crowd.operations,
						     .begin = begin_ticks,
						     .end = tick_hook_end,
						     .settle = threads_release_spares});
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(every_page_comes_back, LIMIT_SECONDS),
};
KTEST_SUITE(lru, cases);
