/*
 * All CPUs at one thing: how many threads, and how much each does. What is done in all does not grow with the CPUs,
 * since they share the host's; but no thread does so little that some kinds of work do not come.
 */
#ifndef TESTS_CROWD_H
#define TESTS_CROWD_H

#include <base/types.h>

struct crowd {
	u64 cpus; /* a bit each */
	u32 threads_per_cpu;
	u32 operations; /* of each thread */
};

struct crowd crowd_of_all_cpus(u32 operations_in_all, u32 least_of_a_thread);

#endif
