/*
 * Starting the other CPUs.
 *
 *	prepare   an area and stacks for each, on its own node; the trampoline page with its tables
 *	INIT      to all: each is then waiting for a start-up interrupt, whatever it did before
 *	SIPI      to all: each begins at the trampoline page (boot/ap_trampoline.asm)
 *	wait      until all are online, or none has come for WAIT_NS; meanwhile once a second SIPI to
 *		  those that have not come, as some old hardware misses the first
 *
 * They start at the same time, so 64 take hardly longer than one, and several that are not there
 * cost one wait. They can, because the trampoline holds nothing that is one CPU's: each finds its
 * area by its own APIC id.
 *
 * The page tables of the trampoline are not the kernel's, which have no low half, and keep none:
 * nothing in the kernel's tables is both writable and executable, and the trampoline page is data
 * there. The trampoline's map that page at its own address, to be read and executed, and the
 * kernel's half of the address space; a CPU is on them for some instructions.
 *
 * Too late. A CPU that has not come in time may come at any time after. progress[] decides: the CPU
 * turns ASKED into CAME, the boot CPU ASKED into GIVEN_UP, both by compare-and-exchange, and who is
 * second sees it. A CPU that comes too late halts; its area and stack are never anybody else's.
 *
 * CPU numbers are the topology's. One that is left out leaves a gap.
 *
 * Source: Intel SDM volume 3A, "Multiple-Processor Initialization"; MP Specification 1.4, appendix B.4.
 */
#include <x86/smp.h>

#include <arch/irq.h>
#include <arch/page.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>
#include <x86/cpu_features.h>
#include <x86/image.h>
#include <x86/machine.h>
#include <x86/regs.h>

#include "pagetable.h"
#include "smp_internal.h"

#define INIT_WAIT_NS    10000000ull  /* the MP specification's */
#define SECOND_SIPI_NS  200000000ull /* a CPU that has heard the first ignores the second */
#define WAIT_NS         5000000000ull
#define WAIT_TICKS      50

#define NR_TABLE_LEVELS 4
#define ENTRIES         512
#define KERNEL_HALF     256 /* the first root entry of it */

/* boot/ap_trampoline.asm, to be copied, and what it is to be told. */
extern const u8 ap_trampoline[], ap_trampoline_parameters[], ap_trampoline_end[];
struct ap_parameters {
	u32 protected_offset; /* these three: from the trampoline's start; the page's address is added */
	u32 protected_selector;
	u32 long_offset;
	u16 long_selector, gdt_limit;
	u32 gdt_offset;
	u32 page_tables; /* physical */
	u64 starts, entry;
};

/* By APIC id: who is expected. area NULL: nobody. */
static struct ap_start {
	struct cpu_area *area;
	uintptr_t stack_top;
} starts[APIC_MAX_ID + 1];
_Static_assert(sizeof(struct ap_start) == 16, "the trampoline's arithmetic");

/* Root first. In the image, so below 4 GiB, which is what a CPU can load from protected mode. */
static u64 tables[NR_TABLE_LEVELS][ENTRIES] __attribute__((aligned(PAGE_SIZE)));

static phys_addr_t trampoline_page;
static u64 kernel_cr3;

enum progress { NOT_ASKED, ASKED, CAME, GIVEN_UP };
/*
 * enum progress; atomic. Only the boot CPU takes one from NOT_ASKED to ASKED, so what it reads without
 * decide() are words that it wrote, or the CPU's answer, from which it concludes nothing: relaxed. That a
 * CPU has come so far that it can be used is said by its `online`, with release.
 */
static u32 progress[MAX_CPUS];

static const char *state_names[MAX_CPUS];

void smp_keep_trampoline(phys_addr_t page)
{
	trampoline_page = page;
}

const char *smp_state_name(u32 cpu)
{
	if (cpu_online(cpu))
		return "online";
	return cpu < MAX_CPUS && state_names[cpu] ? state_names[cpu] : "left out";
}

