/*
 * Ending the kernel on purpose by misuse of objects. See kernel/crash.c; who notices each is mm/slab_free.c or
 * mm/slab_debug.c, and what is said then mm/slab_report.c's.
 *
 * The caches are debugged whatever mm.debug says, as reports then name who had the object.
 */
#include <base/string.h>
#include <kernel/crash.h>
#include <mm/kmalloc.h>

#include "crash_internal.h"

#define THING_BYTES 60u /* no multiple of 8: the last word is partly the object's */

static struct kmem_cache *make_cache(const char *name)
{
	return kmem_cache_create(name, THING_BYTES, 0, SLAB_DEBUG_ALL, NULL);
}

void crash_slab_double_free(void)
{
	struct kmem_cache *cache = make_cache("twice");
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object);
	kmem_cache_free(cache, object);
}

void crash_slab_wrong_cache(void)
{
	struct kmem_cache *mine = make_cache("mine"), *yours = make_cache("yours");
	void *object = kmem_cache_alloc(mine, GFP_KERNEL);

	kmem_cache_free(yours, object);
}

void crash_slab_inside(void)
{
	struct kmem_cache *cache = make_cache("inside");
	char *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kmem_cache_free(cache, object + 8);
}

void crash_slab_no_object(void)
{
	char local[THING_BYTES];
	void *volatile object = local;

	kfree(object);
}

static void write_at(volatile u8 *object, s64 byte)
{
	object[byte] = 0x41;
}

void crash_slab_overrun(void)
{
	struct kmem_cache *cache = make_cache("overrun");
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	write_at(object, THING_BYTES);
	kmem_cache_free(cache, object);
}

void crash_slab_underrun(void)
{
	struct kmem_cache *cache = make_cache("underrun");
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	write_at(object, -1);
	kmem_cache_free(cache, object);
}

/* Seen when it is next handed out, which is at once: there is no other free one that comes before. */
void crash_slab_use_after_free(void)
{
	struct kmem_cache *cache = make_cache("stale");
	void *object = kmem_cache_alloc(cache, GFP_KERNEL), *volatile again;

	kmem_cache_free(cache, object);
	write_at(object, 8);
	again = kmem_cache_alloc(cache, GFP_KERNEL);
	(void)again;
}
