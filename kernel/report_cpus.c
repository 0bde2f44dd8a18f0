/*
 * CPUs: who is there and what runs on it, and the interrupts it has taken.
 *
 * All of it is read without a lock while the others go on, so each figure is true of some moment, and
 * no two of the same.
 */
#include <base/atomic.h>
#include <base/format.h>
#include <kernel/thread.h>
#include <mm/numa.h>
#include <x86/cpu_area.h>
#include <x86/smp.h>

#include "commands.h"

/* In the order of enum cpu_irq_kind. */
static const char *const irq_names[NR_CPU_IRQ_KINDS] = {
	[CPU_IRQ_TIMER] = "timer",     [CPU_IRQ_RESCHEDULE] = "resched",
	[CPU_IRQ_CALL] = "call",       [CPU_IRQ_SHOOTDOWN] = "tlb",
	[CPU_IRQ_SERIAL] = "serial",   [CPU_IRQ_NMI] = "nmi",
	[CPU_IRQ_SPURIOUS] = "stray",  [CPU_IRQ_ERROR] = "error",
	[CPU_IRQ_UNKNOWN] = "unknown",
};

/* By way of the threads: one that a CPU runs now may be gone before it is looked at. */
static void running_thread(u32 cpu, char *name, size_t size)
{
	struct thread_info thread;

	snprintf(name, size, "-");
	for (u32 i = 0; thread_describe(i, &thread); i++)
		if (thread.cpu == cpu && thread.state == THREAD_RUNNING)
			snprintf(name, size, "%s", thread.name);
}

int command_cpus(int argc, char **argv)
{
	const struct numa_topology *topology = numa_topology();
	char thread[24];

	if (argc != 1)
		return command_usage(argc, argv, 1);
	kprintf("%u of %u CPUs online\n", nr_cpus_online(), topology->nr_cpus);
	kprintf(" cpu  apic  node   heartbeat  thread            state\n");
	for (u32 cpu = 0; cpu < topology->nr_cpus; cpu++) {
		const struct cpu_area *area = cpu_area(cpu);
		bool online = cpu_online(cpu);

		running_thread(cpu, thread, sizeof(thread));
		kprintf("%4u  %4u  %4d  %10llu  %-16s  %s%s\n", cpu, topology->cpus[cpu].apic_id,
			topology->cpus[cpu].nid,
			(unsigned long long)(online ? load_relaxed(&area->heartbeat) : 0), thread,
			smp_state_name(cpu), online && area->away ? ", memory away" : "");
	}
	return 0;
}

int command_irqs(int argc, char **argv)
{
	u64 sum[NR_CPU_IRQ_KINDS] = {0};
	u32 cpu;

	if (argc != 1)
		return command_usage(argc, argv, 1);
	kprintf(" cpu");
	for (u32 kind = 0; kind < NR_CPU_IRQ_KINDS; kind++)
		kprintf(" %7s", irq_names[kind]);
	kprintf("\n");
	for_each_online_cpu(cpu) {
		kprintf("%4u", cpu);
		for (u32 kind = 0; kind < NR_CPU_IRQ_KINDS; kind++) {
			u64 count = load_relaxed(&cpu_area(cpu)->irqs[kind]);

			sum[kind] += count;
			kprintf(" %7llu", (unsigned long long)count);
		}
		kprintf("\n");
	}
	kprintf(" all");
	for (u32 kind = 0; kind < NR_CPU_IRQ_KINDS; kind++)
		kprintf(" %7llu", (unsigned long long)sum[kind]);
	kprintf("\n");
	return 0;
}
