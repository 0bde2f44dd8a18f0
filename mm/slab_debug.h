/*
 * What debugging adds to an object, and how its reports are made; private to the slab layer. Theory in
 * mm/slab_debug.c.
 */
#ifndef MM_SLAB_DEBUG_H
#define MM_SLAB_DEBUG_H

#include "slab.h"

/* Linux's, where the meaning is: people know them when they see them in a dump. */
#define SLAB_RED_BYTE   0xccu /* red zones, always */
#define SLAB_FREE_BYTE  0x6bu /* an object while it is free */
#define SLAB_FRESH_BYTE 0x5au /* when it is handed out, with SLAB_INIT_ON_ALLOC */

#define SLAB_TASK_BYTES 16

/* Once: who, when. */
struct slab_track {
	uintptr_t call_site;
	u64 when_ns; /* 0: never */
	u32 cpu;
	char task[SLAB_TASK_BYTES];
};

/*
 * At the end of an object's place, with SLAB_STORE_USER.
 *
 * SLAB-7 (check): of a debugged cache, red zones and the pattern of free objects are as they were left, and an object
 * that is out is not free in its slab's map. True at any time, for whoever has the home's lock.
 */
struct slab_owner {
	struct slab_track alloc; /* its holder's */
	struct slab_track freed; /* under its home's lock */
	u64 is_out;              /* atomic: from slab_debug_alloc() to slab_debug_free() */
};

static inline u8 *slab_place_end(const struct kmem_cache *cache, const void *object)
{
	return (u8 *)((uintptr_t)object - cache->object_offset + cache->size);
}

static inline struct slab_owner *slab_owner_of(const struct kmem_cache *cache, const void *object)
{
	return (struct slab_owner *)slab_place_end(cache, object) - 1;
}

/* Is it an object of this slab, or an address inside one, or between? */
static inline bool slab_is_object(const struct kmem_cache *cache, const struct page *slab,
				  const void *object)
{
	u32 i = slab_index(cache, slab, (const char *)object - cache->object_offset);

	return i < cache->nr_objects && slab_object(cache, slab, i) == object;
}

static inline bool slab_map_says_free(const struct page *slab, u32 i)
{
	return slab->slab_map[i / 64] >> i % 64 & 1;
}

/* A byte that somebody has written who should not have. */
struct slab_wrong {
	const void *object; /* whose place it is in */
	const u8 *at;       /* NULL: all is well */
	u8 want;            /* what should stand there */
};

/* All objects of a slab, by its map: false, and the first wrong byte. Its home's lock is held. */
bool slab_debug_is_intact_locked(const struct kmem_cache *cache, const struct page *slab,
				 struct slab_wrong *wrong);
/* One that is free by the map, and out by its owner; NULL: there is none. The same. */
const void *slab_debug_free_and_out_locked(const struct kmem_cache *cache, const struct page *slab);

/* --- mm/slab_report.c ---------------------------------------------------------------------------- */

/* `seen`: at which of its requests, and that is whose. */
_Noreturn void slab_report_written(const struct kmem_cache *cache, const struct slab_wrong *wrong,
				   const char *seen, uintptr_t call_site);
/* The lists of a node do not fit together at this slab. Its lock is held. */
_Noreturn void slab_report_list(const struct kmem_cache_node *node, const struct page *slab);

#endif
