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

struct cpu_area;

/* As the vector: a call and no exception; rip is where that call returns to. */
#define TRAP_NO_VECTOR (~(u64)0)

/* The boot CPU's GDT and TSS, and the IDT with all vectors. NMI, #DB, #DF, #MC run on small stacks in
 * .bss until trap_set_ist() gives them guarded ones. */
void traps_init(void);
/* Any other CPU's, from its area, whose IST stacks are set. Also the boot CPU's when that moves. */
void traps_init_cpu(struct cpu_area *area);

enum trap_ist { IST_DOUBLE_FAULT = 1, IST_NMI, IST_MACHINE_CHECK, IST_DEBUG, NR_IST };
/* Top of the stack that the vectors of this slot run on, on the area's CPU. */
void trap_set_ist(struct cpu_area *area, enum trap_ist slot, uintptr_t stack_top);

/* PIT tick (PIT_HZ) and COM1 receive interrupt through the 8259s. They arrive once the caller
 * enables interrupts. */
#define PIT_HZ 100
void legacy_irqs_init(void);
/* The local APICs' timers tick from now on. */
void legacy_tick_stop(void);
/* For a wait that is long with interrupts off: this CPU is not hung. Interrupts off. */
void cpu_is_alive(void);
/* Called from the boot CPU's tick, interrupts off, with the interrupted frame; NULL: nobody. */
void tick_set_handler(void (*fn)(const struct trap_frame *frame));
/*
 * Called by each CPU in its tick, with interrupts off; NULL: nobody is. Who takes it away calls all CPUs
 * afterwards: then none is in it any more.
 */
void tick_set_hook(void (*fn)(void));
/* The same on the boot CPU only, for good: a device that has no interrupt of its own. */
void tick_set_device(void (*fn)(void));

#endif
