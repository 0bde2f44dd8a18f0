/*
 * More than one CPU: starting them, interrupting them, and asking a silent one where it is.
 */
#ifndef X86_SMP_H
#define X86_SMP_H

#include <arch/cpu.h>
#include <base/types.h>

struct trap_frame;

/* Runs threads and takes interrupts. Once so, always so. */
bool cpu_online(u32 cpu);
u32 nr_cpus_online(void);
#define for_each_online_cpu(cpu)             \
	for (cpu = 0; cpu < MAX_CPUS; cpu++) \
		if (!cpu_online(cpu)) {      \
		} else

/* The page below 1 MiB that is kept for starting CPUs; 0: there is none. */
void smp_keep_trampoline(phys_addr_t page);
/*
 * Starts the CPUs 0 to nr_known - 1, at most `max` with the boot CPU (0: all). One that does not
 * answer in time is named in the log and left out for good, as is one that cannot be used. Boot CPU,
 * once, after mm_init() and apic_init_boot(), interrupts on.
 */
void smp_start_all(u32 nr_known, u32 max);
/* Of a CPU that is known: "online", or why it is not. */
const char *smp_state_name(u32 cpu);

/*
 * Runs fn(arg) on a CPU, in interrupt context there (on this CPU: at once, interrupts off); returns
 * when it is done. Call with interrupts on, never from an interrupt: two CPUs would wait for each
 * other. -ENODEV: not online. Waits are bounded: a CPU that does not answer in seconds is asked by NMI
 * where it is, and that is a panic.
 */
int smp_call(u32 cpu, void (*fn)(void *arg), void *arg);
void smp_call_others(void (*fn)(void *arg), void *arg); /* all but this one, at the same time */

/* That CPU shall choose a thread anew. Any context, NMI excepted. */
void smp_send_reschedule(u32 cpu);

/* After a mapping has changed or gone: no CPU uses the old one when this returns. As smp_call(). */
void tlb_shootdown(uintptr_t virt, u64 size_bytes);

/*
 * For a panic: stops the other CPUs by NMI and keeps where each was; bounded, any context. Then
 * smp_stopped_frame(cpu) is its interrupted state, NULL for one that did not answer.
 */
void smp_stop_others(void);
/* A CPU that waits to be stopped calls it until it does not return; `frame` stands for where it was. */
void smp_stop_if_asked(const struct trap_frame *frame);
const struct trap_frame *smp_stopped_frame(u32 cpu);

#endif
