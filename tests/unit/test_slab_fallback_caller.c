/*
 * Fallback: F4, F5, F7 and F8 of docs/fallback.md, what the caller may do and what others do meanwhile, each under the
 * three policies. As test_slab_fallback.c.
 */
#include "slab_fallback_env.h"

#include <arch/irq.h>
#include <base/atomic.h>
#include <mm/mempolicy.h>
#include <mm/os.h>

#include "mm/vmstat.h"

/* --- F4: one predicate for objects and pages ---------------------------------------------------------- */

#define F4_REQUESTS 160

/* Also what only those get who free memory. */
static void exhaust_wholly(int nid)
{
	u32 saved = memalloc_noreclaim_save();

	exhaust(nid);
	memalloc_noreclaim_restore(saved);
}

/*
 * A task of node 0's cpuset that may leave it, since it frees memory; node 0 is full. It wants object after object. How
 * many slabs that makes.
 */
static u64 f4_slabs(struct ktest *t, enum mm_behaviour behaviour)
{
	u32 saved;

	boot(behaviour);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0); /* straight from the lists */
	exhaust_wholly(0);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	mark();
	saved = memalloc_noreclaim_save();
	for (u32 i = 0; i < F4_REQUESTS; i++)
		EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN)), 1);
	memalloc_noreclaim_restore(saved);
	expect_check_clean(t);
	return since(VMSTAT_SLAB_GROW);
}

static void f4_before_fills_slabs(struct ktest *t)
{
	EXPECT_EQ(t, f4_slabs(t, MM_BEFORE), DIV_ROUND_UP(F4_REQUESTS, cache->nr_objects));
}

/* It may take pages where it may not take objects: a slab for each object. */
static void f4_posted_makes_a_slab_for_each(struct ktest *t)
{
	EXPECT_EQ(t, f4_slabs(t, MM_POSTED), F4_REQUESTS);
}

static void f4_after_fills_slabs(struct ktest *t)
{
	EXPECT_EQ(t, f4_slabs(t, MM_AFTER), DIV_ROUND_UP(F4_REQUESTS, cache->nr_objects));
}

/* Who is bound to its cpuset has no object from outside, by whatever policy: there is none then. */
static void f4_bound_stays(struct ktest *t, enum mm_behaviour behaviour)
{
	boot(behaviour);
	(void)leave_objects(1);
	empty_own_stack();
	exhaust(0);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	mark();
	EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN));
	EXPECT(t, !kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_NOWARN, 1));
	EXPECT_EQ(t, since(VMSTAT_SLAB_FAIL), 2);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0) | NODE_BIT(1)), 0);
	EXPECT_EQ(t, node_of(kmem_cache_alloc(cache, GFP_NOWAIT)), 1);
	expect_check_clean(t);
}

static void f4_before_stays(struct ktest *t)
{
	f4_bound_stays(t, MM_BEFORE);
}

static void f4_posted_stays(struct ktest *t)
{
	f4_bound_stays(t, MM_POSTED);
}

static void f4_after_stays(struct ktest *t)
{
	f4_bound_stays(t, MM_AFTER);
}

/*
 * Who may have the last page of its node does not take it while another node has one that anybody may have. When none
 * has, it does.
 */
static void the_reserve_comes_last(struct ktest *t)
{
	u32 saved;
	void *object;

	boot(MM_AFTER);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
	exhaust(0);
	saved = memalloc_noreclaim_save();
	for (u32 i = 0; i < F4_REQUESTS; i++) {
		object = kmem_cache_alloc(cache, GFP_NOWAIT);
		EXPECT_EQ(t, node_of(object), 1);
		EXPECT(t, object && !page_is_reserve(virt_to_page(object)));
	}
	memalloc_noreclaim_restore(saved);
	exhaust(1);
	exhaust(2);
	while (kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN))
		;
	object = kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_MEMALLOC);
	EXPECT_EQ(t, node_of(object), 0);
	EXPECT(t, object && page_is_reserve(virt_to_page(object)));
	expect_check_clean(t);
}

