/*
 * The request on the machine that booted: marks to the page, the reserve, and what may not sleep.
 *
 * What must be left of a zone is worked out from its marks by this file's own arithmetic, and
 * compared to the page. Blocks are taken off first, so that it takes as long on a large machine
 * as on a small one.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <base/atomic.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/os_task.h>
#include <mm/vmstat.h>
#include <x86/trap.h>

#include "held.h"

#define TICK_MAX_NS 10000000000ull /* a tick comes sooner, or none does */

static struct zone_snapshot snapshot(int nid, u32 type)
{
	struct zone_snapshot z = {0};

	zone_snapshot(nid, (enum zone_type)type, &z);
	return z;
}

static u64 min_marks(int nid)
{
	u64 pages = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		pages += snapshot(nid, type).watermark[WMARK_MIN];
	return pages;
}

/* The node with the least memory that keeps any of it: a share of little may come to nothing. */
static int smallest_node(void)
{
	struct node_snapshot node;
	int nid, best = NUMA_NO_NODE;
	u64 least = ~(u64)0;

	for_each_node_mask(nid, node_memory_mask()) {
		node_snapshot(nid, &node);
		if (node.managed_pages < least && min_marks(nid) > 0) {
			least = node.managed_pages;
			best = nid;
		}
	}
	return best;
}

/* No flag of a task: its word of its own, among them in this table. */
#define OOM_VICTIM 1u

/* Who asks, and by what the min mark comes down for him. */
struct asker {
	gfp_t gfp;
	u32 task_flags;
	bool urgent, waits_not, victim, entitled;
};
static const struct asker askers[] = {
	{.gfp = GFP_KERNEL},
	{.gfp = GFP_NOWAIT},
	{.gfp = GFP_KERNEL | __GFP_HIGH, .urgent = true},
	{.gfp = GFP_ATOMIC, .urgent = true, .waits_not = true},
	{.gfp = GFP_KERNEL, .task_flags = OOM_VICTIM, .victim = true},
	{.gfp = GFP_KERNEL | __GFP_NOMEMALLOC, .task_flags = OOM_VICTIM},
	{.gfp = GFP_ATOMIC,
	 .task_flags = OOM_VICTIM,
	 .urgent = true,
	 .waits_not = true,
	 .victim = true},
	{.gfp = GFP_KERNEL | __GFP_NOMEMALLOC, .task_flags = PF_MEMALLOC},
	{.gfp = GFP_KERNEL, .task_flags = PF_MEMALLOC, .entitled = true},
	{.gfp = GFP_KERNEL | __GFP_MEMALLOC, .entitled = true},
};

/* Each reduction rounds in favour of the mark: half of 7 is 4. */
static u64 kept_from(const struct asker *who, const struct zone_snapshot *z, u32 class)
{
	u64 kept = z->watermark[WMARK_MIN];

	if (who->entitled)
		return 0;
	if (who->urgent)
		kept = (kept + 1) / 2;
	if (who->waits_not)
		kept = (kept * 3 + 3) / 4;
	if (who->victim)
		kept = (kept + 1) / 2;
	return kept + z->lowmem_reserve[class];
}

static bool has_block(const struct zone_snapshot *z, u32 order)
{
	for (u32 o = order; o < NR_ORDERS; o++) {
		if (z->free_blocks[o])
			return true;
	}
	return false;
}

/*
 * After the first failure: one more block would have gone below what is kept, or there was none; and
 * what is kept was not gone below.
 */
static void expect_stop(struct ktest *t, const struct asker *who, u32 class, u32 order,
			const struct zone_snapshot *before, const struct zone_snapshot *z)
{
	u64 kept = kept_from(who, z, class), block = (u64)1 << order;
	bool stopped = z->type > class || z->free_pages < kept + block || !has_block(z, order);
	bool stayed =
		z->free_pages == before->free_pages || (z->type <= class && z->free_pages >= kept);

	EXPECT_MSG(t, stopped && stayed,
		   "%s, class %u, order %u, gfp 0x%x, task 0x%x: %llu of %llu left, %llu are kept",
		   z->name, class, order, who->gfp, who->task_flags,
		   (unsigned long long)z->free_pages, (unsigned long long)before->free_pages,
		   (unsigned long long)kept);
	/* Single pages: exactly that, where there were more. */
	if (order == 0 && z->type <= class && before->free_pages >= kept)
		EXPECT_EQ(t, z->free_pages, kept);
}

