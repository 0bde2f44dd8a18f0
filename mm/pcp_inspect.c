/*
 * Looking at per-CPU page lists: for check, which holds all of a zone still, and for reports, which take
 * them one by one. Theory and ownership: mm/pcp.c.
 */
#include "pcp.h"

#include <base/string.h>
#include <mm/inspect.h>

static void disown_first(struct zone *zone, u32 nr)
{
	while (nr-- > 0) {
		struct per_cpu_pages *pcp = zone->pcp[nr / NR_PCP_LISTS];

		if (pcp != &pcp_nobody)
			pcp_disown(&pcp->list[nr % NR_PCP_LISTS]);
	}
}

bool pcp_own_all(struct zone *zone)
{
	for (u32 i = 0; i < MAX_CPUS * NR_PCP_LISTS; i++) {
		struct per_cpu_pages *pcp = zone->pcp[i / NR_PCP_LISTS];

		if (pcp == &pcp_nobody || pcp_own_any(&pcp->list[i % NR_PCP_LISTS]))
			continue;
		disown_first(zone, i);
		return false;
	}
	return true;
}

void pcp_disown_all(struct zone *zone)
{
	disown_first(zone, MAX_CPUS * NR_PCP_LISTS);
}

static void add_list(struct pcp_snapshot *out, struct pcp_list *list, unsigned int order)
{
	/*
	 * If it cannot be owned, a panic is better off with torn figures than without. Relaxed: then
	 * each is a figure by itself; and if it is owned, nobody writes.
	 */
	bool owned = pcp_own_any(list);
	u64 blocks = pcp_nr_blocks(list);
	u64 capacity = (u64)load_relaxed(&list->capacity) * (load_relaxed(&list->max_cold) + 1u);
	u64 allocs = pcp_nr_allocs(list), frees = load_relaxed(&list->nr_frees);

	out->pages += blocks << order;
	out->batch_pages = MAX(out->batch_pages, (u64)load_relaxed(&list->capacity) << order);
	out->capacity_pages += capacity << order;
	out->allocs += allocs;
	out->frees += frees;
	out->alloc_pages += allocs << order;
	out->free_pages += frees << order;
	out->misplaced += load_relaxed(&list->nr_misplaced);
	if (owned)
		pcp_disown(list);
}

bool pcp_snapshot(int nid, enum zone_type type, u32 cpu, struct pcp_snapshot *out)
{
	const struct zone *zone = zone_find(nid, type);

	if (!zone || cpu >= MAX_CPUS || zone->pcp[cpu] == &pcp_nobody)
		return false;
	memset(out, 0, sizeof(*out));
	preempt_disable();
	for (u32 i = 0; i < NR_PCP_LISTS; i++)
		add_list(out, &zone->pcp[cpu]->list[i], i % NR_PCP_ORDERS);
	preempt_enable();
	return true;
}
