/*
 * Many CPUs: all are there, each with what is its own, and each does what the others ask of it.
 * What needs a kernel that ends (a CPU that hangs, panics, overflows its stack) or a machine that is
 * not as it says is in tests/qemu/test_smp.py.
 *
 * All of it holds on one CPU too, and is then about that one.
 */
#include <arch/irq.h>
#include <arch/page.h>
#include <arch/preempt.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <base/string.h>
#include <kernel/check.h>
#include <kernel/options.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>
#include <x86/machine.h>
#include <x86/paging.h>
#include <x86/regs.h>
#include <x86/smp.h>

#define NS_PER_MS 1000000ull

static void all_cpus_are_online(struct ktest *t)
{
	u32 nr = MIN(numa_topology()->nr_cpus, (u32)MAX_CPUS), cpu, seen = 0;

	if (options.maxcpus)
		nr = MIN(nr, (u32)options.maxcpus);
	if (!apic_usable())
		nr = 1;
	EXPECT_EQ(t, nr_cpus_online(), nr);
	for_each_online_cpu(cpu) {
		EXPECT_EQ(t, cpu, seen);
		EXPECT_STREQ(t, smp_state_name(cpu), "online");
		seen++;
	}
	EXPECT_EQ(t, seen, nr);
	EXPECT_EQ(t, smp_processor_id(), 0); /* tests run on the boot CPU */
	EXPECT(t, !cpu_online(MAX_CPUS));
	EXPECT(t, !cpu_area(MAX_CPUS));
}

/* ---- Calls ----------------------------------------------------------------------------------- */

struct visit {
	u32 cpu, times;
	bool irqs_off, in_interrupt;
	struct cpu_area *area;
	uintptr_t stack;
};

static void visit(void *arg)
{
	struct visit *v = arg;

	v->cpu = smp_processor_id();
	v->times++;
	v->irqs_off = irqs_disabled();
	v->in_interrupt = in_interrupt();
	v->area = this_cpu();
	v->stack = (uintptr_t)__builtin_frame_address(0);
}

static void a_call_runs_there(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct visit v = {0};

		EXPECT_EQ(t, smp_call(cpu, visit, &v), 0);
		EXPECT_EQ(t, v.times, 1);
		EXPECT_EQ(t, v.cpu, cpu);
		EXPECT(t, v.irqs_off);
		EXPECT_EQ(t, v.in_interrupt, cpu != smp_processor_id());
		EXPECT(t, v.area == cpu_area(cpu) && v.area->self == v.area);
	}
	EXPECT(t, !irqs_disabled() && !in_interrupt());
}

static void count_mask(void *arg)
{
	u64 *mask = arg;

	__atomic_fetch_or(mask, (u64)1 << smp_processor_id(), __ATOMIC_RELAXED);
}

static void a_call_to_others_reaches_each(struct ktest *t)
{
	u64 mask = 0;
	u32 cpu;

	smp_call_others(count_mask, &mask);
	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		EXPECT_EQ(t, mask >> cpu & 1, cpu_online(cpu) && cpu != smp_processor_id());
}

