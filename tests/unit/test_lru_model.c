/*
 * LRU lists against a naive model: random operations, and after each one every list is compared page by
 * page, every flag, every count.
 *
 * The model has a struct for each page, and each list as an array of their numbers, head first. What an
 * operation does is written down here a second time, in the plainest way.
 */
#include "host.h"

#include <base/random.h>
#include <base/string.h>
#include <mm/lru.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "mm/lru.h"
#include "mm/zone.h"

#define NR_PAGES 40
#define STEPS    20000
#define NODES    2

static const struct host_machine machine = {
	.ram = {{0, MiB(24), 0}, {GiB(4), MiB(16), 0}, {GiB(8), MiB(16), 1}},
	.nr_nodes = NODES,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static const struct lru_owner owner = {.name = "model"};

struct model_page {
	struct page *page; /* NULL: there is none */
	enum lru_list list;
	u32 refs, flags;
	int nid;
};

struct model_list {
	u32 at[NR_PAGES]; /* head first */
	u32 nr;
};

static struct model_page model[NR_PAGES];
static struct model_list lists[NODES][NR_LRU_LISTS];
static u64 age[NODES];
static u64 events[5]; /* activate, deactivate, rotated, refault, working set */
static u64 frees;

/* The last page lost, and when by its node's age. */
static struct {
	u32 shadow;
	int nid;
	u64 age;
} lost;

static void model_remove(u32 n)
{
	struct model_list *list = &lists[model[n].nid][model[n].list];
	u32 i = 0;

	while (list->at[i] != n)
		i++;
	memmove(&list->at[i], &list->at[i + 1], (list->nr - i - 1) * sizeof(u32));
	list->nr--;
}

static void model_insert(u32 n, enum lru_list to, bool tail)
{
	struct model_list *list = &lists[model[n].nid][to];

	if (!tail)
		memmove(&list->at[1], &list->at[0], list->nr * sizeof(u32));
	list->at[tail ? list->nr : 0] = n;
	list->nr++;
	model[n].list = to;
}

static void model_put(u32 n)
{
	if (--model[n].refs > 0)
		return;
	model_remove(n);
	model[n] = (struct model_page){0};
	frees++;
}

static void model_isolate(u32 n)
{
	if (model[n].list == LRU_ACTIVE)
		model[n].flags |= LRU_FROM_ACTIVE;
	model_remove(n);
	model_insert(n, LRU_ISOLATED, true);
	model[n].refs++;
}

static bool model_activate(u32 n)
{
	if (model[n].list != LRU_INACTIVE)
		return false;
	model_remove(n);
	model_insert(n, LRU_ACTIVE, false);
	model[n].flags = (model[n].flags & ~LRU_REFERENCED) | LRU_WORKINGSET;
	age[model[n].nid]++;
	return true;
}

/* ---- Operations: on the lists and on the model ---------------------------------------------------- */

static void add(struct random_state *r, u32 n)
{
	static const gfp_t zones[] = {0, 0, __GFP_DMA32, __GFP_DMA};
	int nid = (int)random_below(r, NODES);
	gfp_t gfp = GFP_KERNEL | __GFP_MOVABLE | (nid == 0 ? zones[random_below(r, 4)] : 0);

	if (model[n].page)
		return;
	model[n] =
		(struct model_page){.page = alloc_pages_node(nid, gfp, 0), .refs = 1, .nid = nid};
	lru_cache_add(model[n].page, &owner);
	model_insert(n, LRU_INACTIVE, false);
}

static void touch(struct random_state *r, u32 n)
{
	(void)r;
	mark_page_accessed(model[n].page);
	if (!(model[n].flags & LRU_REFERENCED))
		model[n].flags |= LRU_REFERENCED;
	else if (model_activate(n))
		events[0]++;
}

static void get(struct random_state *r, u32 n)
{
	(void)r;
	get_page(model[n].page);
	model[n].refs++;
}

/* Not the isolator's, and not that of a write. */
static void put(struct random_state *r, u32 n)
{
	u32 kept = (model[n].list == LRU_ISOLATED) + !!(model[n].flags & LRU_WRITEBACK);

	(void)r;
	if (model[n].refs <= kept)
		return;
	put_page(model[n].page);
	model_put(n);
}

static bool pin(u32 n)
{
	if (model[n].flags & LRU_UNEVICTABLE)
		return false;
	model[n].flags |= LRU_UNEVICTABLE;
	if (model[n].list != LRU_ISOLATED) {
		model_remove(n);
		model_insert(n, LRU_PINNED, false);
	}
	return true;
}

static bool unpin(u32 n)
{
	if (!(model[n].flags & LRU_UNEVICTABLE))
		return false;
	model[n].flags &= ~LRU_UNEVICTABLE;
	if (model[n].list == LRU_PINNED) {
		model_remove(n);
		model_insert(n, LRU_INACTIVE, false);
	}
	return true;
}

static bool right; /* every answer so far was the model's */

static void pin_or_unpin(struct random_state *r, u32 n)
{
	if (random_below(r, 2))
		right &= lru_pin_page(model[n].page) == pin(n);
	else
		right &= lru_unpin_page(model[n].page) == unpin(n);
}

static void dirty(struct random_state *r, u32 n)
{
	(void)r;
	right &= set_page_dirty(model[n].page) == !(model[n].flags & LRU_DIRTY);
	model[n].flags |= LRU_DIRTY;
}

/* A write has a reference of its own. */
static void write_begins(struct random_state *r, u32 n)
{
	(void)r;
	if (model[n].flags & LRU_WRITEBACK || !clear_page_dirty_for_io(model[n].page))
		return;
	right &= !!(model[n].flags & LRU_DIRTY);
	get_page(model[n].page);
	right &= set_page_writeback(model[n].page);
	model[n].refs++;
	model[n].flags = (model[n].flags & ~LRU_DIRTY) | LRU_WRITEBACK;
}

static void model_write_ends(u32 n)
{
	model[n].flags &= ~LRU_WRITEBACK;
	if (!(model[n].flags & LRU_RECLAIM) || model[n].list == LRU_ISOLATED)
		return;
	model[n].flags &= ~LRU_RECLAIM;
	if (model[n].list != LRU_INACTIVE)
		return;
	model_remove(n);
	model_insert(n, LRU_INACTIVE, true);
	events[2]++;
}

static void write_ends(struct random_state *r, u32 n)
{
	struct page *page = model[n].page;

	(void)r;
	if (!(model[n].flags & LRU_WRITEBACK))
		return;
	end_page_writeback(page);
	model_write_ends(n);
	put_page(page);
	model_put(n);
}

static void isolate_tail(struct random_state *r, u32 n)
{
	int nid = (int)random_below(r, NODES);
	enum lru_list list = random_below(r, 2) ? LRU_ACTIVE : LRU_INACTIVE;
	enum zone_type class = (enum zone_type)random_below(r, MAX_NR_ZONES);
	struct model_list *from = &lists[nid][list];
	u32 nr = random_below(r, 5), scanned, taken, expected = 0;
	struct list_head pages;

	(void)n;
	list_init(&pages);
	taken = lru_isolate_tail(nid, list, class, nr, &pages, &scanned);
	nr = MIN(nr, from->nr);
	right &= scanned == nr;
	for (u32 i = 0; i < nr; i++) {
		u32 last = from->at[from->nr - 1];

		if (model[last].page->zone > class) {
			model_remove(last);
			model_insert(last, list, false);
			continue;
		}
		/* Oldest first. */
		right &= list_first_entry(&pages, struct page, lru_link) == model[last].page;
		list_del(&model[last].page->lru_link);
		model_isolate(last);
		expected++;
	}
	right &= taken == expected && list_empty(&pages);
}

static void isolate_page(struct random_state *r, u32 n)
{
	bool may = model[n].list == LRU_INACTIVE || model[n].list == LRU_ACTIVE;

	(void)r;
	right &= lru_isolate_page(model[n].page) == may;
	if (may)
		model_isolate(n);
}

static void model_putback(u32 n, enum lru_list to, bool tail)
{
	bool was_active = model[n].flags & LRU_FROM_ACTIVE;

	model[n].flags &= ~LRU_FROM_ACTIVE;
	if (to == LRU_ACTIVE && !was_active) {
		model[n].flags |= LRU_WORKINGSET;
		age[model[n].nid]++;
		events[0]++;
	} else if (to == LRU_INACTIVE && was_active) {
		events[1]++;
	}
	if (model[n].flags & LRU_UNEVICTABLE)
		to = LRU_PINNED;
	if ((model[n].flags & (LRU_RECLAIM | LRU_WRITEBACK)) == LRU_RECLAIM) {
		model[n].flags &= ~LRU_RECLAIM;
		if (to == LRU_INACTIVE) {
			tail = true;
			events[2]++;
		}
	}
	model_remove(n);
	model_insert(n, to, tail);
	model_put(n);
}

static void putback(struct random_state *r, u32 n)
{
	enum lru_list to = random_below(r, 2) ? LRU_ACTIVE : LRU_INACTIVE;
	bool tail = random_below(r, 2);

	if (model[n].list != LRU_ISOLATED)
		return;
	if (random_below(r, 3) == 0) {
		lru_reclaim_when_written(model[n].page);
		model[n].flags |= LRU_RECLAIM;
	}
	lru_putback(model[n].page, to, tail);
	model_putback(n, to, tail);
}

static void evict(struct random_state *r, u32 n)
{
	u32 kept = LRU_UNEVICTABLE | LRU_DIRTY | LRU_WRITEBACK;
	bool frozen;

	(void)r;
	if (model[n].list != LRU_ISOLATED)
		return;
	lost.shadow = workingset_eviction(model[n].page);
	lost.nid = model[n].nid;
	lost.age = age[model[n].nid]++;
	frozen = page_ref_freeze(model[n].page, 2);
	right &= frozen == (model[n].refs == 2 && !(model[n].flags & kept));
	if (!frozen)
		return;
	lru_free_frozen(model[n].page);
	model[n].refs = 1;
	model_put(n);
}

/* At age 0 of node 0 a shadow lies: see mm/workingset.c. */
static void refault(struct random_state *r, u32 n)
{
	bool near;

	if (model[n].page || !lost.shadow || (lost.nid == 0 && lost.age == 0))
		return;
	add(r, n);
	near = age[lost.nid] - lost.age <= lists[lost.nid][LRU_ACTIVE].nr;
	right &= workingset_refault(model[n].page, lost.shadow) == near;
	events[3]++;
	if (near) {
		model_activate(n);
		events[4]++;
	}
}

static void look(struct random_state *r, u32 n)
{
	(void)r;
	right &= lru_test_clear_referenced(model[n].page) == !!(model[n].flags & LRU_REFERENCED);
	model[n].flags &= ~LRU_REFERENCED;
}

/* Those that need no page stand first. */
static void (*const operations[])(struct random_state *r, u32 n) = {
	add,          refault, isolate_tail, touch,      touch,        get,     put,   put,
	pin_or_unpin, dirty,   write_begins, write_ends, isolate_page, putback, evict, look};
#define NEED_NO_PAGE 3

/* ---- Comparing ------------------------------------------------------------------------------------ */

static bool lists_agree(struct ktest *t, int nid, enum lru_list list)
{
	const struct model_list *expected = &lists[nid][list];
	const struct list_head *head = &NODE_DATA(nid)->lru.list[list], *at = head->next;
	struct lru_snapshot s;

	lru_snapshot(nid, &s);
	if (!EXPECT_EQ(t, s.pages[list], expected->nr))
		return false;
	for (u32 i = 0; list != LRU_ISOLATED && i < expected->nr; i++, at = at->next) {
		if (!EXPECT(t, at == &model[expected->at[i]].page->lru_link))
			return false;
	}
	return list == LRU_ISOLATED || EXPECT(t, at == head);
}

static bool pages_agree(struct ktest *t)
{
	for (u32 n = 0; n < NR_PAGES; n++) {
		const struct model_page *m = &model[n];

		if (m->page && !(EXPECT_EQ(t, m->page->lru, m->list) &&
				 EXPECT_EQ(t, page_lru_flags(m->page), m->flags) &&
				 EXPECT_EQ(t, page_ref_count(m->page), m->refs)))
			return false;
	}
	return true;
}

static bool counts_agree(struct ktest *t)
{
	for (u32 i = 0; i < ARRAY_SIZE(events); i++) {
		if (!EXPECT_EQ(t, vmstat_read((enum vmstat_item)(VMSTAT_PGACTIVATE + i)),
			       events[i]))
			return false;
	}
	for (int nid = 0; nid < NODES; nid++) {
		if (!EXPECT_EQ(t, NODE_DATA(nid)->lru.age, age[nid]))
			return false;
	}
	return true;
}

static bool all_agrees(struct ktest *t)
{
	for (int nid = 0; nid < NODES; nid++) {
		for (u32 list = LRU_INACTIVE; list < NR_LRU_LISTS; list++) {
			if (!lists_agree(t, nid, (enum lru_list)list))
				return false;
		}
	}
	return EXPECT(t, right) && pages_agree(t) && counts_agree(t);
}

static void random_operations(struct ktest *t)
{
	struct random_state random = {t->seed * 2 + 1};
	u32 done[ARRAY_SIZE(operations)] = {0};

	host_machine_boot(&machine);
	right = true;
	for (u32 step = 0; step < STEPS; step++) {
		u32 n = random_below(&random, NR_PAGES);
		u32 op = random_below(&random, ARRAY_SIZE(operations));

		if (!model[n].page && op >= NEED_NO_PAGE)
			op = 0;
		operations[op](&random, n);
		done[op]++;
		if (!all_agrees(t)) {
			ktest_note(t, "seed %llu, step %u, operation %u, page %u",
				   (unsigned long long)t->seed, step, op, n);
			return;
		}
		if (step % 256 == 0)
			expect_check_clean(t);
	}
	for (u32 op = 0; op < ARRAY_SIZE(operations); op++)
		EXPECT_MSG(t, done[op] > STEPS / 100, "operation %u was done %u times", op,
			   done[op]);
	for (u32 i = 0; i < ARRAY_SIZE(events); i++)
		EXPECT_MSG(t, events[i] > 5, "event %u came %llu times", i,
			   (unsigned long long)events[i]);
	EXPECT(t, frees > STEPS / 50);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(random_operations),
};
KTEST_SUITE(lru_model, cases);
