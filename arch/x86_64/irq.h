/* Interrupts, as the trap code sees them. */
#ifndef ARCH_X86_64_IRQ_H
#define ARCH_X86_64_IRQ_H

#include <x86/trap.h>

/* Any vector above those of exceptions; interrupts off. May switch threads before it returns. */
void irq_handle(const struct trap_frame *frame);

#endif