static void ask_until_it_fails(struct ktest *t, int nid, const struct asker *who, u32 class,
			       u32 order)
{
	static const gfp_t class_gfp[MAX_NR_ZONES] = {__GFP_DMA, __GFP_DMA32, 0};
	struct zone_snapshot before[MAX_NR_ZONES];
	struct held *list = NULL;

	drain_all_pages();
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		before[type] = snapshot(nid, type);
	os_current()->flags = who->task_flags & ~OOM_VICTIM;
	os_current()->oom_victim = who->task_flags & OOM_VICTIM;
	take_order(&list, nid, who->gfp | class_gfp[class] | __GFP_THISNODE, order);
	os_current()->flags = 0;
	os_current()->oom_victim = false;
	for (u32 type = 0; type < MAX_NR_ZONES; type++) {
		struct zone_snapshot after = snapshot(nid, type);

		if (after.managed_pages)
			expect_stop(t, who, class, order, &before[type], &after);
	}
	release_all(&list);
}

static void marks_are_exact_to_the_page(struct ktest *t)
{
	static const u32 orders[] = {0, 1, 3, 4, 10};
	struct held *most = NULL;
	int nid = smallest_node();
	u64 refused = 0, later = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		refused += snapshot(nid, type).events[ZONE_WMARK_FAILED];
	take_order(&most, nid, GFP_KERNEL | __GFP_THISNODE, MAX_ORDER);
	for (u32 i = 0; i < ARRAY_SIZE(askers); i++) {
		for (u32 class = 0; class < MAX_NR_ZONES; class ++) {
			for (u32 o = 0; o < ARRAY_SIZE(orders); o++)
				ask_until_it_fails(t, nid, &askers[i], class, orders[o]);
		}
	}
	release_all(&most);
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		later += snapshot(nid, type).events[ZONE_WMARK_FAILED];
	EXPECT(t, later > refused);
	drain_all_pages();
}

/* --- The reserve -------------------------------------------------------------------------------- */

struct in_interrupt {
	int nid;
	gfp_t gfp;
	struct page *page;
	bool was_interrupt;
};

static void ask(void *arg)
{
	struct in_interrupt *in = arg;

	in->was_interrupt = os_in_interrupt();
	in->page = alloc_pages_node(in->nid, in->gfp | __GFP_THISNODE | __GFP_NOWARN, 0);
}

static struct in_interrupt *wanted; /* atomic: whose turn it is */
static u32 wanted_cpu;

static void hook(void)
{
	struct in_interrupt *in = load_acquire(&wanted);

	if (!in || smp_processor_id() != wanted_cpu)
		return;
	ask(in);
	store_release(&wanted, NULL);
}

/* By a tick of this CPU, so that it is this task that is interrupted. */
static struct page *ask_in_interrupt(struct ktest *t, int nid, gfp_t gfp)
{
	struct in_interrupt in = {.nid = nid, .gfp = gfp};
	u64 start = arch_timestamp();

	wanted_cpu = smp_processor_id();
	tick_set_hook(hook);
	store_release(&wanted, &in);
	while (load_acquire(&wanted) &&
	       arch_timestamp_to_ns(arch_timestamp() - start) < TICK_MAX_NS)
		cpu_relax();
	tick_set_hook(NULL);
	/* Relaxed: from here on no tick looks. */
	EXPECT(t, !load_relaxed(&wanted));
	store_relaxed(&wanted, NULL);
	EXPECT(t, in.was_interrupt);
	return in.page;
}

static void the_reserve_is_for_the_entitled(struct ktest *t)
{
	int nid = smallest_node();
	gfp_t gfp = GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN;
	struct held *list = NULL;
	struct page *page, *plain;
	u64 marked = 0, later = 0;
	u32 saved;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		marked += snapshot(nid, type).events[ZONE_RESERVE_TAKEN];
	saved = memalloc_noreclaim_save();
	plain = alloc_pages_node(nid, gfp, 0);
	memalloc_noreclaim_restore(saved);
	ASSERT_TRUE(t, plain != NULL);
	EXPECT_EQ(t, plain->marks, 0); /* anybody could have had it */

	take_all(&list, nid, GFP_KERNEL | __GFP_THISNODE);
	EXPECT(t, !alloc_pages_node(nid, gfp, 0));
	saved = memalloc_noreclaim_save();
	page = alloc_pages_node(nid, gfp, 0);
	EXPECT(t, !alloc_pages_node(nid, gfp | __GFP_NOMEMALLOC, 0));
	memalloc_noreclaim_restore(saved);
	EXPECT(t, !alloc_pages_node(nid, gfp, 0));
	if (EXPECT(t, page != NULL)) {
		EXPECT_EQ(t, page->marks, PAGE_MARK_RESERVE);
		EXPECT_EQ(t, page->nid, nid);
		__free_pages(page, 0);
		EXPECT_EQ(t, page->marks, 0);
	}
	__free_pages(plain, 0);
	release_all(&list);
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		later += snapshot(nid, type).events[ZONE_RESERVE_TAKEN];
	EXPECT_EQ(t, later, marked + 1);
	drain_all_pages();
}