/* --- On the new CPU ---------------------------------------------------------------------------- */

static bool decide(u32 cpu, enum progress what)
{
	u32 expected = ASKED;

	/*
	 * Acquire and release on both sides: who comes second sees all that the first did before. (Its
	 * area the new CPU has read already, in the trampoline: that was written before the interrupt
	 * that started it was sent.)
	 */
	return __atomic_compare_exchange_n(&progress[cpu], &expected, what, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* On its own stack, on the trampoline's tables, interrupts off, nothing else set up. */
static _Noreturn void ap_main(struct cpu_area *area)
{
	write_cr3(kernel_cr3);
	write_msr(MSR_GS_BASE, (u64)area);
	traps_init_cpu(area);
	cpu_enable_features();
	while (!decide(area->cpu, CAME))
		__asm__ volatile("cli; hlt");
	apic_init_cpu();
	threads_init_cpu();
	apic_start_timer();
	smp_set_online(area->cpu);
	irq_restore(RFLAGS_IF);
	for (;;)
		machine_idle();
}

/* --- The trampoline ---------------------------------------------------------------------------- */

static void build_tables(void)
{
	const u64 *kernel = phys_to_virt(kernel_cr3 & PTE_ADDRESS);
	u64 present = PTE_PRESENT | PTE_ACCESSED;

	/* The page is below 1 MiB, so the upper three levels are entry 0. */
	for (u32 level = 0; level + 1 < NR_TABLE_LEVELS; level++)
		tables[level][0] = image_to_phys(tables[level + 1]) | present;
	tables[NR_TABLE_LEVELS - 1][trampoline_page >> PAGE_SHIFT] = trampoline_page | present;
	memcpy(&tables[0][KERNEL_HALF], kernel + KERNEL_HALF, PAGE_SIZE / 2);
}

static void write_trampoline(void)
{
	u8 *page = phys_to_virt(trampoline_page);
	struct ap_parameters *parameters =
		(void *)(page + (ap_trampoline_parameters - ap_trampoline));
	size_t bytes = (size_t)(ap_trampoline_end - ap_trampoline);

	ASSERT(bytes <= PAGE_SIZE);
	memcpy(page, ap_trampoline, bytes);
	parameters->protected_offset += (u32)trampoline_page;
	parameters->long_offset += (u32)trampoline_page;
	parameters->gdt_offset += (u32)trampoline_page;
	parameters->page_tables = (u32)image_to_phys(tables);
	parameters->starts = (u64)starts;
	parameters->entry = (u64)ap_main;
}

/* --- On the boot CPU --------------------------------------------------------------------------- */

static void leave_out(u32 first, u32 last, const char *why)
{
	for (u32 cpu = first; cpu <= last && cpu < MAX_CPUS; cpu++)
		state_names[cpu] = why;
	if (first == last)
		klog(LOG_WARN, "smp", "CPU %u (APIC id %u) left out: %s", first, cpu_apic_id(first),
		     why);
	else
		klog(LOG_WARN, "smp", "CPUs %u to %u (APIC ids %u to %u) left out: %s", first, last,
		     cpu_apic_id(first), cpu_apic_id(last), why);
}

/* How many CPUs are to be used; the others are named. */
static u32 choose(u32 nr, u32 max)
{
	if (nr > MAX_CPUS) {
		leave_out(MAX_CPUS, nr - 1, "there is room for 64");
		nr = MAX_CPUS;
	}
	if (max && nr > max) {
		leave_out(max, nr - 1, "maxcpus");
		nr = max;
	}
	if (nr > 1 && !apic_usable()) {
		leave_out(1, nr - 1, "no local APIC to start it with");
		nr = 1;
	}
	if (nr > 1 && !trampoline_page) {
		leave_out(1, nr - 1, "no page below 1 MiB to start it from");
		nr = 1;
	}
	return nr;
}
_Static_assert(MAX_CPUS == 64, "the text above");

static void prepare(u32 cpu)
{
	struct cpu_area *area;

	if (cpu_apic_id(cpu) > APIC_MAX_ID) {
		leave_out(cpu, cpu, "an APIC id that xAPIC mode does not reach");
		return;
	}
	area = cpu_area_make(cpu);
	if (!area) {
		leave_out(cpu, cpu, "no memory for its area and stacks");
		return;
	}
	starts[area->apic_id] = (struct ap_start){area, area->stack_top};
	/*
	 * Release: with the area and the entry above. The start-up interrupt, a store to the APIC's
	 * uncached registers, comes after both on x86-64, whatever the order here; the CPU cannot look
	 * before it.
	 */
	store_release(&progress[cpu], ASKED);
}

static void wait_ns(u64 ns)
{
	u64 start = arch_timestamp();

	while (arch_timestamp_to_ns(arch_timestamp() - start) < ns)
		cpu_relax();
}

static void send_startups(u32 nr)
{
	for (u32 cpu = 1; cpu < nr; cpu++)
		if (load_relaxed(&progress[cpu]) == ASKED)
			apic_send_startup(cpu_area(cpu)->apic_id,
					  (u32)(trampoline_page >> PAGE_SHIFT));
}

static u32 nr_missing(u32 nr)
{
	u32 missing = 0;

	for (u32 cpu = 1; cpu < nr; cpu++)
		missing += load_relaxed(&progress[cpu]) != NOT_ASKED && !cpu_online(cpu);
	return missing;
}

/* Until all are online, or no further one has come for WAIT_NS. */
static void wait_for(u32 nr)
{
	u32 missing = nr_missing(nr), now;
	bool again = false;
	struct patience patience;

	patience_begin(&patience);
	while ((now = nr_missing(nr))) {
		if (now != missing) {
			missing = now;
			patience_begin(&patience);
		}
		if (!again && patience_is_over(&patience, SECOND_SIPI_NS, 1)) {
			again = true;
			send_startups(nr);
		}
		if (patience_is_over(&patience, WAIT_NS, WAIT_TICKS))
			return;
		cpu_relax();
	}
}

static void give_up(u32 cpu)
{
	struct patience patience;

	if (decide(cpu, GIVEN_UP)) {
		/* If it reads this at the same time and sees the area, it halts in decide(). */
		store_relaxed(&starts[cpu_area(cpu)->apic_id].area, NULL);
		cpu_area_give_up(cpu);
		leave_out(cpu, cpu, "does not answer");
		return;
	}
	/* It has come at the last moment. */
	patience_begin(&patience);
	while (!cpu_online(cpu)) {
		if (patience_is_over(&patience, WAIT_NS, WAIT_TICKS))
			panic("CPU %u has come, and hangs before it is online", cpu);
		cpu_relax();
	}
}

void smp_start_all(u32 nr_known, u32 max)
{
	u32 nr = choose(nr_known, max);
	u64 start = arch_timestamp();

	if (nr == 1)
		return;
	kernel_cr3 = read_cr3();
	build_tables();
	write_trampoline();
	for (u32 cpu = 1; cpu < nr; cpu++)
		prepare(cpu);
	for (u32 cpu = 1; cpu < nr; cpu++)
		if (load_relaxed(&progress[cpu]) == ASKED)
			apic_send_init(cpu_area(cpu)->apic_id);
	wait_ns(INIT_WAIT_NS);
	send_startups(nr);
	wait_for(nr);
	for (u32 cpu = 1; cpu < nr; cpu++)
		if (load_relaxed(&progress[cpu]) != NOT_ASKED && !cpu_online(cpu))
			give_up(cpu);
	klog(LOG_INFO, "smp", "%u CPU%s online after %llu ms", nr_cpus_online(),
	     plural(nr_cpus_online()),
	     (unsigned long long)arch_timestamp_to_ns(arch_timestamp() - start) / 1000000);
}
