/*
 * Preemption on the host; the contract is in <arch/preempt.h>. A thread that shares its CPU with
 * others gives it away now and then where it enables preemption: tests/host/cpus.c.
 */
#ifndef ASM_PREEMPT_H
#define ASM_PREEMPT_H

#include <asm/irq.h>

extern _Thread_local u32 host_preempt_count;
extern _Thread_local bool host_in_interrupt;

void host_preemption_came_on(void);

/* Between code and a thread that takes its CPU there is a mutex, so no barrier is needed. */
static inline void preempt_disable(void)
{
	host_preempt_count++;
}

static inline void preempt_enable(void)
{
	if (--host_preempt_count == 0 && !irqs_disabled())
		host_preemption_came_on();
}

static inline bool preemptible(void)
{
	return host_preempt_count == 0 && !irqs_disabled() && !host_in_interrupt;
}

#endif
