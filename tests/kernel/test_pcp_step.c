/*
 * Requests for pages, interrupted at every instruction: which, on lists in which state, by blocks of
 * which order. What comes in between is tests/kernel/pcp_step.c, which has the theory.
 *
 * Which instructions were reached is printed at the end; tests/qemu/test_single_step.py compares them
 * with the disassembly of the hit paths.
 */
#include <arch/preempt.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/check.h>
#include <mm/memblock.h>
#include <mm/numa.h>
#include <x86/single_step.h>
#include <x86/smp.h>

#include "../stress/pages_back.h"
#include "pcp_step.h"

#define NEXT_WORD 5 /* of struct page: blocks that are put aside are chained by it */

/* More than a list of one order holds, at the very most. */
#define MAX_LIST_PAGES 4608

/* --- What is stepped ---------------------------------------------------------------------------- */

static void step_alloc_node(void *arg)
{
	(void)arg;
	stage.page = alloc_pages_node(stage.nid, GFP, stage.order);
}

static void step_alloc(void *arg)
{
	(void)arg;
	stage.page = alloc_pages(GFP, stage.order);
}

static void step_get(void *arg)
{
	void *addr = get_free_pages(GFP, stage.order);

	(void)arg;
	stage.page = addr ? virt_to_page(addr) : NULL;
}

static void step_free(void *arg)
{
	(void)arg;
	__free_pages(stage.page, stage.order);
}

static void step_free_addr(void *arg)
{
	(void)arg;
	free_pages(page_address(stage.page), stage.order);
}

/* --- What the lists are like before ------------------------------------------------------------- */

/* Nothing on them. */
static void lists_empty(void)
{
	drain_all_pages();
}

/* Some, and room for more. */
static void lists_half_full(void)
{
	drain_all_pages();
	stage_give(stage_take());
}

/* Blocks that are in nobody's way until the request has been made. */
static struct page *aside;
static u64 pages_aside; /* of the zone */

static void put_aside(struct page *page)
{
	page->arm_words[NEXT_WORD] = (u64)aside;
	aside = page;
	pages_aside += page_zone(page) == stage.zone ? (u64)1 << stage.beside : 0;
}

static struct page *from_aside(void)
{
	struct page *page = aside;

	aside = (struct page *)page->arm_words[NEXT_WORD];
	pages_aside -= page_zone(page) == stage.zone ? (u64)1 << stage.beside : 0;
	return page;
}

/* To the brim: one has been flushed, and what came in its place is full again. */
static void lists_full(void)
{
	u64 flushes,
		blocks = MIN(stage.zone->nr_free_pages / 8, (u64)MAX_LIST_PAGES) >> stage.order;
	struct page *page;

	for (; blocks > 0 && (page = stage_take()) != NULL; blocks--)
		put_aside(page);
	drain_all_pages();
	flushes = stage_event(PCP_FLUSH);
	while (aside &&
	       (stage_event(PCP_FLUSH) == flushes || stage.list->nr_hot < stage.list->capacity))
		stage_give(from_aside());
}

/* Are there lists, and is there memory enough for them to be used and filled? */
static bool lists_are_used(void)
{
	u64 room = 4 * MAX_LIST_PAGES;

	return stage.list->capacity > 0 &&
	       stage.zone->nr_free_pages > stage.zone->fast_mark + room &&
	       stage.zone->nr_free_pages > stage.zone->watermark[WMARK_HIGH] + room;
}

/* --- A run -------------------------------------------------------------------------------------- */

struct request {
	void (*prepare)(void);
	void (*run)(void *arg);
	bool gives;
	u32 refills, flushes; /* that it makes when nobody disturbs it */
};

static void add_figures(struct figures *sum, const struct figures *f)
{
	sum->steps += f->steps;
	sum->acted += f->acted;
	sum->owned += f->owned;
	sum->irqs_off += f->irqs_off;
	sum->zone_locked += f->zone_locked;
	sum->hit_only += f->hit_only;
	sum->held += f->held;
	sum->refused += f->refused;
}

