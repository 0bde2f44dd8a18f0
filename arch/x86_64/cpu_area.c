/*
 * Each CPU's own area, found through its GS base, and its stacks.
 *
 * The boot CPU needs one before there is any memory to take, since the first lock that is taken
 * asks for the CPU's number: so its first area is static. When the final page tables are in use it
 * moves to memory of its own node: the content is copied, with interrupts off, and GS base, GDT and
 * TSS follow. The others' are made before they start, one page and NR_IST stacks each, and they begin
 * on them.
 *
 * On its own node, because a CPU touches these in every interrupt. Whose memory that is, is the
 * kernel's to know (struct cpu_source): a node without memory has its nearest neighbour's, as any
 * request; a node that has memory but none left too, and then the log and `away` say so.
 *
 * A CPU that does not come leaves its area and stacks behind: it might wake up much later, and
 * then they must not be anybody else's.
 *
 * Source: Intel SDM volume 3A, "IA32_GS_BASE".
 */
#include <x86/cpu_area.h>

#include <arch/page.h>
#include <arch/preempt.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <kernel/printk.h>
#include <x86/paging.h>
#include <x86/regs.h>

_Static_assert(CPU_AREA_KERNEL_OFFSET + CPU_AREA_KERNEL_BYTES == PAGE_SIZE,
	       "an area is a page, so the TSS is in one, too");

static struct cpu_area boot_area __attribute__((aligned(512))) = {
	.self = &boot_area,
	.preempt_count = PREEMPT_NOT_WANTED,
};

/* Written by the boot CPU, before that CPU starts; NULL again if it does not come. */
static struct cpu_area *areas[MAX_CPUS];

static const struct cpu_source *source; /* set once, on one CPU */

void cpu_area_init_boot(void)
{
	areas[0] = &boot_area;
	write_msr(MSR_GS_BASE, (u64)&boot_area);
}

struct cpu_area *cpu_area(u32 cpu)
{
	/* Acquire: pairs with the release that published the area's content. */
	return cpu < MAX_CPUS ? load_acquire(&areas[cpu]) : NULL;
}

u32 cpu_apic_id(u32 cpu)
{
	return source->apic_id(cpu);
}

/* --- Making one -------------------------------------------------------------------------------- */

/* There was memory for so many stacks only. */
static void give_back_stacks(u32 cpu, u32 nr_stacks)
{
	for (u32 ist = 0; ist < nr_stacks; ist++)
		source->free(phys_to_virt(paging_unmap_stack(CPU_STACK_SLOT(cpu, ist))),
			     STACK_BYTES);
}

static bool make_stacks(struct cpu_area *area)
{
	for (u32 ist = 0; ist < NR_IST; ist++) {
		void *memory = source->alloc(area->cpu, STACK_BYTES, &area->away);
		uintptr_t top = 0;

		if (memory)
			top = paging_map_stack(CPU_STACK_SLOT(area->cpu, ist),
					       virt_to_phys(memory));
		if (!top) {
			if (memory)
				source->free(memory, STACK_BYTES);
			give_back_stacks(area->cpu, ist);
			return false;
		}
		if (ist == 0)
			area->stack_top = top;
		else
			trap_set_ist(area, (enum trap_ist)ist, top);
	}
	return true;
}

/* With the content of `from`, and then its own. */
static struct cpu_area *make(u32 cpu, const struct cpu_area *from)
{
	bool away = false;
	struct cpu_area *area = source->alloc(cpu, PAGE_SIZE, &away);

	if (!area)
		return NULL;
	*area = *from;
	area->self = area;
	area->cpu = cpu;
	area->nid = source->node(cpu);
	area->apic_id = source->apic_id(cpu);
	area->away = away;
	if (!make_stacks(area)) {
		source->free(area, PAGE_SIZE);
		return NULL;
	}
	if (area->away)
		klog(LOG_WARN, "smp",
		     "CPU %u: node %d has no memory left for its area and stacks: another's is "
		     "used",
		     cpu, area->nid);
	store_release(&areas[cpu], area); /* for the CPU itself, and who wants something of it */
	return area;
}

uintptr_t cpu_area_move_boot(const struct cpu_source *from)
{
	struct cpu_area *area;

	source = from;
	area = make(0, &boot_area);
	ASSERT_MSG(area, "no memory for the boot CPU's area and stacks");
	area->online = true;
	write_msr(MSR_GS_BASE, (u64)area);
	traps_init_cpu(area);
	return area->stack_top;
}

struct cpu_area *cpu_area_make(u32 cpu)
{
	static const struct cpu_area fresh = {.preempt_count = PREEMPT_NOT_WANTED};

	return make(cpu, &fresh);
}

void cpu_area_give_up(u32 cpu)
{
	store_release(&areas[cpu], NULL);
}
