/*
 * Fallback, private to the slab layer: the steps as they are traced. Theory in mm/slab_fallback.c.
 */
#ifndef MM_SLAB_FALLBACK_H
#define MM_SLAB_FALLBACK_H

/* TRACE_SLAB_FALLBACK's arg. */
enum slab_fallback_step {
	SLAB_FALLBACK_LOOK,   /* at a node */
	SLAB_FALLBACK_OBJECT, /* there was one */
	SLAB_FALLBACK_DRAIN,  /* CPUs are asked */
	SLAB_FALLBACK_PAGE,   /* a new slab */
	NR_SLAB_FALLBACK_STEPS
};

#endif
