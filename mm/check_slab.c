/*
 * The invariants of slabs: what stands on the lists of a cache's homes, and in the memory map.
 *
 * A home is looked at under its lock: no slab comes to its lists or leaves them meanwhile, and no map changes, however
 * busy other CPUs are. Walks are bounded by its count; links, maps and homes are words that may be anything, and are
 * asked first whether they lead anywhere. A cache is kept from going while its homes are looked at.
 *
 * That no slab is lost is seen in two steps. Each slab on a list gets the number of this look (slab_checked, under
 * the home's lock). Then the memory map is walked from head to head, without a lock: a marked page that has another
 * number is on no list. It may be on its way, for a moment: made and not yet on a list, or off it and not yet given
 * back; for longer, if who is at it is stopped there. So there are CHECK_LOOKS looks, with waits between, and what is a
 * stray in each of them is lost. Only one may look so at a time.
 *
 * What CPUs have on their stacks, and the caches themselves: mm/check_slab_cpu.c.
 */
#include <arch/page.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/math.h>

#include "buddy_area.h"
#include "check_internal.h"
#include "check_slab.h"
#include "slab_debug.h"

#define ULL(x)     ((unsigned long long)(x))
#define MAX_STRAYS 16
/* Caches may be made while we walk along them; more than so many are a circle. */
#define MAX_MORE_CACHES 1024

enum { FULL, PARTIAL, FREE, NR_LISTS };
static const char *const list_names[NR_LISTS] = {"full", "partial", "free"};

/* --- Every home -------------------------------------------------------------------------------------- */

bool check_is_home(const struct kmem_cache_node *home)
{
	uintptr_t at = (uintptr_t)home;
	u64 self;

	return IS_ALIGNED(at, sizeof(u64)) &&
	       load_or_fault((const u64 *)(at + offsetof(struct kmem_cache_node, self)), &self) &&
	       self == at;
}

void check_caches(struct check *c, void (*look)(struct check *c, struct kmem_cache *cache))
{
	/* Relaxed: before the first there is no list. */
	u64 most = load_relaxed(&slab_caches.nr), nr = 0;
	struct kmem_cache *cache = NULL;

	if (most == 0)
		return;
	while (nr++ < most + MAX_MORE_CACHES && (cache = slab_cache_next(cache)) != NULL)
		look(c, cache);
	if (cache) {
		check_fail(c, "the list of caches goes on behind the last of %llu", ULL(most));
		slab_cache_put(cache);
	}
}

void check_homes(struct check *c, struct kmem_cache *cache,
		 void (*look_locked)(struct check *c, struct kmem_cache_node *home))
{
	int nid;

	for_each_node(nid) {
		struct kmem_cache_node *home = cache->node[nid];
		unsigned long flags;

		/* CACHES-2 says so of one that is none. */
		if (home == &slab_no_home || !check_is_home(home) || home->cache != cache)
			continue;
		flags = spin_lock_irqsave(&home->lock);
		look_locked(c, home);
		spin_unlock_irqrestore(&home->lock, flags);
	}
}

/* --- Lists ------------------------------------------------------------------------------------------- */

static const struct list_head *list_of(const struct kmem_cache_node *home, u32 list)
{
	return list == FULL ? &home->full : list == PARTIAL ? &home->partial : &home->free;
}

/* The page whose slab_link this is, or NULL if it is no page's. */
static struct page *link_page(const struct list_head *link)
{
	uintptr_t at = (uintptr_t)link - offsetof(struct page, slab_link);

	if (at < VMEMMAP_BASE || !IS_ALIGNED(at - VMEMMAP_BASE, sizeof(struct page)) ||
	    !pfn_valid((at - VMEMMAP_BASE) / sizeof(struct page)))
		return NULL;
	return (struct page *)at;
}

/* As far as the links lead to pages, and no further than the home's count. */
static void for_each_slab_locked(struct check *c, struct kmem_cache_node *home,
				 void (*look_locked)(struct check *c, struct kmem_cache_node *home,
						     u32 list, struct page *slab))
{
	for (u32 list = 0; list < NR_LISTS; list++) {
		const struct list_head *head = list_of(home, list), *at = head->next;
		struct page *slab;

		for (u64 seen = 0; at != head && seen < home->nr_slabs; seen++) {
			slab = link_page(at);
			if (!slab)
				break; /* SLAB-3 says so */
			at = at->next;
			look_locked(c, home, list, slab);
		}
	}
}

