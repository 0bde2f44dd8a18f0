/*
 * Stacks of each CPU on the host; the contract is in <arch/restart.h>. Interrupts come where they are
 * enabled and threads are switched where preemption is (tests/host/cpus.c): with interrupts off there
 * is nothing in between.
 */
#ifndef ASM_RESTART_H
#define ASM_RESTART_H

#include <asm/cpu.h>
#include <asm/irq.h>
#include <base/atomic.h>

#define __restart_text

/* The number is read by others, relaxed; so it is written so. */
static inline void *cpu_stack_pop(struct cpu_stack *const stacks[])
{
	unsigned long flags = irq_save();
	struct cpu_stack *stack = stacks[smp_processor_id()];
	u32 nr = stack->nr;
	void *entry = NULL;

	if (nr > 0) {
		entry = stack->entry[nr - 1];
		store_relaxed(&stack->nr, nr - 1);
	}
	irq_restore(flags);
	return entry;
}

static inline bool cpu_stack_push(struct cpu_stack *const stacks[], void *entry)
{
	unsigned long flags = irq_save();
	struct cpu_stack *stack = stacks[smp_processor_id()];
	u32 nr = stack->nr;
	bool ok = nr < stack->limit && (nr == 0 || stack->entry[nr - 1] != entry);

	if (ok) {
		stack->entry[nr] = entry;
		store_relaxed(&stack->nr, nr + 1);
	}
	irq_restore(flags);
	return ok;
}

/* Only what the fake machine has mapped, RAM or memory map, counts. */
bool load_or_fault(const u64 *addr, u64 *value);

static inline bool reads_as(const u64 *addr, u64 value)
{
	u64 word;

	return load_or_fault(addr, &word) && word == value;
}

#endif
