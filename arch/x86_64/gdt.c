/*
 * Segments and the task state segment.
 *
 * Long mode keeps little of segmentation: one code and one data descriptor, flat, ring 0. What
 * matters is the TSS, because the CPU takes the stacks of its interrupt stack table (IST) from it:
 * a double fault that comes from a stack overflow has no usable stack, and NMI, machine check and
 * debug exceptions may hit between any two instructions, also where rsp is not yet valid. Two CPUs
 * may take one at the same time, so each has a TSS and stacks of its own, and, since the GDT names
 * the TSS, a GDT: both are in its area.
 *
 * The boot CPU's slots have small stacks in .bss from the start, so that even a fault during early
 * boot is reported. Stacks of the guarded window replace them; any other CPU starts with those.
 *
 * gs is never loaded: that would clear the GS base, which is the area's address.
 *
 * Source: Intel SDM volume 3A, "Segment Descriptors", "Interrupt Stack Table", "Task Management in
 * 64-bit Mode".
 */
#include "gdt.h"

#include <base/assert.h>
#include <x86/cpu_area.h>
#include <x86/trap.h>

#define EMERGENCY_STACK_BYTES 8192

_Static_assert(sizeof(struct tss) == 104, "the size the CPU expects");

struct descriptor_pointer {
	u16 limit;
	u64 base;
} __packed;

static u8 emergency_stacks[NR_IST - 1][EMERGENCY_STACK_BYTES] __attribute__((aligned(16)));

/* Null, code, data, and the two halves of the TSS descriptor. The accessed bits are set. */
static void write_descriptors(struct cpu_area *area)
{
	u64 base = (u64)&area->tss, limit = sizeof(area->tss) - 1;
	u64 available_tss = 0x89; /* present, ring 0, type 9 */

	area->gdt[0] = 0;
	area->gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	area->gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	area->gdt[SELECTOR_TSS / 8] =
		limit | (base & 0xffffff) << 16 | available_tss << 40 | (base >> 24 & 0xff) << 56;
	area->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
	area->tss.io_map_offset = sizeof(area->tss); /* no I/O map */
}

void gdt_load(struct cpu_area *area)
{
	struct descriptor_pointer pointer = {sizeof(area->gdt) - 1, (u64)area->gdt};

	write_descriptors(area);
	/* A far return is how 64-bit code loads cs. */
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movw %w2, %%ss\n\t"
			 "movw %w2, %%ds\n\t"
			 "movw %w2, %%es\n\t"
			 "ltr %w3"
			 :
			 : "m"(pointer), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

void gdt_set_emergency_stacks(struct cpu_area *area)
{
	for (u32 slot = IST_DOUBLE_FAULT; slot < NR_IST; slot++)
		trap_set_ist(area, slot,
			     (uintptr_t)emergency_stacks[slot - 1] + EMERGENCY_STACK_BYTES);
}

void trap_set_ist(struct cpu_area *area, enum trap_ist slot, uintptr_t stack_top)
{
	ASSERT_MSG(slot >= IST_DOUBLE_FAULT && slot < NR_IST, "no IST slot %u", (u32)slot);
	ASSERT_MSG(IS_ALIGNED(stack_top, 16), "stack top 0x%lx is not aligned", stack_top);
	area->tss.ist[slot - 1] = stack_top;
}

bool gdt_emergency_stack(uintptr_t addr, uintptr_t *low, uintptr_t *top)
{
	uintptr_t offset = addr - (uintptr_t)emergency_stacks;

	if (offset >= sizeof(emergency_stacks))
		return false;
	*low = addr - offset % EMERGENCY_STACK_BYTES;
	*top = *low + EMERGENCY_STACK_BYTES;
	return true;
}
