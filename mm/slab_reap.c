/*
 * Reaping: what nobody uses for a while goes home, and further, to the page allocator. And two ways for when there is
 * no time to wait: the shrinker, which is asked when memory is short, and kmem_cache_shrink(), which anybody may call.
 *
 *	every REAP_NS, on each CPU that has something, each cache:
 *	    own stack, idle        a fifth of its limit goes home, those that have been there longest
 *	    stack of another       idle: all of it (an alien array is a way home, no store)
 *	every second round, on each node:
 *	    shared, idle           a fifth of its limit goes to slabs, by batches
 *	    free slabs             none was taken since: a fifth of the free limit in slabs goes back
 *
 * Idle is what is as it was the last time: neither a batch has come or gone, nor is the number of entries another. So a
 * cache that is in use keeps what it has, one that is not is empty after some rounds, and memory does not sit
 * where it was once needed.
 *
 * The thread is one for all CPUs. What has to be done on a CPU it asks for by os_run_on_cpu(), some caches at once, and
 * only where a look from outside says that there is something: an idle CPU is left alone. A CPU's share is bounded:
 * a fifth of a stack for each cache.
 *
 * The shrinker counts free objects on slabs that are wholly free, as only those give memory, and what is shared. It
 * gives back free slabs, the one that has been free longest first; what is shared goes to slabs before, so that they can
 * become free. It tries locks, and passes by who is busy.
 *
 * Who shrinks by request gets all that is to be had: CPUs' stacks and what is shared go home, then every free slab
 * goes back, some under the lock at a time.
 *
 * Lock: a node's, with interrupts off; one at a time. Pages go back after it is released.
 *
 * Source: Linux mm/slab.c (4.4), cache_reap(), for times and shares; one thread instead of a timer on each CPU.
 */
#include "slab.h"

#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <mm/shrinker.h>
#include <mm/trace.h>

#include "vmstat.h"

#define REAP_NS      2000000000ull
#define SHRINK_SEEKS 1 /* a slab is made of a page and a few words */
/* Free slabs taken off under the lock at a time. */
#define STRIP_BATCH       64u
#define MAX_SHRINK_ROUNDS 4

static u32 fifth(u32 limit)
{
	return (limit + 4) / 5;
}

/*
 * Is it as it was? What it is now is what the next time is compared with. Relaxed: from outside its figures are a
 * hint, and of two that reap at once either's will do.
 */
static bool was_idle(struct cpu_stack *stack)
{
	u32 moves = load_relaxed(&stack->moves), nr = load_relaxed(&stack->nr);
	bool idle =
		moves == load_relaxed(&stack->seen_moves) && nr == load_relaxed(&stack->seen_nr);

	store_relaxed(&stack->seen_moves, moves);
	store_relaxed(&stack->seen_nr, nr);
	return idle;
}

static void count_reaped(struct kmem_cache_node *home, u32 nr)
{
	/* Relaxed: a figure, and counted without the lock as well. */
	__atomic_fetch_add(&home->events[SLAB_EV_REAPED], nr, __ATOMIC_RELAXED);
	vmstat_count_many(VMSTAT_SLAB_REAPED, nr);
	trace(TRACE_SLAB_REAP, .id = (u64)(uintptr_t)home->cache, .arg = nr, .nid = (u16)home->nid);
}

/* --- Stacks: on their own CPU ------------------------------------------------------------------------- */

/* Interrupts off. */
static void reap_my_stack(void *arg)
{
	struct kmem_cache_node *home = arg;
	struct cpu_stack *stack = home->stack[smp_processor_id()];
	bool own = home->nid == slab_cpu_node(smp_processor_id());
	u32 nr = own ? MIN(fifth(stack->limit), stack->nr) : stack->nr;

	if (nr == 0)
		return;
	slab_stack_flush(home, stack, nr);
	(void)was_idle(stack);
	count_reaped(home, nr);
}

/* Those of CPUs that it looks at from outside are not freed meanwhile: they are held. */
static void reap_stacks(struct kmem_cache_node *home)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct cpu_stack *stack = load_relaxed(&home->stack[cpu]);

		if (stack != &slab_no_stack && was_idle(stack) && load_relaxed(&stack->nr) > 0)
			(void)os_run_on_cpu(cpu, reap_my_stack, home);
	}
}

/* --- Nodes -------------------------------------------------------------------------------------------- */

/* So many of the free limit's slabs, rounded up. */
static u64 free_slabs_due(const struct kmem_cache_node *home)
{
	u64 objects = home->cache->nr_objects;

	return (home->free_limit + 5 * objects - 1) / (5 * objects);
}