/* --- F5: it sleeps where it may, and nowhere else -------------------------------------------------------- */

static const char atomic_report[] = "BUG: a request that may sleep, with interrupts off";

static void f5_reports(struct ktest *t, enum mm_behaviour behaviour, bool reports)
{
	boot(behaviour);
	fill_with_cache();
	EXPECT(t, kmem_cache_alloc(cache, GFP_KERNEL) != NULL);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_ATOMIC) > 0, reports);
	EXPECT_EQ(t, host_log_contains(atomic_report), reports);
	expect_check_clean(t);
}

static void f5_posted_would_sleep_with_interrupts_off(struct ktest *t)
{
	f5_reports(t, MM_POSTED, true);
}

static void f5_after_sleeps_where_it_may(struct ktest *t)
{
	f5_reports(t, MM_AFTER, false);
}

static void f5_never_sleeps_unasked(struct ktest *t, enum mm_behaviour behaviour)
{
	unsigned long flags;
	u64 sleeps;

	boot(behaviour);
	fill_with_cache();
	sleeps = host_sleeps();
	EXPECT(t, !kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN));
	flags = irq_save();
	EXPECT(t, !kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN));
	EXPECT(t, irqs_disabled());
	irq_restore(flags);
	EXPECT_EQ(t, host_sleeps(), sleeps);
	EXPECT_EQ(t, since(VMSTAT_PGSCAN_DIRECT), 0);
	EXPECT_EQ(t, since(VMSTAT_SLAB_FALLBACK_ATOMIC), 0);
}

static void f5_before_never_sleeps_unasked(struct ktest *t)
{
	f5_never_sleeps_unasked(t, MM_BEFORE);
}

static void f5_posted_never_sleeps_unasked(struct ktest *t)
{
	f5_never_sleeps_unasked(t, MM_POSTED);
}

static void f5_after_never_sleeps_unasked(struct ktest *t)
{
	f5_never_sleeps_unasked(t, MM_AFTER);
}

/* --- F7: the cpuset moves meanwhile ------------------------------------------------------------------------ */

static void move_to_node_1(void *arg)
{
	(void)arg;
	(void)task_set_mems_allowed(os_current(), NODE_BIT(1));
}

/*
 * From node 0, which is full, to node 1, which has an object and no page, once the request has been built: the first
 * that it counts is that its node has no page.
 */
static void *f7_object(struct ktest *t, enum mm_behaviour behaviour)
{
	void *object;

	boot(behaviour);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
	(void)leave_objects(1);
	exhaust(0);
	exhaust(1);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(0)), 0);
	mark();
	host_at_write(&vmstat_counters[0].count[VMSTAT_SLAB_FALLBACK], move_to_node_1, NULL);
	object = kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN);
	EXPECT(t, !host_write_awaited());
	EXPECT_EQ(t, os_current()->mems_allowed, NODE_BIT(1));
	return object;
}

static void f7_before_fails(struct ktest *t)
{
	EXPECT(t, !f7_object(t, MM_BEFORE));
	EXPECT_EQ(t, since(VMSTAT_SLAB_MEMS_MOVED), 0);
	expect_check_clean(t);
}

static void f7_posted_fails(struct ktest *t)
{
	EXPECT(t, !f7_object(t, MM_POSTED));
	EXPECT_EQ(t, since(VMSTAT_SLAB_MEMS_MOVED), 0);
	expect_check_clean(t);
}

static void f7_after_begins_anew(struct ktest *t)
{
	EXPECT_EQ(t, node_of(f7_object(t, MM_AFTER)), 1);
	EXPECT_EQ(t, since(VMSTAT_SLAB_MEMS_MOVED), 1);
	expect_check_clean(t);
}

/* --- F8: the maker of a slab has an object of it ------------------------------------------------------- */

/* One in some hundred comes too late where the maker has no object of its own: of so many, one for certain. */
#define F8_STEALS     (HOST_TSAN ? 1000u : 4000u)
#define F8_MOST_TURNS 3000000u

