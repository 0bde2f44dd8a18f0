/* What each tick does, on each CPU. */
#ifndef ARCH_X86_64_TICK_H
#define ARCH_X86_64_TICK_H

#include <x86/trap.h>

/* From the timer's interrupt, interrupts off. */
void tick(const struct trap_frame *frame);

#endif