/* Relaxed, here and below: who frees what is no object looks at any page at any time. */
static bool is_marked(const struct page *page)
{
	return PAGE_HEAD_MARKS(load_relaxed(&page->head)) & PAGE_MARK_SLAB;
}

/* So far that its pages, its objects and its map may be looked at. */
static bool is_slab_of(const struct kmem_cache_node *home, const struct page *slab)
{
	const struct kmem_cache *cache = home->cache;

	return slab->state == PAGE_ALLOCATED && slab->order == cache->order &&
	       slab->nid == home->nid && is_marked(slab) &&
	       IS_ALIGNED(page_to_pfn(slab), (pfn_t)1 << cache->order) &&
	       load_relaxed(&slab->slab_home) == home;
}

static bool fits_its_list(const struct kmem_cache *cache, u32 list, u32 nr_free)
{
	if (list == FULL)
		return nr_free == 0;
	return list == FREE ? nr_free == cache->nr_objects
			    : nr_free > 0 && nr_free < cache->nr_objects;
}

static void entry_locked(struct check *c, struct kmem_cache_node *home, u32 list, struct page *slab)
{
	const struct kmem_cache *cache = home->cache;
	u64 pages = (u64)1 << cache->order;

	c->report->items++;
	if (!is_slab_of(home, slab)) {
		check_fail(c, "%s, node %d, %s: pfn 0x%llx is %s, order %u, marks 0x%x, node %u",
			   cache->name, home->nid, list_names[list], ULL(page_to_pfn(slab)),
			   page_state_name((enum page_state)slab->state), slab->order, slab->marks,
			   slab->nid);
		return;
	}
	for (u64 i = 1; i < pages; i++) {
		if (load_relaxed(&slab[i].slab_home) != home)
			check_fail(c,
				   "%s, node %d: page %llu of the slab at pfn 0x%llx is another's",
				   cache->name, home->nid, ULL(i), ULL(page_to_pfn(slab)));
	}
	if (!fits_its_list(cache, list, slab->slab_nr_free) ||
	    slab->slab_offset + (u64)cache->nr_objects * cache->size > pages << PAGE_SHIFT)
		check_fail(c,
			   "%s, node %d: pfn 0x%llx is on %s with %u of %u free, the first at %u",
			   cache->name, home->nid, ULL(page_to_pfn(slab)), list_names[list],
			   slab->slab_nr_free, cache->nr_objects, slab->slab_offset);
}

static void entries_locked(struct check *c, struct kmem_cache_node *home)
{
	for_each_slab_locked(c, home, entry_locked);
}

static void slab_entries(struct check *c, struct kmem_cache *cache)
{
	check_homes(c, cache, entries_locked);
}

/* --- Maps -------------------------------------------------------------------------------------------- */

static bool map_is_in_place(const struct kmem_cache *cache, const struct page *slab)
{
	switch (cache->map_kind) {
	case SLAB_MAP_IN_PAGE:
		return slab->slab_map == &slab->slab_bits;
	case SLAB_MAP_ON_SLAB:
		return (char *)slab->slab_map ==
		       slab_first(slab) + (u64)cache->nr_objects * cache->size;
	default:
		return IS_ALIGNED((uintptr_t)slab->slab_map, sizeof(u64));
	}
}

bool check_map_word_locked(const struct kmem_cache *cache, const struct page *slab, u32 w,
			   u64 *word)
{
	if (!map_is_in_place(cache, slab))
		return false;
	/* In the page it is no memory of anybody's; elsewhere it may be anywhere. */
	if (cache->map_kind == SLAB_MAP_IN_PAGE) {
		*word = slab->slab_bits;
		return true;
	}
	return load_or_fault(&slab->slab_map[w], word);
}

