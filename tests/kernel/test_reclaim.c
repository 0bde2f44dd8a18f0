/*
 * Reclaim on the machine that booted, with its own kswapd, real interrupts and other CPUs: in the zone of DMA,
 * which is small enough to be filled anywhere, by pages of an owner that does what the test says.
 */
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/os_task.h>
#include <mm/reclaim.h>
#include <mm/vmstat.h>
#include <x86/smp.h>
#include <x86/time.h>
#include <x86/trap.h>

#include "../reclaim/sham.h"
#include "tick_hook.h"

#define DMA_PAGES (GFP_NOWAIT | __GFP_DMA)

static int dma_nid;
static struct page *slots[MiB(16) >> PAGE_SHIFT]; /* every page that is one of DMA */

/* The node that has the zone of DMA; false: this machine has none worth the name. */
static bool find_dma(struct ktest *t)
{
	struct zone_snapshot z;
	int nid;

	for_each_node(nid) {
		if (zone_snapshot(nid, ZONE_DMA, &z) && z.managed_pages > 1000) {
			dma_nid = nid;
			sham_start(slots, ARRAY_SIZE(slots));
			return true;
		}
	}
	ktest_skip(t, "no zone of DMA with a thousand pages");
	return false;
}

static struct reclaim_snapshot now(void)
{
	struct reclaim_snapshot s;

	reclaim_snapshot(dma_nid, &s);
	return s;
}

static bool is_at_rest(void *arg)
{
	struct reclaim_snapshot s = now();
	const u64 *wakes = arg;

	return s.state != KSWAPD_BALANCING && s.wakes >= *wakes;
}

/* And has been woken so often: a kswapd that is called may not have begun yet. */
static void let_it_rest_after(u64 wakes)
{
	struct os_wait_queue queue;

	os_wait_queue_init(&queue, "reclaim test");
	for (u32 i = 0; i < 500 && !is_at_rest(&wakes); i++)
		os_wait(&queue, is_at_rest, &wakes, 10000000);
}

static void let_it_rest(void)
{
	let_it_rest_after(0);
}

static void expect_all_are_gone(struct ktest *t)
{
	sham_drop_all();
	EXPECT_EQ(t, sham_pages(), 0);
}

static void kswapd_makes_room(struct ktest *t)
{
	struct reclaim_snapshot before, after;

	if (!find_dma(t))
		return;
	let_it_rest();
	before = now();
	EXPECT(t, before.state != KSWAPD_NONE);
	sham_fill(dma_nid, DMA_PAGES, 0, SHAM_MAX_PAGES);
	let_it_rest_after(before.wakes + 1);
	for (u32 i = 0; i < 20000; i++)
		(void)sham_add(dma_nid, GFP_KERNEL | __GFP_DMA, 0);
	let_it_rest();
	after = now();
	ktest_note(t, "%llu wakes, %llu pages by kswapd, %llu by requests, of %llu looked at",
		   (unsigned long long)(after.wakes - before.wakes),
		   (unsigned long long)(after.reclaimed[RECLAIM_KSWAPD] -
					before.reclaimed[RECLAIM_KSWAPD]),
		   (unsigned long long)(after.reclaimed[RECLAIM_DIRECT] -
					before.reclaimed[RECLAIM_DIRECT]),
		   (unsigned long long)sham_counts().asked);
	EXPECT(t, after.wakes > before.wakes);
	EXPECT(t, after.reclaimed[RECLAIM_KSWAPD] > before.reclaimed[RECLAIM_KSWAPD]);
	EXPECT_EQ(t, sham_counts().without_memalloc, 0);
	/* Clean pages, and nobody uses them: each that is asked for is had. */
	EXPECT_EQ(t, sham_counts().asked, sham_counts().freed[0]);
	expect_all_are_gone(t);
}

/* --- Written by a device that answers in an interrupt ------------------------------------------------- */

static void answer(void)
{
	sham_complete(16);
}

