/* Preemption on the host, where a thread is a CPU: none; the contract is in <arch/preempt.h>. */
#ifndef ASM_PREEMPT_H
#define ASM_PREEMPT_H

#include <asm/irq.h>

static inline void preempt_disable(void)
{
}

static inline void preempt_enable(void)
{
}

static inline bool preemptible(void)
{
	return !irqs_disabled();
}

#endif
