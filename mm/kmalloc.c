/*
 * Memory by size: classes, and what is too large for them.
 *
 *	size            0 |  1 .. 8 |  9 .. 16 | ... |  4097 .. 8192 |  more                 | over 4 MiB
 *	                v       v         v                  v             v                     v
 *	     ZERO_SIZE_PTR  kmalloc-8  kmalloc-16  ...  kmalloc-8192   a block of pages        NULL
 *
 * Each class is an object cache as any other. Which one it is, is one load, from a table with an entry for each
 * multiple of 8 bytes; then the hit path of that cache, inlined here. A piece says by its page whose it is, so kfree()
 * needs no size; of a block of pages the first page names `slab_large_home`, a home without lists or stacks, and
 * struct page knows the order.
 *
 * --- Which classes
 *
 * A request loses what its class is larger than it, and its share of what the class leaves over of its slabs. Powers of
 * two alone cost 39 bytes in 100 on average over an octave. Between them stand the sizes that so many objects of divide up
 * a page, or two, as multiples of 16: 1360 is three to a page, 1632 five to two pages, 2720 three to two. From 33 to 2048
 * bytes a request so costs 8 to 12 in 100 more than it asked for, and no class leaves more than a 40th over. Above
 * 4096 there is nothing between: that would need slabs of three pages. Test and figures: tests/unit/test_kmalloc.c.
 * More classes would be more caches with a few free objects each.
 *
 * A power of two is aligned to itself, up to a page: its class has that alignment, and colours are multiples of it.
 *
 * --- DMA
 *
 * With __GFP_DMA a piece comes from below 16 MiB: each class has a twin for that, the next power of two's, 64 bytes
 * at least. CPUs keep none of them. There is none for __GFP_DMA32, which is refused by name: who needs such memory
 * makes a cache with SLAB_CACHE_DMA32.
 *
 * No locks of its own. Constant after boot: the table, and the classes.
 *
 * Source: Linux mm/slab_common.c for the family's names and corner cases; its classes are 8, 16, 32, 64, 96, 128, 192,
 * 256, 512, and powers of two.
 */
#include <mm/kmalloc.h>

#include <base/assert.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/os.h>
#include <mm/page_alloc.h>

#include "slab.h"

static const u16 class_bytes[] = {
	8,   16,  24,  32,  40,  48,  56,  64,  80,   96,   112,  128,  160,  192,  224,  256,
	288, 336, 400, 448, 512, 576, 672, 816, 1024, 1360, 1632, 2048, 2720, 4096, 8192,
};
#define NR_CLASSES       ARRAY_SIZE(class_bytes)

#define FIRST_TWIN_BYTES 64u

/* Before boot has come to it, and for requests for nothing: gives none, so these go beyond the hit path. */
static struct kmem_cache no_class = {
	.local = {[0 ... MAX_CPUS - 1] = &slab_no_stack},
	.name = "kmalloc-0",
};
#define TABLE_ENTRIES (KMALLOC_MAX_CACHE_SIZE / 8 + 1)
static struct kmem_cache *class_table[TABLE_ENTRIES] = {[0 ... TABLE_ENTRIES - 1] = &no_class};

static struct kmem_cache large = {.name = "kmalloc-large"};
struct kmem_cache_node slab_large_home = {
	.stack = {[0 ... MAX_CPUS - 1] = &slab_no_stack},
	.self = &slab_large_home,
	.cache = &large,
	.nid = NUMA_NO_NODE,
	.lock = SPINLOCK_INIT("kmalloc large"),
	.shared = &slab_no_stack,
};

/*
 * Whose home does the object's page name? False: nobody's. The address may be anything, and what is found there, too; a
 * home is known by its own address in it.
 */
static __always_inline bool find_home(const void *object, struct kmem_cache_node **home)
{
	u64 word;

	if (unlikely(!load_or_fault((const u64 *)&virt_to_page(object)->slab_home, &word)) ||
	    unlikely(!reads_as(
		    (const u64 *)(word + __builtin_offsetof(struct kmem_cache_node, self)), word)))
		return false;
	*home = (struct kmem_cache_node *)word;
	return true;
}

/* Of a size up to KMALLOC_MAX_CACHE_SIZE. */
static inline struct kmem_cache *class_of(size_t size)
{
	return class_table[(size + 7) / 8];
}

/* --- Blocks of pages ---------------------------------------------------------------------------------- */

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static void *alloc_large(size_t size, gfp_t gfp, int nid)
{
	struct page *page;

	if (size > KMALLOC_MAX_SIZE)
		return NULL;
	page = alloc_pages_node(nid, gfp & ~__GFP_MOVABLE, order_of(size));
	if (!page)
		return NULL;
	/* Relaxed: as in mm/slab_grow.c. */
	store_relaxed(&page->slab_home, &slab_large_home);
	page_set_mark(page, PAGE_MARK_SLAB);
	return page_address(page);
}

/* NULL: the address is none of a block's start. */
static struct page *large_page(const void *object)
{
	struct page *page = virt_to_page(object);
	u64 home;

	if (!load_or_fault((const u64 *)&page->slab_home, &home) ||
	    home != (u64)(uintptr_t)&slab_large_home || page_address(page) != object)
		return NULL;
	return page;
}

static void free_large(struct page *page)
{
	store_relaxed(&page->slab_home, NULL);
	page_clear_mark(page, PAGE_MARK_SLAB);
	__free_pages(page, page->order);
}

