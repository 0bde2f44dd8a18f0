/*
 * The invariants of caches, and of the objects that CPUs and nodes keep beside their slabs.
 *
 * A stack is its own CPU's, and moves without a lock, so the CPU is asked to look at it itself, with interrupts off
 * (os_run_on_cpu()): at all stacks of some caches, so that there are few questions. Meanwhile those caches are kept
 * from going. Who checks with interrupts off cannot wait for other CPUs' answers: then their stacks are left out, and
 * a line in the log says so.
 *
 *	who checks            a CPU, one after the other
 *	keeps 32 caches  -->  for each: its stacks, one for each home     under the home's lock: the maps
 *	                 <--
 *
 * An object is believed to be one only if its page names the home, and the place in the slab leads back to it.
 *
 * Lock: a home's, interrupts off; "slab caches" for three words.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/atomic.h>
#include <mm/os.h>
#include <mm/os_task.h>

#include "check_internal.h"
#include "check_slab.h"

#define ULL(x)      ((unsigned long long)(x))
#define KEPT_CACHES 32
/* Of one stack: further ones are not compared with each other. */
#define MAX_COMPARED 512u
/* So many are looked at under the lock: a shared array may have half a million. */
#define PART 256u

/* --- Asking CPUs ------------------------------------------------------------------------------------- */

/* What is looked at there; interrupts off. */
struct visit {
	struct check *c;
	struct kmem_cache *cache[KEPT_CACHES];
	u32 nr;
	void (*look)(struct check *c, struct kmem_cache *cache, u32 cpu);
};

static void visit(void *arg)
{
	struct visit *v = arg;

	for (u32 i = 0; i < v->nr; i++)
		v->look(v->c, v->cache[i], smp_processor_id());
}

static bool may_ask_others(void)
{
	return !irqs_disabled() && !os_in_interrupt();
}

/* Every CPU that answers; or this one. */
static void visit_all(struct visit *v)
{
	unsigned long flags;

	if (may_ask_others()) {
		for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
			(void)os_run_on_cpu(cpu, visit, v); /* -ENODEV: there is none */
	} else {
		flags = irq_save();
		visit(v);
		irq_restore(flags);
	}
	for (u32 i = 0; i < v->nr; i++)
		slab_cache_put(v->cache[i]);
	v->nr = 0;
}

/* The walk keeps the cache it stands at; beyond that we keep it, until visit_all() is done. */
static void keep(struct kmem_cache *cache)
{
	spin_lock(&slab_caches.lock);
	cache->nr_users++;
	spin_unlock(&slab_caches.lock);
}

static void on_each_cpu(struct check *c,
			void (*look)(struct check *c, struct kmem_cache *cache, u32 cpu))
{
	struct visit v = {.c = c, .look = look};
	struct kmem_cache *cache = NULL;

	/* Relaxed: before the first cache there is no list. */
	if (load_relaxed(&slab_caches.nr) == 0)
		return;
	if (!may_ask_others())
		os_log(OS_LOG_INFO, "check", "%s: interrupts are off: other CPUs are left out",
		       c->id);
	while ((cache = slab_cache_next(cache)) != NULL) {
		keep(cache);
		v.cache[v.nr++] = cache;
		if (v.nr == KEPT_CACHES)
			visit_all(&v);
	}
	visit_all(&v);
}

/* --- Stacks ------------------------------------------------------------------------------------------ */

/* NULL: there is no stack where the pointer leads. */
static const struct cpu_stack *believed_stack(const struct cpu_stack *stack)
{
	u64 word;

	if (stack == &slab_no_stack)
		return stack;
	return IS_ALIGNED((uintptr_t)stack, sizeof(u64)) && load_or_fault((const u64 *)stack, &word)
		       ? stack
		       : NULL;
}

static void figures(struct check *c, const struct kmem_cache_node *home,
		    const struct cpu_stack *pointer, const char *whose, u32 cpu)
{
	const struct cpu_stack *stack = believed_stack(pointer);

	c->report->items++;
	if (!stack)
		check_fail(c, "%s, node %d, %s %u: its stack is at %p", home->cache->name,
			   home->nid, whose, cpu, (const void *)pointer);
	else if (stack->nr > stack->limit || stack->limit > stack->capacity ||
		 stack->never_an_entry != 0)
		check_fail(c, "%s, node %d, %s %u: %u entries, limit %u, capacity %u",
			   home->cache->name, home->nid, whose, cpu, stack->nr, stack->limit,
			   stack->capacity);
}

