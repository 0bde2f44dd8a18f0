/*
 * Who may take memory where. See <mm/mempolicy.h> for the picture.
 *
 * Two limits are a task's: its cpuset (mems_allowed), which others set, and its policy, which it sets itself.
 * They are brought together once for a request, into a permit that is then constant: what the
 * request does later it does by one mask of nodes, so it cannot begin under one cpuset and end
 * under another.
 *
 * What may change meanwhile is the cpuset. The mask is one word, so it is read whole; after it comes a
 * generation. A request that has failed asks whether that has moved, and if so begins anew
 * with the new mask: a change from {0} to {1} must not fail a request that either would have served.
 *
 *	set_mems_allowed                  request
 *	mask = new                        generation   (acquire)
 *	generation + 1    (release)       mask
 *	                                  ... fails: generation moved? again, a bounded number of times
 *
 * Who sees the new generation sees the new mask; who sees the old one and the new mask looks once more
 * for nothing.
 *
 * The hit path asks none of this. It asks one word of its CPU, which says that the running task has no
 * limits (this_task_may_hit()); os_limits_changed() tells the kernel to set that word anew. While a
 * cpuset changes the word says no, so a request that has seen the new one never gets by the old.
 *
 * No lock. PF_* flags and policy are the running task's own; interrupts do not look at them. The word
 * comes of all three, and two may set it at once: the task itself and who changes its cpuset. See
 * set_limited().
 */
#include <mm/mempolicy.h>

#include <arch/cpu.h>
#include <base/atomic.h>
#include <base/errno.h>

static const char *const mode_names[NR_MEMPOLICY_MODES] = {
	[MPOL_LOCAL] = "local",
	[MPOL_PREFERRED] = "preferred",
	[MPOL_BIND] = "bind",
	[MPOL_INTERLEAVE] = "interleave",
};

const char *mempolicy_mode_name(enum mempolicy_mode mode)
{
	return (u32)mode < NR_MEMPOLICY_MODES ? mode_names[mode] : "unknown";
}

int mempolicy_check(const struct mempolicy *policy)
{
	if ((u32)policy->mode >= NR_MEMPOLICY_MODES)
		return -EINVAL;
	if (policy->mode == MPOL_LOCAL)
		return policy->nodes ? -EINVAL : 0;
	return policy->nodes & node_memory_mask() ? 0 : -EINVAL;
}

/* --- A task's limits --------------------------------------------------------------------------- */

/* Relaxed throughout: the mask has its generation, the rest is the task's own. */
bool task_is_limited(const struct os_task *task)
{
	nodemask_t memory = node_memory_mask();

	return (load_relaxed(&task->flags) & PF_MEMALLOC) || load_relaxed(&task->has_mempolicy) ||
	       load_relaxed(&task->mems_changing) ||
	       (load_relaxed(&task->mems_allowed) & memory) != memory;
}

/*
 * Two may be at it at once, each having changed something that the other has perhaps not seen. Acquire
 * and release: of two that exchange the same word one comes second, and sees then what the first has
 * changed before. If its word is not what that comes to, it writes anew; the first one's is gone.
 */
static void set_limited(struct os_task *task)
{
	bool limited;

	do {
		limited = task_is_limited(task);
		(void)__atomic_exchange_n(&task->limited, limited, __ATOMIC_ACQ_REL);
	} while (task_is_limited(task) != limited);
}

static void limits_changed(struct os_task *task)
{
	set_limited(task);
	os_limits_changed(task);
}

void task_inherit(struct os_task *child)
{
	const struct os_task *parent = os_current();

	child->mems_allowed = load_relaxed(&parent->mems_allowed);
	child->mempolicy = parent->mempolicy;
	child->has_mempolicy = parent->has_mempolicy;
	set_limited(child);
}

int task_set_mempolicy(const struct mempolicy *policy)
{
	struct os_task *task = os_current();
	int err = policy ? mempolicy_check(policy) : 0;

	if (err)
		return err;
	/* Relaxed: others ask whether there is one; the rest they only show. */
	store_relaxed(&task->mempolicy.mode, policy ? policy->mode : MPOL_LOCAL);
	store_relaxed(&task->mempolicy.nodes, policy ? policy->nodes : 0);
	store_relaxed(&task->has_mempolicy, policy != NULL);
	limits_changed(task);
	return 0;
}