static void run_once(struct ktest *t, const struct request *request, struct figures *sum)
{
	u64 refills, flushes, pages = stage_zone_pages();
	bool used = lists_are_used();

	stage.step = 0;
	stage.f = (struct figures){0};
	stage.bad[0] = '\0';
	stage.page = request->gives ? alloc_pages_node(stage.nid, GFP, stage.order) : NULL;
	request->prepare();
	if (stage.plan == GIVE_THEN_TAKE)
		stage_fill_pool();
	stage.all_pages = pages - pages_aside;
	refills = stage_event(PCP_REFILL);
	flushes = stage_event(PCP_FLUSH);
	stage.f.refused = stage_event(PCP_BUSY);

	if (!request->gives || stage.page) {
		stage.f.steps = single_step(request->run, NULL, stage_between, NULL);
		stage_end_hold();
		if (!request->gives && stage_mark(stage.page, stage.order))
			__free_pages(stage_unmark(stage.page, stage.order), stage.order);
	}
	stage.f.refused = stage_event(PCP_BUSY) - stage.f.refused;
	if (stage.plan == LOOK && used) {
		/* Nothing was changed in between: the request is the one it was meant to be. */
		EXPECT_EQ(t, stage_event(PCP_REFILL) - refills, request->refills);
		EXPECT_EQ(t, stage_event(PCP_FLUSH) - flushes, request->flushes);
	}
	stage.page = NULL;
	stage_give_pool();
	while (aside)
		stage_give(from_aside());
	EXPECT_MSG(t, !stage.bad[0], "order %u, plan %u.%u: %s", stage.order, stage.plan,
		   stage.phase, stage.bad);
	EXPECT_EQ(t, stage_zone_pages(), pages);
	add_figures(sum, &stage.f);
}

static void set_stage(struct ktest *t, unsigned int order)
{
	/* What caches do not need they would give back while the zone's pages are counted. */
	threads_release_spares();
	pages_settle();
	memset(&stage, 0, sizeof(stage));
	stage.nid = cpu_to_node(smp_processor_id());
	stage.zone = first_zone[stage.nid];
	stage.order = order;
	stage.beside = order <= PCP_MAX_ORDER ? order : 0;
	stage.random = t->seed + order;
	preempt_disable();
	stage.list = pcp_this_cpu(stage.zone, stage.beside);
	preempt_enable();
}

static void expect_clean(struct ktest *t)
{
	struct check_report report;

	drain_all_pages();
	if (memblock_ram_pages() <= GiB(8) >> PAGE_SHIFT)
		EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

/*
 * Of many CPUs, or with many nodes, a step costs many times as much: the others' ticks come between, and a
 * drain goes through thousands of lists. The first and the last order have to do there.
 */
static unsigned int stride(void)
{
	return nr_cpus_online() > 16 || numa_topology()->nr_nodes > 16 ? PCP_MAX_ORDER : 1;
}

/* All plans but HOLD, with blocks of the orders; then the figures. */
static void run_all(struct ktest *t, const struct request *request, unsigned int first_order,
		    unsigned int last_order, struct figures *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int order = first_order; order <= last_order; order += stride()) {
		set_stage(t, order);
		for (u32 plan = 0; plan < HOLD; plan++) {
			stage.plan = (enum plan)plan;
			run_once(t, request, sum);
		}
	}
	ktest_note(t,
		   "%llu instructions; interrupts on at %llu, list owned at %llu of them; off at "
		   "%llu, zone locked at %llu of them, list used at %llu",
		   (unsigned long long)sum->steps, (unsigned long long)sum->acted,
		   (unsigned long long)sum->owned, (unsigned long long)sum->irqs_off,
		   (unsigned long long)sum->zone_locked, (unsigned long long)sum->hit_only);
	expect_clean(t);
	EXPECT_EQ(t, sum->acted + sum->irqs_off, sum->steps);
}

/* --- Cases -------------------------------------------------------------------------------------- */

static const struct request hit_alloc = {lists_half_full, step_alloc_node, false, 0, 0};
static const struct request hit_plain = {lists_half_full, step_alloc, false, 0, 0};
static const struct request hit_get = {lists_half_full, step_get, false, 0, 0};
static const struct request hit_free = {lists_half_full, step_free, true, 0, 0};
static const struct request hit_put = {lists_half_full, step_free_addr, true, 0, 0};
static const struct request refill_alloc = {lists_empty, step_alloc_node, false, 1, 0};
static const struct request refill_plain = {lists_empty, step_alloc, false, 1, 0};
static const struct request refill_get = {lists_empty, step_get, false, 1, 0};
static const struct request flush_free = {lists_full, step_free, true, 0, 1};
static const struct request flush_put = {lists_full, step_free_addr, true, 0, 1};
static const struct request zone_alloc = {lists_empty, step_alloc_node, false, 0, 0};
static const struct request zone_free = {lists_empty, step_free, true, 0, 0};

/* A hit: some dozens of instructions, interrupts on at each, some of them while it owns the list. */
static void run_hit(struct ktest *t, const struct request *request)
{
	struct figures sum;

	run_all(t, request, 0, PCP_MAX_ORDER, &sum);
	EXPECT(t, sum.steps > 2ull * HOLD * 10);
	EXPECT(t, sum.owned > 2ull * HOLD);
}

/* What goes to the zone: also interrupts off, and the lock held. */
static void run_miss(struct ktest *t, const struct request *request)
{
	struct figures sum;

	run_all(t, request, 0, PCP_MAX_ORDER, &sum);
	EXPECT(t, sum.owned > 2ull * HOLD * 10);
	if (lists_are_used()) {
		EXPECT(t, sum.irqs_off > 2ull * HOLD * 10);
		EXPECT(t, sum.zone_locked > 2ull * HOLD * 10);
	}
}

