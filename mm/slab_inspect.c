/*
 * Looking at object caches from outside: copies, for reports.
 *
 *	cache     kept from going; its constants, and the sum over its homes
 *	home      under its lock: lists, counts, what is shared there
 *	stacks    a CPU's own: that CPU is asked, by an interrupt
 *	slab      under its home's lock: the map
 *
 * A home's lists are walked under its lock to count them, as Linux's slabinfo did: a step for each slab, and no
 * further than the home's count. So a report of a cache of many slabs holds its node's lock for as long; who wants the
 * figures alone (slab_cache_snapshot()) does not.
 *
 * A frame's slab is found by the home that its page names. That the word leads to a home is not believed: the home is
 * looked for among those of the caches there are, and the page is looked at again under its lock. Nor is the map: a slab
 * that goes back is off the lists, and its page may be another's at any moment.
 */
#include <mm/slab_inspect.h>

#include <arch/page.h>
#include <arch/restart.h>
#include <base/atomic.h>
#include <base/string.h>
#include <mm/os_task.h>

#include "slab.h"
#include "slab_fallback.h"

/* --- Caches ------------------------------------------------------------------------------------------ */

static const char *map_place(const struct kmem_cache *cache)
{
	static const char *const places[] = {
		[SLAB_MAP_IN_PAGE] = "in struct page",
		[SLAB_MAP_ON_SLAB] = "behind the last object",
		[SLAB_MAP_OFF_SLAB] = "kmalloc memory",
	};

	return (u32)cache->map_kind < ARRAY_SIZE(places) ? places[cache->map_kind] : "?";
}

static void copy_constants(const struct kmem_cache *cache, struct slab_cache_snapshot *out)
{
	u32 on_slab = cache->map_kind == SLAB_MAP_ON_SLAB ? cache->map_bytes : 0;

	*out = (struct slab_cache_snapshot){
		.name = cache->name,
		.object_size = cache->object_size,
		.size = cache->size,
		.align = cache->align,
		.flags = cache->flags,
		.order = cache->order,
		.nr_objects = cache->nr_objects,
		.map_place = map_place(cache),
		.map_bytes = cache->map_bytes,
		.colours = cache->colours,
		.colour_bytes = cache->colour_bytes,
		.left_bytes = ((u32)PAGE_SIZE << cache->order) - cache->nr_objects * cache->size -
			      on_slab,
	};
}

static void copy_tunables(const struct kmem_cache *cache, struct slab_cache_snapshot *out)
{
	spin_lock(&slab_caches.lock);
	out->limit = cache->limit;
	out->batch = cache->batch;
	out->shared = cache->shared;
	spin_unlock(&slab_caches.lock);
}

/* NULL: the cache has none there. */
static struct kmem_cache_node *home_on(const struct kmem_cache *cache, int nid)
{
	return (u32)nid < MAX_NUMNODES && cache->node[nid] != &slab_no_home ? cache->node[nid]
									    : NULL;
}

void slab_cache_snapshot(struct kmem_cache *cache, struct slab_cache_snapshot *out)
{
	int nid;

	copy_constants(cache, out);
	copy_tunables(cache, out);
	for_each_node(nid) {
		struct kmem_cache_node *home = home_on(cache, nid);
		unsigned long flags;

		if (!home)
			continue;
		flags = spin_lock_irqsave(&home->lock);
		out->slabs += home->nr_slabs;
		out->active_slabs += home->nr_slabs - home->nr_free_slabs;
		out->active_objects += home->nr_slabs * cache->nr_objects - home->nr_free_objects;
		out->shared_objects += home->shared->nr;
		spin_unlock_irqrestore(&home->lock, flags);
	}
	out->objects = out->slabs * cache->nr_objects;
}

bool slab_cache_name_at(const void *address, char *name)
{
	struct kmem_cache *cache = NULL;

	while ((cache = slab_cache_next(cache)) != NULL) {
		if (cache == address)
			break;
	}
	if (!cache)
		return false;
	memcpy(name, cache->name, SLAB_NAME_BYTES);
	slab_cache_put(cache);
	return true;
}

/* --- A home ------------------------------------------------------------------------------------------ */

static u64 length_locked(const struct list_head *head, u64 most)
{
	u64 seen = 0;

	for (const struct list_head *at = head->next; at != head && seen < most; at = at->next)
		seen++;
	return seen;
}

