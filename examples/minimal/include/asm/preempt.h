/* Seam 1, preemption: <arch/preempt.h> has the contract. There are no threads. */
#ifndef ASM_PREEMPT_H
#define ASM_PREEMPT_H

static inline void preempt_disable(void)
{
}

static inline void preempt_enable(void)
{
}

#endif
