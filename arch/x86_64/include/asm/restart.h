/*
 * Restartable sections on x86-64; the contract is in <arch/restart.h>, theory in docs/restart.md.
 *
 * A section changes nothing that matters but by its last instruction, and may begin again at any time:
 * so what it reads it leaves alone (inputs), and what it writes before is scratch (early-clobbered
 * outputs, the slot above the top). Each adds a struct restart_section to a table, by which the way out
 * of every trap knows it: <x86/restart.h>.
 *
 * Each says `volatile`, though by the language every asm goto is: gcc 12 drops one whose outputs nobody uses, as the
 * push's are.
 */
#ifndef ASM_RESTART_H
#define ASM_RESTART_H

#include <asm/percpu.h>
#include <base/types.h>

/* So that the way out of a trap has one comparison to make. What is inlined stands elsewhere. */
#define __restart_text __section(".text.restart") __noinline

/* From local label 1 up to 2, which is behind the store. */
#define RESTART_SECTION                            \
	".pushsection restart_sections, \"a\"\n\t" \
	".quad 1b, 2b\n\t"                         \
	".popsection\n\t"

static __always_inline void *cpu_stack_pop(struct cpu_stack *const stacks[])
{
	struct cpu_stack *stack;
	u64 nr;
	void *entry;

	__asm__ volatile goto("1:\tmovl %%gs:%c[cpu], %k[stack]\n\t"
			      "movq (%[stacks], %[stack], 8), %[stack]\n\t"
			      "movl %c[at_nr](%[stack]), %k[nr]\n\t"
			      "subl $1, %k[nr]\n\t"
			      "jc %l[empty]\n\t"
			      "movq %c[at_entry](%[stack], %[nr], 8), %[entry]\n\t"
			      "movl %k[nr], %c[at_nr](%[stack])\n"
			      "2:\n\t" RESTART_SECTION
			      : [stack] "=&r"(stack), [nr] "=&r"(nr), [entry] "=&r"(entry)
			      : [stacks] "r"(stacks), [cpu] "i"(CPU_AREA_CPU),
				[at_nr] "i"(__builtin_offsetof(struct cpu_stack, nr)),
				[at_entry] "i"(__builtin_offsetof(struct cpu_stack, entry))
			      : "memory", "cc"
			      : empty);
	if (!entry)
		__builtin_unreachable();
	return entry;
empty:
	return NULL;
}

static __always_inline bool cpu_stack_push(struct cpu_stack *const stacks[], void *entry)
{
	struct cpu_stack *stack;
	u64 nr;

	__asm__ volatile goto("1:\tmovl %%gs:%c[cpu], %k[stack]\n\t"
			      "movq (%[stacks], %[stack], 8), %[stack]\n\t"
			      "movl %c[at_nr](%[stack]), %k[nr]\n\t"
			      "cmpl %c[at_limit](%[stack]), %k[nr]\n\t"
			      "jae %l[refused]\n\t"
			      "cmpq %[entry], %c[at_top](%[stack], %[nr], 8)\n\t"
			      "je %l[refused]\n\t"
			      "movq %[entry], %c[at_entry](%[stack], %[nr], 8)\n\t"
			      "incl %c[at_nr](%[stack])\n"
			      "2:\n\t" RESTART_SECTION
			      : [stack] "=&r"(stack), [nr] "=&r"(nr)
			      : [stacks] "r"(stacks), [entry] "r"(entry), [cpu] "i"(CPU_AREA_CPU),
				[at_nr] "i"(__builtin_offsetof(struct cpu_stack, nr)),
				[at_limit] "i"(__builtin_offsetof(struct cpu_stack, limit)),
				[at_top] "i"(__builtin_offsetof(struct cpu_stack, never_an_entry)),
				[at_entry] "i"(__builtin_offsetof(struct cpu_stack, entry))
			      : "memory", "cc"
			      : refused);
	return true;
refused:
	return false;
}

/* In these the first instruction may fault, and the fault's handler knows it: <x86/restart.h>. */
#define FAULT_FIXUP                            \
	".pushsection fault_fixups, \"a\"\n\t" \
	".quad 1b, %l[fault]\n\t"              \
	".popsection"

static __always_inline bool load_or_fault(const u64 *addr, u64 *value)
{
	u64 word;

	__asm__ volatile goto("1:\tmovq %[at], %[word]\n\t" FAULT_FIXUP
			      : [word] "=r"(word)
			      : [at] "m"(*addr)
			      : "memory"
			      : fault);
	*value = word;
	return true;
fault:
	return false;
}

static __always_inline bool reads_as(const u64 *addr, u64 value)
{
	__asm__ volatile goto("1:\tcmpq %[value], %[at]\n\t"
			      "jne %l[fault]\n\t" FAULT_FIXUP
			      :
			      : [at] "m"(*addr), [value] "r"(value)
			      : "memory", "cc"
			      : fault);
	return true;
fault:
	return false;
}

#endif