/* Of every node; NULL past the last, and for what is no home. */
static struct kmem_cache_node *home_at(const struct kmem_cache *cache, int nid)
{
	struct kmem_cache_node *home = cache->node[nid];

	return home != &slab_no_home && check_is_home(home) && home->cache == cache ? home : NULL;
}

static void cpu_figures(struct check *c, struct kmem_cache *cache, u32 cpu)
{
	int nid;

	for_each_node(nid) {
		const struct kmem_cache_node *home = home_at(cache, nid);

		if (home)
			figures(c, home, home->stack[cpu], "CPU", cpu);
	}
}

static void shared_figures_locked(struct check *c, struct kmem_cache_node *home)
{
	figures(c, home, home->shared, "shared by node", (u32)home->nid);
}

static void shared_figures(struct check *c, struct kmem_cache *cache)
{
	check_homes(c, cache, shared_figures_locked);
}

/* --- Objects ----------------------------------------------------------------------------------------- */

/* What is wrong with it as an object that is on a stack of this home, or NULL. */
static const char *wrong_locked(const struct kmem_cache_node *home, const void *object)
{
	const struct kmem_cache *cache = home->cache;
	pfn_t pfn = virt_to_phys(object) >> PAGE_SHIFT;
	const struct page *slab;
	u64 word;
	u32 i;

	if (!pfn_valid(pfn))
		return "is in no memory";
	slab = slab_of(cache, object);
	/* Relaxed: if it is not ours, it may be changed by anybody. */
	if (load_relaxed(&virt_to_page(object)->slab_home) != home ||
	    load_relaxed(&slab->slab_home) != home)
		return "is in no slab of it";
	i = slab_index(cache, slab, (const char *)object - cache->object_offset);
	if (i >= cache->nr_objects || slab_object(cache, slab, i) != object)
		return "is inside an object";
	if (!check_map_word_locked(cache, slab, i / 64, &word))
		return "is in a slab without a map";
	return word >> i % 64 & 1 ? "is free in its slab" : NULL;
}

static bool came_before(const struct cpu_stack *stack, u32 i)
{
	for (u32 k = i > MAX_COMPARED ? i - MAX_COMPARED : 0; k < i; k++) {
		if (stack->entry[k] == stack->entry[i])
			return true;
	}
	return false;
}

/* A part of them, from the i-th on. Which is next; 0: those were the last. */
static u32 objects_locked(struct check *c, const struct kmem_cache_node *home,
			  const struct cpu_stack *stack, u32 i, const char *whose, u32 cpu)
{
	u32 end;

	stack = believed_stack(stack);
	/* SLAB-5 says so. */
	if (!stack || stack->nr > stack->capacity)
		return 0;
	end = MIN(stack->nr, i + PART);
	for (; i < end; i++) {
		const char *wrong = wrong_locked(home, stack->entry[i]);

		c->report->items++;
		if (!wrong && came_before(stack, i))
			wrong = "is there twice";
		if (wrong)
			check_fail(c, "%s, node %d, %s %u: entry %u, %p, %s", home->cache->name,
				   home->nid, whose, cpu, i, stack->entry[i], wrong);
	}
	return end < stack->nr ? end : 0;
}

static void cpu_objects(struct check *c, struct kmem_cache *cache, u32 cpu)
{
	int nid;

	for_each_node(nid) {
		struct kmem_cache_node *home = home_at(cache, nid);
		u32 next = 0;

		if (!home)
			continue;
		do {
			spin_lock(&home->lock);
			next = objects_locked(c, home, home->stack[cpu], next, "CPU", cpu);
			spin_unlock(&home->lock);
		} while (next);
	}
}

/* What comes and goes between two parts is looked at once, twice or not at all. */
static void shared_objects(struct check *c, struct kmem_cache *cache)
{
	int nid;

	for_each_node(nid) {
		struct kmem_cache_node *home = home_at(cache, nid);
		u32 next = 0;

		if (!home)
			continue;
		do {
			unsigned long flags = spin_lock_irqsave(&home->lock);

			next = objects_locked(c, home, home->shared, next, "shared by node",
					      (u32)nid);
			spin_unlock_irqrestore(&home->lock, flags);
		} while (next);
	}
}

/* --- Caches ------------------------------------------------------------------------------------------ */

