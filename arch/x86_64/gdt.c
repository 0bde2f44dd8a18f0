/*
 * Segments and the task state segment.
 *
 * Long mode keeps little of segmentation: one code and one data descriptor, flat, ring 0. What
 * matters is the TSS, because the CPU takes the stacks of its interrupt stack table (IST) from it:
 * a double fault that comes from a stack overflow has no usable stack, and NMI, machine check and
 * debug exceptions may hit between any two instructions, also where rsp is not yet valid.
 *
 * Each slot has a small stack in .bss from the start, so that even a fault during early boot is
 * reported. trap_set_ist() replaces them by stacks of the guarded window.
 *
 * Source: Intel SDM volume 3A, "Segment Descriptors", "Interrupt Stack Table", "Task Management in
 * 64-bit Mode".
 */
#include "gdt.h"

#include <base/assert.h>
#include <x86/trap.h>

#define EMERGENCY_STACK_BYTES 8192

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* ist[n - 1] is slot n: slot 0 in a gate means none */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_offset;
} __packed;

_Static_assert(sizeof(struct tss) == 104, "the size the CPU expects");

struct descriptor_pointer {
	u16 limit;
	u64 base;
} __packed;

static u8 emergency_stacks[NR_IST - 1][EMERGENCY_STACK_BYTES] __attribute__((aligned(16)));
static struct tss boot_cpu_tss;

/* Null, code, data, and the two halves of the TSS descriptor. The accessed bits are set. */
static u64 gdt[5] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};

static void set_tss_descriptor(const struct tss *tss)
{
	u64 base = (u64)tss, limit = sizeof(*tss) - 1;
	u64 available_tss = 0x89; /* present, ring 0, type 9 */

	gdt[SELECTOR_TSS / 8] =
		limit | (base & 0xffffff) << 16 | available_tss << 40 | (base >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

void gdt_init(void)
{
	struct descriptor_pointer pointer = {sizeof(gdt) - 1, (u64)gdt};

	for (u32 slot = IST_DOUBLE_FAULT; slot < NR_IST; slot++)
		trap_set_ist(slot, (uintptr_t)emergency_stacks[slot - 1] + EMERGENCY_STACK_BYTES);
	boot_cpu_tss.io_map_offset = sizeof(boot_cpu_tss); /* no I/O map */
	set_tss_descriptor(&boot_cpu_tss);

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

void trap_set_ist(enum trap_ist slot, uintptr_t stack_top)
{
	ASSERT_MSG(slot >= IST_DOUBLE_FAULT && slot < NR_IST, "no IST slot %u", (u32)slot);
	ASSERT_MSG(IS_ALIGNED(stack_top, 16), "stack top 0x%lx is not aligned", stack_top);
	boot_cpu_tss.ist[slot - 1] = stack_top;
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
