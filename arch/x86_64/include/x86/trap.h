/* Exceptions and interrupts: IDT, the frame, and the legacy interrupt controller. */
#ifndef X86_TRAP_H
#define X86_TRAP_H

#include <base/types.h>

/* As the CPU and isr.asm push it, lowest address first; panic_entry.asm makes one of a call. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error_code;
	u64 rip, cs, rflags, rsp, ss;
};

/* As the vector: a call and no exception; rip is where that call returns to. */
#define TRAP_NO_VECTOR (~(u64)0)

/* GDT, TSS, IDT with all exceptions. NMI, #DB, #DF, #MC run on small stacks in .bss until
 * trap_set_ist() gives them guarded ones. */
void traps_init(void);

enum trap_ist { IST_DOUBLE_FAULT = 1, IST_NMI, IST_MACHINE_CHECK, IST_DEBUG, NR_IST };
/* Top of the stack that the vectors of this slot run on. */
void trap_set_ist(enum trap_ist slot, uintptr_t stack_top);

/* PIT tick (PIT_HZ) and COM1 receive interrupt through the 8259s. They arrive once the caller
 * enables interrupts. */
#define PIT_HZ 100
void legacy_irqs_init(void);
/* Called from the tick, interrupts off, with the interrupted frame; NULL: nobody. */
void tick_set_handler(void (*fn)(const struct trap_frame *frame));

#endif
