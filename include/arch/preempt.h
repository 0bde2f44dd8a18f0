/*
 * Seam 1, part 5: whether this CPU may be given to another thread.
 *
 * <asm/preempt.h> gives, inline:
 *
 *   void preempt_disable(void)     from here on the thread keeps the CPU; nests
 *   void preempt_enable(void)      undoes one; the outermost switches threads at once if that was
 *                                  wanted meanwhile and interrupts are on
 *   bool preemptible(void)         for assertions: not disabled, interrupts on, not in an interrupt
 *
 * Interrupts still come. Where there are no threads, the first two do nothing.
 */
#ifndef ARCH_PREEMPT_H
#define ARCH_PREEMPT_H

#include <asm/preempt.h>

#endif
