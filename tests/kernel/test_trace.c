/*
 * Tracing on the machine that booted: what a few requests leave in the rings, on every CPU, in
 * interrupts and without.
 *
 * The records are looked at, not read: a drain may be going on beside this.
 */
#include <base/string.h>
#include <kernel/panic.h>
#include <kernel/sync.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <kernel/trace_stream.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <x86/smp.h>

#define NR_ORDERS_ASKED 4
#define MAX_SEEN        32

/* This CPU's records of pages given and taken back, from index `from` on. */
static struct trace_record seen[MAX_SEEN];

static u32 look(u32 cpu, u64 from)
{
	struct trace_record r;
	struct trace_state state;
	u32 nr = 0;

	trace_state(cpu, &state);
	for (u64 i = from; i < state.head && nr < MAX_SEEN; i++)
		if (trace_at(cpu, i, &r) &&
		    (r.event == TRACE_PAGE_ALLOC || r.event == TRACE_PAGE_FREE))
			seen[nr++] = r;
	return nr;
}

static u64 head_of(u32 cpu)
{
	struct trace_state state;

	trace_state(cpu, &state);
	return state.head;
}

static bool asked_by(const struct trace_record *r, const char *function)
{
	char text[96];

	symbol_format_return((uintptr_t)r->call_site, text, sizeof(text));
	return strncmp(text, function, strlen(function)) == 0;
}

static __noinline struct page *take_here(unsigned int order)
{
	return alloc_pages(GFP_ATOMIC, order);
}

static __noinline void give_here(struct page *page, unsigned int order)
{
	__free_pages(page, order);
}

static void expect_block(struct ktest *t, const struct trace_record *r, const struct page *page,
			 unsigned int order)
{
	EXPECT_EQ(t, r->id, page_to_pfn(page));
	EXPECT_EQ(t, r->order, order);
	EXPECT_EQ(t, r->nid, page->nid);
	EXPECT_EQ(t, r->zone, page->zone);
	EXPECT_EQ(t, r->cpu, smp_processor_id());
}

/* Orders of the CPU's lists and one beyond them; each once before, so that the lists have some. */
static void requests_leave_their_records(struct ktest *t)
{
	static const unsigned int orders[NR_ORDERS_ASKED] = {0, 1, 3, 5};
	struct page *page[NR_ORDERS_ASKED];
	u32 cpu = smp_processor_id();

	if (trace_enabled)
		SKIP(t, "tracing is on");
	for (u32 i = 0; i < NR_ORDERS_ASKED; i++)
		give_here(take_here(orders[i]), orders[i]);
	ASSERT_EQ(t, trace_start(), 0);
	EXPECT_EQ(t, look(cpu, 0), 0);
	for (u32 i = 0; i < NR_ORDERS_ASKED; i++)
		ASSERT_TRUE(t, (page[i] = take_here(orders[i])) != NULL);
	for (u32 i = 0; i < NR_ORDERS_ASKED; i++)
		give_here(page[i], orders[i]);
	EXPECT_EQ(t, trace_stop(), 0);

	ASSERT_EQ(t, look(cpu, 0), 2 * NR_ORDERS_ASKED);
	for (u32 i = 0; i < NR_ORDERS_ASKED; i++) {
		const struct trace_record *alloc = &seen[i], *free = &seen[NR_ORDERS_ASKED + i];

		EXPECT_EQ(t, alloc->event, TRACE_PAGE_ALLOC);
		EXPECT_EQ(t, free->event, TRACE_PAGE_FREE);
		expect_block(t, alloc, page[i], orders[i]);
		expect_block(t, free, page[i], orders[i]);
		EXPECT_EQ(t, alloc->gfp, GFP_ATOMIC);
		EXPECT(t, asked_by(alloc, "take_here"));
		EXPECT(t, asked_by(free, "give_here"));
	}
	EXPECT_EQ(t, trace_lost(cpu), 0);
}

static void off_is_silence(struct ktest *t)
{
	u32 cpu = smp_processor_id();
	u64 head;

	if (trace_enabled)
		SKIP(t, "tracing is on");
	ASSERT_EQ(t, trace_start(), 0);
	EXPECT(t, trace_start() != 0);
	give_here(take_here(0), 0);
	EXPECT_EQ(t, trace_stop(), 0);
	EXPECT(t, trace_stop() != 0);
	head = head_of(cpu);
	EXPECT(t, head >= 2);
	give_here(take_here(0), 0);
	EXPECT_EQ(t, head_of(cpu), head);
}

static void take_in_interrupt(void *arg)
{
	struct page **page = arg;

	*page = take_here(2);
	if (*page)
		give_here(*page, 2);
}

