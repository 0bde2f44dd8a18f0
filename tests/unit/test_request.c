/*
 * The request: who has the reserve, the steps of the slow path, what must not fail, what must not sleep. How far
 * down the marks it goes, to the page, is in test_marks.c.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/os.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "mm/memmap.h"
#include "mm/zone.h"

/*
 *	0        16M        64M      |4G            4G+64M|
 *	|  DMA   |  DMA32   |        |      Normal        |     one node, one CPU
 */
static const struct host_machine three_zones = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(64), 0}},
	.nr_nodes = 1,
};

static struct zone *zone_of(enum zone_type type)
{
	return &NODE_DATA(0)->zones[type];
}

static u64 event(enum zone_type type, enum zone_event e)
{
	return zone_of(type)->events[e];
}

/* --- The reserve ------------------------------------------------------------------------------- */

static void flood(gfp_t gfp)
{
	while (alloc_pages_node(0, gfp | __GFP_NOWARN, 0))
		;
}

/* One after the other may go on where the one before had to stop. */
static void who_may_go_on(struct ktest *t)
{
	u64 kept;

	host_machine_boot(&three_zones);
	kept = zone_of(ZONE_DMA)->lowmem_reserve[ZONE_NORMAL];
	EXPECT(t, kept > 0);
	flood(GFP_KERNEL);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	for (u64 i = 0; i < kept; i++)
		EXPECT(t, alloc_pages(GFP_DMA | GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT(t, !alloc_pages(GFP_DMA | GFP_KERNEL | __GFP_NOWARN, 0));
	EXPECT(t, alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 0));
	flood(GFP_ATOMIC);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOWARN, 0));
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		EXPECT_EQ(t, zone_of((enum zone_type)type)->nr_free_pages, 0);
	expect_check_clean(t);
}

/* The mark is the taker's: gone when it gives the page back. */
static void the_mark_does_not_outlive_its_taker(struct ktest *t)
{
	struct page *ordinary, *reserve, *again;
	u32 saved;

	host_machine_boot(&three_zones);
	saved = memalloc_noreclaim_save();
	ordinary = alloc_pages(GFP_KERNEL, 0);
	ASSERT_TRUE(t, ordinary != NULL);
	EXPECT_EQ(t, ordinary->marks, 0); /* entitled, but others could have had it */
	memalloc_noreclaim_restore(saved);
	flood(GFP_KERNEL);

	saved = memalloc_noreclaim_save();
	reserve = alloc_pages(GFP_KERNEL, 0);
	memalloc_noreclaim_restore(saved);
	ASSERT_TRUE(t, reserve != NULL);
	EXPECT_EQ(t, reserve->marks, PAGE_MARK_RESERVE);
	EXPECT_EQ(t, event(ZONE_NORMAL, ZONE_RESERVE_TAKEN), 1);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0)); /* entitled no longer */

	__free_pages(reserve, 0);
	EXPECT_EQ(t, reserve->marks, 0);
	__free_pages(ordinary, 0);
	do
		again = alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 0);
	while (again && again != reserve);
	ASSERT_TRUE(t, again != NULL);
	EXPECT_EQ(t, again->marks, 0);
	EXPECT_EQ(t, event(ZONE_NORMAL, ZONE_RESERVE_TAKEN), 1);
	expect_check_clean(t);
}

static void saving_nests(struct ktest *t)
{
	u32 outer, inner;

	host_machine_boot(&three_zones);
	outer = memalloc_noreclaim_save();
	inner = memalloc_noreclaim_save();
	memalloc_noreclaim_restore(inner);
	EXPECT(t, os_current()->flags & PF_MEMALLOC);
	EXPECT(t, !this_task_may_hit(0));
	memalloc_noreclaim_restore(outer);
	EXPECT_EQ(t, os_current()->flags, 0);
	EXPECT(t, this_task_may_hit(0));
}

struct in_interrupt {
	gfp_t gfp;
	struct page *page;
};

static void ask(void *arg)
{
	struct in_interrupt *in = arg;

	in->page = alloc_pages(in->gfp | __GFP_NOWARN, 0);
}

/* Of this CPU while it runs this very task: that is what os_run_on_cpu() sees to. */
static struct page *ask_in_interrupt(gfp_t gfp)
{
	struct in_interrupt in = {.gfp = gfp};

	os_run_on_cpu(0, ask, &in);
	return in.page;
}

/* What the interrupted task may is not the interrupt's. On a thread's CPU: main has none. */
static void entitled_and_interrupted(void *arg)
{
	struct ktest *t = arg;
	u32 saved = memalloc_noreclaim_save();

	os_current()->oom_victim = true;
	EXPECT(t, !ask_in_interrupt(GFP_ATOMIC));
	EXPECT(t, !ask_in_interrupt(GFP_KERNEL));
	EXPECT(t, ask_in_interrupt(GFP_ATOMIC | __GFP_MEMALLOC));
	EXPECT(t, !ask_in_interrupt(GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOMEMALLOC));
	EXPECT(t, alloc_pages(GFP_KERNEL, 0) != NULL);
	os_current()->oom_victim = false;
	memalloc_noreclaim_restore(saved);
}

