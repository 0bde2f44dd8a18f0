/*
 * Memory goes up and down like a tide: blocks are taken until a request fails, or as many are held as
 * may be, then given back until few are left. On the way the task's cpuset, policy and entitlement change.
 */
#include "rehearsal.h"

#include <base/random.h>
#include <mm/os.h>
#include <mm/page_alloc.h>

static const gfp_t flags[] = {
	GFP_KERNEL,
	GFP_KERNEL,
	GFP_ATOMIC,
	GFP_NOWAIT,
	GFP_NOIO,
	GFP_KERNEL | __GFP_MOVABLE,
	GFP_KERNEL | __GFP_NORETRY,
	GFP_KERNEL | __GFP_RETRY_MAYFAIL,
	GFP_KERNEL | __GFP_HIGH,
	GFP_KERNEL | __GFP_THISNODE,
	GFP_ATOMIC | __GFP_THISNODE,
	GFP_KERNEL | __GFP_DMA32,
	GFP_ATOMIC | __GFP_DMA,
	GFP_NOWAIT | __GFP_MEMALLOC,
	GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC,
};

struct tide {
	struct ktest *t;
	struct random_state random;
	gfp_t gfp_all;
	u32 max_held, nr_held;
	bool falling;
	u32 saved; /* of memalloc_noreclaim_save(), if entitled */
	bool entitled;
	struct mempolicy policy;
	struct rehearsal_counts *counts;
};

static struct {
	struct page *page;
	unsigned int order;
} held[REHEARSAL_MAX_HELD];

static u32 below(struct tide *tide, u32 n)
{
	return random_below(&tide->random, n);
}

/* Near the marks it is small blocks that decide: the smallest of some. */
static u32 a_small_one(struct tide *tide)
{
	u32 best = below(tide, tide->nr_held);

	for (u32 i = 0; i < 4; i++) {
		u32 other = below(tide, tide->nr_held);

		if (held[other].order < held[best].order)
			best = other;
	}
	return best;
}

static void give_back(struct tide *tide, u32 i)
{
	__free_pages(held[i].page, held[i].order);
	held[i] = held[--tide->nr_held];
}

/* Some nodes with memory, at least one. */
static nodemask_t some_nodes(struct tide *tide)
{
	nodemask_t nodes =
		(below(tide, 1u << 31) | (u64)below(tide, 1u << 31) << 31) & node_memory_mask();

	return nodes ? nodes : node_memory_mask();
}

static void no_limits(struct tide *tide)
{
	if (tide->entitled)
		memalloc_noreclaim_restore(tide->saved);
	tide->entitled = false;
	task_set_mempolicy(NULL);
	task_set_mems_allowed(os_current(), ~(nodemask_t)0);
}

static void change_limits(struct tide *tide)
{
	switch (below(tide, 4)) {
	case 0:
		task_set_mems_allowed(os_current(),
				      below(tide, 2) ? some_nodes(tide) : ~(nodemask_t)0);
		break;
	case 1:
		no_limits(tide);
		break;
	case 2:
		tide->policy.mode = (enum mempolicy_mode)(1 + below(tide, NR_MEMPOLICY_MODES - 1));
		tide->policy.nodes = some_nodes(tide);
		task_set_mempolicy(&tide->policy);
		break;
	default:
		if (tide->entitled)
			memalloc_noreclaim_restore(tide->saved);
		else
			tide->saved = memalloc_noreclaim_save();
		tide->entitled = !tide->entitled;
	}
}

static bool agrees(const struct explanation *said, const struct page *page)
{
	if (said->end == EXPLAIN_MAYBE || said->end == EXPLAIN_RECLAIMS)
		return true;
	if (said->end != EXPLAIN_TAKES)
		return !page;
	return page && page->nid == said->zone.nid && page->zone == (u32)said->zone.type &&
	       page_is_reserve(page) == (said->step == STEP_NO_MARKS);
}

static bool explain_and_take(struct tide *tide)
{
	static const u8 orders[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 6, 8, 9, 10};
	unsigned int order = orders[below(tide, sizeof(orders))];
	gfp_t gfp = flags[below(tide, ARRAY_SIZE(flags))] | __GFP_NOWARN | tide->gfp_all;
	int nid = (int)below(tide, MAX_NUMNODES);
	struct alloc_recorder recorder = {0};
	struct explanation said;
	struct page *page;

	if (!node_isset(nid, node_possible_mask()))
		nid = NUMA_NO_NODE;
	explain_request(nid, gfp, order, &recorder, &said);
	page = nid == NUMA_NO_NODE ? alloc_pages(gfp, order) : alloc_pages_node(nid, gfp, order);
	if (page) {
		held[tide->nr_held].page = page;
		held[tide->nr_held++].order = order;
	} else {
		tide->falling = below(tide, 32) == 0;
	}
	tide->counts->requests++;
	tide->counts->ends[said.end]++;
	if (said.end == EXPLAIN_TAKES)
		tide->counts->steps[said.step]++;
	return EXPECT_MSG(tide->t, agrees(&said, page),
			  "request %u, node %d, order %u, gfp 0x%x: said end %u, node %d, zone %u, "
			  "step %s; got node %d, zone %d, reserve %d",
			  tide->counts->requests, nid, order, gfp, said.end, said.zone.nid,
			  said.zone.type, alloc_step_name(said.step), page ? page->nid : -1,
			  page ? page->zone : -1, page ? page_is_reserve(page) : -1);
}

void rehearse_and_do(struct ktest *t, u64 seed, u32 requests, u32 max_held, gfp_t gfp_all,
		     struct rehearsal_counts *counts)
{
	struct tide tide = {
		.t = t,
		.random = {seed * 2 + 1},
		.gfp_all = gfp_all,
		.max_held = MIN(max_held, (u32)REHEARSAL_MAX_HELD),
		.counts = counts,
	};
	bool good = true;

	while (good && counts->requests < requests) {
		u64 dice = below(&tide, 100);

		if (tide.nr_held == tide.max_held)
			tide.falling = true;
		if (tide.nr_held < tide.max_held / 64 + 1)
			tide.falling = false;
		if (dice < 3)
			change_limits(&tide);
		else if (dice < 4)
			drain_all_pages();
		else if (tide.nr_held && dice < (tide.falling ? 70 : 20))
			give_back(&tide,
				  tide.falling ? below(&tide, tide.nr_held) : a_small_one(&tide));
		else if (tide.nr_held < tide.max_held)
			good = explain_and_take(&tide);
	}
	no_limits(&tide);
	while (tide.nr_held)
		give_back(&tide, tide.nr_held - 1);
}