bool slab_node_snapshot(struct kmem_cache *cache, int nid, struct slab_node_snapshot *out)
{
	struct kmem_cache_node *home = home_on(cache, nid);
	unsigned long flags;

	if (!home)
		return false;
	flags = spin_lock_irqsave(&home->lock);
	*out = (struct slab_node_snapshot){
		.full = length_locked(&home->full, home->nr_slabs),
		.partial = length_locked(&home->partial, home->nr_slabs),
		.free = home->nr_free_slabs,
		.objects = home->nr_slabs * cache->nr_objects,
		.free_objects = home->nr_free_objects,
		.free_limit = home->free_limit,
		.shared = home->shared->nr,
		.shared_limit = home->shared->limit,
	};
	_Static_assert(ARRAY_SIZE(home->events) >= NR_SLAB_EVENTS, "room for each");
	for (u32 event = 0; event < NR_SLAB_EVENTS; event++)
		out->events[event] = home->events[event];
	spin_unlock_irqrestore(&home->lock, flags);
	return true;
}

const char *slab_event_name(enum slab_event event)
{
	static const char *const names[] = {
		[SLAB_EV_GROWN] = "grown",      [SLAB_EV_GIVEN] = "given back",
		[SLAB_EV_REFILLS] = "refills",  [SLAB_EV_FLUSHES] = "flushes",
		[SLAB_EV_HOME] = "alien frees", [SLAB_EV_FALLBACK] = "fallback",
		[SLAB_EV_REAPED] = "reaped",
	};

	_Static_assert(ARRAY_SIZE(names) == NR_SLAB_EVENTS, "every event has a name");
	return (u32)event < NR_SLAB_EVENTS ? names[event] : "?";
}

/* --- What a CPU has ---------------------------------------------------------------------------------- */

struct cpu_question {
	const struct kmem_cache *cache;
	struct slab_cpu_snapshot *out;
};

/* On that CPU, interrupts off. */
static void answer(void *arg)
{
	const struct cpu_question *q = arg;
	u32 cpu = smp_processor_id();

	q->out->nid = slab_cpu_node(cpu);
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		const struct kmem_cache_node *home = home_on(q->cache, nid);

		if (!home)
			continue;
		q->out->of[nid] = (struct slab_array){
			.nr = home->stack[cpu]->nr,
			.limit = home->stack[cpu]->limit,
			.batch = home->stack[cpu]->batch,
		};
	}
}

bool slab_cpu_snapshot(struct kmem_cache *cache, u32 cpu, struct slab_cpu_snapshot *out)
{
	struct cpu_question q = {cache, out};

	memset(out, 0, sizeof(*out));
	return os_run_on_cpu(cpu, answer, &q) == 0;
}

/* --- A slab ------------------------------------------------------------------------------------------ */

/* False: the slab is none any more, and its map leads anywhere. Relaxed: others may write it then. */
static bool copy_map(const struct page *slab, u32 words, u64 *out)
{
	const u64 *map = load_relaxed(&slab->slab_map);

	if ((uintptr_t)map % sizeof(u64) != 0)
		return false;
	for (u32 i = 0; i < words; i++)
		if (!load_or_fault(map + i, &out[i]))
			return false;
	return true;
}

static bool copy_slab_locked(const struct kmem_cache_node *home, const struct page *slab,
			     struct slab_snapshot *out)
{
	const struct kmem_cache *cache = home->cache;
	u32 words = MIN(DIV_ROUND_UP(cache->nr_objects, 64u), (u32)SLAB_MAP_WORDS);

	*out = (struct slab_snapshot){
		.pfn = page_to_pfn(slab),
		.nid = home->nid,
		.nr_objects = cache->nr_objects,
		.nr_free = slab->slab_nr_free,
		.offset = slab->slab_offset,
		.size = cache->size,
	};
	return copy_map(slab, words, out->free_map);
}

bool slab_snapshot(struct kmem_cache *cache, int nid, struct slab_snapshot *out)
{
	struct kmem_cache_node *home = home_on(cache, nid);
	const struct list_head *list;
	unsigned long flags;
	bool found;

	if (!home)
		return false;
	flags = spin_lock_irqsave(&home->lock);
	list = !list_empty(&home->partial) ? &home->partial
	       : !list_empty(&home->free)  ? &home->free
					   : &home->full;
	found = !list_empty(list) &&
		copy_slab_locked(home, list_first_entry(list, struct page, slab_link), out);
	spin_unlock_irqrestore(&home->lock, flags);
	return found;
}

/* The cache that has this home, kept; or NULL: it is nobody's. */
static struct kmem_cache *cache_with_home(const struct kmem_cache_node *home)
{
	struct kmem_cache *cache = NULL;
	int nid;

	while ((cache = slab_cache_next(cache)) != NULL) {
		for_each_node(nid) {
			if (cache->node[nid] == home)
				return cache;
		}
	}
	return NULL;
}

