/*
 * A cache that gives back when it is asked: objects of a page each, a chain for each node, and a shrinker.
 * An actor fills it up to a sixteenth of what was free, and takes from it now and then.
 *
 * Lock: the chain's, a leaf; the shrinker only tries it, as shrinkers do. Pages are freed without it.
 */
#include <mm/page_alloc.h>

#include "soak_internal.h"

#define PART 16 /* of what was free, of a node's share */

/* NULL: none; or, by the shrinker, which does not wait: somebody else has the lock. */
static struct page *take_one(struct soak_objects *o, int nid, bool wait)
{
	struct page *page;
	bool bad = false;

	if (wait)
		spin_lock(&o->node[nid].lock);
	else if (!spin_trylock(&o->node[nid].lock))
		return NULL;
	page = soak_unchain(&o->node[nid].newest, &bad);
	if (page)
		store_relaxed(&o->node[nid].nr, o->node[nid].nr - 1);
	spin_unlock(&o->node[nid].lock);
	if (bad)
		os_log(OS_LOG_ERR, "soak", "an object of node %d is not what was written", nid);
	/* As a count of actors: a bad one is not freed, and so a page is missed. */
	return bad ? NULL : page;
}

static u64 count(struct shrinker *shrinker, int nid)
{
	const struct soak_objects *o = container_of(shrinker, struct soak_objects, shrinker);

	return load_relaxed(&o->node[nid].nr); /* a guess */
}

static u64 scan(struct shrinker *shrinker, int nid, u64 nr)
{
	struct soak_objects *o = container_of(shrinker, struct soak_objects, shrinker);
	u64 freed = 0;

	while (freed < nr) {
		struct page *page = take_one(o, nid, false);

		if (!page)
			break;
		__free_pages(page, 0);
		freed++;
	}
	/* Relaxed: a figure. */
	__atomic_fetch_add(&o->nr_shrunk, freed, __ATOMIC_RELAXED);
	return freed > 0 ? freed : SHRINK_STOP;
}

void soak_objects_start(struct soak *s)
{
	struct soak_objects *o = &s->objects;

	o->shrinker = (struct shrinker){
		.name = "soak", .count = count, .scan = scan, .seeks = SHRINK_DEFAULT_SEEKS};
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		spin_lock_init(&o->node[nid].lock, "soak_objects");
	shrinker_register(&o->shrinker);
}

void soak_objects_end(struct soak *s)
{
	struct soak_objects *o = &s->objects;
	struct page *page;

	shrinker_unregister(&o->shrinker);
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		while ((page = take_one(o, nid, true)))
			__free_pages(page, 0);
}

static void add_one(struct soak_actor *a)
{
	struct soak_objects *o = &a->soak->objects;
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 0);
	int nid;

	if (!page) {
		soak_rest(a, NS_PER_MS);
		return;
	}
	nid = page->nid;
	if (load_relaxed(&o->node[nid].nr) >=
	    a->soak->nr_pages / PART / numa_topology()->nr_nodes) {
		__free_pages(page, 0);
		soak_rest(a, NS_PER_MS);
		return;
	}
	spin_lock(&o->node[nid].lock);
	soak_chain(&o->node[nid].newest, page);
	store_relaxed(&o->node[nid].nr, o->node[nid].nr + 1);
	spin_unlock(&o->node[nid].lock);
	soak_counted(a, SOAK_OBJECTS, 1);
}

void soak_objects_step(struct soak_actor *a)
{
	struct page *page;

	if (random_below(&a->random, 8) > 0) {
		add_one(a);
		return;
	}
	page = take_one(&a->soak->objects, (int)cpu_to_node(a->cpu), true);
	if (page)
		__free_pages(page, 0);
}
