/*
 * Objects in the mix: pieces of kmalloc memory of any size, and of a cache of the soak's own, on every CPU.
 *
 *	takes some      near, or near any node; most may sleep, so reclaim, shrinkers and OOM are behind them
 *	hands one over  into a box that all share: another CPU, often of another node, frees it
 *	frees some      after a look at each word of it; for a while all that it has
 *
 * So slabs come and go while memory is short, small stacks of other nodes' objects fill and go home, and the
 * shrinker takes free slabs away beneath. An object that two hold, or that was freed beneath its holder, shows in what
 * stands in it.
 *
 * Lock: the box's, a leaf, threads only. Objects are freed without it.
 */
#include <mm/kmalloc.h>

#include "soak_internal.h"

#define STEP_OBJECTS 48u
#define MAX_BYTES    6000u

/* From few bytes to many, as often in each octave. */
static u32 draw_bytes(struct soak_actor *a)
{
	u32 most = 16u << random_below(&a->random, 9);

	return MIN(8 + random_below(&a->random, most), MAX_BYTES);
}

static void fill(const struct soak_object *o)
{
	for (u32 i = 0; i < o->bytes / 8; i++)
		o->object[i] = o->word + i;
}

static bool is_intact(const struct soak_object *o)
{
	for (u32 i = 0; i < o->bytes / 8; i++) {
		if (o->object[i] != o->word + i)
			return false;
	}
	return true;
}

static void let_go(struct soak_actor *a, struct soak_object o)
{
	/* A bad one is not freed, and so its slab is missed. */
	if (!is_intact(&o)) {
		soak_counted(a, SOAK_BAD, 1);
		os_log(OS_LOG_ERR, "soak", "object %p of %u bytes is not what was written",
		       (void *)o.object, o.bytes);
	} else if (o.own) {
		kmem_cache_free(a->soak->slabs.cache, o.object);
	} else {
		kfree(o.object);
	}
}

static void drop(struct soak_actor *a, struct soak_object *o)
{
	let_go(a, *o);
	o->object = NULL;
}

static bool take(struct soak_actor *a, struct soak_object *o)
{
	gfp_t gfp = (random_below(&a->random, 4) ? GFP_KERNEL | __GFP_NORETRY : GFP_NOWAIT) |
		    __GFP_NOWARN;
	int nid = random_below(&a->random, 3)
			  ? NUMA_NO_NODE
			  : (int)random_below(&a->random, numa_topology()->nr_nodes);

	o->own = random_below(&a->random, 4) == 0;
	o->bytes = o->own ? SOAK_SLAB_BYTES : draw_bytes(a);
	o->word = random_next(&a->random);
	o->object = o->own ? kmem_cache_alloc_node(a->soak->slabs.cache, gfp, nid)
			   : kmalloc_node(o->bytes, gfp, nid);
	if (!o->object) {
		soak_counted(a, SOAK_SLAB_REFUSED, 1);
		return false;
	}
	fill(o);
	soak_counted(a, SOAK_SLAB_OBJECTS, 1);
	return true;
}

/* Its own goes into the box, and what lay there longest comes out. */
static struct soak_object exchange(struct soak_actor *a, struct soak_object mine)
{
	struct soak_slabs *s = &a->soak->slabs;
	struct soak_object theirs;

	spin_lock(&s->lock);
	theirs = s->box[s->next];
	s->box[s->next] = mine;
	s->next = (s->next + 1) % SOAK_SLAB_BOX;
	spin_unlock(&s->lock);
	soak_counted(a, SOAK_SLAB_HANDED, theirs.object != NULL);
	return theirs;
}

/* In turn it fills up and gives back, so that slabs come and go; now and then what is idle is reaped. */
#define TIDE_STEPS 32
#define REAP_STEPS 256

void soak_slab_step(struct soak_actor *a)
{
	bool ebb = a->steps / TIDE_STEPS % 2;

	if (a->nth == 0 && a->steps % REAP_STEPS == REAP_STEPS - 1)
		kmem_cache_shrink(a->soak->slabs.cache);
	for (u32 i = 0; i < STEP_OBJECTS && !soak_is_ending(a->soak); i++) {
		struct soak_object *o = &a->object[random_below(&a->random, SOAK_SLAB_HELD)];

		if (!o->object && ebb)
			continue;
		if (!o->object)
			(void)take(a, o);
		else if (random_below(&a->random, 3) == 0)
			*o = exchange(a, *o);
		else
			drop(a, o);
	}
	soak_rest(a, NS_PER_MS / 4);
}

void soak_slab_finish(struct soak_actor *a)
{
	for (u32 i = 0; i < SOAK_SLAB_HELD; i++) {
		if (a->object[i].object)
			let_go(a, a->object[i]);
	}
}

bool soak_slabs_start(struct soak *s)
{
	spin_lock_init(&s->slabs.lock, "soak slabs");
	s->slabs.cache = kmem_cache_create("soak", SOAK_SLAB_BYTES, 0, 0, NULL);
	return s->slabs.cache != NULL;
}

/* By an actor, for its counts, once all are through. False: not every object came home. */
bool soak_slabs_end(struct soak *s)
{
	for (u32 i = 0; i < SOAK_SLAB_BOX; i++) {
		if (s->slabs.box[i].object)
			let_go(s->actor[0], s->slabs.box[i]);
	}
	return kmem_cache_destroy(s->slabs.cache) == 0;
}