/* How many of what is shared are to go, as nobody has used it since reaping looked last. */
static u32 shared_due(struct kmem_cache_node *home)
{
	unsigned long flags = spin_lock_irqsave(&home->lock);
	struct cpu_stack *shared = home->shared;
	u32 due = shared->nr > 0 && was_idle(shared) ? MIN(fifth(shared->limit), shared->nr) : 0;

	spin_unlock_irqrestore(&home->lock, flags);
	return due;
}

static void reap_node(struct kmem_cache_node *home)
{
	struct list_head surplus = {&surplus, &surplus};
	u32 due = shared_due(home);
	u32 nr = due ? slab_unshare(home, NULL, due) : 0;
	unsigned long flags = spin_lock_irqsave(&home->lock);

	if (nr > 0) {
		(void)was_idle(home->shared);
		count_reaped(home, nr);
	}
	if (!home->free_touched)
		slab_node_strip_locked(home, free_slabs_due(home), &surplus);
	home->free_touched = false;
	spin_unlock_irqrestore(&home->lock, flags);
	slab_give_back(home->cache, &surplus);
}

/* --- By request ---------------------------------------------------------------------------------------- */

/* Since it was made. Relaxed: a figure. */
static u64 slabs_given(const struct kmem_cache *cache)
{
	u64 given = 0;
	int nid;

	for_each_node(nid)
		given += load_relaxed(&cache->node[nid]->events[SLAB_EV_GIVEN]);
	return given;
}

void slab_give_back_free(struct kmem_cache *cache)
{
	int nid;

	for_each_node(nid) {
		struct kmem_cache_node *home = cache->node[nid];
		u32 nr;

		do {
			struct list_head surplus = {&surplus, &surplus};
			unsigned long flags = spin_lock_irqsave(&home->lock);

			nr = slab_node_strip_locked(home, STRIP_BATCH, &surplus);
			spin_unlock_irqrestore(&home->lock, flags);
			slab_give_back(cache, &surplus);
		} while (nr == STRIP_BATCH);
	}
}

/* Pages. */
static u64 shrink(struct slab_handful *handful)
{
	u64 before[SLAB_HANDFUL] = {0}, pages = 0;

	for (u32 i = 0; i < handful->nr; i++)
		before[i] = slabs_given(handful->cache[i]);
	slab_stacks_drain_some(handful);
	for (u32 i = 0; i < handful->nr; i++) {
		struct kmem_cache *cache = handful->cache[i];

		slab_give_back_free(cache);
		/* Some went when the stacks were emptied, and so have those that others have given back meanwhile. */
		pages += (slabs_given(cache) - before[i]) << cache->order;
	}
	return pages;
}

u64 kmem_cache_shrink(struct kmem_cache *cache)
{
	return shrink(&(struct slab_handful){.nr = 1, .cache = {cache}});
}

u64 kmem_cache_shrink_all(void)
{
	u64 pages = 0, more;

	/* A map off its slab is another cache's object: that goes in the next round. Others may grow meanwhile. */
	for (u32 round = 0; round < MAX_SHRINK_ROUNDS; round++) {
		struct slab_handful handful = {0};

		more = 0;
		while (slab_handful_next(&handful, false))
			more += shrink(&handful);
		if (more == 0)
			break;
		pages += more;
	}
	return pages;
}

/* --- Rounds ------------------------------------------------------------------------------------------- */

void slab_reap(void)
{
	static u32 rounds; /* atomic, relaxed: which of two comes first does not matter */
	bool nodes = __atomic_fetch_add(&rounds, 1, __ATOMIC_RELAXED) % 2 == 1;
	struct kmem_cache *cache = NULL;
	int nid;

	vmstat_count(VMSTAT_SLAB_REAP);
	while ((cache = slab_cache_next(cache)) != NULL) {
		/* One whose stacks are being replaced has new ones afterwards, and the next time to be idle. */
		bool held = slab_stacks_hold(cache);

		for_each_node_mask(nid, node_memory_mask()) {
			if (held)
				reap_stacks(cache->node[nid]);
			if (nodes)
				reap_node(cache->node[nid]);
		}
		if (held)
			slab_stacks_release(cache);
	}
}

/* The thread, and who has it end. Written by slab_start() and slab_stop() alone. */
static struct {
	struct os_wait_queue queue;
	struct os_thread *thread;
	bool stop; /* atomic */
} reaper;

