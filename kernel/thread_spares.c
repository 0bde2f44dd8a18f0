/*
 * Spare threads: what is left of those that were joined, kept for the next.
 *
 *	 thread_join() --> newest [s][s][s] ... [s][s] oldest --> thread_free()
 *	                     |                     at 16: the older half; memory is short:
 *	 thread_start() <----+ of its node         of a node, by the shrinker
 *
 * A spare is a struct thread and a stack that is still mapped, both memory of one node. To
 * unmap a stack all CPUs must forget its translation, and that is worth ten times what starting a thread
 * is. So there are spares, and beyond MAX_SPARES the older half is given back at once, with one
 * interrupt for each CPU. Who is short of memory asks for them by a shrinker, node by node.
 *
 * Lock: that of the list of all threads (thread.c), as a thread goes from the one list to the other. The
 * shrinker only tries it: who asks for memory may have it. Stacks are unmapped without it.
 */
#include <mm/os.h>
#include <mm/shrinker.h>
#include <x86/paging.h>

#include "sched_internal.h"

#define MAX_SPARES    16
#define RELEASE_BATCH (MAX_SPARES / 2)

/* Guarded by the list's lock: */
static struct list_head spares = {&spares, &spares}; /* the last that came first */
static u32 nr_spares;

struct thread *thread_take_spare(int nid)
{
	struct thread *thread, *found = NULL;

	threads_lock();
	list_for_each_entry(thread, &spares, all_link) {
		if (thread->nid == nid) {
			found = thread;
			list_del(&found->all_link);
			nr_spares--;
			break;
		}
	}
	threads_unlock();
	if (found)
		*found = (struct thread){
			.nid = nid,
			.stack = found->stack,
			.stack_slot = found->stack_slot,
			.stack_top = found->stack_top,
		};
	return found;
}

/* The oldest of the spares beyond the `keep` newest, of the node if it is one: off the list. How many. */
static u32 collect_spares_locked(int nid, u32 keep, struct thread **batch, u32 max)
{
	struct list_head *at = spares.prev;
	u32 nr = 0;

	while (nr_spares > keep && nr < max && at != &spares) {
		struct thread *thread = list_entry(at, struct thread, all_link);

		at = at->prev;
		if (nid != NUMA_NO_NODE && thread->nid != nid)
			continue;
		list_del(&thread->all_link);
		nr_spares--;
		batch[nr++] = thread;
	}
	return nr;
}

static void free_spares(struct thread *const *batch, u32 nr)
{
	u32 slots[RELEASE_BATCH] = {0};

	if (nr == 0)
		return;
	for (u32 i = 0; i < nr; i++)
		slots[i] = batch[i]->stack_slot;
	paging_unmap_stacks(slots, nr);
	for (u32 i = 0; i < nr; i++)
		thread_free(batch[i]);
}

/* A batch; false: there are no more. */
static bool release_spares(u32 keep)
{
	struct thread *batch[RELEASE_BATCH];
	u32 nr;

	threads_lock();
	nr = collect_spares_locked(NUMA_NO_NODE, keep, batch, RELEASE_BATCH);
	threads_unlock();
	free_spares(batch, nr);
	return nr > 0;
}

static u64 count_spares(struct shrinker *shrinker, int nid)
{
	const struct thread *thread;
	u64 nr = 0;

	(void)shrinker;
	if (!threads_trylock())
		return 0;
	list_for_each_entry(thread, &spares, all_link)
		nr += thread->nid == nid;
	threads_unlock();
	return nr;
}

static u64 scan_spares(struct shrinker *shrinker, int nid, u64 nr)
{
	struct thread *batch[RELEASE_BATCH];
	u32 got;

	(void)shrinker;
	if (!threads_trylock())
		return SHRINK_STOP;
	got = collect_spares_locked(nid, 0, batch, (u32)MIN(nr, (u64)RELEASE_BATCH));
	threads_unlock();
	free_spares(batch, got);
	return got > 0 ? got : SHRINK_STOP;
}

/* Few and large: each is eight pages and an object, and a batch is one flush of all CPUs' translations. */
static struct shrinker spares_shrinker = {
	.name = "thread stacks",
	.count = count_spares,
	.scan = scan_spares,
	.seeks = SHRINK_DEFAULT_SEEKS,
	.batch = RELEASE_BATCH / 2,
};

void thread_spares_init(void)
{
	shrinker_register(&spares_shrinker);
}

void thread_become_spare(struct thread *thread)
{
	bool too_many;

	threads_lock();
	list_del(&thread->all_link);
	list_add(&thread->all_link, &spares);
	/* Or more: other threads may come here before this one has given back. */
	too_many = ++nr_spares >= MAX_SPARES;
	threads_unlock();
	if (too_many)
		release_spares(MAX_SPARES - RELEASE_BATCH);
}

void threads_release_spares(void)
{
	sched_might_sleep(os_call_site());
	while (release_spares(0))
		;
}

u32 threads_nr_spares(void)
{
	u32 nr;

	threads_lock();
	nr = nr_spares;
	threads_unlock();
	return nr;
}
