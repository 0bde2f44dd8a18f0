/* Between single_step.c, its entry, and the exception that drives it. */
#ifndef ARCH_X86_64_SINGLE_STEP_INTERNAL_H
#define ARCH_X86_64_SINGLE_STEP_INTERNAL_H

#include <x86/trap.h>

#define VECTOR_DEBUG 1

/* A debug exception: true if it was a step of single_step(). */
bool single_step_trap(struct trap_frame *frame);

/* After it: a step with more to come, which counts as no interruption. */
bool single_step_goes_on(const struct trap_frame *frame);

/* single_step.asm: calls fn(arg) with the trap flag set. Where this code stands. */
void single_step_call(void (*fn)(void *arg), void *arg);
extern const char single_step_call_end[];

#endif
