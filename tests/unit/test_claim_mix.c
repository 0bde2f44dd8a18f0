/*
 * Claims begun, taken and ended at random while blocks of all sizes come and go: every page is in one place.
 */
#include "claim_build.h"

#define MAX_HELD 512

struct mix {
	struct random_state random;
	struct page *held[MAX_HELD];
	u8 order[MAX_HELD];
	u32 nr_held;
	u64 held_pages;
	struct claim_ticket ticket[MAX_CLAIMS];
	u32 begun, completed;
};

static void mix_allocate(struct mix *m)
{
	static const gfp_t kinds[] = {GFP_KERNEL, GFP_KERNEL | __GFP_MOVABLE};
	u32 order = (u32)host_random_below(&m->random, host_random_below(&m->random, 10) + 1);
	gfp_t gfp = kinds[host_random_below(&m->random, 2)] | __GFP_THISNODE | __GFP_NOWARN;
	struct page *page = m->nr_held < MAX_HELD ? alloc_pages_node(0, gfp, order) : NULL;

	if (!page)
		return;
	if (page_zone(page) != normal()) {
		__free_pages(page, order);
		return;
	}
	m->held[m->nr_held] = page;
	m->order[m->nr_held++] = (u8)order;
	m->held_pages += (u64)1 << order;
}

static void mix_free(struct mix *m)
{
	u32 i;

	if (m->nr_held == 0)
		return;
	i = (u32)host_random_below(&m->random, m->nr_held);
	m->held_pages -= (u64)1 << m->order[i];
	__free_pages(m->held[i], m->order[i]);
	m->held[i] = m->held[--m->nr_held];
	m->order[i] = m->order[m->nr_held];
}

/* Begins one, or takes or ends what has begun. A block that is complete is held like others. */
static void mix_claim(struct ktest *t, struct mix *m)
{
	struct claim_ticket *ticket = &m->ticket[host_random_below(&m->random, MAX_CLAIMS)];
	struct zone *zone = normal();
	u64 units = zone->spanned_pages / MAX_BLOCK_PAGES;
	u32 order = 4 + (u32)host_random_below(&m->random, 7);

	if (!ticket->zone) {
		pfn_t pfn = zone->start_pfn + host_random_below(&m->random, units * 1024);

		m->begun +=
			claim_begin(zone, ALIGN_DOWN(pfn, (pfn_t)1 << order), order, ticket) == 0;
	} else if (claim_missing(ticket) > 0 || m->nr_held == MAX_HELD) {
		if (host_random_below(&m->random, 4) == 0)
			claim_end(ticket);
	} else {
		struct page *page = claim_take(ticket, BLOCK_UNMOVABLE);

		ASSERT_TRUE(t, page != NULL);
		m->completed++;
		m->held[m->nr_held] = page;
		m->order[m->nr_held++] = page->order;
		m->held_pages += (u64)1 << page->order;
	}
}

static void every_page_is_in_one_place(struct ktest *t)
{
	static struct mix m;
	struct zone *zone = booted();
	u64 all = pages_free();

	m.random.state = t->seed * 2654435761u + 11;
	for (u32 step = 0; step < 6000 && t->failures == 0; step++) {
		u32 kind = (u32)host_random_below(&m.random, 16);
		bool growing = step / 500 % 2 == 0;

		if (kind < (growing ? 9u : 5u))
			mix_allocate(&m);
		else if (kind < 14)
			mix_free(&m);
		else
			mix_claim(t, &m);
		EXPECT_EQ(t, pages_free() + m.held_pages + zone->nr_captured, all);
		if (step % 50 == 0)
			expect_check_clean(t);
	}
	for (u32 i = 0; i < MAX_CLAIMS; i++) {
		if (m.ticket[i].zone)
			claim_end(&m.ticket[i]);
	}
	while (m.nr_held > 0)
		mix_free(&m);
	drain_all_pages();
	EXPECT_EQ(t, pages_free(), all);
	EXPECT_EQ(t, zone->nr_captured, 0);
	EXPECT_EQ(t, event(CLAIM_COMPLETED), m.completed);
	EXPECT(t, m.begun > 100 && m.completed > 10);
	expect_check_clean(t);
	ktest_note(t, "%u claims, %u complete, %llu pages captured", m.begun, m.completed,
		   (unsigned long long)event(CLAIM_CAPTURED_PAGES));
}

static const struct ktest_case cases[] = {
	KTEST(every_page_is_in_one_place),
};
KTEST_SUITE(claim_mix, cases);
