/*
 * Ticks of other CPUs may be at the hook when it is taken away. An answer of each CPU shows that its tick is over.
 */
#include "tick_hook.h"

#include <mm/os_task.h>
#include <x86/smp.h>
#include <x86/trap.h>

static void nothing(void *arg)
{
	(void)arg;
}

void tick_hook_end(void)
{
	u32 cpu;

	tick_set_hook(NULL);
	for_each_online_cpu(cpu)
		os_run_on_cpu(cpu, nothing, NULL);
}
