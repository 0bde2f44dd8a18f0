/*
 * The stress of object caches on the host, where threads play CPUs: under ASan, and under ThreadSanitizer, which sees
 * also the races that went well.
 */
#include "host.h"

#include "mm/slab.h"
#include "tests/stress/slab_stress.h"

#define TIMER_US 200

static const struct host_machine two_nodes = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(96), 0}, {GiB(8), MiB(96), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

/* So little that requests are refused; node 1 has no memory. */
static const struct host_machine narrow = {
	.ram = {{0, MiB(18), 0}, {MiB(18), MiB(2), 2}},
	.nr_nodes = 3,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 2},
	.min_free_kbytes = 128,
};

static void tick(void *arg)
{
	(void)arg;
	slab_stress_interrupt();
}

static void begin_interrupts(void)
{
	host_timer_begin(4, TIMER_US, tick, NULL);
}

static struct slab_stress_plan plan_of(const struct ktest *t, u32 threads, u32 operations)
{
	return (struct slab_stress_plan){.seed = t->seed,
					 .cpus = 0xf,
					 .threads_per_cpu = threads,
					 .operations = operations,
					 .many_nodes = true,
					 .begin = begin_interrupts,
					 .end = host_beside_end};
}

static void all_cpus_at_all_caches(struct ktest *t)
{
	struct slab_stress_plan plan = plan_of(t, 2, 12000);

	host_machine_boot(&two_nodes);
	slab_all_cpus_run();
	slab_stress_case(t, &plan);
}

static void where_memory_is_short(struct ktest *t)
{
	struct slab_stress_plan plan = plan_of(t, 3, 4000);

	host_machine_boot(&narrow);
	slab_all_cpus_run();
	slab_stress_case(t, &plan);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(all_cpus_at_all_caches, 120),
	KTEST_SLOW(where_memory_is_short, 120),
};
KTEST_SUITE(slab_stress, cases);
