/*
 * Stacks of pointers, as the seam says they are: last in, first out, bounded, closed; between threads of
 * one CPU and interrupts; and loads from anywhere. What the machine's instructions do in between is
 * tests/kernel/test_restart.c.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <arch/preempt.h>
#include <arch/restart.h>
#include <base/atomic.h>
#include <base/string.h>
#include <mm/os_task.h>
#include <mm/page.h>

#define CAPACITY 8
#define NR_CPUS  2

static union {
	struct cpu_stack stack;
	u64 words[sizeof(struct cpu_stack) / 8 + CAPACITY];
} memory[NR_CPUS];
static struct cpu_stack *stacks[MAX_CPUS];
static u64 things[CAPACITY];

static void begin(u32 limit)
{
	memset(memory, 0, sizeof(memory));
	for (u32 i = 0; i < NR_CPUS; i++) {
		stacks[i] = &memory[i].stack;
		stacks[i]->limit = limit;
		stacks[i]->capacity = CAPACITY;
	}
}

static void last_in_first_out(struct ktest *t)
{
	begin(CAPACITY);
	EXPECT(t, cpu_stack_pop(stacks) == NULL);
	for (u32 i = 0; i < CAPACITY; i++)
		EXPECT(t, cpu_stack_push(stacks, &things[i]));
	EXPECT(t, !cpu_stack_push(stacks, &things[0])); /* full */
	EXPECT_EQ(t, stacks[0]->nr, CAPACITY);
	for (u32 i = CAPACITY; i-- > 0;)
		EXPECT(t, cpu_stack_pop(stacks) == &things[i]);
	EXPECT(t, cpu_stack_pop(stacks) == NULL);
	EXPECT_EQ(t, stacks[0]->nr, 0);
	EXPECT(t, !host_irqs_disabled);
}

static void refused_and_unchanged(struct ktest *t)
{
	begin(2);
	EXPECT(t, cpu_stack_push(stacks, &things[1]));
	EXPECT(t, !cpu_stack_push(stacks, &things[1])); /* freed twice */
	EXPECT(t, cpu_stack_push(stacks, &things[2]));
	EXPECT(t, !cpu_stack_push(stacks, &things[3])); /* as far as the limit */
	stacks[0]->limit = 0;
	EXPECT(t, !cpu_stack_push(stacks, &things[3]));
	EXPECT(t, cpu_stack_pop(stacks) == &things[2]); /* closed, and emptied */
	EXPECT(t, !cpu_stack_push(stacks, &things[2]));
	EXPECT_EQ(t, stacks[0]->nr, 1);
}

static void each_cpu_has_its_own(struct ktest *t)
{
	begin(CAPACITY);
	EXPECT(t, cpu_stack_push(stacks, &things[0]));
	host_cpu = 1;
	EXPECT(t, cpu_stack_pop(stacks) == NULL);
	EXPECT(t, cpu_stack_push(stacks, &things[1]));
	host_cpu = 0;
	EXPECT(t, cpu_stack_pop(stacks) == &things[0]);
	EXPECT_EQ(t, stacks[1]->nr, 1);
}

/* --- Threads and interrupts --------------------------------------------------------------------- */

#define NR_THREADS 3
#define ROUNDS     20000

static u64 nr_wrong; /* atomic */

/* Whoever has a thing writes himself into it. */
static u64 *take_as(u64 me)
{
	u64 *thing = cpu_stack_pop(stacks);

	if (thing && __atomic_exchange_n(thing, me, __ATOMIC_RELAXED) != 0)
		__atomic_fetch_add(&nr_wrong, 1, __ATOMIC_RELAXED);
	return thing;
}

static void give_as(u64 *thing, u64 me)
{
	if (__atomic_exchange_n(thing, 0, __ATOMIC_RELAXED) != me || !cpu_stack_push(stacks, thing))
		__atomic_fetch_add(&nr_wrong, 1, __ATOMIC_RELAXED);
}

static void take_and_give(void *arg)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 *first = take_as((u64)arg), *second = take_as((u64)arg);

		preempt_disable();
		preempt_enable(); /* where another may get the CPU */
		if (first)
			give_as(first, (u64)arg);
		if (second)
			give_as(second, (u64)arg);
	}
}

static void in_interrupt(void *arg)
{
	u64 *thing = take_as(99);

	(void)arg;
	if (thing)
		give_as(thing, 99);
}

