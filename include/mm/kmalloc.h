/*
 * Memory by size: from the cache of the next larger class, or, above KMALLOC_MAX_CACHE_SIZE, from the buddy allocator.
 * Contexts as in <mm/slab.h>. A piece is aligned to 8 bytes, and to its size if that is a power of two.
 */
#ifndef MM_KMALLOC_H
#define MM_KMALLOC_H

#include <mm/slab.h>

#define KMALLOC_MAX_CACHE_SIZE 8192u
#define KMALLOC_MAX_SIZE       ((u64)PAGE_SIZE << MAX_ORDER)

/* What a request for nothing gets: not NULL, not to be touched, and kfree() knows it. */
#define ZERO_SIZE_PTR ((void *)16)

/* NULL: there is none that it may have, or size is above KMALLOC_MAX_SIZE. */
void *kmalloc(size_t size, gfp_t gfp) __must_check;
void *kmalloc_node(size_t size, gfp_t gfp, int nid) __must_check;
/* NULL and ZERO_SIZE_PTR are ignored. What is nobody's panics, naming what it is. */
void kfree(void *object);
/* What may be used of it: the size of its class, at least what was asked for. 0 of NULL and of ZERO_SIZE_PTR. */
size_t ksize(const void *object);
/*
 * Another size for it, its content up to the smaller of both; perhaps elsewhere. NULL: there is no memory, and the
 * old one is as it was; never of less than before. Of NULL: kmalloc(); to 0: kfree() and ZERO_SIZE_PTR. With __GFP_ZERO what comes to it is zero, if
 * all requests of the piece were with it. Where it stays where it is, zone and node are not asked for again.
 */
void *krealloc(void *object, size_t size, gfp_t gfp) __must_check;

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

static inline void *kzalloc_node(size_t size, gfp_t gfp, int nid)
{
	return kmalloc_node(size, gfp | __GFP_ZERO, nid);
}

/* n of a size each; NULL if that is more than a size can say. */
static inline void *kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kmalloc(bytes, gfp);
}

static inline void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kmalloc_array(n, size, gfp | __GFP_ZERO);
}

#endif
