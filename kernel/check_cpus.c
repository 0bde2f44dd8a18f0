/*
 * Executing the invariants of CPUs, CPU-* of <x86/cpu_area.h>.
 *
 * What a CPU has in its registers only that CPU can tell: it is asked by smp_call(). What it says is
 * compared here with what the others believe of it.
 */
#include <arch/page.h>
#include <mm/numa.h>
#include <mm/page.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>
#include <x86/paging.h>
#include <x86/regs.h>
#include <x86/smp.h>

#include "check_internal.h"

/* What a CPU finds in its own registers. */
struct testimony {
	u64 gs_base, gdt_base;
	u32 apic_id;
	u16 task_selector;
};

static void testify(void *arg)
{
	struct testimony *said = arg;
	struct {
		u16 limit;
		u64 base;
	} __packed gdt;

	said->gs_base = read_msr(MSR_GS_BASE);
	said->apic_id = apic_usable() ? apic_id() : this_cpu()->apic_id;
	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("str %0" : "=r"(said->task_selector));
	said->gdt_base = gdt.base;
}

static void ask(struct check_run *run, u32 cpu, struct testimony *said)
{
	check_item(run);
	if (smp_call(cpu, testify, said) != 0)
		check_broken(run, "CPU %u is not there to be asked", cpu);
}

static void check_areas(struct check_run *run)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		const struct cpu_area *area = cpu_area(cpu);
		struct testimony said = {0};

		ask(run, cpu, &said);
		if (said.gs_base != (u64)area || area->self != area || area->cpu != cpu ||
		    !area->online)
			check_broken(run, "CPU %u: GS base 0x%llx, area %p names %p, CPU %u, %s",
				     cpu, (unsigned long long)said.gs_base, (const void *)area,
				     (const void *)area->self, area->cpu,
				     area->online ? "online" : "not online");
	}
}

/* Is the page that is mapped at virt another node's? */
static bool is_away(const struct cpu_area *area, uintptr_t virt)
{
	phys_addr_t phys;

	return !paging_translate(virt, &phys) || pfn_to_page(pfn_down(phys))->nid != (u16)area->nid;
}

/* Pages of its area and stacks that are not its node's. */
static u32 pages_away(const struct cpu_area *area)
{
	u32 nr = is_away(area, (uintptr_t)area);

	for (u32 ist = 0; ist < NR_IST; ist++) {
		uintptr_t top = ist ? area->tss.ist[ist - 1] : area->stack_top;

		for (u64 at = PAGE_SIZE; at <= STACK_BYTES; at += PAGE_SIZE)
			nr += is_away(area, top - at);
	}
	return nr;
}

static void check_own_node(struct check_run *run)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		const struct cpu_area *area = cpu_area(cpu);
		u32 away;

		check_item(run);
		if (area->nid != cpu_to_node(cpu))
			check_broken(run, "CPU %u: node %d in its area, %d in the topology", cpu,
				     area->nid, cpu_to_node(cpu));
		if (!node_isset(area->nid, node_memory_mask()) || area->away)
			continue;
		away = pages_away(area);
		if (away)
			check_broken(run, "CPU %u: %u pages are not memory of node %d", cpu, away,
				     area->nid);
	}
}

static void check_apic_ids(struct check_run *run)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		u32 stated = numa_topology()->cpus[cpu].apic_id;
		struct testimony said = {0};

		ask(run, cpu, &said);
		if (said.apic_id != stated || cpu_area(cpu)->apic_id != stated)
			check_broken(run, "CPU %u: APIC id %u, area %u, topology %u", cpu,
				     said.apic_id, cpu_area(cpu)->apic_id, stated);
	}
}

/* The base that a TSS descriptor, two entries of the GDT, gives. */
static u64 tss_base(const u64 *descriptor)
{
	return (descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 56) << 24 | descriptor[1] << 32;
}

static void check_descriptors(struct check_run *run)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		const struct cpu_area *area = cpu_area(cpu);
		struct testimony said = {0};

		ask(run, cpu, &said);
		if (said.gdt_base != (u64)area->gdt ||
		    tss_base(&area->gdt[said.task_selector / 8 % NR_GDT_ENTRIES]) !=
			    (u64)&area->tss)
			check_broken(run, "CPU %u: GDT at 0x%llx, TSS at selector 0x%x", cpu,
				     (unsigned long long)said.gdt_base, said.task_selector);
		for (u32 ist = IST_DOUBLE_FAULT; ist < NR_IST; ist++) {
			uintptr_t low, top, stack_top = area->tss.ist[ist - 1];

			if (!paging_stack_bounds(stack_top - 1, &low, &top) || top != stack_top)
				check_broken(run, "CPU %u: IST %u at 0x%lx is no stack", cpu, ist,
					     stack_top);
		}
	}
}

const struct kernel_invariant cpu_invariants[] = {
	{"CPU-1", "each CPU's GS base is its area, which names itself and its number", check_areas},
	{"CPU-2", "each CPU's area and stacks are of its own node if that has memory",
	 check_own_node},
	{"CPU-3", "each CPU's APIC has the id that topology and area give it", check_apic_ids},
	{"CPU-4", "each CPU's GDT, TSS and exception stacks are its own", check_descriptors},
	{NULL, NULL, NULL},
};
