/*
 * A request's steps, private to the slab layer: what mm/slab_request.c and mm/slab_fallback.c share.
 */
#ifndef MM_SLAB_REQUEST_H
#define MM_SLAB_REQUEST_H

#include "slab.h"

/* An object that this CPU, or the home itself, has: no page is asked for. NULL: there is none. */
void *slab_take_from_home(struct kmem_cache_node *home);
/* The new slab joins its home; its maker gets its first object. */
void *slab_publish(struct kmem_cache_node *home, struct page *slab);
/* A new slab by these rules, on the lists of the node that its page came from; its first object, or NULL. */
void *slab_grow_on(struct kmem_cache *cache, int nid, gfp_t gfp);
/* mm/slab_fallback.c. Of this node or none, and without reclaim: that is for when there is nothing anywhere else either. */
gfp_t slab_near_gfp(gfp_t gfp);

#endif