static void who_is_not_there_is_not_called(struct ktest *t)
{
	struct visit v = {0};

	EXPECT_EQ(t, smp_call(MAX_CPUS, visit, &v), -ENODEV);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		if (!cpu_online(cpu))
			EXPECT_EQ(t, smp_call(cpu, visit, &v), -ENODEV);
	EXPECT_EQ(t, v.times, 0);
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

static u64 irq_count(u32 cpu, enum cpu_irq_kind kind)
{
	return load_relaxed(&cpu_area(cpu)->irqs[kind]);
}

/* Each call is waited for, so no two share an interrupt. */
static void each_call_is_an_interrupt(struct ktest *t)
{
	struct visit v = {0};
	u32 cpu;

	for_each_online_cpu(cpu) {
		u64 before = irq_count(cpu, CPU_IRQ_CALL);

		for (u32 i = 0; i < 10; i++)
			smp_call(cpu, visit, &v);
		EXPECT_EQ(t, irq_count(cpu, CPU_IRQ_CALL) - before,
			  cpu == smp_processor_id() ? 0 : 10);
	}
	EXPECT_EQ(t, v.times, 10 * nr_cpus_online());
}

/* Several may become one interrupt; none is lost. */
static void reschedule_reaches_each(struct ktest *t)
{
	u64 before[MAX_CPUS] = {0};
	struct visit v = {0};
	u32 cpu;

	for_each_online_cpu(cpu) {
		before[cpu] = irq_count(cpu, CPU_IRQ_RESCHEDULE);
		smp_send_reschedule(cpu);
	}
	/* What was sent before a call has come in when that is done, or comes in right after. */
	for_each_online_cpu(cpu) {
		u64 start = arch_timestamp();

		smp_call(cpu, visit, &v);
		while (cpu != smp_processor_id() &&
		       irq_count(cpu, CPU_IRQ_RESCHEDULE) == before[cpu] &&
		       arch_timestamp_to_ns(arch_timestamp() - start) < 5000 * NS_PER_MS)
			cpu_relax();
		EXPECT_EQ(t, irq_count(cpu, CPU_IRQ_RESCHEDULE) - before[cpu],
			  cpu != smp_processor_id());
	}
}

/* Raised by an instruction; each is counted under its kind, and comes back. */
static void odd_vectors_are_counted(struct ktest *t)
{
	u64 unknown = irq_count(0, CPU_IRQ_UNKNOWN), spurious = irq_count(0, CPU_IRQ_SPURIOUS);
	u64 error = irq_count(0, CPU_IRQ_ERROR);
	struct printk_stats before = printk_stats();

	__asm__ volatile("int $0x60" : : : "memory");
	EXPECT_EQ(t, irq_count(0, CPU_IRQ_UNKNOWN), unknown + 1);
	EXPECT_EQ(t, printk_stats().lines + printk_stats().suppressed,
		  before.lines + before.suppressed + 1);
	__asm__ volatile("int %0" : : "i"(VECTOR_SPURIOUS) : "memory");
	EXPECT_EQ(t, irq_count(0, CPU_IRQ_SPURIOUS), spurious + 1);
	__asm__ volatile("int %0" : : "i"(VECTOR_APIC_ERROR) : "memory");
	EXPECT_EQ(t, irq_count(0, CPU_IRQ_ERROR), error + 1);
	EXPECT(t, !in_interrupt());
}

#define TICK_ROUND_NS  (200 * NS_PER_MS)
#define TICK_ROUNDS    50
#define TICK_PERIOD_NS (1000 * NS_PER_MS / TIMER_HZ)
#define MANY_TICKS     20

/* Never more of them than the clock says. Fewer can be the host's doing, which did not run that CPU for a while. */
static void ticks_come_in_time(struct ktest *t)
{
	u64 many = 0, all = 0, first[MAX_CPUS] = {0}, before[MAX_CPUS] = {0};
	u32 cpu;

	for_each_online_cpu(cpu) {
		all |= (u64)1 << cpu;
		first[cpu] = irq_count(cpu, CPU_IRQ_TIMER);
	}
	for (u32 rounds = 0; rounds < TICK_ROUNDS && many != all; rounds++) {
		u64 start = arch_timestamp(), ns = 0;

		for_each_online_cpu(cpu)
			before[cpu] = irq_count(cpu, CPU_IRQ_TIMER);
		while (ns < TICK_ROUND_NS) {
			machine_idle();
			ns = arch_timestamp_to_ns(arch_timestamp() - start);
		}
		for_each_online_cpu(cpu) {
			u64 now = irq_count(cpu, CPU_IRQ_TIMER), ticks = now - before[cpu];

			ns = arch_timestamp_to_ns(arch_timestamp() - start);
			EXPECT_MSG(t, ticks <= ns / TICK_PERIOD_NS * 105 / 100 + 2,
				   "CPU %u: %llu ticks in %llu us", cpu, (unsigned long long)ticks,
				   (unsigned long long)ns / 1000);
			if (now - first[cpu] >= MANY_TICKS)
				many |= (u64)1 << cpu;
		}
	}
	EXPECT_MSG(t, many == all, "CPUs that tick: 0x%llx of 0x%llx", (unsigned long long)many,
		   (unsigned long long)all);
}

#define LOOK_NS    (NS_PER_MS / 2)
#define LOOK_TRIES 200

struct timer_look {
	u64 count, ns, uncertain_ns; /* counted down in so many ns */
	u32 initial;
};

/* False: it began anew in between. Nothing of it asks whether the host ran this CPU meanwhile. */
static bool look_once(struct timer_look *look)
{
	u64 begin = arch_timestamp(), began, end, ended;
	u32 first = apic_timer_left(), second;

	began = arch_timestamp();
	while (arch_timestamp_to_ns(arch_timestamp() - began) < LOOK_NS)
		cpu_relax();
	end = arch_timestamp();
	second = apic_timer_left();
	ended = arch_timestamp();
	*look = (struct timer_look){
		.count = first - second,
		.ns = arch_timestamp_to_ns((end + ended) / 2 - (begin + began) / 2),
		.uncertain_ns = arch_timestamp_to_ns((ended - end) + (began - begin)),
		.initial = apic_timer_initial(),
	};
	return first > second && arch_timestamp_to_ns(ended - begin) < TICK_PERIOD_NS / 2;
}

/* The one of which it is known best how long it took. Interrupts are off. */
static void look_at_timer(void *arg)
{
	struct timer_look *best = arg, look;

	for (u32 i = 0; i < LOOK_TRIES && best->uncertain_ns > LOOK_NS / 100; i++)
		if (look_once(&look) && look.uncertain_ns < best->uncertain_ns)
			*best = look;
}

/* TIMER_HZ by the clock, on every CPU: by what the timer counts down in a time, and from where. */
static void the_tick_keeps_time(struct ktest *t)
{
	u32 cpu;

	ticks_come_in_time(t);
	for_each_online_cpu(cpu) {
		struct timer_look look = {.uncertain_ns = LOOK_NS};
		u64 ns;

		if (!apic_usable())
			break; /* the PIT's, and that counts with a rate that all know */
		smp_call(cpu, look_at_timer, &look);
		if (!EXPECT_MSG(t, look.count > 0, "CPU %u: its timer was never seen to count",
				cpu))
			continue;
		ns = look.initial * look.ns / look.count;
		EXPECT_MSG(t, ns >= TICK_PERIOD_NS * 95 / 100 && ns <= TICK_PERIOD_NS * 105 / 100,
			   "CPU %u: a tick of %llu us", cpu, (unsigned long long)ns / 1000);
	}
}

/* ---- Mappings -------------------------------------------------------------------------------- */

/* The last slot of the stack window, which nobody gets to. */
#define TEST_SLOT     ((u32)(STACK_WINDOW_BYTES / STACK_SLOT_BYTES) - 1)
#define TEST_ORDER    3

#define ENTRY_ADDRESS 0x000ffffffffff000ull

static const volatile u64 *test_word;

static void read_word(void *arg)
{
	u64 *words = arg;

	words[smp_processor_id()] = *test_word;
}

static void read_on_every_cpu(u64 *words)
{
	u32 cpu;

	memset(words, 0, MAX_CPUS * sizeof(*words));
	for_each_online_cpu(cpu)
		smp_call(cpu, read_word, words);
}

static void expect_all(struct ktest *t, const u64 *words, u64 value)
{
	u32 cpu;

	for_each_online_cpu(cpu)
		EXPECT_EQ(t, words[cpu], value);
}

/*
 *	the same address:   page A   -- unmapped, other page mapped -->   page B
 *
 * Each CPU has read A and so has its translation. One that still has it afterwards reads A.
 */
static void other_cpus_see_a_mapping_change(struct ktest *t)
{
	u64 *a = get_free_pages(GFP_KERNEL, TEST_ORDER),
	    *b = get_free_pages(GFP_KERNEL, TEST_ORDER);
	u64 words[MAX_CPUS], flushes[MAX_CPUS] = {0};
	uintptr_t top;
	phys_addr_t phys;
	u32 cpu;

	ASSERT_TRUE(t, a && b);
	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
	top = paging_map_stack(TEST_SLOT, virt_to_phys(a));
	test_word = (const u64 *)(top - STACK_BYTES);
	read_on_every_cpu(words);
	expect_all(t, words, 0xaaaa);

	for_each_online_cpu(cpu)
		flushes[cpu] = irq_count(cpu, CPU_IRQ_SHOOTDOWN);
	EXPECT_EQ(t, paging_unmap_stack(TEST_SLOT), virt_to_phys(a));
	for_each_online_cpu(cpu)
		EXPECT_EQ(t, irq_count(cpu, CPU_IRQ_SHOOTDOWN) - flushes[cpu],
			  cpu != smp_processor_id());
	EXPECT(t, !paging_translate(top - STACK_BYTES, &phys));

	paging_map_stack(TEST_SLOT, virt_to_phys(b));
	read_on_every_cpu(words);
	expect_all(t, words, 0xbbbb);
	EXPECT_EQ(t, paging_unmap_stack(TEST_SLOT), virt_to_phys(b));
	free_pages(a, TEST_ORDER);
	free_pages(b, TEST_ORDER);
}

/* The entry of a 4 KiB page that is mapped. */
static u64 *leaf_of(uintptr_t virt)
{
	u64 *table = phys_to_virt(read_cr3() & ENTRY_ADDRESS);

	for (int shift = 39; shift > PAGE_SHIFT; shift -= 9)
		table = phys_to_virt(table[(virt >> shift) & 511] & ENTRY_ADDRESS);
	return &table[(virt >> PAGE_SHIFT) & 511];
}

/* More pages than are worth flushing one by one: everything is. The entry changes with no word. */
static void a_large_flush_is_a_flush(struct ktest *t)
{
	u64 *a = get_free_pages(GFP_KERNEL, TEST_ORDER),
	    *b = get_free_pages(GFP_KERNEL, TEST_ORDER);
	u64 words[MAX_CPUS], *leaf;

	ASSERT_TRUE(t, a && b);
	a[0] = 1;
	b[0] = 2;
	test_word = (const u64 *)(paging_map_stack(TEST_SLOT, virt_to_phys(a)) - STACK_BYTES);
	read_on_every_cpu(words);
	expect_all(t, words, 1);
	leaf = leaf_of((uintptr_t)test_word);
	*leaf = (*leaf & ~ENTRY_ADDRESS) | virt_to_phys(b);
	tlb_shootdown((uintptr_t)test_word, MiB(1));
	read_on_every_cpu(words);
	expect_all(t, words, 2);
	EXPECT_EQ(t, paging_unmap_stack(TEST_SLOT), virt_to_phys(b));
	free_pages(a, TEST_ORDER);
	free_pages(b, TEST_ORDER);
}

/* ---- What is each CPU's own ------------------------------------------------------------------ */

static int node_of(uintptr_t virt)
{
	phys_addr_t phys;

	return paging_translate(virt, &phys) ? pfn_to_page(pfn_down(phys))->nid : NUMA_NO_NODE;
}

static void areas_and_stacks_are_near(struct ktest *t)
{
	u32 cpu;

	for_each_online_cpu(cpu) {
		const struct cpu_area *area = cpu_area(cpu);
		struct visit v = {0};
		uintptr_t low, top;

		EXPECT_EQ(t, area->nid, cpu_to_node(cpu));
		if (node_isset(area->nid, node_memory_mask())) {
			EXPECT(t, !area->away);
			EXPECT_EQ(t, virt_to_page(area)->nid, area->nid);
			EXPECT_EQ(t, node_of(area->stack_top - 1), area->nid);
			EXPECT_EQ(t, node_of(area->tss.ist[IST_NMI - 1] - STACK_BYTES), area->nid);
		}
		EXPECT_EQ(t, area->stack_top,
			  STACK_WINDOW_BASE + (CPU_STACK_SLOT(cpu, 0) + 1) * STACK_SLOT_BYTES);
		for (u32 ist = IST_DOUBLE_FAULT; ist < NR_IST; ist++)
			EXPECT_EQ(t, area->tss.ist[ist - 1],
				  area->stack_top + ist * STACK_SLOT_BYTES);
		smp_call(cpu, visit, &v);
		EXPECT(t, paging_stack_bounds(v.stack, &low, &top));
	}
}

static void check_finds_broken_areas(struct ktest *t)
{
	struct cpu_area *area = cpu_area(0);
	struct check_report report = {0};

	EXPECT(t, kernel_check(&report));

	area->online = false;
	report = (struct check_report){0};
	EXPECT(t, !kernel_check(&report));
	area->online = true;
	EXPECT_MSG(t, strncmp(report.first, "CPU-1", 5) == 0, "found \"%s\"", report.first);

	area->nid++;
	report = (struct check_report){0};
	EXPECT(t, !kernel_check(&report));
	area->nid--;
	EXPECT_MSG(t, strncmp(report.first, "CPU-2", 5) == 0, "found \"%s\"", report.first);

	area->apic_id ^= 1;
	report = (struct check_report){0};
	EXPECT(t, !kernel_check(&report));
	area->apic_id ^= 1;
	EXPECT_MSG(t, strncmp(report.first, "CPU-3", 5) == 0, "found \"%s\"", report.first);

	area->gdt[3] ^=
		1 << 24; /* the base in the TSS's descriptor, which the CPU has read long ago */
	report = (struct check_report){0};
	EXPECT(t, !kernel_check(&report));
	area->gdt[3] ^= 1 << 24;
	EXPECT_MSG(t, strncmp(report.first, "CPU-4", 5) == 0, "found \"%s\"", report.first);
}

static const struct ktest_case cases[] = {
	KTEST(all_cpus_are_online),
	KTEST(a_call_runs_there),
	KTEST(a_call_to_others_reaches_each),
	KTEST(who_is_not_there_is_not_called),
	KTEST(each_call_is_an_interrupt),
	KTEST(reschedule_reaches_each),
	KTEST(odd_vectors_are_counted),
	KTEST(the_tick_keeps_time),
	KTEST(other_cpus_see_a_mapping_change),
	KTEST(a_large_flush_is_a_flush),
	KTEST(areas_and_stacks_are_near),
	KTEST(check_finds_broken_areas),
};
KTEST_SUITE(smp, cases);

/* ---- For tests/qemu/test_smp.py: lines of all CPUs at the same time --------------------------- */

#define LINES_EACH 20

static void print_lines(void *arg)
{
	u32 *printed = arg;

	for (u32 i = 0; i < LINES_EACH; i++) {
		klog(LOG_NOTICE, "chorus",
		     "CPU %u, line %u of %u: "
		     "the quick brown fox jumps over the lazy dog",
		     smp_processor_id(), i, LINES_EACH);
		__atomic_fetch_add(printed, 1, __ATOMIC_RELAXED);
	}
}

static void all_cpus_print(struct ktest *t)
{
	u32 printed = 0;

	smp_call_others(print_lines, &printed);
	EXPECT_EQ(t, printed, LINES_EACH * (nr_cpus_online() - 1));
}
static const struct ktest_case chorus_cases[] = {KTEST(all_cpus_print)};
KTEST_SUITE_BY_NAME(smp_chorus, chorus_cases);
