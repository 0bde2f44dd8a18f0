/*
 * Out of memory on the machine that booted: a victim gives back what it has, and a loop of it on eight CPUs ends
 * with every page back. All but a little above the min marks is hoarded meanwhile, so that a round takes as many
 * pages on a large machine, or with high marks, as on a small one.
 */
#include <base/atomic.h>
#include <kernel/hoard.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/oom.h>
#include <mm/shrinker.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "../../mm/shrinker.h"
#include "../stress/oom_loop.h"
#include "held.h"

#define MAX_THREADS   8    /* each on a CPU of its own */
#define ROUNDS        100  /* in `make test` */
#define FEW_ROUNDS    25   /* on more CPUs, which share the host's, too */
#define SOAK_ROUNDS   1000 /* asked for by name */
#define PAGES_A_CPU   512
#define LIMIT_SECONDS 180

/* --- One victim ----------------------------------------------------------------------------------- */

struct hog {
	struct oom_victim victim;
	struct held *list;
	u64 pages;
	bool told; /* atomic */
	struct os_wait_queue queue;
};

static u64 hog_badness(struct oom_victim *victim, nodemask_t nodes)
{
	(void)nodes;
	return container_of(victim, struct hog, victim)->pages;
}

static void hog_kill(struct oom_victim *victim)
{
	struct hog *hog = container_of(victim, struct hog, victim);

	store_release(&hog->told, true);
	os_wake_all(&hog->queue);
}

static bool hog_is_told(void *arg)
{
	return load_acquire(&((struct hog *)arg)->told);
}

static void hog_thread(void *arg)
{
	struct hog *hog = arg;

	os_wait(&hog->queue, hog_is_told, hog, 30000000000ull);
	release_all(&hog->list);
	oom_victim_unregister(&hog->victim);
}

static void a_victim_gives_back(struct ktest *t)
{
	static struct hog hog = {
		.victim = {.name = "hog", .badness = hog_badness, .kill = hog_kill}};
	u64 killed = vmstat_read(VMSTAT_OOM_KILL);
	struct held *rest = NULL;
	struct thread *thread;
	struct page *page;

	os_wait_queue_init(&hog.queue, "hog");
	hog.told = false;
	thread = thread_start("hog", 0, hog_thread, &hog);
	ASSERT_TRUE(t, thread != NULL);
	hog.pages = take_all(&hog.list, NUMA_NO_NODE, GFP_KERNEL | __GFP_NORETRY);
	take_all(&rest, NUMA_NO_NODE, GFP_KERNEL | __GFP_NORETRY);
	oom_victim_register(&hog.victim);
	page = alloc_pages(GFP_KERNEL, 0);
	EXPECT(t, page != NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_OOM_KILL) - killed, 1);
	EXPECT(t, load_acquire(&hog.told));
	if (!hog.told)
		hog_kill(&hog.victim);
	thread_join(thread);
	if (page)
		__free_pages(page, 0);
	release_all(&rest);
	drain_all_pages();
}

/* --- Eight CPUs ------------------------------------------------------------------------------------- */

static void loop(struct ktest *t, u32 kills)
{
	struct oom_loop_plan plan = {.kills = kills};
	struct hoard hoard = {0};
	u32 cpu;

	for_each_online_cpu(cpu)
		plan.cpus |= cpu < MAX_THREADS ? (u64)1 << cpu : 0;
	hoard_all_above(&hoard, WMARK_MIN, (u64)nr_cpus_online() * PAGES_A_CPU);
	oom_loop_case(t, &plan, threads_release_spares);
	hoard_release(&hoard);
	drain_all_pages();
}

static void a_loop_on_eight_cpus(struct ktest *t)
{
	loop(t, nr_cpus_online() <= MAX_THREADS ? ROUNDS : FEW_ROUNDS);
}

static void a_thousand_rounds(struct ktest *t)
{
	loop(t, SOAK_ROUNDS);
}

static const struct ktest_case cases[] = {
	KTEST(a_victim_gives_back),
	KTEST_SLOW(a_loop_on_eight_cpus, LIMIT_SECONDS),
};
KTEST_SUITE(oom, cases);

static const struct ktest_case soak_cases[] = {
	KTEST_SLOW(a_thousand_rounds, 10 * LIMIT_SECONDS),
};
KTEST_SUITE_BY_NAME(oom_soak, soak_cases);
