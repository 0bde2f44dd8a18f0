/*
 * Detection by mm.debug: what is written where nobody may write, and freed more often than allocated.
 *
 *	level 1   SLAB_STORE_USER      who allocated each object, who freed it last; double free at every free
 *	      2   + SLAB_RED_ZONE      a zone on either side of it that nobody may write
 *	          + SLAB_POISON        a pattern in it while it is free
 *	      3   + SLAB_INIT_ON_ALLOC another when it is handed out: who reads it unwritten, reads that
 *	          + SLAB_CHECK_ALL     at each free all objects of the slab are looked at
 *
 * An object's place in its slab is then wider than the object:
 *
 *	|<------------------------------- size: a multiple of align ----------------------------->|
 *	+-----------+-------------------------------+---------------------------+-----------------+
 *	| cc ... cc | object: 6b ... 6b while free  | cc ... cc and the padding | struct          |
 *	| red zone  |         5a ... 5a when new    | red zone                  | slab_owner      |
 *	+-----------+-------------------------------+---------------------------+-----------------+
 *	^ place     ^ object_offset: a multiple of align
 *
 * The zones are the same for a free object and for one that is out, so looking at them needs nothing of its holder.
 * The pattern is complete before the object's bit says "free", and is looked at again after the bit has said "taken"
 * and before anybody gets the object: what differs then was written by who had freed it, or had never had it.
 *
 *	allocate   bit cleared | zones and pattern as left? | fresh pattern, owner | the object is its holder's
 *	free       an object? free already? zones as left? | owner | pattern | bit set
 *
 * A cache that is debugged has no stacks: each request comes by mm/slab_request.c, each free by mm/slab_free.c, and
 * the map alone says what is free. Two CPUs that free one object at the same time both find its bit clear; `is_out` of its
 * owner, cleared under the lock, tells the second from the first.
 *
 * An object with a constructor keeps what its last holder has left in it, so it has zones but no patterns. What
 * would not fit into a slab with what is added gets nothing added; and what would not with what its cache asks for is not
 * debugged at all, but for the always-on checks.
 *
 * What works without mm.debug is to work with it. A request with __GFP_NOFAIL is refused above
 * GFP_NOFAIL_MAX_ORDER, so an object that fits into such a block, with what its cache asks for itself, does so with what
 * mm.debug adds as well: that gives up by and by what takes room (`less`), the zone before first. An object aligned to a
 * page would pay a page for that zone. Of one of 4 KiB so the zone behind and the owner are left, of one of 8 KiB the
 * patterns. Flags that a cache asks for itself are not touched.
 *
 * Lock: the home's, interrupts off, for the map and who freed it. What is found is said after it is released.
 *
 * Source: Linux mm/slub.c and mm/slab.c, for the patterns' values; Bonwick 1994, for the idea.
 */
#include "slab_debug.h"

#include <base/atomic.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/os_task.h>

#include "vmstat.h"

#define RED_ZONE_BYTES 8u
#define NR_LEVELS      4u

u32 slab_debug_flags;

void slab_debug_choose(u32 level)
{
	static const u32 flags_of[NR_LEVELS] = {
		0,
		SLAB_STORE_USER,
		SLAB_STORE_USER | SLAB_RED_ZONE | SLAB_POISON,
		SLAB_DEBUG_ALL,
	};

	slab_debug_flags = flags_of[MIN(level, NR_LEVELS - 1)];
}

/* --- Layout ------------------------------------------------------------------------------------------- */

#define NOFAIL_MAX_BYTES ((u32)PAGE_SIZE << GFP_NOFAIL_MAX_ORDER)

/* What is given up where it would take too much room, the first of these that helps; with the last it takes none. */
static const struct {
	u32 flags;
	bool zone_before;
} less[] = {
	{0, false},
	{0, true},
	{SLAB_STORE_USER, false},
	{SLAB_STORE_USER, true},
	{SLAB_STORE_USER | SLAB_RED_ZONE, true},
};