static void map_locked(struct check *c, struct kmem_cache_node *home, u32 list, struct page *slab)
{
	const struct kmem_cache *cache = home->cache;
	u32 in_last = cache->nr_objects % 64, free = 0;
	u64 word = 0;

	(void)list;
	c->report->items++;
	if (!is_slab_of(home, slab))
		return; /* SLAB-1 says so */
	for (u32 w = 0; w < DIV_ROUND_UP(cache->nr_objects, 64u); w++) {
		if (!check_map_word_locked(cache, slab, w, &word)) {
			check_fail(c, "%s, node %d: the map of the slab at pfn 0x%llx is at %p",
				   cache->name, home->nid, ULL(page_to_pfn(slab)),
				   (const void *)slab->slab_map);
			return;
		}
		free += count_bits(word);
	}
	if (free != slab->slab_nr_free || (in_last && word >> in_last))
		check_fail(
			c,
			"%s, node %d: the slab at pfn 0x%llx has %u bits set and %u objects free; "
			"the last word is 0x%llx",
			cache->name, home->nid, ULL(page_to_pfn(slab)), free, slab->slab_nr_free,
			ULL(word));
}

static void maps_locked(struct check *c, struct kmem_cache_node *home)
{
	for_each_slab_locked(c, home, map_locked);
}

static void slab_maps(struct check *c, struct kmem_cache *cache)
{
	check_homes(c, cache, maps_locked);
}

/* --- What debugging has put around objects ------------------------------------------------------------ */

static void patterns_locked(struct check *c, struct kmem_cache_node *home, u32 list,
			    struct page *slab)
{
	const struct kmem_cache *cache = home->cache;
	struct slab_wrong wrong;
	const void *out;

	(void)list;
	c->report->items++;
	if (!is_slab_of(home, slab) || !map_is_in_place(cache, slab))
		return; /* SLAB-1 and SLAB-2 say so */
	if (!slab_debug_is_intact_locked(cache, slab, &wrong))
		check_fail(c, "%s, node %d: byte %lld of the object at %p is 0x%02x, not 0x%02x",
			   cache->name, home->nid, (long long)(wrong.at - (const u8 *)wrong.object),
			   wrong.object, *wrong.at, wrong.want);
	out = slab_debug_free_and_out_locked(cache, slab);
	if (out)
		check_fail(c, "%s, node %d: the object at %p is free, and out", cache->name,
			   home->nid, out);
}

static void debugged_locked(struct check *c, struct kmem_cache_node *home)
{
	if (home->cache->flags & SLAB_DEBUG_ALL)
		for_each_slab_locked(c, home, patterns_locked);
}

static void slab_patterns(struct check *c, struct kmem_cache *cache)
{
	check_homes(c, cache, debugged_locked);
}

/* --- Counts ------------------------------------------------------------------------------------------ */

/* A list's length, and the objects that are free in its slabs. */
static u64 length_locked(struct check *c, const struct kmem_cache_node *home, u32 list,
			 u64 *objects)
{
	const struct list_head *head = list_of(home, list), *at = head->next, *previous = head;
	u64 seen = 0;

	while (at != head && seen <= home->nr_slabs && link_page(at)) {
		if (at->prev != previous)
			check_fail(c, "%s, node %d, %s: the link back of slab %llu is wrong",
				   home->cache->name, home->nid, list_names[list], ULL(seen));
		*objects += link_page(at)->slab_nr_free;
		previous = at;
		at = at->next;
		seen++;
	}
	if (at != head || head->prev != previous)
		check_fail(c, "%s, node %d, %s: a broken link after %llu slabs", home->cache->name,
			   home->nid, list_names[list], ULL(seen));
	return seen;
}

static void counts_locked(struct check *c, struct kmem_cache_node *home)
{
	u64 slabs = 0, objects = 0, free = 0;

	for (u32 list = 0; list < NR_LISTS; list++) {
		free = length_locked(c, home, list, &objects);
		slabs += free;
	}
	c->report->items++;
	if (slabs != home->nr_slabs || free != home->nr_free_slabs ||
	    objects != home->nr_free_objects)
		check_fail(c,
			   "%s, node %d: %llu slabs, %llu free, %llu objects free; counted %llu, "
			   "%llu, %llu",
			   home->cache->name, home->nid, ULL(slabs), ULL(free), ULL(objects),
			   ULL(home->nr_slabs), ULL(home->nr_free_slabs),
			   ULL(home->nr_free_objects));
}

static void slab_counts(struct check *c, struct kmem_cache *cache)
{
	check_homes(c, cache, counts_locked);
}

/* --- The memory map ---------------------------------------------------------------------------------- */

/* Whose turn it is, by exchange; the rest is his. */
static bool looking;
/* Of this look. It begins where nobody counts: other holders of pages have words there, too. */
static u64 look_number = (u64)0x51ab << 48;
static struct strays {
	pfn_t pfn[MAX_STRAYS];
	u32 nr;
	bool more; /* there were others */
} strays;