int task_set_mems_allowed(struct os_task *task, nodemask_t nodes)
{
	if (!(nodes & node_memory_mask()))
		return -EINVAL;
	/* Off the hit path before there is a new mask, or it would give by the old one after a look at the new. */
	__atomic_fetch_add(&task->mems_changing, 1, __ATOMIC_RELAXED);
	limits_changed(task);
	store_relaxed(&task->mems_allowed, nodes);
	/* Release: the mask first. Two that set it at once: the last mask stays, and both count. */
	__atomic_fetch_add(&task->mems_generation, 1, __ATOMIC_RELEASE);
	__atomic_fetch_sub(&task->mems_changing, 1, __ATOMIC_RELEASE);
	limits_changed(task);
	return 0;
}

static void set_flags(u32 flags)
{
	/* Relaxed: the task's own; others read it to say so. */
	store_relaxed(&os_current()->flags, flags);
	limits_changed(os_current());
}

u32 memalloc_noreclaim_save(void)
{
	u32 saved = os_current()->flags & PF_MEMALLOC;

	set_flags(os_current()->flags | PF_MEMALLOC);
	return saved;
}

void memalloc_noreclaim_restore(u32 saved)
{
	set_flags((os_current()->flags & ~PF_MEMALLOC) | saved);
}

/* --- A permit ---------------------------------------------------------------------------------- */

/* An interrupt is nobody's: what the interrupted task is entitled to is not its to use. */
static bool is_entitled(gfp_t gfp, const struct os_task *task, bool in_interrupt)
{
	if (gfp & __GFP_NOMEMALLOC)
		return false;
	return (gfp & __GFP_MEMALLOC) || (!in_interrupt && (task->flags & PF_MEMALLOC));
}

/* The lowest, for a policy that names one. */
static int first_node(nodemask_t nodes)
{
	return __builtin_ctzll(nodes);
}

/* Round, from the lowest on. The task's own, so nobody else counts. */
static int next_in_turn(struct os_task *task, nodemask_t nodes)
{
	nodemask_t before = ((nodemask_t)1 << task->interleave_from) - 1;
	int nid = first_node(nodes & ~before ? nodes & ~before : nodes);

	task->interleave_from = (u32)(nid + 1) % MAX_NUMNODES;
	return nid;
}

static void apply_policy(struct node_permit *permit, struct os_task *task,
			 const struct mempolicy *policy)
{
	nodemask_t nodes = policy->nodes & permit->nodes & node_memory_mask();

	if (!nodes)
		return; /* nothing of it is within the cpuset */
	switch (policy->mode) {
	case MPOL_PREFERRED:
		permit->preferred_nid = first_node(nodes);
		break;
	case MPOL_BIND:
		permit->nodes = nodes;
		break;
	case MPOL_INTERLEAVE:
		permit->preferred_nid = next_in_turn(task, nodes);
		permit->by_policy = true;
		break;
	default:
		break;
	}
}

void permit_build(struct node_permit *permit, int nid, gfp_t gfp, const struct mempolicy *policy)
{
	struct os_task *task = os_current();
	bool in_interrupt = os_in_interrupt();

	/* Acquire: the mask that is read next is at least as new. */
	permit->generation = load_acquire(&task->mems_generation);
	permit->nodes = load_relaxed(&task->mems_allowed);
	permit->entitled = is_entitled(gfp, task, in_interrupt);
	permit->by_policy = false;
	permit->preferred_nid = nid == NUMA_NO_NODE ? cpu_to_node(smp_processor_id()) : nid;
	if (in_interrupt || permit->entitled || task_is_oom_victim(task))
		permit->nodes = ~(nodemask_t)0;
	/* "This node" is the CPU's, whatever the task prefers. */
	if (!policy && !in_interrupt && !(gfp & __GFP_THISNODE) && task->has_mempolicy)
		policy = &task->mempolicy;
	if (policy && nid == NUMA_NO_NODE)
		apply_policy(permit, task, policy);
	/* Last: whoever may leave the cpuset, nobody leaves this. */
	if (gfp & __GFP_THISNODE)
		permit->nodes &= NODE_BIT(permit->preferred_nid);
}

/*
 * Adds nothing, but with release: an exchange is not seen before what this CPU has looked at until then. What
 * the old mask allowed was looked at first; if it was gone because memory has gone with the mask, then the
 * generation is seen to have moved. A plain load could be served before. An interrupt has no cpuset.
 */
bool permit_is_stale(const struct node_permit *permit)
{
	u32 *generation = &os_current()->mems_generation;

	return !os_in_interrupt() &&
	       __atomic_fetch_add(generation, 0, __ATOMIC_ACQ_REL) != permit->generation;
}
