/*
 * Running the cases: warm-up, measured batches, and one line for each.
 *
 *	MMBENCH name=<case> ops=<n> tsc=<ticks> per_op=<x> min=<x> med=<x> max=<x>
 *	        [alloc=<x> free=<x>] batches=<n> cpu=<c> fail=<n>
 *
 * ops and tsc are sums over the measured batches, per_op their quotient; min, med and max are of
 * batches, the median being the upper one. The last line is MMBENCH_DONE.
 */
#include "bench.h"

#include <arch/irq.h>
#include <arch/lockcheck.h>
#include <arch/preempt.h>
#include <base/string.h>
#include <kernel/glob.h>
#include <kernel/printk.h>
#include <mm/numa.h>
#include <x86/smp.h>

u32 bench_perm[BENCH_PERM];

static void make_perm(void)
{
	u32 state = BENCH_SEED;

	for (u32 i = 0; i < BENCH_PERM; i++)
		bench_perm[i] = i;
	for (u32 i = BENCH_PERM - 1; i > 0; i--) {
		u32 j = bench_draw(&state) % (i + 1);
		u32 kept = bench_perm[i];

		bench_perm[i] = bench_perm[j];
		bench_perm[j] = kept;
	}
}

/* Ticks an op, in hundredths, rounded. */
static u64 hundredths(u64 ticks, u64 ops)
{
	return (ticks * 100 + ops / 2) / ops;
}

static void print_per_op(const char *name, u64 ticks, u64 ops)
{
	u64 x = hundredths(ticks, ops);

	kprintf(" %s=%llu.%02llu", name, (unsigned long long)(x / 100),
		(unsigned long long)(x % 100));
}

static u64 time_batch(const struct bench_case *c, struct bench_batch *batch)
{
	void (*body)(u64 arg, struct bench_batch * batch) = c->body;
	unsigned long flags;
	u64 start, end;

	if (c->prepare)
		c->prepare(c->arg);
	if (c->round)
		return c->round(c->arg, batch);
	preempt_disable();
	flags = irq_save();
	if (c->interrupts_on)
		irq_restore(flags);
	start = arch_timestamp();
	body(c->arg, batch);
	end = arch_timestamp();
	irq_restore(flags);
	preempt_enable();
	return end - start;
}

static void sort(u64 *values, u32 nr)
{
	for (u32 i = 1; i < nr; i++) {
		u64 value = values[i];
		u32 at = i;

		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

static bool run_case(const struct bench_case *c)
{
	u32 batches = c->batches ? c->batches : BENCH_BATCHES;
	u64 ticks[BENCH_MAX_BATCHES], sum = 0, ops = (u64)c->ops * batches;
	struct bench_batch batch = {0}, warm_up = {0};
	u64 fail;

	if (c->begin && !c->begin(c->arg)) {
		kprintf("MMBENCH_INFO %s: no memory to begin with\n", c->name);
		return false;
	}
	for (u32 i = 0; i < BENCH_WARM_UPS; i++)
		time_batch(c, &warm_up);
	for (u32 i = 0; i < batches; i++) {
		ticks[i] = time_batch(c, &batch);
		sum += ticks[i];
	}
	if (c->end)
		c->end(c->arg);
	fail = warm_up.fail + batch.fail;
	sort(ticks, batches);
	kprintf("MMBENCH name=%s ops=%llu tsc=%llu", c->name, (unsigned long long)ops,
		(unsigned long long)sum);
	print_per_op("per_op", sum, ops);
	print_per_op("min", ticks[0], c->ops);
	print_per_op("med", ticks[batches / 2], c->ops);
	print_per_op("max", ticks[batches - 1], c->ops);
	if (c->has_phases) {
		print_per_op("alloc", batch.alloc_ticks, ops);
		print_per_op("free", batch.free_ticks, ops);
	}
	kprintf(" batches=%u cpu=%u fail=%llu\n", batches,
		c->round ? (u32)c->arg & 1 : smp_processor_id(), (unsigned long long)fail);
	return fail == 0;
}

/* What a tick is, by the kernel's clock. */
static void print_clock(void)
{
	u64 start = arch_timestamp(), ticks;

	for (u32 i = 0; i < 20; i++) {
		for (u32 turn = 0; turn < 100000; turn++)
			__asm__ volatile("");
	}
	ticks = arch_timestamp() - start;
	kprintf("MMBENCH_INFO clock tsc=%llu ns=%llu\n", (unsigned long long)ticks,
		(unsigned long long)arch_timestamp_to_ns(ticks));
}

static u32 nodes_with_memory(void)
{
	nodemask_t mask = node_memory_mask();
	u32 nr = 0;
	int nid;

	for_each_node_mask(nid, mask)
		nr++;
	return nr;
}

/* Why the machine cannot run a case, or NULL. */
static const char *lacks(const struct bench_case *c)
{
	if (c->nodes > nodes_with_memory())
		return "nodes with memory";
	for (u32 cpu = 0; cpu < c->cpus; cpu++) {
		if (!cpu_online(cpu))
			return "CPUs";
	}
	return NULL;
}

/* Runs the cases of a group that match; adds to *matched, returns how many failed. */
static u32 run_group(const struct bench_group *group, const char *globs, u32 *matched)
{
	u32 failed = 0;

	for (u32 i = 0; i < group->nr; i++) {
		const struct bench_case *c = &group->cases[i];

		if (globs[0] && !glob_list_match(globs, c->name))
			continue;
		(*matched)++;
		if (lacks(c))
			kprintf("MMBENCH_INFO %s: left out, needs more %s\n", c->name, lacks(c));
		else
			failed += !run_case(c);
	}
	return failed;
}

bool bench_run(const char *globs)
{
	const struct bench_group groups[] = {
		{bench_cases_driver, nr_bench_cases_driver},
		{bench_cases_slab, nr_bench_cases_slab},
		{bench_cases_kmalloc, nr_bench_cases_kmalloc},
		{bench_cases_pages, nr_bench_cases_pages},
		{bench_cases_nodes, nr_bench_cases_nodes},
		{bench_cases_cross, nr_bench_cases_cross},
		{bench_cases_reserve, nr_bench_cases_reserve},
	};
	u32 failed = 0, matched = 0;

	if (lockcheck_is_on()) {
		kprintf("MMBENCH_INFO the lock checker is on, and would be measured, too\n");
		return false;
	}
	make_perm();
	print_clock();
	for (u32 i = 0; i < ARRAY_SIZE(groups); i++)
		failed += run_group(&groups[i], globs, &matched);
	if (matched == 0)
		kprintf("MMBENCH_INFO no case matches '%s'\n", globs);
	kprintf("MMBENCH_DONE\n");
	return failed == 0 && matched > 0;
}
