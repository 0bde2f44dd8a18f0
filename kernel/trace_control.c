/*
 * Tracing on and off: memory for the rings, who empties them, and the moment after which nobody writes.
 *
 * Each CPU's ring stands on the CPU's own node, so that writing a record costs no trip to another
 * one. The rings are taken at the first start, and kept: what was traced can be looked at after the
 * stop (`trace dump N`), and the next start takes nothing. How large they are depends on the node: at
 * most RING_SHARE of it, so that a small machine can be traced, too.
 *
 * While tracing is on a thread drains them, a few times in a tenth of a second. After a stop the prompt
 * goes on with what COM2 did not take.
 *
 * A stop lets every CPU take an interrupt after trace_enabled is false. trace_record() looks at it with
 * interrupts off, so who has taken that interrupt is in none, and will see it false: the rings are then
 * nobody's but ours, and the next start may set them anew, empty and counting from 0.
 */
#include <kernel/trace_stream.h>

#include <arch/page.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <kernel/thread.h>
#include <mm/inspect.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <x86/smp.h>

#define MAX_RING_ORDER 7  /* 8192 records */
#define RING_SHARE     64 /* of the node's pages, all its CPUs together */

/* How long records wait: 8192 of them in this time are what a busy CPU writes. */
#define DRAIN_EVERY_NS 10000000ull

struct ring {
	struct trace_record *records; /* NULL: none yet */
	u32 nr_records;
};
static struct ring rings[MAX_CPUS];

/* What fits a block of the order, as a power of two. */
static u32 records_of(unsigned int order)
{
	u64 fit = (PAGE_SIZE << order) / sizeof(struct trace_record);

	return (u32)1 << (63 - __builtin_clzll(fit));
}

static u64 node_pages(int nid)
{
	struct zone_snapshot zone;
	u64 pages = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		zone_snapshot(nid, (enum zone_type)type, &zone);
		pages += zone.managed_pages;
	}
	return pages;
}

static u32 node_cpus(int nid)
{
	u32 nr = 0, cpu;

	for_each_online_cpu(cpu)
		nr += cpu_to_node(cpu) == nid;
	return nr;
}

/* The largest that its node can well do without; of another node if its own has none. */
static bool take_ring(u32 cpu)
{
	int nid = cpu_to_node(cpu);
	u64 share = node_pages(nid) / RING_SHARE / node_cpus(nid);

	for (unsigned int order = MAX_RING_ORDER + 1; order-- > 0;) {
		struct page *page;

		if (order > 0 && (u64)1 << order > share)
			continue;
		page = alloc_pages_node(nid, GFP_KERNEL | __GFP_NOWARN, order);
		if (!page)
			continue;
		rings[cpu] = (struct ring){page_address(page), records_of(order)};
		return true;
	}
	return false;
}

u64 trace_ring_pages(void)
{
	u64 pages = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		pages += rings[cpu].nr_records / records_of(0);
	return pages;
}

static bool take_rings(void)
{
	u32 cpu;

	for_each_online_cpu(cpu)
		if (!rings[cpu].records && !take_ring(cpu))
			return false; /* those taken are kept for the next time */
	return true;
}

/* --- The thread that drains ----------------------------------------------------------------- */

static struct thread *drainer; /* NULL: none; of who starts and stops */
static bool session;           /* the drainer stays: by them, atomic */

static void drain_now_and_then(void *arg)
{
	(void)arg;
	/* Relaxed: nothing comes with it; the drain has its own order. */
	while (load_relaxed(&session)) {
		trace_drain();
		thread_sleep_ns(DRAIN_EVERY_NS);
	}
}

/*
 * On the last CPU: the monitor and what it runs are on the first. Without a thread, which the log
 * then says, records wait for the prompt and for `trace dump`.
 */
static void start_drainer(void)
{
	u32 last = 0, cpu;

	for_each_online_cpu(cpu)
		last = cpu;
	store_relaxed(&session, true);
	drainer = thread_start("trace", last, drain_now_and_then, NULL);
}

static void stop_drainer(void)
{
	store_relaxed(&session, false);
	if (drainer)
		thread_join(drainer); /* a sleep, and the drain it is at */
	drainer = NULL;
}

/* --- On and off ----------------------------------------------------------------------------- */

int trace_start(void)
{
	u32 cpu;

	if (trace_enabled)
		return -EEXIST;
	if (!take_rings())
		return -ENOMEM;
	if (!trace_stream_begin())
		return -EBUSY;
	for_each_online_cpu(cpu)
		trace_set_ring(cpu, rings[cpu].records, rings[cpu].nr_records);
	start_drainer(); /* before: the pages of its stack are not what somebody wants to see */
	trace_switch(true);
	return 0;
}

static void take_interrupt(void *arg)
{
	(void)arg;
}

int trace_stop(void)
{
	if (!trace_enabled)
		return -ENOENT;
	trace_switch(false);
	smp_call_others(take_interrupt, NULL);
	stop_drainer();
	if (trace_stream_end())
		trace_drain_now();
	return 0;
}
