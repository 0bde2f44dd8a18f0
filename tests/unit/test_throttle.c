/*
 * Throttling: who waits for kswapd, for how long, and who does not.
 */
#include "kswapd_env.h"

#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "mm/reclaim.h"
#include "sham_machine.h"
#include "tests/reclaim/sham.h"
#include "tests/stress/pause.h"

/* Below half of the reserve, while kswapd waits for a device. */
static bool use_up_half_of_the_reserve(void)
{
	struct zone_snapshot z;

	do {
		if (!sham_add(1, GFP_NOWAIT | __GFP_THISNODE | __GFP_MEMALLOC, COLD))
			return false;
		zone_snapshot(1, ZONE_NORMAL, &z);
	} while (z.free_pages > z.watermark[WMARK_MIN] / 4);
	return true;
}

static void end_writes(void *arg)
{
	(void)arg;
	sham_complete(SHAM_MAX_PAGES);
}

static bool served;

static bool one_is_throttled(void *arg)
{
	(void)arg;
	return kswapd_of(1).throttled > 0 || load_acquire(&served);
}

static bool the_request_is_served(void *arg)
{
	(void)arg;
	return load_acquire(&served);
}

/* Once a request waits, the device answers. */
static void answer_when_throttled(void *arg)
{
	struct os_wait_queue queue;

	(void)arg;
	os_wait_queue_init(&queue, "test");
	while (!os_wait(&queue, one_is_throttled, NULL, 1000000))
		;
	while (!os_wait(&queue, the_request_is_served, NULL, 1000000))
		os_run_on_cpu(1, end_writes, NULL);
}

static void half_of_the_reserve_is_for_kswapd(struct ktest *t)
{
	struct os_thread *device;
	struct page *page;

	kswapd_env_boot(t);
	sham_set_busy(COLD, true); /* until all is set up */
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
	sham_dirty(COLD);
	ASSERT_TRUE(t, use_up_half_of_the_reserve());
	sham_dirty(COLD);
	sham_set_busy(COLD, false);
	device = os_thread_start("device", 1, answer_when_throttled, NULL);
	page = alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0);
	store_release(&served, true);
	EXPECT(t, page != NULL);
	EXPECT(t, kswapd_of(1).throttled >= 1);
	os_thread_join(device);
	/* What is written from now on is done at once, so that kswapd comes to an end. */
	for (u32 i = 0; i < 100 && kswapd_of(1).state == KSWAPD_BALANCING; i++) {
		sham_complete(SHAM_MAX_PAGES);
		kswapd_rests_a_moment();
	}
	sham_complete(SHAM_MAX_PAGES);
	expect_check_clean(t);
	kswapd_stop();
}

/* Nobody would make room: nobody is waited for. */
static void without_hope_nobody_waits(struct ktest *t)
{
	ASSERT_TRUE(t, kswapd_lose_hope(t));
	sham_set_busy(COLD, true);
	for (u32 i = 0; i < 100; i++)
		(void)!alloc_pages_node(1, GFP_NOWAIT | __GFP_THISNODE | __GFP_MEMALLOC, 0);
	ASSERT_EQ(t, kswapd_of(1).state, KSWAPD_HOPELESS);
	EXPECT(t,
	       !alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN | __GFP_NORETRY, 0));
	EXPECT_EQ(t, kswapd_of(1).throttled, 0);
	kswapd_stop();
}

static struct os_task *waiting; /* atomic */

static void ask_as_a_task(void *arg)
{
	(void)arg;
	store_release(&waiting, os_current());
	(void)!alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN | __GFP_NORETRY, 0);
	store_release(&served, true);
}

/* Less than half of the reserve, and a kswapd that is at work, or so it seems. */
static bool throttling_without_end(struct ktest *t)
{
	sham_machine_boot(&kswapd_machine);
	sham_set_busy(COLD, true);
	sham_fill(1, GFP_NOWAIT | __GFP_THISNODE, COLD, SHAM_MAX_PAGES);
	store_relaxed(&NODE_DATA(1)->reclaim.state, KSWAPD_BALANCING);
	return EXPECT(t, use_up_half_of_the_reserve());
}

/* Who killed somebody waits for his end a second: he himself not for kswapd. */
static void a_victim_is_not_throttled(struct ktest *t)
{
	ASSERT_TRUE(t, throttling_without_end(t));
	store_relaxed(&os_current()->oom_victim, true);
	(void)!alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN | __GFP_NORETRY, 0);
	store_relaxed(&os_current()->oom_victim, false);
	EXPECT_EQ(t, kswapd_of(1).throttled, 0);
}

static void who_is_chosen_while_it_waits_goes_on(struct ktest *t)
{
	struct os_thread *thread;
	u64 sleeps;

	ASSERT_TRUE(t, throttling_without_end(t));
	store_relaxed(&served, false);
	thread = os_thread_start("victim", 1, ask_as_a_task, NULL);
	while (kswapd_of(1).throttled == 0)
		pause_ns(1000000);
	store_relaxed(&load_acquire(&waiting)->oom_victim, true);
	sleeps = host_sleeps();
	os_thread_join(thread);
	sleeps = host_sleeps() - sleeps;
	/* Of its ten rounds the one that it was in, or about to begin. */
	EXPECT_MSG(t, sleeps <= 1, "%llu", (unsigned long long)sleeps);
}

static const struct ktest_case cases[] = {
	KTEST(half_of_the_reserve_is_for_kswapd),
	KTEST(without_hope_nobody_waits),
	KTEST(a_victim_is_not_throttled),
	KTEST(who_is_chosen_while_it_waits_goes_on),
};
KTEST_SUITE(throttle, cases);