static void threads_and_interrupts(struct ktest *t)
{
	static struct numa_topology topology;
	static const struct host_machine machine = {
		.ram = {{0, MiB(16), 0}}, .nr_nodes = 1, .nr_cpus = NR_CPUS};
	struct os_thread *thread[NR_THREADS];
	u32 seen = 0;

	host_machine_memory(&machine);
	host_machine_topology(&machine, &topology);
	ASSERT_EQ(t, numa_init(&topology), 0);
	begin(CAPACITY);
	for (u32 i = 0; i < CAPACITY; i++)
		stacks[1]->entry[stacks[1]->nr++] = &things[i];
	for (u64 i = 0; i < NR_THREADS; i++)
		thread[i] = os_thread_start("taker", 1, take_and_give, (void *)(i + 1));
	for (u32 i = 0; i < 200; i++)
		EXPECT_EQ(t, os_run_on_cpu(1, in_interrupt, NULL), 0);
	for (u32 i = 0; i < NR_THREADS; i++)
		os_thread_join(thread[i]);
	EXPECT_EQ(t, nr_wrong, 0);
	EXPECT_EQ(t, stacks[1]->nr, CAPACITY);
	for (u32 i = 0; i < stacks[1]->nr; i++)
		seen |= 1u << ((u64 *)stacks[1]->entry[i] - things);
	EXPECT_EQ(t, seen, (1u << CAPACITY) - 1);
}

/* --- Loads --------------------------------------------------------------------------------------- */

static bool reads(const void *addr, u64 wanted)
{
	u64 word = ~wanted;

	return load_or_fault(addr, &word) && word == wanted && reads_as(addr, wanted) &&
	       !reads_as(addr, ~wanted);
}

static bool faults(uintptr_t addr)
{
	u64 word = 0x1234;

	return !load_or_fault((const u64 *)addr, &word) && word == 0x1234 &&
	       !reads_as((const u64 *)addr, 0);
}

static void loads_may_fault(struct ktest *t)
{
	/* A hole between the two. */
	static const struct host_machine machine = {
		.ram = {{0, MiB(16), 0}, {MiB(64), MiB(16), 0}}, .nr_nodes = 1, .nr_cpus = 1};
	u64 *in_ram;

	host_machine_boot(&machine);
	in_ram = phys_to_virt(MiB(64) + 8);
	*in_ram = 77;
	EXPECT(t, reads(in_ram, 77));
	EXPECT(t, reads(pfn_to_page(MiB(64) >> PAGE_SHIFT),
			*(u64 *)pfn_to_page(MiB(64) >> PAGE_SHIFT)));
	EXPECT(t, faults(0));
	EXPECT(t, faults(8));
	EXPECT(t, faults(0x8000000000000000));
	EXPECT(t, faults(~7ul));
	EXPECT(t, faults((uintptr_t)phys_to_virt(MiB(32))));
	EXPECT(t, faults((uintptr_t)phys_to_virt(MiB(80))));
	EXPECT(t, faults((uintptr_t)phys_to_virt(0) - 8));
	EXPECT(t, faults(VMEMMAP_BASE - 8));
	EXPECT(t, faults((uintptr_t)pfn_to_page(GiB(4) >> PAGE_SHIFT)));
}

static void struct_pages_by_address(struct ktest *t)
{
	static const struct host_machine machine = {
		.ram = {{0, MiB(16), 0}}, .nr_nodes = 1, .nr_cpus = 1};
	const char *page;
	u64 word;

	host_machine_boot(&machine);
	page = phys_to_virt(MiB(8));
	EXPECT_EQ(t, virt_to_vmemmap(page), (uintptr_t)pfn_to_page(MiB(8) >> PAGE_SHIFT));
	EXPECT_EQ(t, virt_to_vmemmap(page + PAGE_SIZE - 1), virt_to_vmemmap(page));
	EXPECT_EQ(t, vmemmap_to_virt(virt_to_vmemmap(page)), page);
	EXPECT(t, load_or_fault((const u64 *)virt_to_vmemmap(page), &word));
	EXPECT(t, faults(virt_to_vmemmap(NULL)));
	EXPECT(t, faults(virt_to_vmemmap(&word)));
	EXPECT(t, faults(virt_to_vmemmap((const void *)VMEMMAP_BASE)));
	EXPECT(t, faults(virt_to_vmemmap((const void *)0xdeadbeefdeadbeef)));
}

static const struct ktest_case cases[] = {
	KTEST(last_in_first_out),      KTEST(refused_and_unchanged), KTEST(each_cpu_has_its_own),
	KTEST(threads_and_interrupts), KTEST(loads_may_fault),       KTEST(struct_pages_by_address),
};
KTEST_SUITE(restart, cases);
