/*
 * The stress of tests/stress/ on the host, where threads play CPUs: under ASan, and under ThreadSanitizer,
 * which sees also the races that went well.
 *
 * Interrupts come from one more thread, a timer that goes from CPU to CPU. What it interrupts stands
 * still meanwhile, at a place where interrupts are enabled (tests/host/cpus.c): not at each
 * instruction, but within the ownership of a page list, and in the name of its CPU.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <base/atomic.h>
#include <mm/inspect.h>
#include <mm/mm.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <unistd.h>

#include "mm/zone.h"
#include "tests/stress/stress.h"

#define TIMER_US 200
/* ThreadSanitizer sees a race in any order of its accesses, and makes each of them ten times as dear. */
#define OPERATIONS(nr) (HOST_TSAN ? (nr) / 4 : (nr))

/*
 *	4G            4G+256M     8G            8G+256M
 *	|   node 0    |           |   node 1    |           and 32 MiB for DMA and DMA32
 */
static const struct host_machine two_nodes = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(256), 0}, {GiB(8), MiB(256), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

/* So little that requests are refused and lists drained under pressure; node 1 has no memory. */
static const struct host_machine narrow = {
	.ram = {{0, MiB(24), 0}, {MiB(24), MiB(12), 2}},
	.nr_nodes = 3,
	.nr_cpus = 4,
	.cpu_nid = {0, 1, 2, 2},
};

static void tick(void *arg)
{
	stress_from_interrupt(arg);
}

static void begin_interrupts(struct stress *s)
{
	host_timer_begin(4, TIMER_US, tick, s);
}

static void end_interrupts(struct stress *s)
{
	(void)s;
	host_beside_end();
}

static void every_page_comes_back(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed,
					 .cpus = 0xf,
					 .threads_per_cpu = 2,
					 .operations = OPERATIONS(20000),
					 .max_order = 10};

	host_machine_boot(&two_nodes);
	stress_case(t, &plan, begin_interrupts, end_interrupts);
}

static void under_pressure(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed + 1,
					 .cpus = 0xf,
					 .threads_per_cpu = 3,
					 .operations = OPERATIONS(5000),
					 .max_order = 7};

	host_machine_boot(&narrow);
	stress_case(t, &plan, begin_interrupts, end_interrupts);
}

static void one_cpu(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed + 2,
					 .cpus = 0x1,
					 .threads_per_cpu = 3,
					 .operations = OPERATIONS(3000),
					 .max_order = 6};

	host_machine_boot(&two_nodes);
	stress_case(t, &plan, begin_interrupts, end_interrupts);
}

/* ---- One list -------------------------------------------------------------------------------- */

#define ROUND      1024
#define COLLISIONS (HOST_TSAN ? 300 : 1500)
#define STOPS      5
#define LIMIT_NS   30000000000ull

static bool pairs_done; /* atomic */
static u64 drained;

/* Relaxed, here and below: figures. */
static u64 times_found_busy(void)
{
	const struct zone *zone;
	u64 sum = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		if ((zone = zone_find(0, (enum zone_type)type)))
			sum += load_relaxed(&zone->events[PCP_BUSY]);
	}
	return sum;
}

static u32 nr_stops,
	nr_met; /* atomic: interrupts of CPU 0; of CPU 1, those that the list's CPU came to */

/*
 * An interrupt comes where the zone's lock has just been given back, at the end of a refill or a flush, and whoever it
 * interrupts has the list still, and stands there: the other one has the time to come to it, however few CPUs the
 * host has. The list's own CPU counts that; a drainer waits for it, which is where it is interrupted, too.
 */
static void stand_still(void *arg)
{
	u64 before = times_found_busy();

	(void)arg;
	if (smp_processor_id() == 0) {
		usleep(1000);
		__atomic_fetch_add(&nr_stops, 1, __ATOMIC_RELAXED);
		return;
	}
	for (u32 i = 0; i < 50 && times_found_busy() == before; i++)
		usleep(1000);
	__atomic_fetch_add(&nr_met, times_found_busy() > before, __ATOMIC_RELAXED);
}

static void stop_one(void *arg)
{
	static u32 turn;

	host_interrupt(turn++ % 4 == 0 ? 0 : 1, stand_still, arg);
}

static bool have_met_often(void)
{
	return times_found_busy() >= COLLISIONS && load_relaxed(&nr_stops) >= STOPS &&
	       load_relaxed(&nr_met) >= STOPS;
}

/* Until they met often enough for a mistake to show. */
static void take_and_give(void *arg)
{
	u64 *failed = arg, start = arch_timestamp();

	do {
		for (u32 i = 0; i < ROUND; i++) {
			struct page *page = alloc_pages_node(0, GFP_KERNEL, 0);

			if (page)
				__free_pages(page, 0);
			else
				++*failed;
		}
	} while (!have_met_often() && arch_timestamp_to_ns(arch_timestamp() - start) < LIMIT_NS);
	store_relaxed(&pairs_done, true);
}

