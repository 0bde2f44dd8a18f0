/*
 * All CPUs' stacks of a cache: made, replaced, emptied, closed.
 *
 *	                       a CPU of node 0 has           a CPU of node 1 has
 *	home of node 0         `limit` of node 0's objects   its part of `limit` (Linux: its alien array, of 12)
 *	home of node 1         its part of `limit`           `limit`
 *
 * Alien stacks are for machines with up to SLAB_ALIEN_NODES nodes, as their number is that of the CPUs times that of
 * the nodes; and none where a CPU keeps no more than one of its own objects, since those are large.
 *
 * A stack is its CPU's alone: its hit paths take no lock, and begin anew if they are interrupted. So whatever is done
 * to another's stack is done there, by an interrupt (os_run_on_cpu()), when no hit path is in the middle of it:
 *
 *	thread                                      interrupt on the CPU
 *	memory for all new stacks, or -ENOMEM
 *	call ------------------------------------>  the old one's objects go home
 *	                                            the new one stands in its place
 *	frees the old one  <----------------------  done: nobody here can have it in his hands
 *
 * Nothing is asked for in the interrupt. All memory is there before the first stack is replaced, so that no failure
 * leaves a cache with some of each. The new stacks wait in a chain, linked by their first entries.
 *
 * A CPU that does not run has slab_no_stack, empty and full at once, and so has everybody until slab_stacks_set().
 * Then each request goes to the lists, which is right, and slow. That is what boot stands on: a cache gives objects as
 * soon as it has homes; of all CPUs only the one that boots gets stacks from slab_init(), the others when they
 * run (slab_start()).
 *
 * Closed are stacks of limit 0, empty: nothing is found on them and nothing fits, so every request leaves the hit path
 * and is seen. `hits_closed` counts who wants that. It is changed first, and read by who opens a stack on its CPU: of
 * a closer's interrupt and a maker's on the same CPU the later one sees it, and the stack ends closed either way.
 *
 * Lock: a home's, for what is shared and for objects that go home. Two that change the same cache's stacks keep each
 * other out before (kmem_cache.is_tuning); closing and draining may come in between.
 */
#include "slab.h"

#include <base/assert.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <base/math.h>
#include <mm/kmalloc.h>
#include <mm/os.h>
#include <mm/os_task.h>

struct cpu_stack slab_no_stack;
struct kmem_cache_node slab_no_home = {
	.stack = {[0 ... MAX_CPUS - 1] = &slab_no_stack},
	.nid = NUMA_NO_NODE,
	.shared = &slab_no_stack,
};

/* Until then the CPU that boots is alone, and its interrupts may be off. */
static bool all_cpus_run;
/* How many want every request seen. Relaxed throughout: a call to each CPU follows, and orders it. */
static u32 hits_closed;

/* Free slabs that a node keeps of a cache in any case, as a part of its memory; and no more than so many bytes. */
#define FREE_SHARE     4096u
#define MAX_FREE_BYTES MiB(1)

/* --- Which CPU has which ------------------------------------------------------------------------------ */

static u32 nr_cpus(void)
{
	return MIN(numa_topology()->nr_cpus, (u32)MAX_CPUS);
}

/* Whose objects this CPU may have stacks of. */
static nodemask_t stack_nodes(u32 cpu)
{
	nodemask_t nodes = node_memory_mask();

	return count_bits(nodes) <= SLAB_ALIEN_NODES ? nodes : NODE_BIT(slab_cpu_node(cpu));
}

/*
 * How many of node nid's objects it keeps, where it keeps `limit` of its own: of all others' together not more than that, but
 * SLAB_ALIEN_LIMIT at least of each.
 */
static u32 limit_of(u32 cpu, int nid, u32 limit)
{
	u32 part = limit / count_bits(node_memory_mask());

	if (nid == slab_cpu_node(cpu))
		return limit;
	return limit > 1 ? MIN(limit, MAX(part, SLAB_ALIEN_LIMIT)) : 0;
}

/* On that CPU, interrupts off. -ENODEV: it does not run. */
static int run_there(u32 cpu, void (*fn)(void *arg), void *arg)
{
	unsigned long flags;

	if (load_relaxed(&all_cpus_run))
		return os_run_on_cpu(cpu, fn, arg);
	if (cpu != smp_processor_id())
		return -ENODEV;
	flags = irq_save();
	fn(arg);
	irq_restore(flags);
	return 0;
}

void slab_all_cpus_run(void)
{
	store_relaxed(&all_cpus_run, true);
}

/* --- A stack's memory --------------------------------------------------------------------------------- */

struct cpu_stack *slab_stack_make(u32 capacity, int nid, gfp_t gfp)
{
	struct cpu_stack *stack =
		kmalloc_node(sizeof(*stack) + (u64)capacity * sizeof(stack->entry[0]), gfp, nid);

