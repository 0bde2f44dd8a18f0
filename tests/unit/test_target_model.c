/*
 * The choice of a block, at random, against a model that prices every block of the window by a table of its own.
 */
#include "target_build.h"

#include <base/random.h>

#include "mm/vmstat.h"

/* What is made of a page, and what the documentation says that it costs. */
enum kind {
	FREE,
	INACTIVE,
	ACTIVE,
	DIRTY,
	DIRTY_ACTIVE,
	WRITTEN,        /* being written */
	WRITTEN_ACTIVE, /* and dirty again */
	KERNEL,
	PINNED,
	IN_USE,
	RESERVED, /* by boot */
	NR_KINDS
};
#define NEVER 1000000u
static const u32 price_of[NR_KINDS] = {
	[FREE] = 0,          [INACTIVE] = 1,   [ACTIVE] = 4,          [DIRTY] = 9,
	[DIRTY_ACTIVE] = 12, [WRITTEN] = 9,    [WRITTEN_ACTIVE] = 20, [KERNEL] = NEVER,
	[PINNED] = NEVER,    [IN_USE] = NEVER, [RESERVED] = NEVER,
};

static u8 kind_of[TARGET_FRAMES];

static pfn_t first_pfn(void)
{
	return target_zone()->start_pfn;
}

/* --- A state of memory --------------------------------------------------------------------------- */

/* What neighbours have in common: half of the stretches of a pageblock have nothing that stays. */
static enum kind draw_kind(struct random_state *r, u32 profile, bool may_stay)
{
	static const enum kind mix[][8] = {
		{INACTIVE, INACTIVE, INACTIVE, INACTIVE, ACTIVE, ACTIVE, FREE, FREE},
		{FREE, FREE, FREE, FREE, FREE, FREE, FREE, INACTIVE},
		{ACTIVE, ACTIVE, ACTIVE, DIRTY_ACTIVE, WRITTEN, WRITTEN_ACTIVE, DIRTY, INACTIVE},
		{INACTIVE, INACTIVE, FREE, FREE, ACTIVE, INACTIVE, FREE, INACTIVE},
	};
	static const enum kind stays[] = {KERNEL, PINNED, IN_USE};

	if (may_stay && random_below(r, 24) == 0)
		return stays[random_below(r, ARRAY_SIZE(stays))];
	return mix[profile][random_below(r, 8)];
}

static void make(pfn_t pfn, enum kind kind)
{
	bool active = kind == ACTIVE || kind == DIRTY_ACTIVE || kind == WRITTEN_ACTIVE;
	struct page *page = pfn_to_page(pfn);

	if (kind == KERNEL)
		return;
	if (kind == FREE) {
		__free_pages(page, 0);
		return;
	}
	target_cache(pfn, 1, active ? LRU_ACTIVE : LRU_INACTIVE);
	if (kind == DIRTY || kind == DIRTY_ACTIVE || kind == WRITTEN_ACTIVE)
		set_page_dirty(page);
	if (kind == PINNED)
		lru_pin_page(page);
	if (kind == IN_USE)
		get_page(page);
}

static void lay_out(struct random_state *r)
{
	u32 profile = 0;
	bool may_stay = false;

	for (u32 i = 0; i < TARGET_FRAMES; i++) {
		if (i % 512 == 0)
			may_stay = random_below(r, 2);
		if (i % 64 == 0)
			profile = random_below(r, 4);
		kind_of[i] = RESERVED;
		if (!target_is_taken(first_pfn() + i))
			continue;
		kind_of[i] = (u8)draw_kind(r, profile, may_stay);
		/* No block of order 4 is free, or nothing would be searched for. */
		if (i % 16 == 5 && kind_of[i] == FREE)
			kind_of[i] = INACTIVE;
		make(first_pfn() + i, (enum kind)kind_of[i]);
	}
	if (random_below(r, 2))
		drain_all_pages();
}

/* A block that has become free, piece by piece, as its holder may. */
static void take_block(unsigned int order)
{
	struct page *block = alloc_pages_node(0, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN, order);

	for (u32 i = 0; block && i < 1u << order; i++) {
		block[i].head = PAGE_HEAD(PAGE_ALLOCATED, 0);
		block[i].list = PAGE_LIST(0, BLOCK_UNMOVABLE);
		kind_of[page_to_pfn(block) + i - first_pfn()] = KERNEL;
	}
}

static bool is_written(u32 i)
{
	return kind_of[i] == WRITTEN || kind_of[i] == WRITTEN_ACTIVE;
}

static void begin_writes(void)
{
	for (u32 i = 0; i < TARGET_FRAMES; i++) {
		if (is_written(i))
			set_page_writeback(pfn_to_page(first_pfn() + i));
	}
}

/* Between the search, which sees the writes, and what comes of it: nobody waits. */
static void end_writes(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < TARGET_FRAMES; i++) {
		if (is_written(i))
			end_page_writeback(pfn_to_page(first_pfn() + i));
	}
}

