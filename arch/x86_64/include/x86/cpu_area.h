/*
 * What each CPU has to itself.
 *
 * The boot CPU starts with a static area; the others' and its final one are memory of their own
 * node. cpu_area(n) is NULL for a CPU that is not (yet) there; this_cpu() is never NULL from
 * the first line of kmain() on.
 */
#ifndef X86_CPU_AREA_H
#define X86_CPU_AREA_H

#include <arch/cpu.h>
#include <asm/percpu.h>
#include <base/types.h>
#include <x86/trap.h>

struct thread;
struct run_queue;

#define NR_GDT_ENTRIES 5

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* ist[n - 1] is slot n: slot 0 in a gate means none */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_offset;
} __packed;

enum cpu_irq_kind { /* what `irqs` counts */
		    CPU_IRQ_TIMER,
		    CPU_IRQ_RESCHEDULE,
		    CPU_IRQ_CALL,
		    CPU_IRQ_SHOOTDOWN,
		    CPU_IRQ_SERIAL,
		    CPU_IRQ_NMI,
		    CPU_IRQ_SPURIOUS,
		    CPU_IRQ_ERROR,
		    CPU_IRQ_UNKNOWN,
		    NR_CPU_IRQ_KINDS
};

/* Written by its own CPU only, unless a field says otherwise; figures are read by all, relaxed. */
struct cpu_area {
	struct cpu_area *self;
	u32 cpu;
	u32 preempt_count;
	struct thread *current;
	u32 irq_depth;
	int nid;

	u32 apic_id;
	bool online;   /* set by its CPU with release once it can take interrupts and threads */
	u64 heartbeat; /* timer interrupts seen: who stands still is asked by NMI */
	u64 irqs[NR_CPU_IRQ_KINDS];

	struct run_queue *run_queue; /* kernel/sched.c */

	u64 gdt[NR_GDT_ENTRIES];
	struct tss tss;
};

_Static_assert(__builtin_offsetof(struct cpu_area, self) == CPU_AREA_SELF, "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, cpu) == CPU_AREA_CPU, "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, preempt_count) == CPU_AREA_PREEMPT,
	       "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, current) == CPU_AREA_CURRENT, "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, irq_depth) == CPU_AREA_IRQ_DEPTH,
	       "asm/percpu.h");

static inline struct cpu_area *this_cpu(void)
{
	return (struct cpu_area *)this_cpu_load_ptr(CPU_AREA_SELF);
}

/* First thing of all: the boot CPU's static area. */
void cpu_area_init_boot(void);
struct cpu_area *cpu_area(u32 cpu);

#endif
