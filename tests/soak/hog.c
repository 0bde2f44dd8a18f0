/*
 * Who takes memory and does not stop: a registered victim of the OOM killer, which chooses it sooner or
 * later. Every second time it lets go by itself before, which is pressure without an end: reclaim has to
 * find room, and then there is plenty again.
 *
 *	pages |            told: freed by its own thread, while the killer waits
 *	      |      /|
 *	      |   /   |   /--|  a part, held for a moment
 *	      |/      |_/    |__________
 *
 * Its pages are chained through their first words; the last words answer for them.
 */
#include <mm/page_alloc.h>

#include "soak_internal.h"

#define LAST_WORD (PAGE_SIZE / sizeof(u64) - 1)
#define REFUSALS  16 /* then it lets go, victim or not */

/* --- Pages as a chain ----------------------------------------------------------------------- */

static u64 answer_for(const struct page *page, const struct page *next)
{
	return (u64)page_to_pfn(page) * 0x9e3779b97f4a7c15ull ^ (u64)(uintptr_t)next;
}

void soak_chain(struct page **newest, struct page *page)
{
	u64 *words = page_address(page);

	words[0] = (u64)(uintptr_t)*newest;
	words[LAST_WORD] = answer_for(page, *newest);
	*newest = page;
}

struct page *soak_unchain(struct page **newest, bool *bad)
{
	struct page *page = *newest;
	const u64 *words;

	if (!page)
		return NULL;
	words = page_address(page);
	*newest = (struct page *)(uintptr_t)words[0];
	*bad = words[LAST_WORD] != answer_for(page, *newest);
	/* Where it leads to is not known any more: what is left is lost, and its pages are missed. */
	if (*bad)
		*newest = NULL;
	return page;
}

/* --- The victim ----------------------------------------------------------------------------- */

static u64 badness(struct oom_victim *victim, nodemask_t nodes)
{
	const struct soak_hog *hog = container_of(victim, struct soak_hog, victim);
	u64 pages = 0;

	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		if (node_isset(nid, nodes))
			pages += load_relaxed(&hog->nr_pages[nid]); /* a figure */
	return pages;
}

static void kill(struct oom_victim *victim)
{
	struct soak_hog *hog = container_of(victim, struct soak_hog, victim);

	store_relaxed(&hog->told, true); /* alone: nothing is read by it */
	os_wake_all(&container_of(hog, struct soak_actor, hog)->soak->queue);
}

static bool shall_end(void *arg)
{
	const struct soak_actor *a = arg;

	return load_relaxed(&a->hog.told) || soak_is_ending(a->soak);
}

/* --- A life --------------------------------------------------------------------------------- */

static void take(struct soak_actor *a, u64 most)
{
	struct soak_hog *hog = &a->hog;
	u64 nr = 0;

	for (u32 refused = 0; nr < most && refused < REFUSALS && !shall_end(a);) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0);

		if (!page) {
			refused++;
			soak_rest(a, NS_PER_MS);
			continue;
		}
		soak_chain(&hog->newest, page);
		store_relaxed(&hog->nr_pages[page->nid], hog->nr_pages[page->nid] + 1);
		nr++;
		store_relaxed(&a->steps, a->steps + 1); /* it gets on */
	}
	soak_counted(a, SOAK_HOGGED, nr);
}

static void let_go(struct soak_actor *a)
{
	struct soak_hog *hog = &a->hog;
	struct page *page;
	bool bad;

	while ((page = soak_unchain(&hog->newest, &bad))) {
		soak_counted(a, SOAK_BAD, bad);
		store_relaxed(&hog->nr_pages[page->nid], hog->nr_pages[page->nid] - 1);
		__free_pages(page, 0);
	}
}

void soak_hog_step(struct soak_actor *a)
{
	struct soak_hog *hog = &a->hog;
	bool to_the_end = random_below(&a->random, 2) == 0;
	u64 all = a->soak->nr_pages;

	store_relaxed(&hog->told, false);
	hog->victim = (struct oom_victim){
		.name = "hog", .badness = badness, .kill = kill, .task = os_current()};
	oom_victim_register(&hog->victim);
	take(a, to_the_end ? 2 * all : all / 8 + random_below(&a->random, (u32)all / 2));
	os_wait(&a->soak->queue, shall_end, a, random_below(&a->random, 500 * NS_PER_MS));
	let_go(a);
	soak_counted(a, load_relaxed(&hog->told) ? SOAK_KILLED : SOAK_LET_GO, 1);
	oom_victim_unregister(&hog->victim);
	soak_rest(a, 100 * NS_PER_MS + random_below(&a->random, 400 * NS_PER_MS));
}
