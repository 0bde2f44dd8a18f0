/*
 * Changing stacks: all of a thread that the architecture knows. See switch.asm.
 */
#ifndef X86_SWITCH_H
#define X86_SWITCH_H

#include <base/types.h>

/* Interrupts off. Returns when somebody switches back to what it has saved. */
void switch_stacks(uintptr_t *save, uintptr_t next);

/*
 * What switch_stacks() pops from a stack that nobody has run on: six registers, then where it
 * returns to. rbp is 0, which ends a backtrace; the word above is where a return address of `begin`
 * would be, so that the stack is aligned as after a call.
 */
static inline uintptr_t switch_prepare(uintptr_t stack_top, void (*begin)(void))
{
	u64 *at = (u64 *)stack_top;

	*--at = 0;
	*--at = (u64)(uintptr_t)begin;
	for (u32 i = 0; i < 6; i++)
		*--at = 0;
	return (uintptr_t)at;
}

#endif
