/*
 * What the two files that check the slab layer share.
 */
#ifndef MM_CHECK_SLAB_H
#define MM_CHECK_SLAB_H

#include "check_internal.h"
#include "slab.h"

/* Is it one? Whatever it is, without following it. */
bool check_is_home(const struct kmem_cache_node *home);
/* Each cache, kept from going meanwhile; threads only. */
void check_caches(struct check *c, void (*look)(struct check *c, struct kmem_cache *cache));
/* Each home of a cache, under its lock. */
void check_homes(struct check *c, struct kmem_cache *cache,
		 void (*look_locked)(struct check *c, struct kmem_cache_node *home));
/* Word w of the slab's map; false: there is no map where it should be. */
bool check_map_word_locked(const struct kmem_cache *cache, const struct page *slab, u32 w,
			   u64 *word);

extern const struct invariant slab_invariants[];
extern const u32 nr_slab_invariants;
extern const struct invariant slab_cpu_invariants[];
extern const u32 nr_slab_cpu_invariants;

#endif
