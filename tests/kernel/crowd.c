/* The share of each CPU: see crowd.h. */
#include "crowd.h"

#include <base/math.h>
#include <x86/smp.h>

/* Up to so many CPUs have two threads each, which get into each other's way. */
#define CPUS_OF_TWO_THREADS 8

struct crowd crowd_of_all_cpus(u32 operations_in_all, u32 least_of_a_thread)
{
	struct crowd crowd = {.threads_per_cpu = nr_cpus_online() <= CPUS_OF_TWO_THREADS ? 2 : 1};
	u32 cpu;

	for_each_online_cpu(cpu)
		crowd.cpus |= (u64)1 << cpu;
	crowd.operations = MAX(operations_in_all / (nr_cpus_online() * crowd.threads_per_cpu),
			       least_of_a_thread);
	return crowd;
}
