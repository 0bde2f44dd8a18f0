/*
 * The stress of LRU lists on the host, where threads play CPUs: under ASan, and under ThreadSanitizer.
 * Interrupts come from one more thread, that goes from CPU to CPU.
 */
#include "host.h"

#include <arch/page.h>

#include "tests/stress/lru_stress.h"

#define TIMER_US 100
/* ThreadSanitizer sees a race in any order of its accesses, and makes each of them ten times as dear. */
#define OPERATIONS(nr) (HOST_TSAN ? (nr) / 4 : (nr))

static const struct host_machine two_nodes = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(32), 0}, {GiB(8), MiB(32), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

static void tick(void *arg)
{
	(void)arg;
	lru_stress_interrupt();
}

static void begin_interrupts(void)
{
	host_timer_begin(4, TIMER_US, tick, NULL);
}

static void every_page_comes_back(struct ktest *t)
{
	const struct lru_stress_plan plan = {.seed = t->seed,
					     .cpus = 0xf,
					     .threads_per_cpu = 2,
					     .operations = OPERATIONS(20000),
					     .begin = begin_interrupts,
					     .end = host_beside_end};

	host_machine_boot(&two_nodes);
	lru_stress_case(t, &plan);
}

static void one_cpu(struct ktest *t)
{
	const struct lru_stress_plan plan = {.seed = t->seed + 1,
					     .cpus = 1,
					     .threads_per_cpu = 2,
					     .operations = OPERATIONS(10000),
					     .begin = begin_interrupts,
					     .end = host_beside_end};

	host_machine_boot(&two_nodes);
	lru_stress_case(t, &plan);
}

static const struct ktest_case cases[] = {
	KTEST(every_page_comes_back),
	KTEST(one_cpu),
};
KTEST_SUITE(lru_stress, cases);
