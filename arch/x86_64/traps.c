/*
 * Exceptions and interrupts: the IDT, and what becomes of each vector.
 *
 *	vector 0 .. 31    exceptions of the CPU; the NMI among them is a message from another CPU
 *	       others     interrupts: irq.c
 *
 * The kernel handles no exception but the debug exception of single_step.c and the fault of a load that
 * may (restart.c): each is a defect, and the panic says in one line what it was. So is an NMI: under QEMU
 * the launcher sends one to a guest that has hung, to hear where.
 * All gates are interrupt gates, so handlers run with interrupts off and never nest, except that an
 * exception may hit a handler; NMI, debug, double fault and machine check have stacks of their own
 * (gdt.c).
 *
 * A stack that overflows touches the hole below it in the stack window. The CPU cannot push the
 * page fault's frame there either, so what arrives is a double fault, and CR2 still has the address
 * in the hole: that is how the message can name the stack.
 *
 * On the way out, whatever it was, code that must not be interrupted in its midst is sent back to its
 * beginning: restart.c.
 *
 * The IDT is one for all CPUs; GDT, TSS and the stacks it names are each CPU's own.
 *
 * Source: Intel SDM volume 3A, chapter "Interrupt and Exception Handling".
 */
#include <arch/page.h>
#include <kernel/panic.h>
#include <kernel/thread.h>
#include <x86/cpu_area.h>
#include <x86/paging.h>
#include <x86/regs.h>
#include <x86/restart.h>
#include <x86/trap.h>

#include "gdt.h"
#include "irq.h"
#include "single_step_internal.h"
#include "smp_internal.h"

#define NR_VECTORS          256
#define NR_EXCEPTIONS       32
#define VECTOR_NMI          2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_STACK_FAULT  12
#define VECTOR_PROTECTION   13
#define VECTOR_PAGE_FAULT   14
#define VECTOR_MACHINE      18

#define GATE_INTERRUPT      0x8e /* present, ring 0, 64-bit interrupt gate */

/* The page fault's error code. */
#define FAULT_PRESENT  (1u << 0)
#define FAULT_WRITE    (1u << 1)
#define FAULT_RESERVED (1u << 3)
#define FAULT_FETCH    (1u << 4)

#define ISR_STUB_BYTES 16
extern const char isr_stubs[]; /* isr.asm */
void trap_dispatch(struct trap_frame *frame);

struct idt_gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

_Static_assert(sizeof(struct idt_gate) == 16, "the size the CPU expects");

static struct idt_gate idt[NR_VECTORS];

static const char *const exception_names[NR_EXCEPTIONS] = {
	[0] = "divide error",
	[1] = "debug exception",
	[2] = "non-maskable interrupt",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound range exceeded",
	[6] = "invalid opcode",
	[7] = "device not available",
	[8] = "double fault",
	[10] = "invalid TSS",
	[11] = "segment not present",
	[12] = "stack segment fault",
	[13] = "general protection fault",
	[14] = "page fault",
	[16] = "x87 floating-point error",
	[17] = "alignment check",
	[18] = "machine check",
	[19] = "SIMD floating-point error",
	[20] = "virtualization exception",
	[21] = "control protection exception",
	[28] = "hypervisor injection exception",
	[29] = "VMM communication exception",
	[30] = "security exception",
};

static u8 ist_of_vector(u32 vector)
{
	switch (vector) {
	case VECTOR_DEBUG:
		return IST_DEBUG;
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_DOUBLE_FAULT:
		return IST_DOUBLE_FAULT;
	case VECTOR_MACHINE:
		return IST_MACHINE_CHECK;
	default:
		return 0;
	}
}

void traps_init(void)
{
	for (u32 vector = 0; vector < NR_VECTORS; vector++) {
		u64 stub = (u64)isr_stubs + vector * ISR_STUB_BYTES;

		idt[vector] = (struct idt_gate){
			.offset_low = (u16)stub,
			.offset_middle = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
			.selector = SELECTOR_CODE,
			.ist = ist_of_vector(vector),
			.type = GATE_INTERRUPT,
		};
	}
	gdt_set_emergency_stacks(this_cpu());
	traps_init_cpu(this_cpu());
}

void traps_init_cpu(struct cpu_area *area)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = {sizeof(idt) - 1, (u64)idt};

	gdt_load(area);
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static const char *fault_reason(u64 error_code, uintptr_t addr)
{
	if (error_code & FAULT_RESERVED)
		return "a page table entry has a reserved bit set";
	if (!(error_code & FAULT_PRESENT))
		return addr < PAGE_SIZE ? "not mapped: a null pointer" : "not mapped";
	if (error_code & FAULT_FETCH)
		return "mapped, but not executable";
	if (error_code & FAULT_WRITE)
		return "mapped, but read-only";
	return "mapped, but not accessible";
}

static _Noreturn void stack_overflow(const struct trap_frame *frame, u32 slot, uintptr_t addr)
{
	const char *thread = thread_name_of_stack(slot);

	if (slot >= FIRST_THREAD_STACK_SLOT)
		panic_trap(frame,
			   "stack overflow in stack slot %u, of %s%s%s (guard hit at 0x%016lx)",
			   slot, thread ? "thread '" : "no running thread", thread ? thread : "",
			   thread ? "'" : "", addr);
	panic_trap(frame, "stack overflow in stack slot %u, of CPU %u (guard hit at 0x%016lx)",
		   slot, slot / NR_IST, addr);
}

static _Noreturn void page_fault(const struct trap_frame *frame, uintptr_t addr)
{
	const char *access = "read from";
	u32 slot;

	if (paging_is_stack_guard(addr, &slot))
		stack_overflow(frame, slot, addr);
	if (frame->error_code & FAULT_FETCH)
		access = "execution at";
	else if (frame->error_code & FAULT_WRITE)
		access = "write to";
	panic_trap(frame, "page fault: %s 0x%016lx (%s)", access, addr,
		   fault_reason(frame->error_code, addr));
}

static _Noreturn void double_fault(const struct trap_frame *frame, uintptr_t fault_addr)
{
	u32 slot;

	if (paging_is_stack_guard(fault_addr, &slot) || paging_is_stack_guard(frame->rsp, &slot))
		stack_overflow(frame, slot, fault_addr);
	panic_trap(frame, "double fault (rsp 0x%016lx, last page fault at 0x%016lx)", frame->rsp,
		   fault_addr);
}

static _Noreturn void exception(const struct trap_frame *frame)
{
	const char *name = exception_names[frame->vector];

	if (frame->vector == VECTOR_PAGE_FAULT)
		page_fault(frame, read_cr2());
	if (frame->vector == VECTOR_DOUBLE_FAULT)
		double_fault(frame, read_cr2());
	panic_trap(frame, "%s (vector %lu, error code 0x%lx)", name ? name : "reserved exception",
		   frame->vector, frame->error_code);
}

/* The few exceptions that are no defect. */
static bool is_handled(struct trap_frame *frame)
{
	switch (frame->vector) {
	case VECTOR_NMI:
		return smp_handle_nmi(frame);
	case VECTOR_DEBUG:
		return single_step_trap(frame);
	case VECTOR_STACK_FAULT:
	case VECTOR_PROTECTION:
	case VECTOR_PAGE_FAULT:
		return restart_after_fault(frame);
	default:
		return false;
	}
}

void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector >= NR_EXCEPTIONS)
		irq_handle(frame);
	else if (!is_handled(frame))
		exception(frame);
	if (!single_step_goes_on(frame))
		restart_interrupted(frame);
}
