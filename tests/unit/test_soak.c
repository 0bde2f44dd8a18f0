/*
 * The soak of tests/soak/ on the host, where threads play CPUs: for some seconds, under ASan, and under
 * ThreadSanitizer.
 *
 * Interrupts come from one more thread, a timer that goes from CPU to CPU; on CPU 0 it is the device's, too.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <base/format.h>
#include <kernel/netblk.h>
#include <kernel/page_cache.h>
#include <mm/mm.h>
#include <mm/os.h>
#include <mm/reclaim.h>

#include "tests/soak/soak.h"

#define NR_CPUS       4
#define TIMER_US      500
#define LEAVE_PAGES   (MiB(24) / PAGE_SIZE)
#define MOST_ROUNDS   6
#define LIMIT_SECONDS 240
#define NS_PER_MS     1000000ull

/*
 *	4G           4G+40M       8G           8G+40M
 *	|   node 0   |            |   node 1   |           and 16 MiB for DMA and DMA32
 */
static const struct host_machine two_nodes = {
	.ram = {{0, MiB(16), 0}, {GiB(4), MiB(40), 0}, {GiB(8), MiB(40), 1}},
	.nr_nodes = 2,
	.nr_cpus = NR_CPUS,
	.cpu_nid = {0, 0, 1, 1},
};

static void tick(void *arg)
{
	soak_from_interrupt(arg);
	if (smp_processor_id() == 0)
		netblk_interrupt(arch_timestamp_to_ns(arch_timestamp()));
}

static void begin_interrupts(struct soak *s)
{
	host_timer_begin(NR_CPUS, TIMER_US, tick, s);
}

static void end_interrupts(struct soak *s)
{
	(void)s;
	host_beside_end();
}

/* What kernel/check_cache.c executes in the kernel. */
static void broken(void *arg, const char *text)
{
	struct check_report *report = arg;

	report->failed++;
	snprintf(report->first, sizeof(report->first), "%s", text);
}

static bool check_cache(struct check_report *report)
{
	for (u32 i = 0; i < NR_CACHE_INVARIANTS; i++)
		report->items += cache_check(i, broken, report);
	for (u32 i = 0; i < NR_NETBLK_INVARIANTS; i++)
		report->items += netblk_check(i, broken, report);
	return report->failed == 0;
}

static struct soak_plan plan_of(u64 seed, u64 load_ms)
{
	return (struct soak_plan){
		.seed = seed,
		.cpus = (1 << NR_CPUS) - 1,
		.load_ns = load_ms * NS_PER_MS,
		.figures_ns = load_ms * NS_PER_MS,
		.leave_pages = LEAVE_PAGES,
		.file_percent = 150,
		.read_back_percent = 100,
		.stress_operations = 120,
		.begin = begin_interrupts,
		.end = end_interrupts,
		.check = check_cache,
	};
}

static void everything_at_once(struct ktest *t)
{
	struct soak_plan plan = plan_of(t->seed, 4000);
	struct soak_figures sum = {0};

	host_machine_boot(&two_nodes);
	page_cache_init();
	ASSERT_EQ(t, kswapd_start(), 0);
	/*
	 * On a busy host rounds may pass without somebody having been chosen to end: there is always something to be
	 * had back. Then with less of it, and for longer.
	 */
	for (u32 i = 0; i < MOST_ROUNDS && soak_missing_part(&sum); i++, plan.seed++) {
		plan.file_percent = i < 2 ? 150 : 15;
		plan.load_ns = (u64)(i < 2 ? 4000 : 4000 * i) * NS_PER_MS;
		soak_round(t, &plan, &sum);
	}
	soak_print(t, &sum, "all", 0);
	soak_expect_all_parts(t, &sum);
	soak_expect_nothing_wrong(t, &sum);
	kswapd_stop();
	expect_check_clean(t);
}

/* It would not be much of a test if it could not fail. */
static void a_lost_write_is_seen(struct ktest *t)
{
	struct soak_plan plan = plan_of(t->seed, 2000);
	struct soak_figures sum = {0};

	plan.lose_write_ns = 50 * NS_PER_MS;
	host_machine_boot(&two_nodes);
	page_cache_init();
	ASSERT_EQ(t, kswapd_start(), 0);
	/* What is marked to be lost must be written and read again, for which a busy host may need longer. */
	for (u32 i = 0;
	     i < MOST_ROUNDS && (i == 0 || sum.count[SOAK_LOST] < 5 || sum.count[SOAK_WRONG] == 0);
	     i++, plan.seed++)
		soak_round(t, &plan, &sum);
	EXPECT(t, sum.count[SOAK_LOST] >= 5);
	EXPECT(t, sum.count[SOAK_WRONG] > 0);
	kswapd_stop();
}

static void run_with_little_patience(void *arg)
{
	struct soak_plan plan = plan_of(1, 2000);
	struct soak_figures sum = {0};

	plan.stuck_ns = 1;
	soak_round(arg, &plan, &sum);
}

static void a_hang_is_seen(struct ktest *t)
{
	if (HOST_TSAN)
		SKIP(t, "a panic leaves threads behind, which ThreadSanitizer reports");
	host_machine_boot(&two_nodes);
	page_cache_init();
	expect_panic(t, run_with_little_patience, t, "has not got on");
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(everything_at_once, LIMIT_SECONDS),
	KTEST_SLOW(a_lost_write_is_seen, LIMIT_SECONDS),
	KTEST_SLOW(a_hang_is_seen, LIMIT_SECONDS),
};
KTEST_SUITE(soak, cases);
