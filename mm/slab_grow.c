/*
 * Pages become slabs, and slabs pages again.
 *
 *	slab_grow     a block from the page allocator      NULL: none, nothing is left behind
 *	    |
 *	slab_make     its map, all of it free              a piece of kmalloc memory, if it does not fit: the only
 *	    |                                              request under a request, and no deeper (mm/slab_geometry.c)
 *	    |         a colour: where its first object is
 *	    |         the home, in each of its pages       from here on kfree() knows whose its objects are
 *	    |         PAGE_MARK_SLAB                       and __free_pages() that it is not to be freed
 *	    |         the constructor, on each object
 *	    v
 *	the caller's, who publishes it: mm/slab_node.c
 *	    |
 *	    v         by the list's owner, all objects free, off all lists
 *	slab_give_back    the same backwards: mark, homes, map, block
 *
 * A slab belongs to the node that its pages are of, wherever they were asked for: its home is found by the page. So
 * who could not be served by its node grows another's, and the objects go home there.
 *
 * The word that says whose a page is stands where no other holder of pages has anything that could be taken for it, and it
 * is cleared before the page is anybody's: so it is never stale, and a page that is no slab's leads nowhere.
 *
 * No lock is taken and none of mm/ may be held.
 *
 * Source: Linux mm/slab.c (4.4), cache_grow() and slab_destroy(), for what belongs to it. There the node was once
 * taken from the request, and a failure in the middle freed the pages twice: here pages have one owner at a time.
 */
#include "slab.h"

#include <base/assert.h>
#include <base/string.h>
#include <mm/kmalloc.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>

#include "vmstat.h"

/* What is said of the objects' pages, and neither of their map nor of the block. */
#define GFP_NOT_FOR_MAPS   (__GFP_ZERO | __GFP_MOVABLE | __GFP_DMA | __GFP_DMA32 | __GFP_THISNODE)
#define GFP_NOT_FOR_BLOCKS (__GFP_ZERO | __GFP_MOVABLE)

/* NULL: there is no memory for it. */
static u64 *map_memory(const struct kmem_cache *cache, struct page *slab, gfp_t gfp)
{
	switch (cache->map_kind) {
	case SLAB_MAP_IN_PAGE:
		return &slab->slab_bits;
	case SLAB_MAP_ON_SLAB:
		return (u64 *)(void *)(slab_first(slab) + (u64)cache->nr_objects * cache->size);
	default:
		return kmalloc_node(cache->map_bytes, gfp & ~GFP_NOT_FOR_MAPS, slab->nid);
	}
}

static void set_all_free(const struct kmem_cache *cache, struct page *slab)
{
	u32 last = cache->nr_objects % 64;

	memset(slab->slab_map, 0xff, cache->map_bytes);
	if (last)
		slab->slab_map[cache->nr_objects / 64] = ((u64)1 << last) - 1;
	slab->slab_nr_free = cache->nr_objects;
}

/* Relaxed: who frees what is no object may look at any page at any time. */
static void set_home(const struct kmem_cache *cache, struct page *slab,
		     struct kmem_cache_node *home)
{
	for (u64 i = 0; i < (u64)1 << cache->order; i++)
		store_relaxed(&slab[i].slab_home, home);
}

struct page *slab_make(struct kmem_cache *cache, struct page *page, gfp_t gfp)
{
	struct kmem_cache_node *home = cache->node[page->nid];
	/* Relaxed: two slabs of one colour would do no harm. */
	u32 colour = __atomic_fetch_add(&home->next_colour, 1, __ATOMIC_RELAXED) % cache->colours;

	ASSERT_MSG(home != &slab_no_home && page->order == cache->order &&
			   page->state == PAGE_ALLOCATED,
		   "a slab of %s from pfn 0x%llx (node %u, order %u, %s)", cache->name,
		   (unsigned long long)page_to_pfn(page), page->nid, page->order,
		   page_state_name((enum page_state)page->state));
	page->slab_offset = colour * cache->colour_bytes;
	page->slab_map = map_memory(cache, page, gfp);
	if (!page->slab_map)
		return NULL;
	set_all_free(cache, page);
	slab_debug_slab_made(cache, page);
	for (u32 i = 0; cache->ctor && i < cache->nr_objects; i++)
		cache->ctor(slab_object(cache, page, i));
	set_home(cache, page, home);
	page_set_mark(page, PAGE_MARK_SLAB);
	vmstat_count(VMSTAT_SLAB_GROW);
	trace(TRACE_SLAB_GROW, .id = (u64)(uintptr_t)cache, .arg = page_to_pfn(page),
	      .nid = page->nid, .order = (u8)cache->order);
	return page;
}

struct page *slab_grow(struct kmem_cache *cache, int nid, gfp_t gfp)
{
	struct page *page, *slab;

	gfp = (gfp | cache->zone_gfp) & ~GFP_NOT_FOR_BLOCKS;
	page = alloc_pages_node(nid, gfp, cache->order);
	if (!page)
		return NULL;
	slab = slab_make(cache, page, gfp);
	if (!slab)
		__free_pages(page, cache->order);
	return slab;
}

static void give_back_one(struct kmem_cache *cache, struct page *slab)
{
	ASSERT_MSG(slab->slab_nr_free == cache->nr_objects && slab->slab_home->cache == cache,
		   "slab at pfn 0x%llx of cache %s goes with %u of %u objects free",
		   (unsigned long long)page_to_pfn(slab), cache->name, slab->slab_nr_free,
		   cache->nr_objects);
	if (cache->map_kind == SLAB_MAP_OFF_SLAB)
		kfree(slab->slab_map);
	vmstat_count(VMSTAT_SLAB_GIVE_BACK);
	trace(TRACE_SLAB_GIVE, .id = (u64)(uintptr_t)cache, .arg = page_to_pfn(slab),
	      .nid = slab->nid, .order = (u8)cache->order);
	set_home(cache, slab, NULL);
	page_clear_mark(slab, PAGE_MARK_SLAB);
	__free_pages(slab, cache->order);
}

u64 slab_give_back(struct kmem_cache *cache, struct list_head *surplus)
{
	u64 pages = 0;

	while (!list_empty(surplus)) {
		struct page *slab = list_first_entry(surplus, struct page, slab_link);

		list_unlink(&slab->slab_link);
		give_back_one(cache, slab);
		pages += (u64)1 << cache->order;
	}
	return pages;
}
