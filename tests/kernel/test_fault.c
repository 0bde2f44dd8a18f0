/*
 * Each way in which the kernel asks for memory at run time, with each of its requests failed in turn;
 * and the command.
 */
#include <arch/page.h>
#include <base/errno.h>
#include <base/format.h>
#include <kernel/monitor.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <kernel/trace_stream.h>
#include <kernel/workload.h>
#include <mm/fault_inject.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <mm/vmstat.h>
#include <x86/cpu_features.h>
#include <x86/paging.h>
#include <x86/smp.h>

#include "../stress/stress.h"
#include "../sweep/sweep.h"

static void nothing(void *arg)
{
	(void)arg;
}

/* --- Threads ------------------------------------------------------------------------------------ */

/* On the CPU of the argument: object and stack, of its node. */
static enum sweep_answer start_a_thread(void *arg)
{
	struct thread *thread = thread_start("swept", *(u32 *)arg, nothing, NULL);

	if (!thread)
		return SWEEP_FAILED;
	thread_join(thread);
	return SWEEP_DONE;
}

static void a_thread_that_is_not_started(struct ktest *t)
{
	u32 cpus[] = {0, nr_cpus_online() - 1};

	for (u32 i = 0; i < ARRAY_SIZE(cpus); i++) {
		struct sweep_result result =
			sweep(t, &(struct sweep){
					 .what = "a thread",
					 .work = start_a_thread,
					 .arg = &cpus[i],
					 .settle = threads_release_spares,
					 .kept = paging_table_pages,
					 .most = 6,
					 /* A slab of another node, if its own has none. */
					 .has_another_way = true,
				 });

		/* The object and its stack. */
		EXPECT(t, result.failed >= 2);
	}
}

/*
 * More than have their place in one page table of the stack window: the first time in a machine's life
 * a table is among what is asked for.
 */
#define CROWD 40

static enum sweep_answer start_a_crowd(void *arg)
{
	struct thread *thread[CROWD];
	u32 nr = 0;
	bool done;

	while (nr < CROWD && (thread[nr] = thread_start("crowd", 0, nothing, NULL)) != NULL)
		nr++;
	done = nr == CROWD;
	while (nr > 0)
		thread_join(thread[--nr]);
	(void)arg;
	return done ? SWEEP_DONE : SWEEP_FAILED;
}

static void a_crowd_that_is_not_complete(struct ktest *t)
{
	u64 tables = paging_table_pages();
	struct sweep_result result = sweep(t, &(struct sweep){
						      .what = "a crowd",
						      .work = start_a_crowd,
						      .settle = threads_release_spares,
						      .kept = paging_table_pages,
						      .most = 3 * CROWD,
						      .has_another_way = true,
					      });

	/* Each needs its object and its stack; a page for the objects is had elsewhere, or at the second time of asking. */
	EXPECT(t, result.failed >= 2 * CROWD);
	EXPECT(t, result.managed > 0 && result.managed < CROWD / 2);
	ktest_note(t, "%llu page tables were made",
		   (unsigned long long)(paging_table_pages() - tables));
	EXPECT(t, result.failed + result.managed >= result.requests);
}

/* A spare one has what it needs: no request, so nothing to fail. */
static void a_spare_thread_asks_for_nothing(struct ktest *t)
{
	struct fault_rule_state state;
	u32 cpu = 0;
	int id;

	EXPECT_EQ(t, start_a_thread(&cpu), SWEEP_DONE);
	id = fault_rule_add(&(struct fault_rule){.of_tasks = true});
	fault_rule_mark(os_current(), (u32)id);
	EXPECT_EQ(t, start_a_thread(&cpu), SWEEP_DONE);
	fault_rule_state((u32)id, &state);
	EXPECT_EQ(t, state.seen, 0);
	EXPECT(t, fault_rule_remove((u32)id));
}

/* --- Page tables -------------------------------------------------------------------------------- */