/* What both sides have of node 1, as a chain; the interrupt takes all that the lists have, the thread one at a time. */
static void *f8_chain;
static u64 f8_stolen, f8_had, f8_steals;

static void keep(void *object)
{
	*(void **)object = f8_chain;
	f8_chain = object;
}

static void steal_all(void *arg)
{
	u64 before_it = f8_stolen;
	void *object;

	(void)arg;
	while (load_relaxed(&cache->node[1]->nr_free_objects) > 0 &&
	       (object = kmem_cache_alloc_node(cache, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN,
					       1))) {
		keep(object);
		f8_stolen++;
	}
	f8_steals += f8_stolen != before_it;
}

/* Node 1 is full: from the start. */
static void give_all_back(void)
{
	unsigned long flags = irq_save();

	while (f8_chain) {
		void *object = f8_chain;

		f8_chain = *(void **)object;
		kmem_cache_free(cache, object);
	}
	irq_restore(flags);
}

/* Until it was robbed often enough, and, where that is to be seen, came too late. On CPU 0. */
static void want_objects(void *arg)
{
	const bool *comes_too_late = arg;

	for (u32 i = 0; i < F8_MOST_TURNS; i++) {
		void *object = kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN);
		unsigned long flags = irq_save();

		if (object)
			keep(object);
		f8_had += object != NULL;
		irq_restore(flags);
		if (!object)
			give_all_back();
		if (load_relaxed(&f8_steals) >= F8_STEALS &&
		    (!*comes_too_late || since(VMSTAT_SLAB_FALLBACK_RETRY) > 0))
			break;
	}
	give_all_back();
}

static u64 f8_retries(struct ktest *t, enum mm_behaviour behaviour)
{
	bool comes_too_late = behaviour == MM_POSTED;
	struct os_thread *thread;

	boot(behaviour);
	EXPECT_EQ(t, kmem_cache_tune(cache, 0, 0, 0), 0);
	exhaust(0);
	mark();
	thread = os_thread_start("wants", 0, want_objects, &comes_too_late);
	if (!EXPECT(t, thread != NULL))
		return 0;
	host_timer_begin(1, 0, steal_all, NULL);
	os_thread_join(thread);
	host_beside_end();
	give_all_back();
	ktest_note(t, "%llu had, %llu stolen, %llu times come too late", (unsigned long long)f8_had,
		   (unsigned long long)f8_stolen,
		   (unsigned long long)since(VMSTAT_SLAB_FALLBACK_RETRY));
	EXPECT(t, f8_stolen > 0);
	EXPECT(t, f8_had > 0);
	expect_check_clean(t);
	return since(VMSTAT_SLAB_FALLBACK_RETRY);
}

static void f8_posted_comes_too_late(struct ktest *t)
{
	EXPECT(t, f8_retries(t, MM_POSTED) > 0);
}

static void f8_after_has_the_first(struct ktest *t)
{
	EXPECT_EQ(t, f8_retries(t, MM_AFTER), 0);
}

static const struct ktest_case cases[] = {
	KTEST(f4_before_fills_slabs),
	KTEST(f4_posted_makes_a_slab_for_each),
	KTEST(f4_after_fills_slabs),
	KTEST(f4_before_stays),
	KTEST(f4_posted_stays),
	KTEST(f4_after_stays),
	KTEST(the_reserve_comes_last),
	KTEST(f5_posted_would_sleep_with_interrupts_off),
	KTEST(f5_after_sleeps_where_it_may),
	KTEST(f5_before_never_sleeps_unasked),
	KTEST(f5_posted_never_sleeps_unasked),
	KTEST(f5_after_never_sleeps_unasked),
	KTEST(f7_before_fails),
	KTEST(f7_posted_fails),
	KTEST(f7_after_begins_anew),
	KTEST(f8_posted_comes_too_late),
	KTEST(f8_after_has_the_first),
};
KTEST_SUITE(slab_fallback_caller, cases);
