/*
 * The lock checker in this kernel: a context for each CPU, and who runs on it.
 */
#include <arch/preempt.h>
#include <x86/cpu_area.h>
#include <x86/trap.h>

#include "lockcheck_internal.h"

static struct lockcheck_context contexts[MAX_CPUS];

struct lockcheck_context *lockcheck_context(void)
{
	return &contexts[smp_processor_id()];
}

bool lockcheck_in_interrupt(void)
{
	return in_interrupt();
}

/* Before there are threads, each CPU is one. */
const void *lockcheck_thread(void)
{
	const void *thread = this_cpu_load_ptr(CPU_AREA_CURRENT);

	return thread ? thread : lockcheck_context();
}

void lockcheck_show_life(void)
{
	cpu_is_alive();
}
