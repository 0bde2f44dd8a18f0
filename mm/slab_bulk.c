/*
 * Many objects in one call: what a stack has is copied as a whole, and the rest comes and goes by the batch.
 *
 *	alloc    copies from this CPU's stack; empty: fills it; at the end, what is not plain: one by one
 *	free     those of one home in a row are put on its stack; full: flushed, as by a single free
 *
 * Interrupts are off for a batch at a time (BULK_BATCH objects), not for the whole call, so the time without them
 * does not grow with the caller's number. In between others may use the stacks: nothing is promised to be at once.
 *
 * An allocation is all or none: what was had is freed again when one is not to be had.
 */
#include "slab.h"

#include <arch/irq.h>
#include <base/string.h>
#include <mm/os.h>

#define BULK_BATCH 64u

/* Up to nr from this CPU's stack of its own node, filled if it is empty. */
static u32 take_batch(struct kmem_cache *cache, u32 nr, void **objects)
{
	unsigned long flags = irq_save();
	struct kmem_cache_node *home = cache->node[slab_cpu_node(smp_processor_id())];
	struct cpu_stack *stack = home->stack[smp_processor_id()];
	u32 got;

	if (stack->nr == 0 && stack->limit > 0)
		slab_stack_refill(home, stack);
	nr = MIN(nr, BULK_BATCH);
	got = MIN(stack->nr, nr);
	memcpy(objects, &stack->entry[stack->nr - got], got * sizeof(objects[0]));
	slab_hint_u32(&stack->nr, stack->nr - got);
	irq_restore(flags);
	return got;
}

u32 kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, u32 nr, void **objects)
{
	u32 got = 0;

	while (got < nr) {
		u32 more = this_task_may_hit(gfp) ? take_batch(cache, nr - got, objects + got) : 0;

		if (more == 0) {
			objects[got] = slab_alloc_slowly(cache, gfp, NUMA_NO_NODE, os_call_site());
			if (unlikely(!objects[got]))
				break;
			more = 1;
		}
		got += more;
	}
	if (likely(got == nr))
		return nr;
	kmem_cache_free_bulk(cache, got, objects);
	return 0;
}

/* Those at the front that are of the first one's home, as far as there is room; how many. Interrupts off. */
static u32 put_run(struct kmem_cache *cache, u32 nr, void **objects)
{
	struct cpu_stack *stack;
	void *top, **entry;
	u32 i = 0, room;
	u64 home;

	if (!load_or_fault((const u64 *)&virt_to_page(objects[0])->slab_home, &home) ||
	    !reads_as(SLAB_HOME_WORD(home, cache), (u64)cache))
		return 0;
	stack = ((struct kmem_cache_node *)home)->stack[smp_processor_id()];
	nr = MIN(nr, BULK_BATCH);
	room = stack->nr < stack->limit ? MIN(stack->limit - stack->nr, nr) : 0;
	entry = &stack->entry[stack->nr];
	top = stack->nr > 0 ? entry[-1] : NULL;
	for (; i < room; i++) {
		void *object = objects[i];

		if (!reads_as((const u64 *)&virt_to_page(object)->slab_home, home) || object == top)
			break;
		entry[i] = top = object;
	}
	slab_hint_u32(&stack->nr, stack->nr + i);
	return i;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, u32 nr, void **objects)
{
	for (u32 done = 0; done < nr;) {
		unsigned long flags = irq_save();
		u32 run = put_run(cache, nr - done, objects + done);

		irq_restore(flags);
		/* Full, closed, or not right: a single one's way knows. */
		if (run == 0) {
			slab_free_slowly(cache, objects[done], os_call_site());
			run = 1;
		}
		done += run;
	}
}