static void an_allocation_from_the_list(struct ktest *t)
{
	run_hit(t, &hit_alloc);
}

static void a_free_to_the_list(struct ktest *t)
{
	run_hit(t, &hit_free);
}

static void by_address(struct ktest *t)
{
	run_hit(t, &hit_get);
	run_hit(t, &hit_put);
}

static bool refused;

/* No block is that large: the way out with nothing, and a line in the log in between. */
static void step_get_nothing(void *arg)
{
	(void)arg;
	refused = get_free_pages(GFP, MAX_ORDER + 1) == NULL;
}

static void a_request_that_fails(struct ktest *t)
{
	static const struct request request = {lists_half_full, step_get_nothing, false, 0, 0};
	struct figures sum = {0};

	set_stage(t, 0);
	stage.plan = TAKE_AND_GIVE;
	run_once(t, &request, &sum);
	EXPECT(t, refused);
	EXPECT(t, sum.steps > 20);
	expect_clean(t);
}

static void near_this_cpu(struct ktest *t)
{
	run_hit(t, &hit_plain);
	run_miss(t, &refill_plain);
}

static void an_allocation_that_refills(struct ktest *t)
{
	run_miss(t, &refill_alloc);
	run_miss(t, &refill_get);
}

static void a_free_that_flushes(struct ktest *t)
{
	run_miss(t, &flush_free);
	run_miss(t, &flush_put);
}

/*
 * Orders that no list has: the zone's lock is held while the lists of small blocks are free, and who
 * comes between with interrupts off uses those.
 */
static void past_the_lists(struct ktest *t)
{
	struct figures sum;

	run_all(t, &zone_alloc, PCP_MAX_ORDER + 1, PCP_MAX_ORDER + 2, &sum);
	EXPECT(t, sum.zone_locked > HOLD);
	EXPECT(t, sum.hit_only > HOLD);
	run_all(t, &zone_free, PCP_MAX_ORDER + 1, PCP_MAX_ORDER + 2, &sum);
	EXPECT(t, sum.zone_locked > HOLD);
	EXPECT(t, sum.hit_only > HOLD);
}

/*
 * A drainer of another CPU owns the list for some instructions; it begins before each of them once. The
 * stepped code leaves the list alone as long, and finds what it wants in the zone.
 */
static void what_another_owns_is_left_alone(struct ktest *t)
{
	static const struct request *const requests[] = {
		&hit_alloc, &hit_get, &hit_plain, &hit_free, &hit_put, &refill_alloc, &flush_free};
	struct figures sum = {0};

	for (u32 i = 0; i < ARRAY_SIZE(requests); i++) {
		for (unsigned int order = 0; order <= PCP_MAX_ORDER; order += PCP_MAX_ORDER) {
			set_stage(t, order);
			stage.plan = HOLD;
			for (stage.phase = 0; stage.phase < PERIOD; stage.phase++)
				run_once(t, requests[i], &sum);
		}
	}
	ktest_note(t, "%llu instructions; list owned by another %llu times, found so %llu times",
		   (unsigned long long)sum.steps, (unsigned long long)sum.held,
		   (unsigned long long)sum.refused);
	expect_clean(t);
	EXPECT(t, sum.held > ARRAY_SIZE(requests) * PERIOD);
	EXPECT(t, sum.refused > ARRAY_SIZE(requests) * 2);
}

/* What the cases above have been to, as offsets, for who knows the disassembly. */
static void say_what_was_reached(struct ktest *t)
{
	const char *name;
	const u8 *seen;

	for (u32 i = 0; (name = stage_visited(i, &seen)) != NULL; i++) {
		char line[MAX_FN_BYTES / 2];
		size_t len = 0;
		u32 nr = 0;

		for (u32 at = 0; at < MAX_FN_BYTES; at++) {
			if (len > sizeof(line) - 8) {
				ktest_note(t, "%s:%s", name, line);
				len = 0;
			}
			if (!seen[at])
				continue;
			len += (size_t)snprintf(line + len, sizeof(line) - len, " %x", at);
			nr++;
		}
		if (len > 0)
			ktest_note(t, "%s:%s", name, line);
		EXPECT(t, nr > 10);
	}
}

static const struct ktest_case cases[] = {
	KTEST(an_allocation_from_the_list),
	KTEST(a_free_to_the_list),
	KTEST(by_address),
	KTEST(a_request_that_fails),
	KTEST(near_this_cpu),
	KTEST(an_allocation_that_refills),
	KTEST(a_free_that_flushes),
	KTEST(past_the_lists),
	KTEST(what_another_owns_is_left_alone),
	KTEST(say_what_was_reached),
};
KTEST_SUITE(pcp_step, cases);
