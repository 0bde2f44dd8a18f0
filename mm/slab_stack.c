/*
 * Between a CPU's stack and its home: batches, when a hit path finds the stack empty or full.
 *
 *	empty    refill    half of what the stack may hold comes from the home, the request is served from it
 *	full     flush     the half that has been on it longest goes home, the rest moves down
 *
 * Half, so that a CPU that frees and allocates around either end leaves the home alone. What has been there longest goes,
 * so what is handed out next is what was freed last, and warm.
 *
 * Objects of one slab are on a stack one behind the other if they came as a batch, and are used in order. Who takes or gives
 * them back by whole slabs moves less from list to list, and leaves fewer slabs that are neither full nor free. So a
 * batch is a little larger if it ends with a slab then.
 *
 * A stack that nothing has moved through since reaping looked last gets few at first (IDLE_BATCH): perhaps
 * that is all that is wanted here.
 *
 * What a node shares goes further, to its slabs, when there is to be less of it: slab_unshare(), by threads with
 * interrupts on, as it gives pages back between two batches.
 *
 * Contexts, but for that: the stack's own CPU, interrupts off throughout; a hit path that was interrupted begins anew
 * (mm/slab_cpu.c), so nothing here need be done at once. Under that, the home's lock.
 */
#include "slab.h"

#include <base/assert.h>
#include <base/string.h>
#include <mm/trace.h>

#include "vmstat.h"

#define IDLE_BATCH 16u
/* A batch may be so much of itself larger, if it then ends where a slab does. */
#define EVEN_OUT 4u

u32 slab_stack_refill(struct kmem_cache_node *home, struct cpu_stack *stack)
{
	bool idle = stack->moves == load_relaxed(&stack->seen_moves); /* relaxed: a hint */
	u32 most = idle ? MIN(stack->batch, IDLE_BATCH) : stack->batch;
	u32 room = stack->limit - stack->nr, want = MIN(most, room);
	u32 got;

	spin_lock(&home->lock);
	got = slab_node_take_locked(home, &stack->entry[stack->nr], want,
				    MIN(want + want / EVEN_OUT, room));
	slab_hint_add(&home->events[SLAB_EV_REFILLS], 1);
	spin_unlock(&home->lock);
	slab_stack_moved(stack, stack->nr + got);
	vmstat_count(VMSTAT_SLAB_REFILL);
	trace(TRACE_SLAB_REFILL, .id = (u64)(uintptr_t)home->cache, .arg = got,
	      .nid = (u16)home->nid);
	return stack->nr;
}

u32 slab_stack_flush_batch(const struct kmem_cache *cache, const struct cpu_stack *stack)
{
	u32 nr = MIN(stack->batch, stack->nr), most = MIN(nr + nr / EVEN_OUT, stack->nr);

	while (nr < most &&
	       slab_of(cache, stack->entry[nr]) == slab_of(cache, stack->entry[nr - 1]))
		nr++;
	return nr;
}

void slab_stack_flush(struct kmem_cache_node *home, struct cpu_stack *stack, u32 nr)
{
	struct list_head surplus = {&surplus, &surplus};
	struct slab_bad bad = {0};
	bool alien = home->nid != slab_cpu_node(smp_processor_id());

	spin_lock(&home->lock);
	slab_node_put_locked(home, stack->entry, nr, true, &surplus, &bad);
	slab_hint_add(&home->events[SLAB_EV_FLUSHES], 1);
	slab_hint_add(&home->events[SLAB_EV_HOME], alien ? nr : 0);
	spin_unlock(&home->lock);
	if (unlikely(bad.object))
		slab_report_bad_free(home->cache, bad.object, bad.what, 0);
	memmove(stack->entry, &stack->entry[nr], (stack->nr - nr) * sizeof(void *));
	slab_stack_moved(stack, stack->nr - nr);
	vmstat_count(alien ? VMSTAT_SLAB_ALIEN_FLUSH : VMSTAT_SLAB_FLUSH);
	trace(TRACE_SLAB_FLUSH, .id = (u64)(uintptr_t)home->cache, .arg = nr,
	      .nid = (u16)home->nid);
	if (unlikely(!list_empty(&surplus)))
		slab_give_back(home->cache, &surplus);
}

u32 slab_unshare(struct kmem_cache_node *home, struct cpu_stack *array, u32 nr)
{
	u32 moved = 0, n;

	do {
		struct list_head surplus = {&surplus, &surplus};
		struct slab_bad bad = {0};
		unsigned long flags = spin_lock_irqsave(&home->lock);

		/* What is shared may be another array each time. */
		n = slab_node_unshare_locked(home, array ? array : home->shared, nr - moved,
					     &surplus, &bad);
		spin_unlock_irqrestore(&home->lock, flags);
		if (unlikely(bad.object))
			slab_report_bad_free(home->cache, bad.object, bad.what, 0);
		slab_give_back(home->cache, &surplus);
		moved += n;
	} while (n > 0 && moved < nr);
	return moved;
}
