/* Seam 1, this CPU: <arch/cpu.h> has the contract. There is one. */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <base/types.h>

#define MAX_CPUS 1

static inline u32 smp_processor_id(void)
{
	return 0;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline u64 arch_timestamp(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return ((u64)high << 32) | low;
}

/* As if by 1 GHz: nobody has measured it, and only limits of waits are made of it. */
static inline u64 arch_timestamp_to_ns(u64 ticks)
{
	return ticks;
}

bool this_task_may_hit(u32 flags); /* port.c */

#endif
