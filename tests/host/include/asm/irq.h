/*
 * Interrupt state on the host: a flag that tests can look at; the contract is in <arch/irq.h>. Other
 * threads that interrupt this CPU get in where it is cleared: tests/host/cpus.c.
 */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <base/types.h>

extern _Thread_local bool host_irqs_disabled;

void host_irqs_came_on(void);

static inline unsigned long irq_save(void)
{
	unsigned long flags = host_irqs_disabled;

	host_irqs_disabled = true;
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	host_irqs_disabled = flags != 0;
	if (!flags)
		host_irqs_came_on();
}

static inline bool irqs_disabled(void)
{
	return host_irqs_disabled;
}

#endif
