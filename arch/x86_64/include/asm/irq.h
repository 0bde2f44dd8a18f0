/* Interrupt state on x86-64: the IF bit of RFLAGS; the contract is in <arch/irq.h>. */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <base/types.h>

#define RFLAGS_IF 0x200UL

static inline unsigned long irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags & RFLAGS_IF)
		__asm__ volatile("sti" : : : "memory");
}

static inline bool irqs_disabled(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return !(flags & RFLAGS_IF);
}

#endif