static void an_interrupt_is_nobodys(struct ktest *t)
{
	struct os_thread *thread;

	host_machine_boot(&three_zones);
	flood(GFP_ATOMIC);
	thread = os_thread_start("interrupted", 0, entitled_and_interrupted, t);
	ASSERT_TRUE(t, thread != NULL);
	os_thread_join(thread);
}

/* --- The steps ---------------------------------------------------------------------------------- */

enum { WAKE = 1, MIN_ = 2, NOMARKS = 4, RECLAIM = 8, DRAIN = 16, LOOK = 32, OOM = 64, END = 128 };

static const struct {
	u32 bit;
	enum vmstat_item item;
} items[] = {
	{WAKE, VMSTAT_ALLOC_WAKE_KSWAPD}, {MIN_, VMSTAT_ALLOC_MIN},
	{NOMARKS, VMSTAT_ALLOC_NO_MARKS}, {RECLAIM, VMSTAT_ALLOCSTALL_NORMAL},
	{DRAIN, VMSTAT_ALLOC_DRAIN},      {LOOK, VMSTAT_ALLOC_AFTER_DRAIN},
	{OOM, VMSTAT_ALLOC_OOM},          {END, VMSTAT_ALLOC_GIVE_UP},
};

#define NOTHING_ELSE (MIN_ | DRAIN | LOOK | END)

/* Which steps a request goes that finds nothing anywhere. */
static const struct {
	gfp_t gfp;
	u32 order, task_flags;
	u32 steps;
} paths[] = {
	{GFP_KERNEL, 0, 0, WAKE | NOTHING_ELSE | RECLAIM | OOM},
	{GFP_KERNEL, 3, 0, WAKE | NOTHING_ELSE | RECLAIM | OOM},
	{GFP_NOIO, 0, 0, WAKE | NOTHING_ELSE | RECLAIM | OOM},
	{__GFP_DIRECT_RECLAIM, 0, 0, NOTHING_ELSE | RECLAIM | OOM},
	/* A costly order, and who says so, never bring somebody to his end. */
	{GFP_KERNEL, 4, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_NORETRY, 0, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0, 0, WAKE | NOTHING_ELSE | RECLAIM},
	{GFP_KERNEL | __GFP_THISNODE, 0, 0, WAKE | NOTHING_ELSE | RECLAIM},
	/* Who may not block. */
	{GFP_NOWAIT, 0, 0, WAKE | NOTHING_ELSE},
	{GFP_ATOMIC, 0, 0, WAKE | NOTHING_ELSE},
	{0, 0, 0, NOTHING_ELSE},
	{__GFP_HIGH, 0, 0, NOTHING_ELSE},
	/* Who frees memory is not sent to free memory. */
	{GFP_KERNEL, 0, PF_MEMALLOC, WAKE | NOTHING_ELSE | NOMARKS},
	{GFP_ATOMIC, 0, PF_MEMALLOC, WAKE | NOTHING_ELSE | NOMARKS},
	{GFP_KERNEL | __GFP_NOMEMALLOC, 0, PF_MEMALLOC, WAKE | NOTHING_ELSE},
	{GFP_KERNEL | __GFP_MEMALLOC, 0, 0, WAKE | NOTHING_ELSE | NOMARKS | RECLAIM | OOM},
};

static void a_failure_goes_all_its_steps(struct ktest *t)
{
	u64 before[ARRAY_SIZE(items)];

	host_machine_boot(&three_zones);
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	for (u32 p = 0; p < ARRAY_SIZE(paths); p++) {
		for (u32 i = 0; i < ARRAY_SIZE(items); i++)
			before[i] = vmstat_read(items[i].item);
		os_current()->flags = paths[p].task_flags;
		EXPECT(t, !alloc_pages(paths[p].gfp | __GFP_NOWARN, paths[p].order));
		os_current()->flags = 0;
		for (u32 i = 0; i < ARRAY_SIZE(items); i++) {
			bool twice = items[i].bit == NOMARKS; /* at min, and after the drain */
			u64 want = paths[p].steps & items[i].bit ? 1 + twice : 0;
			u64 got = vmstat_read(items[i].item) - before[i];

			EXPECT_MSG(t, got == want,
				   "gfp 0x%x, order %u, task 0x%x: %s %llu, not %llu", paths[p].gfp,
				   paths[p].order, paths[p].task_flags, vmstat_name(items[i].item),
				   (unsigned long long)got, (unsigned long long)want);
		}
	}
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_AFTER_RECLAIM), 0);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_MEMS_MOVED), 0);
	EXPECT_EQ(t, host_sleeps(), 0);
}

/* In an interrupt the same words do less. */
static void an_interrupt_neither_reclaims_nor_sleeps(struct ktest *t)
{
	u64 gave_up;

	host_machine_boot(&three_zones);
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	gave_up = vmstat_read(VMSTAT_ALLOC_GIVE_UP);
	EXPECT(t, !ask_in_interrupt(GFP_KERNEL));
	EXPECT(t, !ask_in_interrupt(GFP_ATOMIC));
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP) - gave_up, 2);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOCSTALL_NORMAL), 1); /* the flood's own last */
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_OOM), 1);
	EXPECT_EQ(t, host_sleeps(), 0);
}