/* Below what the CPU can address, a GiB each time: without tables, so far. Nothing is read there. */
static enum sweep_answer map_a_page(void *arg)
{
	static u32 times;
	u64 limit = (u64)1 << MIN(cpu_features().phys_bits, (u32)PHYS_ADDR_BITS_MAX);

	(void)arg;
	return paging_map_firmware(limit - ++times * GiB(1), PAGE_SIZE) ? SWEEP_DONE : SWEEP_FAILED;
}

static void a_page_that_is_not_mapped(struct ktest *t)
{
	struct sweep_result result = sweep(t, &(struct sweep){
						      .what = "a mapping",
						      .work = map_a_page,
						      .kept = paging_table_pages,
						      .most = 3,
					      });

	/* Page directory and page table. */
	EXPECT_EQ(t, result.requests, 2);
	EXPECT(t, result.failed >= 2);
}

/* --- The rest ----------------------------------------------------------------------------------- */

static enum sweep_answer trace_a_moment(void *arg)
{
	(void)arg;
	if (trace_start() != 0)
		return trace_enabled ? SWEEP_WRONG : SWEEP_FAILED;
	return trace_stop() == 0 ? SWEEP_DONE : SWEEP_WRONG;
}

/* A smaller ring will do, and without its thread the prompt drains: nearly every failure has a way out. */
static void tracing_with_less(struct ktest *t)
{
	struct sweep_result result = sweep(t, &(struct sweep){
						      .what = "tracing",
						      .work = trace_a_moment,
						      .settle = threads_release_spares,
						      .kept = trace_ring_pages,
						      .most = 8 * MAX_CPUS,
						      .has_another_way = true,
					      });

	EXPECT(t, result.requests >= 2);
	EXPECT(t, result.managed > 0);
}

/* No ring at all is no tracing; rings of before will do, and then only the thread is missing. */
static void tracing_without_memory(struct ktest *t)
{
	bool have_rings = trace_ring_pages() > 0;
	struct fault_rule_state state;
	int id = fault_rule_add(&(struct fault_rule){.of_tasks = true, .quiet = true});

	fault_rule_mark(os_current(), (u32)id);
	EXPECT_EQ(t, trace_a_moment(NULL), have_rings ? SWEEP_DONE : SWEEP_FAILED);
	EXPECT(t, fault_rule_state((u32)id, &state) && state.failed > 0);
	EXPECT_EQ(t, state.failed, state.seen);
	EXPECT(t, fault_rule_remove((u32)id));
}

static void a_stress_without_tables(struct ktest *t)
{
	stress_case_without_memory(t, 1);
}

static enum sweep_answer type_alloc(void *arg)
{
	char text[32];
	int id = lowest_free_handle();

	(void)arg;
	if (monitor_run("alloc 3") != 0)
		return lowest_free_handle() == id ? SWEEP_FAILED : SWEEP_WRONG;
	snprintf(text, sizeof(text), "free %d", id);
	return monitor_run(text) == 0 ? SWEEP_DONE : SWEEP_WRONG;
}

static void alloc_as_typed(struct ktest *t)
{
	struct sweep_result result =
		sweep(t, &(struct sweep){.what = "alloc", .work = type_alloc, .most = 2});

	EXPECT_EQ(t, result.requests, 1);
	EXPECT_EQ(t, result.failed, 1);
}

/* --- Loads -------------------------------------------------------------------------------------- */

#define LOAD_PAGES 16
#define LOAD_NS    10000000000ull

/* By so many threads as the argument says; of those that do not start the caller does the work. */
static enum sweep_answer load_a_file(void *arg)
{
	struct cache_file *file = cache_file_create("swept", LOAD_PAGES, 1);
	enum sweep_answer answer = SWEEP_DONE;
	struct workload_result r;
	int err;

