/*
 * A request that got nothing, as people read it: who asked for what, and each zone it could have used.
 *
 * Who asks in a loop fails in a loop, and a serial line takes a tenth of a millisecond for a
 * character: a flood of such reports would be all the machine does. So ten go through in five seconds, as in
 * Linux (its default limit of printk), and the next one says how many did not.
 *
 * No lock. The figures are read without the zones' locks, each for itself.
 */
#include "alloc_report.h"

#include <mm/os.h>

#include "rate_limit.h"

#define ULL(x) ((unsigned long long)(x))

static struct rate_limit limit = {.burst = 10, .interval_ns = 5000000000ull};

void report_alloc_failure(const struct alloc_context *ac, uintptr_t call_site)
{
	char gfp_text[GFP_TEXT_BYTES], caller[OS_CALLER_BYTES];
	u64 held_back;

	if (!rate_limit_pass(&limit, &held_back))
		return;
	if (held_back)
		os_log(OS_LOG_WARN, "mm", "%llu reports of failed allocations were held back",
		       ULL(held_back));
	gfp_format(ac->gfp, gfp_text, sizeof(gfp_text));
	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_WARN, "mm", "allocation failed: order %u, %s, from node %d, by %s", ac->order,
	       gfp_text, ac->permit.preferred_nid, caller);
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		const struct zone *zone = ac->zonelist->ref[i].zone;
		u32 orders = zone_free_orders(zone);

		if (zone->type > ac->request_class || !permit_allows(&ac->permit, zone->nid))
			continue;
		/* Relaxed: figures for people, read without the lock. */
		os_log(OS_LOG_WARN, "mm",
		       "  node %d %s: free %llu, min %llu, reserve %llu, largest order %d",
		       zone->nid, zone_type_name(zone->type),
		       ULL(load_relaxed(&zone->nr_free_pages)),
		       ULL(load_relaxed(&zone->watermark[WMARK_MIN])),
		       ULL(load_relaxed(&zone->lowmem_reserve[ac->request_class])),
		       orders ? 31 - __builtin_clz(orders) : -1);
	}
}
