/*
 * The list of caches, for who creates and destroys them: see mm/slab_list.c. Walkers' part is in slab.h.
 */
#ifndef MM_SLAB_LIST_H
#define MM_SLAB_LIST_H

#include "slab.h"

/* False: another has its name. */
bool slab_list_join(struct kmem_cache *cache);
/* Of one that is going: waits for who opens or closes its stacks; from here on nobody meets it. May sleep. */
void slab_list_leave(struct kmem_cache *cache);
/*
 * From here on nobody begins with it but who opens or closes all stacks, and those who had begun are through. False:
 * it is going already. May sleep.
 */
bool slab_list_begin_to_go(struct kmem_cache *cache);
/* After all it does not go. */
void slab_list_stay(struct kmem_cache *cache);
/* Waits for a turn to change its stacks, until slab_stacks_release(); false: it has taken too long. May sleep. */
bool slab_list_take_turn(struct kmem_cache *cache);

#endif
