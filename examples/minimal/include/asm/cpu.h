/* Seam 1, this CPU: <arch/cpu.h> has the contract. There is one, and nobody measures time. */
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

#endif
