/*
 * The request, private to mm/.
 */
#ifndef MM_ALLOC_CONTEXT_H
#define MM_ALLOC_CONTEXT_H

#include <mm/explain.h>
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>

#include "buddy.h"
#include "zone.h"

/*
 * What is asked for, by whom. Built once from the caller's words and the running task, then const: what a
 * retry changes lives in the slow path's own variables.
 */
struct alloc_context {
	gfp_t gfp;
	unsigned int order;
	enum block_type block_type;
	enum zone_type request_class; /* the highest zone it may use */
	u32 alloc_flags;              /* ALLOC_*: how far below the min mark it may go */
	bool may_block;               /* it may, and it says so */
	struct node_permit permit;
	const struct zonelist *zonelist; /* of the preferred node */
	struct alloc_recorder *recorder; /* NULL: this is no rehearsal */
};

/*
 * What the caller has got wrong, for the text of a refusal, or NULL. Then *ac can be built: by the words,
 * the running task and the moment.
 */
const char *alloc_request_fault(int nid, gfp_t gfp, unsigned int order,
				const struct mempolicy *policy);
void alloc_context_build(struct alloc_context *ac, int nid, gfp_t gfp, unsigned int order,
			 const struct mempolicy *policy);
/* How far below the min mark the request may go, of this task, now: ALLOC_*. */
u32 gfp_alloc_flags(gfp_t gfp);
/* Where: what the task may have now, and from which node outward. */
void alloc_context_find_place(struct alloc_context *ac, int nid, const struct mempolicy *policy);

/*
 * One walk along the zonelist against one mark; ALLOC_NO_WATERMARKS: against none. A rehearsal returns
 * REHEARSED_PAGE where it would take.
 */
struct page *alloc_walk(const struct alloc_context *ac, enum zone_watermark mark, u32 alloc_flags);
#define REHEARSED_PAGE ((struct page *)1)

/* From below the low mark to the end, in the documented order. May sleep if the request may. */
struct page *alloc_slowly(const struct alloc_context *ac, uintptr_t call_site);

/* Fast, then slow, and again if the cpuset has changed meanwhile; *ac is then a new one. */
struct page *alloc_by_context(struct alloc_context *ac, int nid, const struct mempolicy *policy,
			      uintptr_t call_site);

/* --- From a zone: the last step of every way ---------------------------------------------------------- */

/* Linux's NUMA statistics: did the request get the node it preferred, and is it the CPU's own? */
static inline void count_placement_locked(struct zone *zone, int preferred_nid)
{
	bool local = zone->nid == cpu_to_node(smp_processor_id());

	zone_count_locked(zone, zone->nid == preferred_nid ? NUMA_HIT : NUMA_MISS, 1);
	zone_count_locked(zone, local ? NUMA_LOCAL : NUMA_OTHER, 1);
}

/* A block of the zone's own lists, marks or not, counted; NULL if there is none that large. */
static inline struct page *zone_take(struct zone *zone, unsigned int order, enum block_type type,
				     int preferred_nid)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	struct page *page = buddy_take_locked(zone, order, type);

	if (likely(page)) {
		zone_count_locked(zone, ZONE_ALLOC, 1);
		zone_count_locked(zone, ZONE_ALLOC_PAGES, (u64)1 << order);
		count_placement_locked(zone, preferred_nid);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return page;
}

/* --- A rehearsal's own: mm/explain.c, but for the first, which stands with the hit path -------------- */

/* What the hit path would do, by the same questions. *zone: whose list, once there is one. */
enum hit_verdict alloc_hit_verdict(int nid, gfp_t gfp, unsigned int order, struct zone **zone);

void rehearse_step(struct alloc_recorder *recorder, enum alloc_step step);
/* What the walk makes of a zone, told, and corrected by what a rehearsal knows or does not. */
enum zone_verdict rehearse_zone(const struct alloc_context *ac, const struct zone *zone,
				enum zone_watermark mark, u32 alloc_flags,
				enum zone_verdict verdict);
/* From here on as if the CPUs' lists were back. */
void rehearse_drain(struct alloc_recorder *recorder);

#endif
