/*
 * Seam 1, interrupts: <arch/irq.h> has the contract.
 *
 * This kernel never enables interrupts; mm/ must not need to know that, so these are real. They are
 * those of arch/x86_64, word for word: this directory stands alone, to be copied from.
 */
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