static void number_locked(struct check *c, struct kmem_cache_node *home, u32 list,
			  struct page *slab)
{
	(void)list;
	if (is_slab_of(home, slab)) {
		c->report->items++;
		store_relaxed(&slab->slab_checked, look_number);
	}
}

static void numbers_locked(struct check *c, struct kmem_cache_node *home)
{
	for_each_slab_locked(c, home, number_locked);
}

static void number_slabs(struct check *c, struct kmem_cache *cache)
{
	check_homes(c, cache, numbers_locked);
}

static bool is_stray(pfn_t pfn)
{
	const struct page *page = pfn_to_page(pfn);

	/* Blocks that kmalloc() has from the page allocator are on no list. */
	return is_marked(page) && load_relaxed(&page->slab_checked) != look_number &&
	       load_relaxed(&page->slab_home) != &slab_large_home;
}

static void add_strays_of_zone(struct check *c, const struct zone *zone)
{
	pfn_t pfn = zone->start_pfn, end = pfn + zone->spanned_pages;

	while (pfn < end) {
		u64 frames;

		if (!pfn_valid(pfn)) {
			pfn += MAX_BLOCK_PAGES - pfn % MAX_BLOCK_PAGES;
			continue;
		}
		c->report->items++;
		frames = frames_at(pfn_to_page(pfn));
		if (page_is_of(pfn_to_page(pfn), zone) && is_stray(pfn)) {
			if (strays.nr < MAX_STRAYS)
				strays.pfn[strays.nr++] = pfn;
			else
				strays.more = true;
		}
		/* A head that cannot be one is not believed. */
		pfn += frames <= MAX_BLOCK_PAGES && IS_ALIGNED(pfn, frames) ? frames : 1;
	}
}

/* First all there are, as far as there is room; after that, those of them that still are. */
static void look(struct check *c)
{
	u32 nr = strays.nr;
	struct zone *zone;
	int nid;

	look_number++;
	check_caches(c, number_slabs);
	strays.nr = 0;
	for (u32 i = 0; i < nr; i++) {
		if (is_stray(strays.pfn[i]))
			strays.pfn[strays.nr++] = strays.pfn[i];
	}
	if (nr > 0 && (strays.nr > 0 || !strays.more))
		return;
	strays.more = false;
	for_each_zone(nid, zone)
		add_strays_of_zone(c, zone);
}

static void slab_strays(struct check *c)
{
	u32 looks = 0;

	/* Acquire and release: what the last one has left is seen. */
	if (__atomic_exchange_n(&looking, true, __ATOMIC_ACQUIRE))
		return;
	strays = (struct strays){.nr = 0};
	do {
		check_wait_a_moment(looks);
		look(c);
	} while (strays.nr > 0 && ++looks < CHECK_LOOKS);
	if (strays.nr > 0) {
		const struct page *page = pfn_to_page(strays.pfn[0]);
		const struct kmem_cache_node *home = load_relaxed(&page->slab_home);

		check_fail(c,
			   "node %u: pfn 0x%llx, and %u others, are marked and on no list: of %s",
			   page->nid, ULL(strays.pfn[0]), strays.nr - 1,
			   check_is_home(home) ? home->cache->name : "no cache");
	}
	store_release(&looking, false);
}

/* --- As invariants ----------------------------------------------------------------------------------- */

static void slab_3(struct check *c)
{
	check_caches(c, slab_counts);
}

static void slab_1(struct check *c)
{
	check_caches(c, slab_entries);
}

static void slab_2(struct check *c)
{
	check_caches(c, slab_maps);
}

static void slab_7(struct check *c)
{
	check_caches(c, slab_patterns);
}

const struct invariant slab_invariants[] = {
	{"SLAB-3", "a home counts slabs, free slabs and free objects as its lists have",
	 .run = slab_3},
	{"SLAB-1", "a slab is of its list's home with all pages, and as full as it says",
	 .run = slab_1},
	{"SLAB-2", "a slab's map has a bit for each free object, and no other", .run = slab_2},
	{"SLAB-7", "red zones and what is free are as they were; what is out is not free",
	 .run = slab_7},
	{"SLAB-6", "a page that is marked as a slab is on a list of its home", .run = slab_strays},
};
const u32 nr_slab_invariants = ARRAY_SIZE(slab_invariants);
