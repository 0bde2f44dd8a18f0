/*
 * Preemption on x86-64; the contract is in <arch/preempt.h>.
 *
 * preempt_count is this CPU's word: how often preemption is disabled, and in its top bit, inverted,
 * whether a switch is wanted. So zero says both "enabled" and "wanted", and the outermost
 * preempt_enable() is a decrement and a jump that is hardly ever taken. Only this CPU writes it; who
 * wants a switch on another CPU sends it an interrupt.
 */
#ifndef ASM_PREEMPT_H
#define ASM_PREEMPT_H

#include <asm/irq.h>
#include <asm/percpu.h>
#include <base/types.h>

#define PREEMPT_NOT_WANTED 0x80000000u

/* kernel/sched: switches if that is possible now (interrupts on, not in one). */
void preempt_schedule(void);
/* The same from the end of an interrupt, where it is possible: interrupts off, before and after. */
void preempt_schedule_irq(void);

static inline void preempt_disable(void)
{
	__asm__ volatile("incl %%gs:%c0" : : "i"(CPU_AREA_PREEMPT) : "memory", "cc");
}

/*
 * The thunk saves every register and aligns the stack, so that the compiler need not know of a call
 * that hardly ever happens: a function that is otherwise a leaf stays one.
 */
static inline void preempt_enable(void)
{
	__asm__ volatile("decl %%gs:%c0\n\t"
			 "jnz 1f\n\t"
			 "call preempt_schedule_thunk\n"
			 "1:"
			 :
			 : "i"(CPU_AREA_PREEMPT)
			 : "memory", "cc");
}

static inline u32 preempt_depth(void)
{
	return this_cpu_load_u32(CPU_AREA_PREEMPT) & ~PREEMPT_NOT_WANTED;
}

static inline bool in_interrupt(void)
{
	return this_cpu_load_u32(CPU_AREA_IRQ_DEPTH) != 0;
}

static inline bool preemptible(void)
{
	return preempt_depth() == 0 && !irqs_disabled() && !in_interrupt();
}

/* A switch is wanted, and preemption is not disabled. */
static inline bool preempt_is_due(void)
{
	return this_cpu_load_u32(CPU_AREA_PREEMPT) == 0;
}

/* The switch that was wanted is being made. Interrupts off. */
static inline void preempt_unwant(void)
{
	__asm__ volatile("orl %0, %%gs:%c1"
			 :
			 : "i"(PREEMPT_NOT_WANTED), "i"(CPU_AREA_PREEMPT)
			 : "memory", "cc");
}

/* A switch is wanted on this CPU: the next preempt_enable() or end of an interrupt obeys. */
static inline void preempt_want(void)
{
	__asm__ volatile("andl %0, %%gs:%c1"
			 :
			 : "i"(~PREEMPT_NOT_WANTED), "i"(CPU_AREA_PREEMPT)
			 : "memory", "cc");
}

#endif
