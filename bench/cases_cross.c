/*
 * Group 32: one CPU allocates, the other frees.
 *
 * A round has two phases, each timed on the CPU that works, with interrupts off; a round's ticks are
 * their sum. CPU 0 leads: its own phase it runs where it is, while CPU 1 is in its idle loop; CPU 1's
 * it starts by smp_call() and waits with `pause`. Under -icount that costs the other nothing: the CPU
 * that waits has its turn only when the one at work pauses or halts, and that does neither.
 */
#include "bench.h"

#include <arch/irq.h>
#include <arch/preempt.h>
#include <mm/numa.h>
#include <x86/smp.h>

#define CROSS_PAGES 1024

static struct page *pages[CROSS_PAGES];
static int home; /* node of the CPU that allocates */

static void alloc_all(struct bench_batch *batch)
{
	for (u32 i = 0; i < CROSS_PAGES; i++) {
		pages[i] = alloc_pages_node(home, BENCH_GFP, 0);
		if (unlikely(!pages[i]))
			batch->fail++;
	}
}

static void free_all(struct bench_batch *batch)
{
	(void)batch;
	for (u32 i = 0; i < CROSS_PAGES; i++) {
		if (likely(pages[i]))
			__free_pages(pages[i], 0);
	}
}

struct phase {
	void (*body)(struct bench_batch *batch);
	struct bench_batch *batch;
	u64 ticks;
};

/* On the CPU that works, interrupts off. */
static void time_phase(void *arg)
{
	struct phase *phase = arg;
	u64 start = arch_timestamp();

	phase->body(phase->batch);
	phase->ticks = arch_timestamp() - start;
}

static u64 run_phase(u32 cpu, void (*body)(struct bench_batch *batch), struct bench_batch *batch)
{
	struct phase phase = {.body = body, .batch = batch};

	preempt_disable();
	if (smp_call(cpu, time_phase, &phase) != 0)
		batch->fail++;
	preempt_enable();
	return phase.ticks;
}

/* `from` is the CPU that allocates. */
static u64 cross_round(u64 from, struct bench_batch *batch)
{
	u64 alloc, free;

	home = cpu_to_node((u32)from);
	alloc = run_phase((u32)from, alloc_all, batch);
	free = run_phase(!from, free_all, batch);
	batch->alloc_ticks += alloc;
	batch->free_ticks += free;
	return alloc + free;
}

#define CROSS(n, from)                                                                         \
	{                                                                                      \
		.name = (n), .ops = CROSS_PAGES, .batches = 32, .has_phases = true, .cpus = 2, \
		.round = cross_round, .arg = (from)                                            \
	}

const struct bench_case bench_cases_cross[] = {
	CROSS("cross_page_0to1", 0),
	CROSS("cross_page_1to0", 1),
};
const u32 nr_bench_cases_cross = ARRAY_SIZE(bench_cases_cross);
