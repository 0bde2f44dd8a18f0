/*
 * Seam 1, part 2: the interrupt state of this CPU.
 *
 * <asm/irq.h> gives, inline:
 *
 *   unsigned long irq_save(void)       disables interrupts, returns what was before
 *   void irq_restore(unsigned long)    puts that back
 *   bool irqs_disabled(void)           who runs so does not wait for another CPU
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <base/types.h>

#include <asm/irq.h>

#endif
