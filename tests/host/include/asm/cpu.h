/* This CPU, on the host: each thread says which one it plays; the contract is in <arch/cpu.h>. */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <base/types.h>

#define MAX_CPUS 64

extern _Thread_local u32 host_cpu;

static inline u32 smp_processor_id(void)
{
	return host_cpu;
}

void cpu_relax(void);
u64 arch_timestamp(void); /* nanoseconds */

static inline u64 arch_timestamp_to_ns(u64 ticks)
{
	return ticks;
}

bool this_task_may_hit(u32 flags);

#endif
