/*
 * Who may take memory where: the cpuset and the policy of the task that asks, and one question that
 * they come to.
 *
 *	task's mems_allowed  --+
 *	task's mempolicy     --+--> permit_build() --> struct node_permit --> permit_allows(permit, nid)
 *	interrupt? entitled? --+        once a request          pages and slabs ask the same
 *
 * Names as in Linux (set_mempolicy(2), cpusets); docs/policy.md has the whole story.
 */
#ifndef MM_MEMPOLICY_H
#define MM_MEMPOLICY_H

#include <mm/gfp.h>
#include <mm/numa.h>
#include <mm/os_task.h>

/* "bind:0,2"; a mode that needs nodes without one with memory is refused: -EINVAL. */
int mempolicy_check(const struct mempolicy *policy);
const char *mempolicy_mode_name(enum mempolicy_mode mode);

/*
 * The running task's own policy from now on, and that of tasks it starts; it is copied. NULL: none. Requests for a
 * node by number (alloc_pages_node), for this node only and in interrupts do not ask it. -EINVAL: see
 * mempolicy_check().
 */
int task_set_mempolicy(const struct mempolicy *policy);
/*
 * Another's cpuset, or the own: any task, any context but interrupts. A request in flight uses the old or
 * the new mask, never a mixture, and one that fails looks again if the mask has changed.
 * -EINVAL: there is no memory in it.
 */
int task_set_mems_allowed(struct os_task *task, nodemask_t nodes);

/* What task->limited must be: it has, or is being given, a cpuset, a policy, or an entitlement. */
bool task_is_limited(const struct os_task *task);

/* For a kernel that starts a thread: cpuset and policy are the running task's, flags are not. */
void task_inherit(struct os_task *child);

/*
 * From here to the restore the running task may use the whole reserve: it frees more than it takes.
 * Nests: each restore puts back what its save has returned.
 */
u32 memalloc_noreclaim_save(void);
void memalloc_noreclaim_restore(u32 saved);

/* --- One request's answer ----------------------------------------------------------------------- */

struct node_permit {
	nodemask_t nodes;
	int preferred_nid;
	u32 generation; /* of the cpuset, when it was read: see permit_is_stale() */
	bool entitled;  /* marks do not hold for it */
	bool by_policy; /* a policy has chosen the preferred node: interleaving is counted */
};

/*
 * What the request may do. nid NUMA_NO_NODE: where the policy says, else the CPU's own node; `policy`
 * NULL: the running task's. Entitled are PF_MEMALLOC, outside interrupts, and __GFP_MEMALLOC, but never with
 * __GFP_NOMEMALLOC. Interrupts, entitled requests and OOM victims may leave the cpuset. A BIND that has no
 * node in common with the cpuset does not hold, as in Linux: the cpuset does. With __GFP_THISNODE it is the
 * preferred node or none, for all of them.
 */
void permit_build(struct node_permit *permit, int nid, gfp_t gfp, const struct mempolicy *policy);

/* The predicate. Pure. */
static inline bool permit_allows(const struct node_permit *permit, int nid)
{
	return node_isset(nid, permit->nodes);
}

/* Has the cpuset changed since? Then a failure is no answer. */
bool permit_is_stale(const struct node_permit *permit);

#endif