	if (stack)
		*stack = (struct cpu_stack){.capacity = capacity};
	return stack;
}

void slab_stack_free(struct cpu_stack *stack)
{
	if (stack != &slab_no_stack)
		kfree(stack);
}

/* A chain of stacks that nobody has yet; the first made is the first taken. */
struct chain {
	struct cpu_stack *first, *last;
};

static bool chain_make(struct chain *chain, u32 capacity, u32 batch, int nid)
{
	struct cpu_stack *stack = slab_stack_make(capacity, nid, GFP_KERNEL | __GFP_NOWARN);

	if (!stack)
		return false;
	stack->batch = batch;
	stack->entry[0] = NULL;
	if (chain->last)
		chain->last->entry[0] = stack;
	else
		chain->first = stack;
	chain->last = stack;
	return true;
}

static struct cpu_stack *chain_take(struct chain *chain)
{
	struct cpu_stack *stack = chain->first;

	chain->first = stack->entry[0];
	return stack;
}

static void chain_free(struct chain *chain)
{
	while (chain->first)
		kfree(chain_take(chain));
}

/* --- Replacing ---------------------------------------------------------------------------------------- */

/* What is wanted; and while it is done, one CPU's stacks, in the order of the nodes: new, afterwards old. */
struct change {
	struct kmem_cache *cache;
	u32 limit, batch, shared;
	struct cpu_stack *stack[SLAB_ALIEN_NODES];
};

/* Closed or not, by who wants it now. On the stack's CPU, interrupts off. */
static void set_limit(struct cpu_stack *stack)
{
	store_relaxed(&stack->limit, load_relaxed(&hits_closed) ? 0 : stack->capacity);
}

static void empty(struct kmem_cache_node *home, struct cpu_stack *stack)
{
	if (stack->nr)
		slab_stack_flush(home, stack, stack->nr);
}

/* On the CPU whose stacks they are. */
static void replace_here(void *arg)
{
	struct change *change = arg;
	struct kmem_cache *cache = change->cache;
	u32 cpu = smp_processor_id(), i = 0;
	int nid;

	for_each_node_mask(nid, stack_nodes(cpu)) {
		struct kmem_cache_node *home = cache->node[nid];
		struct cpu_stack *old = home->stack[cpu], *new = change->stack[i];

		empty(home, old);
		if (new != &slab_no_stack)
			set_limit(new);
		/* Relaxed: others only look at its figures. */
		store_relaxed(&home->stack[cpu], new);
		change->stack[i++] = old;
	}
	store_relaxed(&cache->local[cpu], cache->node[slab_cpu_node(cpu)]->stack[cpu]);
}

static void replace_on(struct change *change, u32 cpu, struct chain *chain)
{
	u32 nr = 0;
	int nid;

	for_each_node_mask(nid, stack_nodes(cpu))
		change->stack[nr++] =
			limit_of(cpu, nid, change->limit) ? chain_take(chain) : &slab_no_stack;
	/* If it does not run, they are still the new ones that are not needed. */
	(void)run_there(cpu, replace_here, change);
	for (u32 i = 0; i < nr; i++)
		slab_stack_free(change->stack[i]);
}

static u64 node_bytes(int nid)
{
	u64 pages = 0;

	for (u32 i = 0; i < MAX_NR_ZONES; i++)
		pages += NODE_DATA(nid)->zones[i].managed_pages;
	return pages << PAGE_SHIFT;
}

static u64 free_limit(const struct change *change, int nid)
{
	u64 sharers = 1, classic, bytes;

	for (u32 cpu = 0; cpu < nr_cpus(); cpu++)
		sharers += slab_cpu_node(cpu) == nid;
	classic = sharers * change->batch + change->cache->nr_objects;
	bytes = MIN(node_bytes(nid) / FREE_SHARE, MAX_FREE_BYTES);
	return change->limit ? MAX(classic, bytes / change->cache->size) : classic;
}

/*
 * `new` is shared from here on. What the old one has, half a million objects at most, is nobody's any more but ours: so
 * it can go to its slabs by batches, and none comes to it meanwhile.
 */
static void replace_shared(struct kmem_cache_node *home, struct cpu_stack *new, u64 limit)
{
	unsigned long flags = spin_lock_irqsave(&home->lock);
	struct cpu_stack *old = home->shared;

	home->shared = new;
	home->free_limit = limit;
	slab_hint_u32(&home->nr_shared, new->nr);
	spin_unlock_irqrestore(&home->lock, flags);
	(void)slab_unshare(home, old, old->nr);
	slab_stack_free(old);
}

