/*
 * Giving an object back, where the hit path has not: who it belongs to is found out with care, and said if it is
 * nobody's.
 *
 *	stack full     the half that has been there longest goes home, then it is put on top
 *	no stack       straight to its slab
 *	anything else  is a mistake of the caller's, and ends in a report (mm/slab_debug.c)
 *
 * What is found of a wrong pointer may be anything, so each step asks first whether the next word can be read:
 * is the address one of memory that has struct pages, does its page name a home, is it one (`self`), is its cache the
 * one that the caller says. Only then is anything changed.
 *
 * An address inside an object passes all of these. It is found where its place in the slab is computed: when it is
 * taken home, or at once in a cache that is debugged.
 *
 * Lock: the home's, interrupts off. Pages of slabs that are too many go back after it is released.
 */
#include "slab.h"

#include <base/atomic.h>
#include <mm/os.h>
#include <mm/trace.h>

#include "memmap.h"
#include "vmstat.h"

struct kmem_cache_node *slab_home_of(const void *address, const char **what)
{
	struct kmem_cache_node *home;
	u64 word, self;

	*what = "is no address of memory";
	if (!memmap_covers(virt_to_phys(address) >> PAGE_SHIFT))
		return NULL;
	*what = "is in no slab";
	word = (u64)(uintptr_t)load_relaxed(&virt_to_page(address)->slab_home);
	home = (struct kmem_cache_node *)word;
	if (word == (uintptr_t)&slab_large_home)
		return home;
	if (word == 0 || word % 8 != 0 || !load_or_fault(SLAB_HOME_WORD(word, self), &self) ||
	    self != word)
		return NULL;
	return home;
}

/* To its slab, past stacks. */
static void put_home(struct kmem_cache_node *home, void *object, struct list_head *surplus,
		     struct slab_bad *bad)
{
	spin_lock(&home->lock);
	slab_node_put_locked(home, &object, 1, false, surplus, bad);
	spin_unlock(&home->lock);
}

/* Interrupts off. */
static void put(struct kmem_cache_node *home, void *object, struct list_head *surplus,
		struct slab_bad *bad)
{
	struct cpu_stack *stack = home->stack[smp_processor_id()];

	if (stack->limit == 0) {
		put_home(home, object, surplus, bad);
		return;
	}
	if (stack->nr > 0 && stack->entry[stack->nr - 1] == object) {
		*bad = (struct slab_bad){object, "is free already"};
		return;
	}
	if (stack->nr >= stack->limit)
		slab_stack_flush(home, stack, slab_stack_flush_batch(home->cache, stack));
	stack->entry[stack->nr] = object;
	slab_hint_u32(&stack->nr, stack->nr + 1);
}

void slab_free_slowly(struct kmem_cache *cache, void *object, uintptr_t call_site)
{
	struct list_head surplus = {&surplus, &surplus};
	struct slab_bad bad = {0};
	struct kmem_cache_node *home;
	const char *what;
	unsigned long flags;

	if (!object)
		return;
	home = slab_home_of(object, &what);
	if (home && cache && unlikely(home->cache != cache)) {
		what = "is an object of another cache";
		home = NULL;
	}
	if (unlikely(!home))
		slab_report_bad_free(cache, object, what, call_site);
	if (home->cache->flags & SLAB_DEBUG_ALL)
		slab_debug_free(home->cache, object, call_site);
	if (unlikely(load_relaxed(&trace_enabled)))
		trace(TRACE_SLAB_FREE, .id = (u64)(uintptr_t)object, .call_site = call_site,
		      .arg = home->cache->object_size, .nid = (u16)home->nid);
	flags = irq_save();
	put(home, object, &surplus, &bad);
	irq_restore(flags);
	if (unlikely(bad.object))
		slab_report_bad_free(home->cache, bad.object, bad.what, call_site);
	if (unlikely(!list_empty(&surplus)))
		slab_give_back(home->cache, &surplus);
}
