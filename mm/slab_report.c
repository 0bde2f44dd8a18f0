/*
 * What is said when an object is misused: what was done and by whom, which cache, which object and where it is, who
 * allocated it and who freed it last.
 *
 *	slab: double free by f+0x2f/0x50: 0xffff888001234148 is free already: object 3 of cache kmalloc-64 (slab pfn
 *	0x1234, node 0); allocated by g+0x1a/0x40; freed last by h+0x22/0x60
 *
 * That line is the panic's. What it has no room for (tasks, CPUs, times, the bytes around a wrong one) stands in the
 * log before it. Without SLAB_STORE_USER nobody knows who, and the line says how to learn it.
 *
 * An address that is nobody's object is said to be what it is: the state of its page, who has had it since boot, or,
 * where there is no memory, what the kernel knows of it (os_describe_address()).
 *
 * Contexts: any; no lock of mm/ is held, but slab_report_list(), which asks for none. Figures of a slab are read without
 * its lock: the report is of something that is wrong already.
 */
#include "slab_debug.h"

#include <base/format.h>
#include <mm/inspect.h>
#include <mm/lru.h>
#include <mm/memblock.h>
#include <mm/os.h>

#define ULL(x)        ((unsigned long long)(x))

#define TEXT_BYTES    256
#define DUMP_BYTES    16u
#define LEAKS_TO_NAME 16u
#define NS_PER_US     1000u

/* --- Who had it --------------------------------------------------------------------------------------- */

static void say_track(const char *what, const struct slab_track *track, u64 now_ns)
{
	char caller[OS_CALLER_BYTES];

	if (track->when_ns == 0)
		return;
	os_describe_caller(track->call_site, caller, sizeof(caller));
	os_log(OS_LOG_ERR, "slab", "  %s by %s, task '%.*s', CPU %u, %llu us ago", what, caller,
	       SLAB_TASK_BYTES, track->task, track->cpu,
	       ULL((now_ns - track->when_ns) / NS_PER_US));
}

static void say_owner(const struct slab_owner *owner)
{
	u64 now_ns = arch_timestamp_to_ns(arch_timestamp());

	say_track("allocated", &owner->alloc, now_ns);
	say_track("freed", &owner->freed, now_ns);
}

static void format_track(char *buf, size_t size, const struct slab_track *track)
{
	if (track->when_ns == 0)
		snprintf(buf, size, "nobody");
	else
		os_describe_caller(track->call_site, buf, size);
}

/* "; allocated by f; freed last by g". */
static void format_owner(char *buf, size_t size, const struct kmem_cache *cache, const void *object)
{
	char alloc[OS_CALLER_BYTES], freed[OS_CALLER_BYTES];
	const struct slab_owner *owner;

	if (!(cache->flags & SLAB_STORE_USER)) {
		snprintf(buf, size, "; mm.debug=1 would say by whom it was allocated and freed");
		return;
	}
	owner = slab_owner_of(cache, object);
	format_track(alloc, sizeof(alloc), &owner->alloc);
	format_track(freed, sizeof(freed), &owner->freed);
	snprintf(buf, size, "; allocated by %s; freed last by %s", alloc, freed);
}

/* --- Where it is -------------------------------------------------------------------------------------- */

/* The object whose place this is in: its index, or nr_objects or more, if it is in none's. */
static u32 index_of(const struct kmem_cache *cache, const struct page *slab, const void *address)
{
	if ((const char *)address < slab_first(slab))
		return UINT32_MAX;
	return slab_index(cache, slab, address);
}