static void replace_all_shared(const struct change *change, struct chain *chain)
{
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		struct cpu_stack *new = change->shared ? chain_take(chain) : &slab_no_stack;

		if (change->shared)
			new->limit = new->capacity;
		replace_shared(change->cache->node[nid], new, free_limit(change, nid));
	}
}

/* In the order in which they are taken. */
static bool make_all(const struct change *change, struct chain *chain)
{
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		if (change->shared &&
		    !chain_make(chain, change->shared * change->batch, change->batch, nid))
			return false;
	}
	for (u32 cpu = 0; cpu < nr_cpus(); cpu++) {
		for_each_node_mask(nid, stack_nodes(cpu)) {
			u32 limit = limit_of(cpu, nid, change->limit);
			u32 batch = nid == slab_cpu_node(cpu) ? change->batch : limit;

			if (limit && !chain_make(chain, limit, batch, slab_cpu_node(cpu)))
				return false;
		}
	}
	return true;
}

int slab_stacks_set(struct kmem_cache *cache, u32 limit, u32 batch, u32 shared)
{
	struct change change = {.cache = cache, .limit = limit, .batch = batch, .shared = shared};
	struct chain chain = {NULL, NULL};

	if (!make_all(&change, &chain)) {
		chain_free(&chain);
		return -ENOMEM;
	}
	replace_all_shared(&change, &chain);
	for (u32 cpu = 0; cpu < nr_cpus(); cpu++)
		replace_on(&change, cpu, &chain);
	ASSERT_MSG(!chain.first, "cache %s: a stack is left over", cache->name);
	slab_hint_u32(&cache->limit, limit); /* slab_handful_next() looks at it */
	cache->batch = batch;
	cache->shared = shared;
	return 0;
}

/* --- Emptying ----------------------------------------------------------------------------------------- */

/*
 * This CPU's, of these nodes. What there is of it is opened or closed, too, as is wanted now. On the CPU whose
 * stacks they are, interrupts off.
 */
static void empty_these(struct kmem_cache *cache, nodemask_t nodes)
{
	u32 cpu = smp_processor_id();
	int nid;

	for_each_node_mask(nid, nodes) {
		struct kmem_cache_node *home = cache->node[nid];
		struct cpu_stack *stack = home->stack[cpu];

		if (stack == &slab_no_stack)
			continue;
		empty(home, stack);
		set_limit(stack);
	}
}

static void empty_all_here(void *arg)
{
	const struct slab_handful *handful = arg;

	for (u32 i = 0; i < handful->nr; i++)
		empty_these(handful->cache[i], stack_nodes(smp_processor_id()));
}

static void empty_aliens_here(void *cache)
{
	u32 cpu = smp_processor_id();

	empty_these(cache, stack_nodes(cpu) & ~NODE_BIT(slab_cpu_node(cpu)));
}

static void on_all_cpus(void (*empty_here)(void *arg), void *arg)
{
	for (u32 cpu = 0; cpu < nr_cpus(); cpu++)
		/* Who does not run has none. */
		(void)run_there(cpu, empty_here, arg);
}

void slab_aliens_drain(struct kmem_cache *cache)
{
	on_all_cpus(empty_aliens_here, cache);
}

static void unshare_all(struct kmem_cache *cache)
{
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		struct kmem_cache_node *home = cache->node[nid];

		/* Relaxed: what this drain has brought there is seen. What comes meanwhile is others' business. */
		(void)slab_unshare(home, NULL, load_relaxed(&home->nr_shared));
	}
}

void slab_stacks_drain_some(struct slab_handful *handful)
{
	on_all_cpus(empty_all_here, handful);
	for (u32 i = 0; i < handful->nr; i++)
		unshare_all(handful->cache[i]);
}

void slab_stacks_drain(struct kmem_cache *cache)
{
	slab_stacks_drain_some(&(struct slab_handful){.nr = 1, .cache = {cache}});
}

/* --- Closing ------------------------------------------------------------------------------------------ */

/* One that is being destroyed may yet stay, and is asked and given to meanwhile: it is no exception. */
static void apply_to_all(void)
{
	struct slab_handful handful = {0};

	while (slab_handful_next(&handful, true))
		on_all_cpus(empty_all_here, &handful);
}

void slab_hits_close(void)
{
	__atomic_fetch_add(&hits_closed, 1, __ATOMIC_RELAXED);
	/* Also by who is not the first: the first may be at it still. */
	apply_to_all();
}

void slab_hits_open(void)
{
	u32 before = __atomic_fetch_sub(&hits_closed, 1, __ATOMIC_RELAXED);

	ASSERT_MSG(before > 0, "stacks of slabs opened, which nobody closed");
	if (before == 1)
		apply_to_all();
}
