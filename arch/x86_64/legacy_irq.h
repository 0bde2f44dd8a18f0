/* The interrupts of the two 8259s, as the trap code sees them. */
#ifndef ARCH_X86_64_LEGACY_IRQ_H
#define ARCH_X86_64_LEGACY_IRQ_H

#include <x86/trap.h>

#define LEGACY_IRQ_VECTOR 32 /* of IRQ 0; the others follow */
#define NR_LEGACY_IRQS    16

void legacy_irq_handle(const struct trap_frame *frame);

#endif