/* Acquire: pairs with slab_reap_stop(). */
static bool shall_stop(void *arg)
{
	(void)arg;
	return load_acquire(&reaper.stop);
}

static void reap_until_stopped(void *arg)
{
	(void)arg;
	while (!os_wait(&reaper.queue, shall_stop, NULL, REAP_NS))
		slab_reap();
}

/* --- The shrinker ------------------------------------------------------------------------------------- */

/* Objects on free slabs, and shared ones. Relaxed: hints. */
static u64 free_objects(const struct kmem_cache *cache, int nid)
{
	const struct kmem_cache_node *home = cache->node[nid];

	return load_relaxed(&home->nr_free_slabs) * cache->nr_objects +
	       load_relaxed(&home->nr_shared);
}

/*
 * Under the list's lock once, not by a walk. All CPUs that press come here, for each node and priority: who would have to
 * wait for the lock says what was counted a moment ago. Relaxed: a hint.
 */
static u64 count_free(struct shrinker *shrinker, int nid)
{
	static u64 last[MAX_NUMNODES];
	const struct kmem_cache *cache;
	u64 objects = 0;

	(void)shrinker;
	if (!spin_trylock(&slab_caches.lock))
		return load_relaxed(&last[nid]);
	list_for_each_entry(cache, &slab_caches.caches, link)
		objects += free_objects(cache, nid);
	store_relaxed(&last[nid], objects);
	spin_unlock(&slab_caches.lock);
	return objects;
}

/* Up to nr objects' worth of one home; false: somebody is at it. */
static bool shrink_home(struct kmem_cache_node *home, u64 nr, struct list_head *surplus, u64 *freed)
{
	u32 per_slab = home->cache->nr_objects;
	struct slab_bad bad = {0};
	unsigned long flags = irq_save();
	u64 before, given;

	if (!spin_trylock(&home->lock)) {
		irq_restore(flags);
		return false;
	}
	before = home->events[SLAB_EV_GIVEN];
	(void)slab_node_unshare_locked(home, home->shared, (u32)MIN(nr, (u64)SLAB_UNSHARE_BATCH),
				       surplus, &bad);
	/* Slabs that became free by that, and that the node does not keep, are on their way already. */
	given = (home->events[SLAB_EV_GIVEN] - before) * per_slab;
	if (given < nr)
		given += (u64)slab_node_strip_locked(home, DIV_ROUND_UP(nr - given, per_slab),
						     surplus) *
			 per_slab;
	*freed += given;
	spin_unlock_irqrestore(&home->lock, flags);
	if (bad.object)
		slab_report_bad_free(home->cache, bad.object, bad.what, 0);
	return true;
}

/*
 * Those that have nothing are not asked: CPUs that press at once would pass each other by at the locks of such
 * homes, each be told that there may be much, and none give up.
 */
static bool has_free(const struct kmem_cache *cache, int nid)
{
	return free_objects(cache, nid) > 0;
}

static u64 shrink_some(struct shrinker *shrinker, int nid, u64 nr)
{
	struct kmem_cache *cache = NULL;
	bool passed_by = false;
	u64 freed = 0;

	(void)shrinker;
	while ((cache = slab_cache_next_with(cache, has_free, nid)) != NULL) {
		struct list_head surplus = {&surplus, &surplus};

		if (freed >= nr)
			continue; /* the walk ends by itself, and gives up what it keeps */
		passed_by |= !shrink_home(cache->node[nid], nr - freed, &surplus, &freed);
		slab_give_back(cache, &surplus);
	}
	return freed == 0 && passed_by ? SHRINK_STOP : MIN(freed, nr);
}

static struct shrinker slab_shrinker = {
	.name = "free slabs",
	.count = count_free,
	.scan = shrink_some,
	.seeks = SHRINK_SEEKS,
};

void slab_reap_start(void)
{
	shrinker_register(&slab_shrinker);
	os_wait_queue_init(&reaper.queue, "slab reap");
	store_relaxed(&reaper.stop, false);
	reaper.thread = os_thread_start("slab_reap", smp_processor_id(), reap_until_stopped, NULL);
	if (!reaper.thread)
		os_log(OS_LOG_WARN, "slab",
		       "no thread that reaps: free objects stay where they are");
}

void slab_stop(void)
{
	if (reaper.thread) {
		/* Release: pairs with shall_stop(). */
		store_release(&reaper.stop, true);
		os_wake_all(&reaper.queue);
		os_thread_join(reaper.thread);
		reaper.thread = NULL;
	}
	shrinker_unregister(&slab_shrinker);
}
