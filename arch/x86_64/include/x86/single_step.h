/*
 * One instruction at a time: a function that looks on is called before each instruction of another.
 */
#ifndef X86_SINGLE_STEP_H
#define X86_SINGLE_STEP_H

#include <base/types.h>

struct trap_frame;

/*
 * Runs fn(arg) on this CPU, and `handler` before each of its instructions and of what it calls;
 * returns how many there were. Interrupts come as ever and are not stepped. Preemption is off
 * meanwhile, and fn must not sleep. Call in a thread; one at a time on a CPU.
 *
 * The handler is given the registers as they stand; frame->rip is the instruction that comes next. It
 * runs as an interrupt does: interrupts off, in_interrupt(), no sleep; what it calls is not stepped.
 * But it comes where no interrupt would, as an NMI does: while frame->rflags lacks RFLAGS_IF, the
 * stepped code may hold any lock, and the handler may wait for none. If it returns false, fn goes on
 * by itself.
 */
u64 single_step(void (*fn)(void *arg), void *arg,
		bool (*handler)(const struct trap_frame *frame, void *arg), void *handler_arg);

#endif
