/*
 * In which order free objects are handed out. Theory in mm/slab_order.c.
 */
#ifndef MM_SLAB_ORDER_H
#define MM_SLAB_ORDER_H

#include "slab.h"

/* Chosen at boot; read relaxed. */
extern bool slab_random_order;

/* nr free objects of a slab that has so many, drawn one by one; slab_nr_free is the caller's. Its node's lock is held. */
void slab_take_at_random(const struct kmem_cache *cache, struct page *slab, void **into, u32 nr);

#endif
