/*
 * Throttling: requests that would reclaim wait for kswapd while half of the reserve is gone.
 *
 *	free pages
 *	     |  ~~~~~~~~~~~~ min     requests reclaim themselves
 *	     |  ~~~~~~~~~~~~ min/2   and wait here before: what is left is for who frees memory
 *
 * Without it many requests at once would each take what is left for kswapd's writes, and then all wait for ever.
 * It holds only while kswapd is there and has hope, and a second at most. Nobody who has been told to end
 * (mm/oom.c) is held: the one who told him waits for his end, and passes him over after a second.
 *
 * kswapd wakes who waits after each pass, and when it ends.
 *
 * Lock: none but the queue's own.
 *
 * Source: Linux mm/vmscan.c, allow_direct_reclaim() and throttle_direct_reclaim(), for the rules.
 */
#include "reclaim.h"

#include <base/atomic.h>
#include <mm/os.h>
#include <mm/os_task.h>

#include "zone.h"

#define THROTTLE_NS     100000000ull
#define THROTTLE_ROUNDS 10

/* Who waits for what. */
struct throttled {
	struct pglist_data *node;
	enum zone_type request_class;
};

/*
 * Is there more than half of the reserve? Who has been told to end must not wait for it: others wait for his
 * end, no longer than he would here. Of the zones that the request may use, since for those alone it has kswapd
 * woken, and that have something to reclaim: where nothing can be had nobody would make room. Relaxed,
 * all: hints.
 */
static bool may_reclaim_now(void *arg)
{
	const struct throttled *waits = arg;
	const struct pglist_data *node = waits->node;
	/* Acquire: as all who ask for it. */
	enum kswapd_state state = (enum kswapd_state)load_acquire(&node->reclaim.state);
	u64 reserve = 0, free = 0;

	if (state == KSWAPD_NONE || state == KSWAPD_HOPELESS || task_is_oom_victim(os_current()))
		return true;
	for (u32 type = 0; type <= (u32)waits->request_class; type++) {
		const struct zone *zone = &node->zones[type];

		if (!zone_has_reclaimable(node, type))
			continue;
		reserve += load_relaxed(&zone->watermark[WMARK_MIN]);
		free += load_relaxed(&zone->nr_free_pages);
	}
	return reserve == 0 || free > reserve / 2;
}

bool throttle_direct_reclaim(const struct zonelist *zonelist, const struct node_permit *permit,
			     enum zone_type request_class)
{
	struct throttled waits = {.request_class = request_class};
	bool may = false;

	for (u32 i = 0; i < zonelist->nr && !waits.node; i++) {
		const struct zone *zone = zonelist->ref[i].zone;

		if (zone->type <= request_class && permit_allows(permit, zone->nid))
			waits.node = NODE_DATA(zone->nid);
	}
	if (!waits.node || may_reclaim_now(&waits))
		return false;
	/* Relaxed: a figure. */
	__atomic_fetch_add(&waits.node->reclaim.throttled, 1, __ATOMIC_RELAXED);
	wake_kswapd(waits.node->nid, 0, request_class);
	/* Who is told to end meanwhile is not woken for it, and sees it within a round. */
	for (u32 i = 0; i < THROTTLE_ROUNDS && !may; i++)
		may = os_wait(&waits.node->reclaim.throttle, may_reclaim_now, &waits, THROTTLE_NS);
	return true;
}