	if (!file)
		return SWEEP_FAILED;
	err = workload_run(&(struct workload){.kind = WORKLOAD_FILL,
					      .file = file,
					      .nr_ops = LOAD_PAGES,
					      .nr_threads = *(u32 *)arg,
					      .gfp = GFP_KERNEL,
					      .timeout_ns = LOAD_NS},
			   &r);
	if (err == -ENOMEM || (!err && r.no_memory == 1 && r.reads == LOAD_PAGES - 1))
		answer = SWEEP_FAILED;
	else if (err || r.reads != LOAD_PAGES || r.wrong)
		answer = SWEEP_WRONG;
	return cache_file_destroy(file, LOAD_NS) == 0 ? answer : SWEEP_WRONG;
}

/* Its tables, its file, its pages; of two threads each, too. */
static void loads_without_memory(struct ktest *t)
{
	for (u32 nr = 1; nr <= 2; nr++) {
		struct sweep_result result = sweep(t, &(struct sweep){
							      .what = "a load",
							      .work = load_a_file,
							      .arg = &nr,
							      .settle = threads_release_spares,
							      .kept = paging_table_pages,
							      .most = 100,
							      .has_another_way = true,
						      });

		/* The ledger's three pieces and the load's table at least; of the one thread its pages. */
		EXPECT_MSG(t, result.failed >= 4 + (nr == 1 ? LOAD_PAGES : 0), "%u of %u failed",
			   result.failed, result.requests);
		EXPECT(t, result.managed >= (nr_cpus_online() > 1 ? 2 * (nr - 1) : 0));
	}
}

/* --- The command -------------------------------------------------------------------------------- */

static __noinline struct page *asked_by_name(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	__asm__ volatile("" : "+r"(page)); /* no tail call: the site is here */
	return page;
}

static void sites_have_names(struct ktest *t)
{
	struct page *page;

	EXPECT_EQ(t, monitor_run("fault set site=asked_?y_na*"), 0);
	page = alloc_pages(GFP_KERNEL, 0); /* from another function */
	EXPECT(t, page != NULL);
	EXPECT(t, asked_by_name() == NULL);
	EXPECT_EQ(t, monitor_run("fault off"), 0);
	if (page)
		__free_pages(page, 0);
	EXPECT(t, (page = asked_by_name()) != NULL);
	if (page)
		__free_pages(page, 0);
}

static void threads_have_ids(struct ktest *t)
{
	struct thread_info info;
	char text[64];
	u64 before = vmstat_read(VMSTAT_FAULT_INJECTED);
	struct page *page;
	u32 i = 0;

	/* The one that runs here. */
	while (thread_describe(i, &info) &&
	       (info.state != THREAD_RUNNING || info.cpu != smp_processor_id()))
		i++;
	snprintf(text, sizeof(text), "fault set task=%u order=2", info.id);
	EXPECT_EQ(t, monitor_run(text), 0);
	EXPECT(t, (page = asked_by_name()) != NULL);
	if (page)
		__free_pages(page, 0);
	EXPECT_EQ(t, monitor_run("alloc 2"), 1);
	EXPECT_EQ(t, vmstat_read(VMSTAT_FAULT_INJECTED) - before, 1);
	EXPECT_EQ(t, monitor_run("fault; fault off 1000000"), 1);
	EXPECT_EQ(t, monitor_run("fault off"), 0);
}

static const struct ktest_case cases[] = {
	KTEST(a_thread_that_is_not_started),
	KTEST(a_crowd_that_is_not_complete),
	KTEST(a_spare_thread_asks_for_nothing),
	KTEST(a_page_that_is_not_mapped),
	KTEST(loads_without_memory),
	KTEST(tracing_without_memory),
	KTEST(tracing_with_less),
	KTEST(a_stress_without_tables),
	KTEST(alloc_as_typed),
	KTEST(sites_have_names),
	KTEST(threads_have_ids),
};
KTEST_SUITE(fault, cases);
