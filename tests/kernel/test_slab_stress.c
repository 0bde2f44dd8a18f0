/*
 * All CPUs at all caches, with timer interrupts that take part.
 */
#include <base/math.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/numa.h>
#include <x86/smp.h>
#include <x86/trap.h>

#include "../../mm/slab.h"
#include "../stress/slab_stress.h"
#include "crowd.h"
#include "tick_hook.h"

#define OPERATIONS       24000u /* in all */
#define LEAST_OPERATIONS 400u   /* of a thread */
#define LIMIT_SECONDS    180

static void begin_ticks(void)
{
	tick_set_hook(slab_stress_interrupt);
}

/* Somebody has others' objects on stacks of their own. With too many nodes there are none of these. */
static bool has_many_nodes(void)
{
	nodemask_t nodes = node_memory_mask() & node_cpu_mask();

	return (nodes & (nodes - 1)) != 0 && count_bits(node_memory_mask()) <= SLAB_ALIEN_NODES;
}

static void all_cpus_at_all_caches(struct ktest *t)
{
	struct crowd crowd = crowd_of_all_cpus(OPERATIONS, LEAST_OPERATIONS);

	slab_stress_case(t, &(struct slab_stress_plan){.seed = t->seed,
						       .cpus = crowd.cpus,
						       .threads_per_cpu = crowd.threads_per_cpu,
						       .operations = crowd.operations,
						       .many_nodes = has_many_nodes(),
						       .begin = begin_ticks,
						       .end = tick_hook_end,
						       .settle = threads_release_spares});
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(all_cpus_at_all_caches, LIMIT_SECONDS),
};
KTEST_SUITE(slab_stress, cases);