static void dirty_pages_come_back_by_interrupt(struct ktest *t)
{
	u64 got = 0;

	if (!find_dma(t))
		return;
	/* Asleep, and not woken: what it freed while the pages are clean would be enough for all that follow. */
	let_it_rest();
	sham_fill(dma_nid, DMA_PAGES & ~__GFP_KSWAPD_RECLAIM, 1, SHAM_MAX_PAGES);
	sham_dirty(1);
	tick_set_hook(answer);
	for (u32 i = 0; i < 300; i++)
		got += sham_add(dma_nid, GFP_KERNEL | __GFP_DMA, 0);
	tick_hook_end();
	EXPECT_EQ(t, got, 300);
	EXPECT(t, sham_counts().begun >= 100 && sham_counts().completed > 0);
	ktest_note(t, "%llu writes begun, %llu ended in interrupts",
		   (unsigned long long)sham_counts().begun,
		   (unsigned long long)sham_counts().completed);
	let_it_rest();
	expect_all_are_gone(t);
}

/* --- Nothing can be had -------------------------------------------------------------------------------- */

static void it_ends_when_nothing_can_be_had(struct ktest *t)
{
	u64 begin;

	if (!find_dma(t))
		return;
	sham_set_busy(2, true);
	sham_fill(dma_nid, DMA_PAGES, 2, SHAM_MAX_PAGES);
	begin = time_since_entry_ns();
	EXPECT(t, !sham_add(dma_nid, GFP_KERNEL | __GFP_DMA | __GFP_RETRY_MAYFAIL, 2));
	ktest_note(t, "gave up after %llu ms",
		   (unsigned long long)(time_since_entry_ns() - begin) / 1000000);
	for (u32 i = 0; i < 50 && now().state != KSWAPD_HOPELESS; i++) {
		sham_fill(dma_nid, DMA_PAGES, 2, SHAM_MAX_PAGES);
		let_it_rest();
	}
	EXPECT_EQ(t, now().state, KSWAPD_HOPELESS);
	EXPECT_EQ(t, sham_counts().freed[2], 0);
	sham_set_busy(2, false);
	EXPECT(t, sham_add(dma_nid, GFP_KERNEL | __GFP_DMA, 2));
	EXPECT(t, now().state != KSWAPD_HOPELESS);
	expect_all_are_gone(t);
}

/* --- From all CPUs at once ------------------------------------------------------------------------------- */

#define ASKS 400u /* of a thread */

static u32 nr_got; /* atomic */

static void ask_often(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < ASKS; i++) {
		bool got = sham_add(dma_nid, GFP_KERNEL | __GFP_DMA, 3);

		__atomic_fetch_add(&nr_got, got, __ATOMIC_RELAXED);
	}
}

static void all_cpus_reclaim_at_once(struct ktest *t)
{
	static struct os_thread *thread[MAX_CPUS];
	struct reclaim_snapshot before;
	u32 cpu, nr = 0;

	if (!find_dma(t))
		return;
	before = now();
	sham_fill(dma_nid, DMA_PAGES, 3, SHAM_MAX_PAGES);
	nr_got = 0;
	for_each_online_cpu(cpu) {
		thread[cpu] = nr < 8 ? os_thread_start("reclaimer", cpu, ask_often, NULL) : NULL;
		nr += thread[cpu] != NULL;
	}
	for_each_online_cpu(cpu) {
		if (thread[cpu])
			os_thread_join(thread[cpu]);
	}
	/* Or their stacks would come back under somebody else's pressure. */
	threads_release_spares();
	let_it_rest();
	EXPECT_EQ(t, nr_got, ASKS * nr);
	ktest_note(t, "%llu pages by kswapd, %llu by requests, %llu of which waited for it",
		   (unsigned long long)(now().reclaimed[RECLAIM_KSWAPD] -
					before.reclaimed[RECLAIM_KSWAPD]),
		   (unsigned long long)(now().reclaimed[RECLAIM_DIRECT] -
					before.reclaimed[RECLAIM_DIRECT]),
		   (unsigned long long)(now().throttled - before.throttled));
	expect_all_are_gone(t);
}

/* --- Afterwards ------------------------------------------------------------------------------------------ */

/* Once for all of them, as it looks at every page of the machine: what one has broken stays so. */
static void all_is_well(struct ktest *t)
{
	struct check_report report;

	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

static const struct ktest_case cases[] = {
	KTEST(kswapd_makes_room),
	KTEST(dirty_pages_come_back_by_interrupt),
	KTEST(it_ends_when_nothing_can_be_had),
	KTEST(all_cpus_reclaim_at_once),
	KTEST(all_is_well),
};
KTEST_SUITE(reclaim, cases);