/* The first and the last byte of each place must lead to it. */
static bool reciprocal_is_right(const struct kmem_cache *cache)
{
	for (u64 i = 0; i < cache->nr_objects; i++) {
		u64 at = i * cache->size;

		if (at * cache->reciprocal >> SLAB_RECIPROCAL_SHIFT != i ||
		    (at + cache->size - 1) * cache->reciprocal >> SLAB_RECIPROCAL_SHIFT != i)
			return false;
	}
	return true;
}

static void geometry(struct check *c, struct kmem_cache *cache)
{
	u64 bytes = cache->order <= MAX_ORDER ? (u64)PAGE_SIZE << cache->order : 0;
	u64 places = (u64)cache->nr_objects * cache->size;
	u64 map = cache->map_kind == SLAB_MAP_ON_SLAB ? cache->map_bytes : 0;
	u64 colours = cache->colours ? (u64)(cache->colours - 1) * cache->colour_bytes : bytes;

	c->report->items++;
	if (cache->size < cache->object_size + cache->object_offset || cache->align == 0 ||
	    cache->size % cache->align != 0 || cache->nr_objects == 0 ||
	    colours + places + map > bytes)
		check_fail(c,
			   "%s: %u bytes in places of %u, aligned to %u, %u of them with map %llu "
			   "and colours %llu in %llu",
			   cache->name, cache->object_size, cache->size, cache->align,
			   cache->nr_objects, ULL(map), ULL(colours), ULL(bytes));
	else if (!reciprocal_is_right(cache))
		check_fail(c, "%s: its reciprocal 0x%llx is not that of %u", cache->name,
			   ULL(cache->reciprocal), cache->size);
}

static void homes(struct check *c, struct kmem_cache *cache)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		const struct kmem_cache_node *home = cache->node[nid];
		bool wanted = NODE_DATA(nid) != NULL;

		c->report->items++;
		if (home == &slab_no_home
			    ? wanted
			    : !check_is_home(home) || home->cache != cache || home->nid != nid)
			check_fail(c, "%s: node %d has its home at %p", cache->name, nid,
				   (const void *)home);
	}
}

static void local_stack(struct check *c, struct kmem_cache *cache, u32 cpu)
{
	const struct kmem_cache_node *home = home_at(cache, slab_cpu_node(cpu));

	c->report->items++;
	if (home && cache->local[cpu] != home->stack[cpu])
		check_fail(c, "%s, CPU %u: its own stack is %p, that of node %d %p", cache->name,
			   cpu, (const void *)cache->local[cpu], home->nid,
			   (const void *)home->stack[cpu]);
}

static void tunables(struct check *c, struct kmem_cache *cache)
{
	u32 limit, batch, shared;
	bool settled;

	/* Who tunes writes them one by one, and has said so before. */
	spin_lock(&slab_caches.lock);
	settled = !cache->is_tuning;
	limit = cache->limit;
	batch = cache->batch;
	shared = cache->shared;
	spin_unlock(&slab_caches.lock);
	if (!settled)
		return;
	c->report->items++;
	if (limit == 0 ? batch != 0 || shared != 0 : batch == 0 || batch > limit)
		check_fail(c, "%s: limit %u, batch %u, shared %u", cache->name, limit, batch,
			   shared);
}

/* --- As invariants ----------------------------------------------------------------------------------- */

static void slab_4(struct check *c)
{
	check_caches(c, shared_objects);
	on_each_cpu(c, cpu_objects);
}

static void slab_5(struct check *c)
{
	check_caches(c, shared_figures);
	on_each_cpu(c, cpu_figures);
}

static void caches_1(struct check *c)
{
	check_caches(c, geometry);
}

static void caches_2(struct check *c)
{
	check_caches(c, homes);
	on_each_cpu(c, local_stack);
}

static void caches_3(struct check *c)
{
	check_caches(c, tunables);
}

const struct invariant slab_cpu_invariants[] = {
	{"SLAB-4", "what CPUs and nodes keep is their home's, not free as well, nor twice",
	 .run = slab_4},
	{"SLAB-5", "no stack of objects is longer than it may be", .run = slab_5},
	{"CACHES-1", "a cache's objects, map and colours fit a slab; addresses lead to them",
	 .run = caches_1},
	{"CACHES-2", "a cache has a home on each node; a CPU's own stack is its home's",
	 .run = caches_2},
	{"CACHES-3", "a cache's limits are 1 <= batch <= limit, or all 0", .run = caches_3},
};
const u32 nr_slab_cpu_invariants = ARRAY_SIZE(slab_cpu_invariants);
