/*
 * The hit paths of object caches, and nothing else: no lock, interrupts on, no count, a dozen instructions.
 *
 *	kmem_cache_alloc(cache, gfp)      may this task, with these flags?         one comparison
 *	                                  top of local[this CPU] --> object        a restartable section
 *	kmem_cache_free(cache, object)    page of the object --> its home          two shifts and a load
 *	                                  is that one of this cache's?             one comparison
 *	                                  object --> top of home's stack[this CPU] a restartable section
 *
 * A restartable section ends in one store, the new number of entries, and what interrupts it before that sends it back
 * to its beginning (<arch/restart.h>, docs/restart.md). So an interrupt, or another thread that was switched to
 * meanwhile, may do to the same stack whatever it likes. Only the CPU itself touches its stacks; who wants something
 * of another's asks it to (os_run_on_cpu()).
 *
 * The home is what is compared, not the node: an object of another node goes onto this CPU's small stack of that node's
 * objects by the same instructions, and comes off it for a request that wants that node.
 *
 * What must be seen (debugging, tracing, injection) has its stacks closed, limit 0 and empty, and so leaves here for
 * mm/slab_request.c. What is rare pays; the hit path does not.
 *
 * Caught here: a double free in direct succession, since the object is still on top; another cache's object, by its
 * home; what is in no slab, by the page's word that leads to no home. Any of these goes on beyond, where it is looked
 * at again, and named.
 *
 * Source: the sections are those of Mathieu Desnoyers's rseq (Linux 4.18), inside a kernel.
 */
#include "slab.h"

#include <mm/os.h>

__restart_text void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *object;

	if (likely(this_task_may_hit(gfp))) {
		object = cpu_stack_pop(cache->local);
		if (likely(object))
			return object;
	}
	return slab_alloc_slowly(cache, gfp, NUMA_NO_NODE, os_call_site());
}

__restart_text void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t gfp, int nid)
{
	void *object;

	if (likely(this_task_may_hit(gfp) && (u32)nid < MAX_NUMNODES)) {
		object = cpu_stack_pop(cache->node[nid]->stack);
		if (likely(object))
			return object;
	}
	return slab_alloc_slowly(cache, gfp, nid, os_call_site());
}

__restart_text void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	u64 home;

	/* The address may be anything, and what is found there, too. */
	if (likely(load_or_fault((const u64 *)&virt_to_page(object)->slab_home, &home)) &&
	    likely(reads_as(SLAB_HOME_WORD(home, cache), (u64)cache)) &&
	    likely(cpu_stack_push(((struct kmem_cache_node *)home)->stack, object)))
		return;
	slab_free_slowly(cache, object, os_call_site());
}
