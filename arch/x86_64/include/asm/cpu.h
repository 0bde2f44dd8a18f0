/* This CPU, on x86-64; the contract is in <arch/cpu.h>. */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <asm/percpu.h>
#include <base/types.h>

#define MAX_CPUS 64

static inline u32 smp_processor_id(void)
{
	return this_cpu_load_u32(CPU_AREA_CPU);
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

u64 arch_timestamp_to_ns(u64 ticks);

static inline bool this_task_may_hit(u32 flags)
{
	return this_cpu_is_above_u32(CPU_AREA_HIT_BOUND, flags);
}

#endif