/* "object 3 of cache kmalloc-64 (slab pfn 0x1234, node 0)", with how far into it, and who had it. */
static void format_place(char *buf, size_t size, const struct kmem_cache *cache,
			 const void *address)
{
	const struct page *slab = slab_of(cache, address);
	u32 i = index_of(cache, slab, address);
	char into[32] = "", owner[TEXT_BYTES] = "";

	if (slab->slab_home == &slab_large_home) {
		snprintf(buf, size, "%lld bytes into a kmalloc() of order %u (pfn 0x%llx, node %u)",
			 (long long)((const char *)address - (const char *)page_address(slab)),
			 slab->order, ULL(page_to_pfn(slab)), slab->nid);
		return;
	}
	if (i < cache->nr_objects) {
		const char *object = slab_object(cache, slab, i);
		s64 bytes = (const char *)address - object;

		if (bytes != 0)
			snprintf(into, sizeof(into), "%lld bytes into ", (long long)bytes);
		format_owner(owner, sizeof(owner), cache, object);
		snprintf(buf, size, "%sobject %u of cache %s (slab pfn 0x%llx, node %u)%s", into, i,
			 cache->name, ULL(page_to_pfn(slab)), slab->nid, owner);
		return;
	}
	snprintf(buf, size, "%s all objects of cache %s (slab pfn 0x%llx, node %u)",
		 i == UINT32_MAX ? "before" : "behind", cache->name, ULL(page_to_pfn(slab)),
		 slab->nid);
}

/* The log's part. */
static void say_object(const struct kmem_cache *cache, const void *address)
{
	const struct page *slab = slab_of(cache, address);
	u32 i = index_of(cache, slab, address);

	if (cache->nr_objects == 0) /* kmalloc()'s, of whole blocks */
		return;
	os_log(OS_LOG_ERR, "slab", "cache %s: objects of %u bytes in places of %u, %u of %u free",
	       cache->name, cache->object_size, cache->size, slab->slab_nr_free, cache->nr_objects);
	if (i < cache->nr_objects && (cache->flags & SLAB_STORE_USER))
		say_owner(slab_owner_of(cache, slab_object(cache, slab, i)));
}

/* --- Not freed as it should be ------------------------------------------------------------------------ */

/* What a page is that is no slab's. */
static void format_page(char *buf, size_t size, pfn_t pfn)
{
	struct page_snapshot page;
	const char *more = "";

	if (!page_snapshot(pfn, &page)) {
		snprintf(buf, size, "pfn 0x%llx is no memory", ULL(pfn));
		return;
	}
	if (page.head_pfn == NO_PFN) {
		snprintf(buf, size, "pfn 0x%llx is %s%s%s", ULL(pfn), page_state_name(page.state),
			 page.has_owner ? ", since boot: " : "",
			 page.has_owner ? memblock_owner_name(page.owner) : "");
		return;
	}
	if (page.lru != LRU_NONE)
		more = ", and is on an LRU";
	else if (page.head_state == PAGE_ALLOCATED)
		more = ", of alloc_pages() or a large kmalloc()";
	snprintf(buf, size, "pfn 0x%llx (node %d) is in a block of order %u that is %s%s", ULL(pfn),
		 page.nid, page.order, page_state_name(page.head_state), more);
}

/* Where it is, by what its page says; the home of its slab, or NULL. */
static const struct kmem_cache_node *format_address(char *buf, size_t size, const void *address)
{
	const struct kmem_cache_node *home;
	const char *what;

	home = slab_home_of(address, &what);
	if (home)
		format_place(buf, size, home->cache, address);
	else if (pfn_valid(virt_to_phys(address) >> PAGE_SHIFT))
		format_page(buf, size, virt_to_phys(address) >> PAGE_SHIFT);
	else
		os_describe_address(address, buf, size);
	return home;
}

_Noreturn void slab_report_bad_free(const struct kmem_cache *cache, const void *object,
				    const char *what, uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES] = "whom a CPU's stack does not say", place[TEXT_BYTES];
	const struct kmem_cache_node *home = format_address(place, sizeof(place), object);
	bool elsewhere = cache && (!home || home->cache != cache), again = false;

	if (home) {
		say_object(home->cache, object);
		again = !elsewhere &&
			slab_is_object(home->cache, slab_of(home->cache, object), object);
	}
	if (call_site)
		os_describe_caller(call_site, caller, sizeof(caller));
	os_panic("slab: %s%s%s by %s: 0x%lx %s: %s", again ? "double free" : "bad free",
		 elsewhere ? " to cache " : "", elsewhere ? cache->name : "", caller,
		 (unsigned long)object, what, place);
}

/* --- Written where nobody may ------------------------------------------------------------------------- */

