/*
 * The stress of tests/stress/ on the host, where threads play CPUs: under ASan, and under ThreadSanitizer,
 * which sees also the races that went well.
 *
 * Interrupts come from one more thread, a timer that goes from CPU to CPU. What it interrupts stands
 * still meanwhile, at a place where interrupts are enabled (tests/host/cpus.c): not at each
 * instruction, but within the ownership of a page list, and in the name of its CPU.
 */
#include "host.h"

#include <base/atomic.h>
#include <mm/os.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/stress/stress.h"

#define TIMER_US 200

/*
 *	4G            4G+256M     8G            8G+256M
 *	|   node 0    |           |   node 1    |           and 32 MiB for DMA and DMA32
 */
static const struct host_machine two_nodes = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(256), 0}, {GiB(8), MiB(256), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

/* So little that requests are refused and lists drained under pressure; node 1 has no memory. */
static const struct host_machine narrow = {
	.ram = {{0, MiB(24), 0}, {MiB(24), MiB(12), 2}},
	.nr_nodes = 3,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 2},
};

static struct stress *timed;
static pthread_t timer;
static bool timer_ends; /* atomic */

static void tick(void *arg)
{
	stress_from_interrupt(arg);
}

static void *run_timer(void *arg)
{
	/* Relaxed: only when to end. */
	for (u32 cpu = 0; !load_relaxed(&timer_ends); cpu = (cpu + 1) % 4) {
		host_interrupt(cpu, tick, arg);
		usleep(TIMER_US);
	}
	return NULL;
}

static void begin_interrupts(struct stress *s)
{
	timed = s;
	timer_ends = false;
	if (pthread_create(&timer, NULL, run_timer, timed) != 0)
		os_panic("no thread");
}

static void end_interrupts(struct stress *s)
{
	(void)s;
	store_relaxed(&timer_ends, true);
	pthread_join(timer, NULL);
}

static void every_page_comes_back(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed,
					 .cpus = 0xf,
					 .threads_per_cpu = 2,
					 .operations = 20000,
					 .max_order = 10};

	host_machine_boot(&two_nodes);
	stress_case(t, &plan, begin_interrupts, end_interrupts);
}

static void under_pressure(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed + 1,
					 .cpus = 0xf,
					 .threads_per_cpu = 3,
					 .operations = 5000,
					 .max_order = 7};

	host_machine_boot(&narrow);
	stress_case(t, &plan, begin_interrupts, end_interrupts);
}

static void one_cpu(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed + 2,
					 .cpus = 0x1,
					 .threads_per_cpu = 3,
					 .operations = 3000,
					 .max_order = 6};

	host_machine_boot(&two_nodes);
	stress_case(t, &plan, begin_interrupts, end_interrupts);
}

static void a_doubled_page_is_seen(struct ktest *t)
{
	for (u32 i = 0; i < 4; i++) {
		const struct stress_plan plan = {.seed = t->seed + 3 + i,
						 .cpus = 0x3,
						 .threads_per_cpu = 2,
						 .operations = 500,
						 .max_order = 6,
						 .fault_at = 100 + 90 * i};

		if (i == 0)
			host_machine_boot(&two_nodes);
		stress_case_fault(t, &plan);
	}
}

static const struct ktest_case cases[] = {
	KTEST(every_page_comes_back),
	KTEST(under_pressure),
	KTEST(one_cpu),
	KTEST(a_doubled_page_is_seen),
};
KTEST_SUITE(stress, cases);