/* On each in an interrupt; on this one, too, with interrupts off. */
static void each_cpu_writes_its_own(struct ktest *t)
{
	struct check_report report;
	u32 cpu;

	if (trace_enabled)
		SKIP(t, "tracing is on");
	ASSERT_EQ(t, trace_start(), 0);
	for_each_online_cpu(cpu) {
		struct page *page = NULL;
		u64 from = head_of(cpu);

		EXPECT_EQ(t, smp_call(cpu, take_in_interrupt, &page), 0);
		if (!EXPECT(t, page != NULL) || !EXPECT_EQ(t, look(cpu, from), 2))
			continue;
		EXPECT_EQ(t, seen[0].id, page_to_pfn(page));
		EXPECT_EQ(t, seen[1].id, page_to_pfn(page));
		EXPECT_EQ(t, seen[0].cpu, cpu);
		EXPECT(t, asked_by(&seen[0], "take_here"));
		EXPECT(t, seen[1].timestamp >= seen[0].timestamp);
	}
	/* With all of it in the rings, and while it is on. */
	if (numa_topology()->nr_nodes <= 8)
		EXPECT_MSG(t, mm_check(&report), "%s", report.first);
	EXPECT_EQ(t, trace_stop(), 0);
}

/* Below 16 MiB there are at most four blocks of 4 MiB, so one of five requests fails, and the rest. */
static void a_failure_is_recorded(struct ktest *t)
{
	gfp_t gfp = GFP_DMA | __GFP_NOWARN;
	u32 cpu = smp_processor_id(), nr = 0, failures = 0;
	struct trace_state state;
	struct trace_record r;
	struct page *page[5];

	if (trace_enabled)
		SKIP(t, "tracing is on");
	ASSERT_EQ(t, trace_start(), 0);
	while (nr < ARRAY_SIZE(page) && (page[nr] = alloc_pages(gfp, MAX_ORDER)))
		nr++;
	trace_state(cpu, &state);
	EXPECT_EQ(t, trace_stop(), 0);
	EXPECT(t, nr < ARRAY_SIZE(page));
	while (nr-- > 0)
		__free_pages(page[nr], MAX_ORDER);
	for (u64 i = 0; i < state.head; i++) {
		if (!trace_at(cpu, i, &r) || r.event != TRACE_PAGE_ALLOC_FAILED)
			continue;
		failures++;
		EXPECT_EQ(t, r.order, MAX_ORDER);
		EXPECT_EQ(t, r.gfp, gfp);
		EXPECT_EQ(t, r.nid, cpu_to_node(cpu));
		EXPECT_EQ(t, r.zone, ZONE_DMA);
		EXPECT(t, asked_by(&r, __func__));
	}
	EXPECT_EQ(t, failures, 1);
}

static void wait_once(void *arg)
{
	wait_for_completion(arg, OS_WAIT_FOREVER);
}

/* How many records of the event about the thread the CPU has written. */
static u32 nr_of(u32 cpu, enum trace_event event, u32 thread)
{
	struct trace_record r;
	u64 head = head_of(cpu);
	u32 nr = 0;

	for (u64 i = 0; i < head; i++)
		nr += trace_at(cpu, i, &r) && r.event == event && r.id == thread;
	return nr;
}

/* A thread of the last CPU waits and is woken from here: who wakes and who switches each say so. */
static void switches_and_wakes_are_recorded(struct ktest *t)
{
	struct completion go;
	struct thread_info info;
	struct thread *thread;
	u32 cpu, last = 0;

	if (trace_enabled)
		SKIP(t, "tracing is on");
	for_each_online_cpu(cpu)
		last = cpu;
	completion_init(&go, "traced");
	ASSERT_EQ(t, trace_start(), 0);
	thread = thread_start("traced", last, wait_once, &go);
	if (EXPECT(t, thread != NULL)) {
		do {
			thread_sleep_ns(10000000);
			for (u32 i = 0; thread_describe(i, &info); i++)
				if (strcmp(info.name, "traced") == 0)
					break;
		} while (info.state != THREAD_SLEEPING);
		complete(&go);
		thread_join(thread);
	}
	EXPECT_EQ(t, trace_stop(), 0);
	EXPECT(t, nr_of(last, TRACE_SCHED_SWITCH, info.id) >= 2);
	EXPECT_EQ(t, nr_of(smp_processor_id(), TRACE_SCHED_WAKE, info.id), 1);
}

static const struct ktest_case cases[] = {
	KTEST(requests_leave_their_records),    KTEST(off_is_silence),
	KTEST(each_cpu_writes_its_own),         KTEST(a_failure_is_recorded),
	KTEST(switches_and_wakes_are_recorded),
};
KTEST_SUITE(trace_rings, cases);