/* Every page is taken again. */
static void clear_up(void)
{
	for (u32 i = 0; i < TARGET_FRAMES; i++) {
		struct page *page = pfn_to_page(first_pfn() + i);

		if (kind_of[i] == IN_USE)
			put_page(page);
		else if (kind_of[i] == KERNEL)
			__free_pages(page, 0);
	}
	toy_empty();
	drain_all_pages();
	target_take_all();
}

/* --- The model ----------------------------------------------------------------------------------- */

struct choice {
	u32 block; /* of the zone's, by number */
	u32 price; /* NEVER: none */
	u32 nr_evicted;
	u32 nr_pages; /* looked at to see it */
};

static struct choice price_block(u32 block, unsigned int order)
{
	struct choice c = {.block = block};

	for (u32 i = block << order; i < (block + 1) << order && c.price < NEVER; i++) {
		c.price = MIN(c.price + price_of[kind_of[i]], NEVER);
		c.nr_evicted += price_of[kind_of[i]] > 0;
		c.nr_pages++;
	}
	/* Free, and a part of something larger that is free: the first page says so. */
	if (c.nr_evicted == 0 && pfn_to_page(first_pfn() + (block << order))->state == PAGE_TAIL)
		c.nr_pages = 1;
	return c;
}

/* By the figures before the search. */
static struct choice choose(unsigned int order, const struct zone_snapshot *z)
{
	u64 must = z->watermark[WMARK_MIN] + z->lowmem_reserve[ZONE_NORMAL] + ((u64)1 << order);
	u64 missing = z->free_pages < must ? must - z->free_pages : 0;
	u32 nr = TARGET_FRAMES >> order, first = (u32)(target_cursor() - first_pfn()) >> order;
	struct choice best = {.price = NEVER};

	if (target_cursor() < first_pfn())
		first = 0;
	for (u32 above = order; above <= MAX_ORDER && missing == 0; above++) {
		if (z->free_blocks[above] > 0)
			return best;
	}
	for (u32 i = 0, pages = 0; i < nr && pages < 64u << order; i++) {
		struct choice c = price_block((first + i) % nr, order);

		pages += c.nr_pages;

		if (c.price < best.price && c.nr_evicted > 0 && c.nr_evicted >= missing)
			best = c;
	}
	return best;
}

static void compare(struct ktest *t, unsigned int order, struct choice best)
{
	struct target_events before = target_events();
	bool none = best.price == NEVER;
	pfn_t pfn = first_pfn() + ((pfn_t)best.block << order);

	begin_writes();
	/* The first count is that of the blocks looked at. */
	host_at_write(&vmstat_counters[smp_processor_id()], end_writes, NULL);
	EXPECT_EQ(t, target_reclaim(order, ZONE_NORMAL, 1, true), none ? 0 : best.nr_evicted);
	vmstat_count(VMSTAT_ALLOC_MIN); /* where there was no search */
	EXPECT(t, !host_write_awaited());
	EXPECT_EVENTS(t, before, .chosen = !none, .completed = !none,
		      .evicted = none ? 0 : best.nr_evicted);
	for (u32 i = 0; i < TARGET_FRAMES; i++) {
		bool evicted = !none && i >> order == best.block;
		bool cached = pfn_to_page(first_pfn() + i)->lru != LRU_NONE;

		if (evicted)
			kind_of[i] = FREE;
		if (cached !=
		    (kind_of[i] >= INACTIVE && kind_of[i] != KERNEL && kind_of[i] != RESERVED)) {
			EXPECT_MSG(t, false,
				   "order %u: frame %u, model: block of pfn 0x%llx, price %u",
				   order, i, (unsigned long long)pfn, best.price);
			return;
		}
	}
}

static void the_model_chooses_the_same(struct ktest *t)
{
	struct random_state r = {t->seed * 2654435761u + 5};
	u32 chosen = 0, none = 0, orders = 0;

	target_boot(TOY_WRITES_AT_ONCE);
	target_take_all();
	for (u32 round = 0; round < 25 && t->failures == 0; round++) {
		lay_out(&r);
		for (u32 i = 0; i < 24 && t->failures == 0; i++) {
			unsigned int order = 4 + random_below(&r, MAX_ORDER - 3);
			struct zone_snapshot z;
			struct choice best;

			zone_snapshot(0, ZONE_NORMAL, &z);
			best = choose(order, &z);
			compare(t, order, best);
			if (random_below(&r, 8))
				take_block(order);
			chosen += best.price != NEVER;
			none += best.price == NEVER;
			if (best.price != NEVER)
				orders |= 1u << order;
		}
		expect_check_clean(t);
		clear_up();
	}
	ktest_note(t, "%u blocks chosen, %u searches without one", chosen, none);
	EXPECT(t, chosen > 100 && none > 50);
	EXPECT_EQ(t, orders, (2u << MAX_ORDER) - (1u << 4));
}

static const struct ktest_case cases[] = {
	KTEST(the_model_chooses_the_same),
};
KTEST_SUITE(target_model, cases);
