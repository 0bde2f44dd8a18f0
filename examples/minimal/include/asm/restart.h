/*
 * Seam 1, this CPU's stacks: <arch/restart.h> has the contract. There is one CPU and nothing ever
 * interrupts it, so plain code will do; with interrupts it would stand between irq_save() and
 * irq_restore().
 */
#ifndef ASM_RESTART_H
#define ASM_RESTART_H

#include <base/types.h>

#define __restart_text

static inline void *cpu_stack_pop(struct cpu_stack *const stacks[])
{
	struct cpu_stack *stack = stacks[0];
	u32 nr = stack->nr;
	void *entry = NULL;

	if (nr > 0) {
		entry = stack->entry[nr - 1];
		stack->nr = nr - 1;
	}
	return entry;
}

static inline bool cpu_stack_push(struct cpu_stack *const stacks[], void *entry)
{
	struct cpu_stack *stack = stacks[0];
	u32 nr = stack->nr;
	bool ok = nr < stack->limit && (nr == 0 || stack->entry[nr - 1] != entry);

	if (ok) {
		stack->entry[nr] = entry;
		stack->nr = nr + 1;
	}
	return ok;
}

/* paging.c */
bool load_or_fault(const u64 *addr, u64 *value);

static inline bool reads_as(const u64 *addr, u64 value)
{
	u64 word;

	return load_or_fault(addr, &word) && word == value;
}

#endif
