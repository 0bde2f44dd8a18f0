/*
 * Free-list randomisation: who has overrun his object shall not know whose is next.
 *
 * Ordinarily a batch is the lowest free places of a slab, one behind the other, which is fast and good for the
 * cache, and predictable. With the option `slab_random` each object is drawn: a place at random, and from there the
 * next free one, round. Neighbours in memory are then handed out far apart in time, which is all that is promised:
 * the draw is a xorshift, seeded at boot (`seed=`), not a cipher.
 *
 * Lock: the node's, as for taking in order. The draw's state is this CPU's; interrupts are off.
 *
 * Source: Linux CONFIG_SLAB_FREELIST_RANDOM (2016), for the idea; there the order is drawn when a slab is made.
 */
#include "slab_order.h"

#include <base/atomic.h>
#include <base/random.h>

bool slab_random_order;
static struct random_state draw[MAX_CPUS];

/* The first set bit at or after `from`, round; there is one. */
static u32 next_free(const u64 *map, u32 words, u32 from)
{
	u32 w = from / 64;
	u64 bits = map[w] & (~(u64)0 << from % 64);

	while (!bits) {
		w = w + 1 == words ? 0 : w + 1;
		bits = map[w];
	}
	return w * 64 + (u32)__builtin_ctzll(bits);
}

void slab_take_at_random(const struct kmem_cache *cache, struct page *slab, void **into, u32 nr)
{
	struct random_state *state = &draw[smp_processor_id()];
	u32 words = DIV_ROUND_UP(cache->nr_objects, 64u);

	for (; nr > 0; nr--) {
		u32 i = next_free(slab->slab_map, words,
				  (u32)random_below(state, cache->nr_objects));

		slab->slab_map[i / 64] &= ~((u64)1 << i % 64);
		*into++ = slab_object(cache, slab, i);
	}
}

void slab_order_choose(bool random, u64 seed)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		/* Another for each CPU, and never 0, whatever the seed. */
		draw[cpu].state = (seed * MAX_CPUS + cpu) | (u64)1 << 63;
	/* Relaxed: boot, and who sees it late takes in order. */
	store_relaxed(&slab_random_order, random);
}