static void give_back(struct page *page)
{
	if (page)
		__free_pages(page, 0);
}

static void an_interrupt_is_nobodys(struct ktest *t)
{
	int nid = smallest_node();
	struct held *list = NULL;
	struct page *refused, *entitled;
	u32 saved;

	take_all(&list, nid, GFP_ATOMIC | __GFP_THISNODE);
	saved = memalloc_noreclaim_save();
	refused = ask_in_interrupt(t, nid, GFP_ATOMIC);
	EXPECT(t, !refused);
	entitled = ask_in_interrupt(t, nid, GFP_ATOMIC | __GFP_MEMALLOC);
	EXPECT(t, entitled && entitled->marks == PAGE_MARK_RESERVE);
	memalloc_noreclaim_restore(saved);
	give_back(refused);
	give_back(entitled);
	release_all(&list);
	drain_all_pages();
}

/* DMA memory is still there when everything else is gone, to the page. */
static void dma_survives_a_flood(struct ktest *t)
{
	struct held *flood = NULL, *dma = NULL;
	u64 kept = 0, got;
	int nid;

	take_all(&flood, 0, GFP_KERNEL);
	EXPECT(t, !alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0));
	for_each_node_mask(nid, node_memory_mask()) {
		struct zone_snapshot z = snapshot(nid, ZONE_DMA);
		u64 mark = z.watermark[WMARK_MIN];

		if (z.managed_pages && z.free_pages > mark)
			kept += z.free_pages - mark;
	}
	got = take_order(&dma, 0, GFP_KERNEL | __GFP_DMA, 0);
	EXPECT_EQ(t, got, kept);
	release_all(&dma);
	release_all(&flood);
	drain_all_pages();
}

/* --- Not sleeping ------------------------------------------------------------------------------- */

/*
 * Interrupts are off, so a sleep would be the end: os_wait() panics. Each flag but one, with nothing left
 * for who may use the highest zone; of a lower one something may be kept for who can use no other.
 */
static void who_may_not_block_never_sleeps(struct ktest *t)
{
	u64 gave_up = vmstat_read(VMSTAT_ALLOC_GIVE_UP), asked = 0, hopeless = 0, got = 0;
	int nid = smallest_node();
	struct held *list = NULL;
	unsigned long flags;

	take_all(&list, nid, GFP_ATOMIC | __GFP_THISNODE);
	flags = irq_save();
	for (gfp_t gfp = 0; gfp <= __GFP_ALL; gfp++) {
		gfp_t whole = gfp | __GFP_THISNODE | __GFP_NOWARN;
		bool low = gfp & (__GFP_DMA | __GFP_DMA32);
		struct page *page;

		if ((gfp & (__GFP_DIRECT_RECLAIM | __GFP_NOFAIL | __GFP_ZERO | __GFP_MEMALLOC)) ||
		    whole != gfp || gfp_contradiction(gfp, 0))
			continue;
		page = alloc_pages_node(nid, gfp, 0);
		asked++;
		hopeless += !low;
		got += page && !low;
		give_back(page);
	}
	irq_restore(flags);
	EXPECT(t, asked > 100 && hopeless > 30);
	EXPECT_EQ(t, got, 0);
	EXPECT(t, vmstat_read(VMSTAT_ALLOC_GIVE_UP) - gave_up > hopeless);
	release_all(&list);
	drain_all_pages();
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(marks_are_exact_to_the_page, 120),
	KTEST(the_reserve_is_for_the_entitled),
	KTEST(an_interrupt_is_nobodys),
	KTEST(dma_survives_a_flood),
	KTEST(who_may_not_block_never_sleeps),
};
KTEST_SUITE(request, cases);