/* --- Asking ------------------------------------------------------------------------------------------- */

static __noinline void *refuse(const char *what, size_t size, gfp_t gfp, uintptr_t call_site)
{
	char caller[OS_CALLER_BYTES];

	os_describe_caller(call_site, caller, sizeof(caller));
	os_log(OS_LOG_ERR, "slab", "bad request: %s (kmalloc of %llu bytes, gfp 0x%x, by %s)", what,
	       (unsigned long long)size, gfp, caller);
	return NULL;
}

static __noinline void *alloc_slowly(size_t size, gfp_t gfp, int nid, uintptr_t call_site)
{
	if (size == 0)
		return ZERO_SIZE_PTR;
	if (gfp & __GFP_DMA32)
		return refuse("__GFP_DMA32 has no classes", size, gfp, call_site);
	if (size > KMALLOC_MAX_CACHE_SIZE)
		return alloc_large(size, gfp, nid);
	ASSERT_MSG(class_of(size) != &no_class, "kmalloc() before slab_init()");
	return slab_alloc_slowly(class_of(size), gfp, nid, call_site);
}

__restart_text void *kmalloc(size_t size, gfp_t gfp)
{
	void *object;

	if (likely(size <= KMALLOC_MAX_CACHE_SIZE && this_task_may_hit(gfp))) {
		object = cpu_stack_pop(class_of(size)->local);
		if (likely(object))
			return object;
	}
	return alloc_slowly(size, gfp, NUMA_NO_NODE, os_call_site());
}

void *kmalloc_node(size_t size, gfp_t gfp, int nid)
{
	return alloc_slowly(size, gfp, nid, os_call_site());
}

/* --- Giving back, and questions ----------------------------------------------------------------------- */

static inline bool is_nothing(const void *object)
{
	return (uintptr_t)object <= (uintptr_t)ZERO_SIZE_PTR;
}

static __noinline void free_slowly(void *object, uintptr_t call_site)
{
	struct page *page;

	if (is_nothing(object))
		return;
	page = large_page(object);
	if (page)
		free_large(page);
	else
		slab_free_slowly(NULL, object, call_site);
}

__restart_text void kfree(void *object)
{
	struct kmem_cache_node *home;

	/* The address of nothing is in no slab, either. */
	if (likely(find_home(object, &home)) && likely(cpu_stack_push(home->stack, object)))
		return;
	free_slowly(object, os_call_site());
}

size_t ksize(const void *object)
{
	const struct page *page;
	struct kmem_cache_node *home;

	if (is_nothing(object))
		return 0;
	page = large_page(object);
	if (page)
		return PAGE_SIZE << page->order;
	if (!find_home(object, &home) || home == &slab_large_home) /* then in the middle of one */
		os_panic("ksize: %p is in no slab", object);
	return home->cache->object_size;
}

/* What a piece for so many bytes comes to. */
static size_t class_size(size_t size)
{
	return size <= KMALLOC_MAX_CACHE_SIZE ? class_of(size)->object_size
					      : PAGE_SIZE << order_of(size);
}

/* What is said of the piece, and not of how hard to try. */
#define GFP_SMALLER (__GFP_ZERO | __GFP_DMA | __GFP_THISNODE)

void *krealloc(void *object, size_t size, gfp_t gfp)
{
	size_t old = ksize(object);
	void *moved = NULL;

	if (size == 0) {
		kfree(object);
		return ZERO_SIZE_PTR;
	}
	/* Who makes it smaller gives back, and neither waits for memory nor fails: then it stays where it is. */
	if (size > old)
		moved = alloc_slowly(size, gfp, NUMA_NO_NODE, os_call_site());
	else if (size < old / 2 && class_size(size) < old)
		moved = alloc_slowly(size, (gfp & GFP_SMALLER) | GFP_NOWAIT | __GFP_NOWARN,
				     NUMA_NO_NODE, os_call_site());
	if (moved) {
		if (old)
			memcpy(moved, object, MIN(old, size));
		kfree(object);
	} else if (size <= old) {
		moved = object;
		/* What is beyond is nobody's, and is zero when it is asked for again. */
		if (gfp & __GFP_ZERO)
			memset((char *)object + size, 0, old - size);
	}
	return moved;
}

/* --- Boot --------------------------------------------------------------------------------------------- */

static struct kmem_cache *make_class(const char *prefix, u32 bytes, u32 flags)
{
	bool power = (bytes & (bytes - 1)) == 0;
	char name[SLAB_NAME_BYTES];

	snprintf(name, sizeof(name), "%s-%u", prefix, bytes);
	return slab_create_boot(name, bytes, power ? MIN(bytes, (u32)PAGE_SIZE) : 0, flags);
}

void kmalloc_init(void)
{
	struct kmem_cache *twin = NULL;
	u32 size = 1, twin_bytes = 0;

	for (u32 i = 0; i < NR_CLASSES; i++) {
		struct kmem_cache *class = make_class("kmalloc", class_bytes[i], 0);

		while (twin_bytes < class_bytes[i]) {
			twin_bytes = twin_bytes ? 2 * twin_bytes : FIRST_TWIN_BYTES;
			twin = make_class("dma-kmalloc", twin_bytes, SLAB_CACHE_DMA);
		}
		class->dma_twin = twin;
		for (; size <= class_bytes[i]; size++)
			class_table[(size + 7) / 8] = class;
	}
}
