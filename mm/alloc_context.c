/*
 * The request's context: the caller's words, the running task and the moment, brought together once.
 *
 *	gfp flags        --> class, type of block, how far below the min mark
 *	running task     --> cpuset, policy, entitlement: the permit (mm/mempolicy.c)
 *	context          --> may it sleep?
 *	permit           --> the zonelist of the preferred node
 *
 * From then on it is constant. If the cpuset changes meanwhile, what is built anew is the place alone: see
 * alloc_context_find_place(). No lock.
 */
#include "alloc_context.h"

#include <mm/os.h>

#include "block_type.h"
#include "watermark.h"

static enum zone_type gfp_class(gfp_t gfp)
{
	if (gfp & __GFP_DMA)
		return ZONE_DMA;
	return gfp & __GFP_DMA32 ? ZONE_DMA32 : ZONE_NORMAL;
}

u32 gfp_alloc_flags(gfp_t gfp)
{
	u32 flags = 0;

	if (gfp & __GFP_HIGH)
		flags |= ALLOC_MIN_RESERVE;
	if (!(gfp & __GFP_DIRECT_RECLAIM))
		flags |= ALLOC_NON_BLOCK;
	/* A part of the reserve like any other: __GFP_NOMEMALLOC is above it, too. */
	if (!(gfp & __GFP_NOMEMALLOC) && !os_in_interrupt() && task_is_oom_victim(os_current()))
		flags |= ALLOC_OOM;
	return flags;
}

/* Everything a caller can get wrong. */
const char *alloc_request_fault(int nid, gfp_t gfp, unsigned int order,
				const struct mempolicy *policy)
{
	if (order > MAX_ORDER)
		return "order above 10";
	if (nid != NUMA_NO_NODE && (nid < 0 || nid >= MAX_NUMNODES || NODE_DATA(nid) == NULL))
		return "no such node";
	if (gfp & ~__GFP_ALL)
		return "unknown gfp flag";
	if (policy && mempolicy_check(policy) != 0)
		return "a policy without a node that has memory";
	return gfp_contradiction(gfp, order);
}

void alloc_context_find_place(struct alloc_context *ac, int nid, const struct mempolicy *policy)
{
	enum zonelist_kind kind = ac->gfp & __GFP_THISNODE ? ZONELIST_THISNODE : ZONELIST_FALLBACK;

	permit_build(&ac->permit, nid, ac->gfp, policy);
	ac->zonelist = &NODE_DATA(ac->permit.preferred_nid)->zonelist[kind];
}

void alloc_context_build(struct alloc_context *ac, int nid, gfp_t gfp, unsigned int order,
			 const struct mempolicy *policy)
{
	ac->gfp = gfp;
	ac->order = order;
	ac->block_type = gfp_block_type(gfp);
	ac->request_class = gfp_class(gfp);
	ac->alloc_flags = gfp_alloc_flags(gfp);
	ac->may_block = (gfp & __GFP_DIRECT_RECLAIM) && os_may_sleep();
	alloc_context_find_place(ac, nid, policy);
	ac->recorder = NULL;
}