/* Relaxed: as long as it is not ours it may be anybody's. */
static bool is_slab_of(const struct kmem_cache_node *home, const struct page *page,
		       const struct page *slab)
{
	return load_relaxed(&page->slab_home) == home &&
	       (PAGE_HEAD_MARKS(load_relaxed(&slab->head)) & PAGE_MARK_SLAB);
}

/* Is the frame one of that home's slabs? A slab that is off the lists goes back without the lock: also afterwards? */
static bool copy_page_locked(struct kmem_cache_node *home, pfn_t pfn, struct slab_snapshot *out)
{
	const struct page *page = pfn_to_page(pfn);
	const struct page *slab = pfn_to_page(ALIGN_DOWN(pfn, (pfn_t)1 << home->cache->order));

	return is_slab_of(home, page, slab) && copy_slab_locked(home, slab, out) &&
	       is_slab_of(home, page, slab);
}

bool slab_of_page(pfn_t pfn, struct slab_snapshot *out, char *name)
{
	struct kmem_cache_node *home;
	struct kmem_cache *cache;
	unsigned long flags;
	bool is_one;

	if (!pfn_valid(pfn))
		return false;
	/* Relaxed: a guess, which is looked at again below. */
	home = load_relaxed(&pfn_to_page(pfn)->slab_home);
	if (!home || home == &slab_no_home)
		return false;
	cache = cache_with_home(home);
	if (!cache)
		return false;
	flags = spin_lock_irqsave(&home->lock);
	is_one = copy_page_locked(home, pfn, out);
	spin_unlock_irqrestore(&home->lock, flags);
	memcpy(name, cache->name, SLAB_NAME_BYTES);
	slab_cache_put(cache);
	return is_one;
}

bool slab_object_at(const struct slab_snapshot *slab, u64 offset, u32 *index)
{
	if (offset < slab->offset || (offset - slab->offset) / slab->size >= slab->nr_objects)
		return false;
	*index = (u32)((offset - slab->offset) / slab->size);
	return true;
}

/* --- Sums -------------------------------------------------------------------------------------------- */

/* Relaxed: hints will do, each is one word. */
static u64 pages_on(const struct kmem_cache *cache, int nid)
{
	const struct kmem_cache_node *home = home_on(cache, nid);

	return home ? load_relaxed(&home->nr_slabs) << cache->order : 0;
}

static u64 pages_of(const struct kmem_cache *cache)
{
	u64 pages = 0;
	int nid;

	for_each_node(nid)
		pages += pages_on(cache, nid);
	return pages;
}

u64 slab_pages(int nid)
{
	struct kmem_cache *cache = NULL;
	u64 pages = 0;

	while ((cache = slab_cache_next(cache)) != NULL)
		pages += nid == NUMA_NO_NODE ? pages_of(cache) : pages_on(cache, nid);
	return pages;
}

static u64 used_bytes_of(const struct kmem_cache *cache)
{
	u64 objects = 0;
	int nid;

	for_each_node(nid) {
		const struct kmem_cache_node *home = home_on(cache, nid);

		if (home)
			objects += load_relaxed(&home->nr_slabs) * cache->nr_objects -
				   load_relaxed(&home->nr_free_objects);
	}
	return objects * cache->size;
}

u32 slab_largest(struct slab_use *out, u32 max)
{
	struct kmem_cache *cache = NULL;
	u32 nr = 0;

	while ((cache = slab_cache_next(cache)) != NULL) {
		u64 pages = pages_of(cache);
		u32 at = nr;

		while (at > 0 && out[at - 1].pages < pages)
			at--;
		if (pages == 0 || at == max)
			continue;
		nr = MIN(nr + 1, max);
		memmove(&out[at + 1], &out[at], (nr - 1 - at) * sizeof(*out));
		out[at] = (struct slab_use){.pages = pages, .used_bytes = used_bytes_of(cache)};
		memcpy(out[at].name, cache->name, SLAB_NAME_BYTES);
	}
	return nr;
}

/* --- Fallback, in words ------------------------------------------------------------------------------ */

const char *slab_fallback_step_name(u64 step)
{
	static const char *const names[] = {
		[SLAB_FALLBACK_LOOK] = "look",
		[SLAB_FALLBACK_OBJECT] = "object",
		[SLAB_FALLBACK_DRAIN] = "drain",
		[SLAB_FALLBACK_PAGE] = "page",
	};

	_Static_assert(ARRAY_SIZE(names) == NR_SLAB_FALLBACK_STEPS, "every step has a name");
	return step < NR_SLAB_FALLBACK_STEPS ? names[step] : "?";
}
