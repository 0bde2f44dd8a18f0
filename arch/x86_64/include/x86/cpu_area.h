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

/*
 * Written by its own CPU only, unless a field says otherwise; figures are read by all, relaxed.
 *
 * Invariants (check: CPU-*), of each CPU that is online:
 *   CPU-1  its GS base is cpu_area() of its number, and the area names itself and that number
 *   CPU-2  its area and stacks are memory of its own node if that has memory (and had some left)
 *   CPU-3  its APIC has the id that the topology and the area give it
 *   CPU-4  its GDT and TSS are those of its area, each of its IST stacks is mapped
 */
struct cpu_area {
	struct cpu_area *self;
	u32 cpu;
	u32 preempt_count;
	struct thread *current;
	u32 irq_depth;
	u32 hit_bound; /* <arch/cpu.h>; with the run queue's lock, also by other CPUs */
	int nid;

	u32 apic_id;
	bool online; /* set by its CPU with release once it can take interrupts and threads */
	/* Timer interrupts, and turns of a wait that is long with interrupts off and knows its end:
	 * who stands still is asked by NMI. */
	u64 heartbeat;
	u64 irqs[NR_CPU_IRQ_KINDS];
	u64 restarts; /* sections begun anew: restart.c */

	struct run_queue *run_queue; /* kernel/sched.c; NULL: no threads yet */

	uintptr_t stack_top; /* of the stack it begins on */
	bool away;           /* its node had no memory left: some of its own is another node's */

	u64 gdt[NR_GDT_ENTRIES];
	struct tss tss;
};

/* The area has a page to itself; from here on it is the kernel's, cleared: the CPU's run queue. */
#define CPU_AREA_KERNEL_OFFSET 2048
#define CPU_AREA_KERNEL_BYTES  2048
_Static_assert(sizeof(struct cpu_area) <= CPU_AREA_KERNEL_OFFSET,
	       "the kernel's part comes after it");

static inline void *cpu_area_kernel_part(struct cpu_area *area)
{
	return (u8 *)area + CPU_AREA_KERNEL_OFFSET;
}

_Static_assert(__builtin_offsetof(struct cpu_area, self) == CPU_AREA_SELF, "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, cpu) == CPU_AREA_CPU, "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, preempt_count) == CPU_AREA_PREEMPT,
	       "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, current) == CPU_AREA_CURRENT, "asm/percpu.h");
_Static_assert(__builtin_offsetof(struct cpu_area, irq_depth) == CPU_AREA_IRQ_DEPTH,
	       "asm/percpu.h");

_Static_assert(__builtin_offsetof(struct cpu_area, hit_bound) == CPU_AREA_HIT_BOUND,
	       "asm/percpu.h");

static inline struct cpu_area *this_cpu(void)
{
	return (struct cpu_area *)this_cpu_load_ptr(CPU_AREA_SELF);
}

/*
 * Slots of the stack window: each CPU has NR_IST of them, the stack it begins on and then those of
 * its exceptions at their IST numbers. Threads' slots come after all of them.
 */
#define CPU_STACK_SLOT(cpu, ist) ((cpu)*NR_IST + (u32)(ist))
#define FIRST_THREAD_STACK_SLOT  CPU_STACK_SLOT(MAX_CPUS, 0)

/* What is to be known of CPUs, and where their areas and stacks come from. */
struct cpu_source {
	u32 (*apic_id)(u32 cpu);
	int (*node)(u32 cpu);
	/*
	 * Memory near the CPU, cleared: whole pages, aligned to their size, seen through the direct
	 * map. Sets *away, and leaves it otherwise, if the CPU's node has memory and this is another's.
	 * NULL: there is none at all.
	 */
	void *(*alloc)(u32 cpu, u64 size_bytes, bool *away);
	void (*free)(void *memory, u64 size_bytes);
};

/* First thing of all: the boot CPU's static area. */
void cpu_area_init_boot(void);
/*
 * The boot CPU's final area and stacks; returns the top of the stack to go on with. Interrupts off.
 * The source is kept for the other CPUs, and must last.
 */
uintptr_t cpu_area_move_boot(const struct cpu_source *source);
/* An area with stacks for another CPU. Boot CPU, interrupts on. NULL: no memory. */
struct cpu_area *cpu_area_make(u32 cpu);
/* That CPU will not come. Its memory stays, since it might. */
void cpu_area_give_up(u32 cpu);
/* NULL: not (yet) there. */
struct cpu_area *cpu_area(u32 cpu);
/* As the source says: also of a CPU that has no area. */
u32 cpu_apic_id(u32 cpu);

/* One interrupt more of that kind on this CPU. Interrupts off, or in an NMI. */
static inline void cpu_count_irq(enum cpu_irq_kind kind)
{
	u64 *count = &this_cpu()->irqs[kind];

	/* Relaxed: a figure. This CPU alone writes it, and no interrupt counts its own kind twice. */
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
}

#endif