/* Size, and offset of the object, with these flags. */
static void lay_out_place(struct kmem_cache *cache, u32 flags, bool zone_before)
{
	u32 red = flags & SLAB_RED_ZONE ? RED_ZONE_BYTES : 0;
	u32 owner = flags & SLAB_STORE_USER ? sizeof(struct slab_owner) : 0;

	cache->object_offset = zone_before ? ALIGN_UP(red, cache->align) : 0;
	cache->size =
		ALIGN_UP(cache->object_offset + ALIGN_UP(cache->object_size, 8u) + red + owner,
			 cache->align);
}

void slab_debug_layout(struct kmem_cache *cache, u32 more)
{
	u32 own = cache->flags, most = SLAB_MAX_SIZE, steps = 1, i = 0;

	/* With what it asks for, which it has whatever that takes. */
	lay_out_place(cache, own, true);
	if (cache->size <= NOFAIL_MAX_BYTES) {
		most = NOFAIL_MAX_BYTES;
		steps = ARRAY_SIZE(less);
	}
	do {
		cache->flags = own | (more & ~less[i].flags);
		lay_out_place(cache, cache->flags, !less[i].zone_before || (own & SLAB_RED_ZONE));
	} while (cache->size > most && ++i < steps);
	if (cache->size > most) {
		cache->flags = own;
		lay_out_place(cache, own, true);
	}
	if (cache->size > most) {
		cache->flags = own & ~SLAB_DEBUG_ALL;
		lay_out_place(cache, cache->flags, true);
	}
	if (cache->ctor)
		cache->flags &= ~(SLAB_POISON | SLAB_INIT_ON_ALLOC);
}

/* Where the zone behind the object ends: at its owner, or at the next one's place. */
static u8 *zone_end(const struct kmem_cache *cache, const void *object)
{
	u8 *end = slab_place_end(cache, object);

	return cache->flags & SLAB_STORE_USER ? end - sizeof(struct slab_owner) : end;
}

void slab_debug_slab_made(struct kmem_cache *cache, struct page *slab)
{
	for (u32 i = 0; i < cache->nr_objects; i++) {
		u8 *object = slab_object(cache, slab, i);
		u8 *end = object + cache->object_size;

		if (cache->flags & SLAB_RED_ZONE) {
			memset(object - cache->object_offset, SLAB_RED_BYTE, cache->object_offset);
			memset(end, SLAB_RED_BYTE, (size_t)(zone_end(cache, object) - end));
		}
		if (cache->flags & SLAB_POISON)
			memset(object, SLAB_FREE_BYTE, cache->object_size);
		if (cache->flags & SLAB_STORE_USER)
			memset(slab_owner_of(cache, object), 0, sizeof(struct slab_owner));
	}
}

/* --- Looking ------------------------------------------------------------------------------------------ */

/* The first byte of [at, end) that is not `want`, or NULL; words, where they are whole. */
static const u8 *first_other(const u8 *at, const u8 *end, u8 want)
{
	const u64 word = want * 0x0101010101010101ull;

	while (at < end) {
		if (IS_ALIGNED((uintptr_t)at, 8) && end - at >= 8 && *(const u64 *)at == word) {
			at += 8;
			continue;
		}
		if (*at != want)
			return at;
		at++;
	}
	return NULL;
}

/* Zones, and of a free one the pattern. The zone before it first: what comes first has come from before. */
static bool is_intact(const struct kmem_cache *cache, const void *object, bool is_free,
		      struct slab_wrong *wrong)
{
	const u8 *start = object, *end = start + cache->object_size;

	*wrong = (struct slab_wrong){.object = object, .want = SLAB_RED_BYTE};
	if (cache->flags & SLAB_RED_ZONE) {
		wrong->at = first_other(start - cache->object_offset, start, SLAB_RED_BYTE);
		if (!wrong->at)
			wrong->at = first_other(end, zone_end(cache, object), SLAB_RED_BYTE);
	}
	if (!wrong->at && is_free && (cache->flags & SLAB_POISON)) {
		wrong->want = SLAB_FREE_BYTE;
		wrong->at = first_other(start, end, SLAB_FREE_BYTE);
	}
	return !wrong->at;
}

