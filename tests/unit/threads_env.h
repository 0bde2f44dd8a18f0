/*
 * Four CPUs of one node, for the tests of the host's threads. Included once by each of them.
 */
#ifndef TESTS_UNIT_THREADS_ENV_H
#define TESTS_UNIT_THREADS_ENV_H

#include "host.h"

#include <arch/cpu.h>
#include <mm/numa.h>
#include <mm/os.h>

#define NR_CPUS 4
#define MS      1000000ull
#define LIMIT   20000000000ull /* ns: whoever waits so long was not woken */

static inline void four_cpus(void)
{
	static struct numa_topology topology;
	static const struct host_machine machine = {
		.ram = {{0, MiB(16), 0}}, .nr_nodes = 1, .nr_cpus = NR_CPUS};

	host_machine_memory(&machine);
	host_machine_topology(&machine, &topology);
	if (numa_init(&topology) != 0)
		os_panic("no topology");
}

static inline u64 now_ns(void)
{
	return arch_timestamp_to_ns(arch_timestamp());
}

#endif