/* Every set of flags that may not block, with and without memory, from thread and interrupt. */
static void who_may_not_block_never_sleeps(struct ktest *t)
{
	struct random_state r = {t->seed | 1};
	u64 got = 0, failed = 0, refused;

	host_machine_boot(&three_zones);
	refused = vmstat_read(VMSTAT_ALLOC_REFUSED);
	for (u32 i = 0; i < 20000; i++) {
		gfp_t gfp = (gfp_t)random_next(&r) & __GFP_ALL & ~__GFP_DIRECT_RECLAIM;
		struct in_interrupt in = {.gfp = gfp & ~__GFP_ZERO};

		if (i % 4 == 0)
			os_run_on_cpu(0, ask, &in);
		else
			ask(&in);
		got += in.page != NULL;
		failed += in.page == NULL;
	}
	EXPECT(t, got > 1000 && failed > 1000);
	EXPECT(t, vmstat_read(VMSTAT_ALLOC_REFUSED) > refused);
	EXPECT_EQ(t, host_sleeps(), 0);
	expect_check_clean(t);
}

static void contradictions_are_refused_by_name(struct ktest *t)
{
	static const struct {
		gfp_t gfp;
		u32 order;
		const char *name;
	} bad[] = {
		{GFP_KERNEL | __GFP_DMA | __GFP_DMA32, 0, "__GFP_DMA with __GFP_DMA32"},
		{GFP_KERNEL | __GFP_NORETRY | __GFP_RETRY_MAYFAIL, 0,
		 "__GFP_NORETRY with __GFP_RETRY_MAYFAIL"},
		{GFP_KERNEL | __GFP_NOFAIL | __GFP_NORETRY, 0, "__GFP_NOFAIL with __GFP_NORETRY"},
		{GFP_KERNEL | __GFP_NOFAIL | __GFP_RETRY_MAYFAIL, 0,
		 "__GFP_NOFAIL with __GFP_RETRY_MAYFAIL"},
		{GFP_ATOMIC | __GFP_NOFAIL, 0, "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM"},
		{GFP_NOWAIT | __GFP_NOFAIL, 0, "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM"},
		{GFP_KERNEL | __GFP_NOFAIL, 2, "__GFP_NOFAIL above order 1"},
	};

	host_machine_boot(&three_zones);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		host_log_clear();
		EXPECT(t, !alloc_pages(bad[i].gfp, bad[i].order));
		EXPECT_MSG(t, host_log_contains(bad[i].name), "no word of %s", bad[i].name);
		EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), i + 1);
	}
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 0);
	/* These go together. */
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 1) != NULL);
	EXPECT(t, alloc_pages(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, 0) != NULL);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_REFUSED), ARRAY_SIZE(bad));
}

/* --- What must not fail ------------------------------------------------------------------------ */

static void ask_in_vain(void *arg)
{
	struct page *page;

	(void)arg;
	host_machine_boot(&three_zones);
	flood(GFP_KERNEL | __GFP_MEMALLOC);
	page = alloc_pages(GFP_KERNEL | __GFP_NOFAIL | __GFP_NOWARN, 1);
	os_panic("it came back, with %p", (void *)page);
}

static void what_must_not_fail_ends_in_a_panic(struct ktest *t)
{
	expect_panic(t, ask_in_vain, NULL,
		     "no memory for a request that must not fail: order 1, from node 0, by ");
}

static struct page *kept;
static bool kept_is_free; /* atomic */

static void free_when_asked(void *arg)
{
	u64 sleeps = *(u64 *)arg;

	/* It has looked everywhere, and sleeps. */
	while (host_sleeps() == sleeps)
		cpu_relax();
	__free_pages(kept, 0);
	store_release(&kept_is_free, true);
}

static void a_free_meanwhile_is_enough(struct ktest *t)
{
	u64 sleeps = host_sleeps();
	struct os_thread *other;
	struct page *page;

	host_machine_boot(&three_zones);
	kept = alloc_pages(GFP_KERNEL, 0);
	flood(GFP_KERNEL);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	other = os_thread_start("friend", 1, free_when_asked, &sleeps);
	ASSERT_TRUE(t, other != NULL);
	host_sleep_until(&kept_is_free);
	page = alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 0);
	EXPECT(t, page == kept);
	EXPECT_EQ(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP), 2); /* the flood's, and the one after it */
	EXPECT(t, host_sleeps() > sleeps);
	os_thread_join(other);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(who_may_go_on),
	KTEST(the_mark_does_not_outlive_its_taker),
	KTEST(saving_nests),
	KTEST(an_interrupt_is_nobodys),
	KTEST(a_failure_goes_all_its_steps),
	KTEST(an_interrupt_neither_reclaims_nor_sleeps),
	KTEST(who_may_not_block_never_sleeps),
	KTEST(contradictions_are_refused_by_name),
	KTEST(what_must_not_fail_ends_in_a_panic),
	KTEST(a_free_meanwhile_is_enough),
};
KTEST_SUITE(request, cases);