static void drain_and_drain(void *arg)
{
	(void)arg;
	while (!load_relaxed(&pairs_done))
		drained += drain_all_pages();
}

/* Nothing but the two who may want one list at the same moment: its CPU, and a drainer. */
static void a_list_has_one_owner(struct ktest *t)
{
	struct os_thread *owner, *drainer;
	u64 failed = 0;

	host_machine_boot(&narrow);
	drainer = os_thread_start("drainer", 1, drain_and_drain, NULL);
	owner = os_thread_start("owner", 0, take_and_give, &failed);
	host_beside_begin(stop_one, NULL);
	os_thread_join(owner);
	os_thread_join(drainer);
	host_beside_end();
	EXPECT_EQ(t, failed, 0);
	EXPECT(t, drained > 0);
	EXPECT(t, times_found_busy() > 0);
	EXPECT(t, nr_stops > 0 && nr_met > 0);
	ktest_note(t, "%llu times in use, %u and %u stops", (unsigned long long)times_found_busy(),
		   nr_stops, nr_met);
	expect_check_clean(t);
}

/* ---- Who looks on ---------------------------------------------------------------------------- */

/*
 * By one more thread: what `top`, `map`, `page` and reports of failures read while all goes on. Not
 * mm_check(), which looks at each page and wants a quiet machine.
 */
#define ONLOOKER_CPU 4 /* not of the topology */

static u64 looks; /* atomic */

static void look_at_zones(void)
{
	struct zone_snapshot z;
	struct pcp_snapshot pcp;
	struct node_snapshot node;

	for (int nid = 0; nid < 2; nid++) {
		node_snapshot(nid, &node);
		for (u32 type = 0; type < MAX_NR_ZONES; type++) {
			zone_snapshot(nid, (enum zone_type)type, &z);
			pcp_snapshot(nid, (enum zone_type)type, 1, &pcp);
		}
	}
}

static void look_at_pages(void)
{
	pfn_t start = GiB(4) >> PAGE_SHIFT, cursor = start;
	struct memory_piece piece;
	struct page_snapshot page;

	for (pfn_t pfn = start + (MiB(240) >> PAGE_SHIFT); pfn < start + (MiB(256) >> PAGE_SHIFT);
	     pfn += 37)
		page_snapshot(pfn, &page);
	while (memory_next(&cursor, start + (MiB(256) >> PAGE_SHIFT), &piece))
		;
}

static void look_on(void *arg)
{
	(void)arg;
	host_cpu = ONLOOKER_CPU;
	look_at_zones();
	look_at_pages();
	/* With a report, as there is no such block. */
	if (alloc_pages_node(0, GFP_DMA | __GFP_THISNODE, MAX_ORDER))
		os_panic("order %d below 16 MiB", MAX_ORDER);
	mm_set_min_free_kbytes(mm_min_free_kbytes());
	__atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
}

static void begin_looking(struct stress *s)
{
	(void)s;
	host_beside_begin(look_on, NULL);
}

/* Figures may be out of date, but reading them is no race, and disturbs nobody. */
static void onlookers_are_in_nobodys_way(struct ktest *t)
{
	const struct stress_plan plan = {.seed = t->seed + 9,
					 .cpus = 0xf,
					 .threads_per_cpu = 1,
					 .operations = OPERATIONS(4000),
					 .max_order = 10};

	host_machine_boot(&two_nodes);
	while (alloc_pages_node(0, GFP_DMA | __GFP_NOWARN, MAX_ORDER))
		;
	stress_case(t, &plan, begin_looking, end_interrupts);
	EXPECT(t, looks > 0);
	EXPECT(t, host_log_contains("allocation failed: order 10"));
}

static void a_doubled_page_is_seen(struct ktest *t)
{
	for (u32 i = 0; i < 4; i++) {
		const struct stress_plan plan = {.seed = t->seed + 3 + i,
						 .cpus = 0x3,
						 .threads_per_cpu = 2,
						 .operations = 500,
						 .max_order = 6,
						 .fault_at = 100 + 90 * i};

		if (i == 0)
			host_machine_boot(&two_nodes);
		stress_case_fault(t, &plan);
	}
}

static const struct ktest_case cases[] = {
	KTEST(every_page_comes_back),
	KTEST(under_pressure),
	KTEST(one_cpu),
	KTEST(a_list_has_one_owner),
	KTEST(onlookers_are_in_nobodys_way),
	KTEST(a_doubled_page_is_seen),
};
KTEST_SUITE(stress, cases);