bool slab_debug_is_intact_locked(const struct kmem_cache *cache, const struct page *slab,
				 struct slab_wrong *wrong)
{
	for (u32 i = 0; i < cache->nr_objects; i++)
		if (!is_intact(cache, slab_object(cache, slab, i), slab_map_says_free(slab, i),
			       wrong))
			return false;
	return true;
}

const void *slab_debug_free_and_out_locked(const struct kmem_cache *cache, const struct page *slab)
{
	for (u32 i = 0; (cache->flags & SLAB_STORE_USER) && i < cache->nr_objects; i++) {
		const void *object = slab_object(cache, slab, i);

		/* Relaxed: who frees it has cleared this under the lock, before the bit was set under it. */
		if (slab_map_says_free(slab, i) &&
		    load_relaxed(&slab_owner_of(cache, object)->is_out))
			return object;
	}
	return NULL;
}

/* --- Requests ----------------------------------------------------------------------------------------- */

static void record(struct slab_track *track, uintptr_t call_site)
{
	track->call_site = call_site;
	track->when_ns = arch_timestamp_to_ns(arch_timestamp()) | 1; /* not 0: it was once */
	track->cpu = smp_processor_id();
	snprintf(track->task, sizeof(track->task), "%s",
		 os_in_interrupt() ? "an interrupt" : os_current_name());
}

void slab_debug_alloc(struct kmem_cache *cache, void *object, uintptr_t call_site)
{
	struct slab_wrong wrong;

	vmstat_count(VMSTAT_SLAB_DEBUG_ALLOC);
	if (!is_intact(cache, object, true, &wrong))
		slab_report_written(cache, &wrong, "allocated", call_site);
	if (cache->flags & SLAB_INIT_ON_ALLOC)
		memset(object, SLAB_FRESH_BYTE, cache->object_size);
	if (cache->flags & SLAB_STORE_USER) {
		struct slab_owner *owner = slab_owner_of(cache, object);

		record(&owner->alloc, call_site);
		/* Relaxed: who frees it got it from who allocated it; who frees it without may see either. */
		store_relaxed(&owner->is_out, 1);
	}
}

/* Notes that it is freed; false: it was already. */
static bool mark_freed_locked(const struct kmem_cache *cache, const struct page *slab, void *object,
			      uintptr_t call_site)
{
	u32 i = slab_index(cache, slab, (char *)object - cache->object_offset);
	struct slab_owner *owner;

	if (slab_map_says_free(slab, i))
		return false;
	if (!(cache->flags & SLAB_STORE_USER))
		return true;
	owner = slab_owner_of(cache, object);
	/* Relaxed: two that free it are told apart by the lock. */
	if (!load_relaxed(&owner->is_out))
		return false;
	store_relaxed(&owner->is_out, 0);
	record(&owner->freed, call_site);
	return true;
}

void slab_debug_free(struct kmem_cache *cache, void *object, uintptr_t call_site)
{
	struct page *slab = slab_of(cache, object);
	struct kmem_cache_node *home = slab->slab_home;
	struct slab_wrong wrong;
	bool intact, once = true;
	unsigned long flags;

	vmstat_count(VMSTAT_SLAB_DEBUG_FREE);
	if (!slab_is_object(cache, slab, object))
		slab_report_bad_free(cache, object, "is no object", call_site);
	flags = spin_lock_irqsave(&home->lock);
	intact = cache->flags & SLAB_CHECK_ALL ? slab_debug_is_intact_locked(cache, slab, &wrong)
					       : is_intact(cache, object, false, &wrong);
	if (intact)
		once = mark_freed_locked(cache, slab, object, call_site);
	spin_unlock_irqrestore(&home->lock, flags);
	if (!intact)
		slab_report_written(cache, &wrong,
				    wrong.object == object ? "freed"
							   : "looked at, as another was freed",
				    call_site);
	if (!once)
		slab_report_bad_free(cache, object, "is free already", call_site);
	if (cache->flags & SLAB_POISON)
		memset(object, SLAB_FREE_BYTE, cache->object_size);
}