/* Sixteen bytes with the wrong one among them, in its slab. */
static void say_bytes(const u8 *at)
{
	const u8 *from = (const u8 *)ALIGN_DOWN((uintptr_t)at, (uintptr_t)DUMP_BYTES);
	char text[DUMP_BYTES * 3 + 1];

	for (u32 i = 0; i < DUMP_BYTES; i++)
		snprintf(text + (size_t)i * 3, 4, " %02x", from[i]);
	os_log(OS_LOG_ERR, "slab", "  0x%lx:%s", (unsigned long)from, text);
}

_Noreturn void slab_report_written(const struct kmem_cache *cache, const struct slab_wrong *wrong,
				   const char *seen, uintptr_t call_site)
{
	s64 byte = wrong->at - (const u8 *)wrong->object;
	char caller[OS_CALLER_BYTES], place[TEXT_BYTES];
	const char *crime = byte < 0                          ? "underrun"
			    : byte >= (s64)cache->object_size ? "overrun"
							      : "use after free";

	say_object(cache, wrong->object);
	say_bytes(wrong->at);
	format_place(place, sizeof(place), cache, wrong->object);
	os_describe_caller(call_site, caller, sizeof(caller));
	os_panic("slab: %s: byte %lld of %u is 0x%02x, not 0x%02x, seen when it was %s by %s: "
		 "0x%lx is %s",
		 crime, (long long)byte, cache->object_size, *wrong->at, wrong->want, seen, caller,
		 (unsigned long)wrong->object, place);
}

_Noreturn void slab_report_list(const struct kmem_cache_node *node, const struct page *slab)
{
	const struct list_head *link = &slab->slab_link;

	os_panic("slab: corrupted list of cache %s on node %d: slab pfn 0x%llx (struct page at "
		 "0x%lx) "
		 "has next 0x%lx and previous 0x%lx, which do not lead back to it",
		 node->cache->name, node->nid, ULL(page_to_pfn(slab)), (unsigned long)slab,
		 (unsigned long)link->next, (unsigned long)link->prev);
}

/* --- Not freed at all --------------------------------------------------------------------------------- */

/* Up to max of a list's objects that are out. */
static u32 find_leaks_locked(const struct kmem_cache *cache, const struct list_head *list,
			     void **leaks, u32 max)
{
	const struct page *slab;
	u32 nr = 0;

	list_for_each_entry(slab, list, slab_link) {
		for (u32 i = 0; i < cache->nr_objects && nr < max; i++)
			if (!slab_map_says_free(slab, i))
				leaks[nr++] = slab_object(cache, slab, i);
		if (nr == max)
			break;
	}
	return nr;
}

static void say_leak(const struct kmem_cache *cache, const void *object)
{
	const struct page *slab = slab_of(cache, object);

	os_log(OS_LOG_ERR, "slab", "cache %s: object %u at 0x%lx (slab pfn 0x%llx, node %u) is out",
	       cache->name, index_of(cache, slab, object), (unsigned long)object,
	       ULL(page_to_pfn(slab)), slab->nid);
	if (cache->flags & SLAB_STORE_USER)
		say_owner(slab_owner_of(cache, object));
}

u64 slab_report_leaks(struct kmem_cache *cache)
{
	void *leaks[LEAKS_TO_NAME];
	u64 total = 0;
	u32 nr = 0;

	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		struct kmem_cache_node *node = cache->node[nid];
		unsigned long flags;

		if (node == &slab_no_home)
			continue;
		flags = spin_lock_irqsave(&node->lock);
		total += node->nr_slabs * cache->nr_objects - node->nr_free_objects;
		nr += find_leaks_locked(cache, &node->partial, leaks + nr, LEAKS_TO_NAME - nr);
		nr += find_leaks_locked(cache, &node->full, leaks + nr, LEAKS_TO_NAME - nr);
		spin_unlock_irqrestore(&node->lock, flags);
	}
	os_log(OS_LOG_ERR, "slab", "cache '%s' is not destroyed: %llu of its objects are out",
	       cache->name, ULL(total));
	for (u32 i = 0; i < nr; i++)
		say_leak(cache, leaks[i]);
	if (total > nr)
		os_log(OS_LOG_ERR, "slab", "cache %s: and %llu more", cache->name, ULL(total - nr));
	if (total > 0 && !(cache->flags & SLAB_STORE_USER))
		os_log(OS_LOG_ERR, "slab", "cache %s: mm.debug=1 would say who has them",
		       cache->name);
	return total;
}
