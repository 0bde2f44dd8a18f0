/*
 * struct page: one for every page frame of every populated 4 MiB block of memory.
 *
 * The array is virtual (VMEMMAP_BASE), so that pfn_to_page is arithmetic, and each node's
 * part of it stands in that node's own memory.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <arch/page.h>
#include <base/atomic.h>
#include <base/list.h>
#include <base/types.h>

/* Orders 0 .. MAX_ORDER: blocks of 1 .. 1024 pages, 4 KiB .. 4 MiB. */
#define MAX_ORDER       10
#define NR_ORDERS       (MAX_ORDER + 1)
#define MAX_BLOCK_PAGES ((u64)1 << MAX_ORDER)

struct lru_owner;
struct kmem_cache_node;

enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, MAX_NR_ZONES };

/*
 * What a block is wanted for: pages whose owner can move or drop them, or any others. Memory has its
 * type by pageblocks of 2 MiB; theory in mm/block_type.c.
 */
enum block_type { BLOCK_UNMOVABLE, BLOCK_MOVABLE, NR_BLOCK_TYPES };
#define PAGEBLOCK_ORDER 9
#define PAGEBLOCK_PAGES ((u64)1 << PAGEBLOCK_ORDER)

/*
 * Where a page is. Every frame is in exactly one of these:
 *
 *   HOLE ------ no RAM behind it (it only shares a block with RAM)
 *   RESERVED -- RAM that the buddy allocator never had: kernel image, page tables, ...
 *   FREE ------ heads a block on a free list
 *   ALLOCATED - heads a block that somebody has
 *   TAIL ------ inside a block that another page heads
 *   PCP ------- heads a block on a CPU's own list of free pages
 *   CAPTURED -- heads a block that a claim has: mm/claim.c
 *
 * RAM starts as TAIL. What memblock has reserved becomes RESERVED and stays so; the rest is
 * donated to the buddy allocator block by block:
 *
 *	TAIL       --> FREE        donated at boot, or the upper half of a split
 *	FREE       --> TAIL        the upper head of a merge
 *	FREE       --> ALLOCATED   handed out
 *	ALLOCATED  --> FREE        given back (or TAIL, if it merges upward)
 *	FREE       --> PCP         taken by a CPU in advance (TAIL, where a block is cut up)
 *	PCP       <--> ALLOCATED   handed out and given back by that CPU, without the zone's lock
 *	PCP        --> FREE        flushed (or TAIL, if it merges upward)
 *	FREE, PCP, ALLOCATED --> CAPTURED   in a claimed block: taken, flushed, given back
 *	CAPTURED   --> FREE        the claim ends (or TAIL, if it merges upward)
 *	CAPTURED   --> ALLOCATED   the claim is complete (TAIL: all heads but the first)
 */
enum page_state {
	PAGE_HOLE,
	PAGE_RESERVED,
	PAGE_FREE,
	PAGE_ALLOCATED,
	PAGE_TAIL,
	PAGE_PCP,
	PAGE_CAPTURED,
	NR_PAGE_STATES
};

/*
 * Invariants (check: PAGE-*):
 *   PAGE-1  nid and zone are those of the zone whose span holds the frame (HOLE: any)
 *   PAGE-2  a head (FREE, ALLOCATED, PCP, CAPTURED) has order <= MAX_ORDER and a frame number that is
 *           a multiple of 1 << order; the other pages of its block are TAIL
 *   PAGE-3  every TAIL is inside the block of exactly one head: executed by BUDDY-6, whose walk
 *           from head to head meets no TAIL
 *
 * state, order and the link change under the zone's lock while the page is free; while it is PCP
 * they belong to the owner of the list, while it is ALLOCATED to its holder. nid and zone are constant
 * after boot. Fields with different owners are different bytes: a byte is stored without reading its
 * neighbours, so they cannot tear each other. Order and marks share one, and an owner: one comparison
 * of `head` says that a block is allocated, of this order, and nothing special. The two of a pageblock
 * stand in the header of its first frame, whatever that frame is, and mean nothing in any other.
 */
struct page {
	union {
		struct {
			u8 state;     /* enum page_state */
			u8 order : 4; /* of the block that this page heads; stale in any other state */
			u8 marks : 4; /* PAGE_MARK_*, of an ALLOCATED head; else 0 */
			u8 nid;
			u8 zone;           /* enum zone_type */
			u8 list;           /* ALLOCATED, PCP: PAGE_LIST(), for whom it was taken */
			u8 pageblock_type; /* enum block_type; under the zone's lock */
			u8 pageblock_shared; /* has RAM of two nodes; constant after boot */
			u8 lru; /* enum lru_list: <mm/lru.h>; under its node's LRU lock */
		};
		struct {
			u16 head;  /* state, order and marks at once: PAGE_HEAD() */
			u16 place; /* nid and zone at once: PAGE_PLACE() */
		};
		u32 block; /* head and place: PAGE_BLOCK() */
	};
	union {
		struct list_head free_link; /* FREE: in the free_area of its order */
		struct {
			struct page *pcp_next;      /* PCP: the one below it on the stack */
			struct list_head pcp_stack; /* of the top of a cold stack */
		};
		struct { /* ALLOCATED with PAGE_MARK_LRU: <mm/lru.h> */
			struct list_head
				lru_link; /* under its node's LRU lock, or the isolator's */
			const struct lru_owner *lru_owner; /* constant while it is on an LRU */
			u32 lru_refs;                      /* atomic */
			u32 lru_flags;                     /* atomic: LRU_* */
			/* The owner's, for its index. */
			struct page *owner_next;
			u64 owner_key, owner_value;
		};
		struct { /* ALLOCATED with PAGE_MARK_SLAB, and the pages behind it: mm/slab.h */
			struct list_head slab_link; /* under its node's lock */
			u64 *slab_map;              /* a bit for each object: it is free */
			u64 slab_bits;              /* the map itself, where it fits */
			u32 slab_nr_free;           /* under its node's lock */
			u32 slab_offset;            /* of the first object, bytes */
			u64 slab_checked;           /* which look of check saw it on a list */
			/*
			 * In every page of a slab: whose its objects are; 0 in what is no slab's, unless its holder
			 * keeps something there. Constant while it is a slab's.
			 */
			struct kmem_cache_node *slab_home;
		};
		u64 arm_words[7];
	};
};

_Static_assert(sizeof(struct page) == 64, "the memory map is one cache line a frame");
_Static_assert(__builtin_offsetof(struct page, slab_home) == 56, "where no free page has anything");

/* Taken below the marks of its own request: it is for freeing memory, and for nobody else. */
#define PAGE_MARK_RESERVE 1u
/* A slab's: freed by its cache alone, and never by a hit path. */
#define PAGE_MARK_SLAB 4u
/* An owner's, and reclaimable: freed by put_page() alone, and never by a hit path. */
#define PAGE_MARK_LRU    8u
#define PAGE_MARKS_SHIFT 12 /* in `head` */

static inline bool page_is_reserve(const struct page *page)
{
	return page->marks & PAGE_MARK_RESERVE;
}

/* The holder's. Relaxed: a neighbour that merges, and who looks from outside, read it meanwhile. */
static inline void page_set_mark(struct page *page, u32 mark)
{
	store_relaxed(&page->head, (u16)(page->head | mark << PAGE_MARKS_SHIFT));
}

static inline void page_clear_mark(struct page *page, u32 mark)
{
	store_relaxed(&page->head, (u16)(page->head & ~(mark << PAGE_MARKS_SHIFT)));
}

static inline bool page_state_is_head(u8 state)
{
	return state == PAGE_FREE || state == PAGE_ALLOCATED || state == PAGE_PCP ||
	       state == PAGE_CAPTURED;
}

/* As one word, little-endian and without marks: what the hot paths compare, store and look up by. */
#define PAGE_HEAD(state, order) ((u16)((state) | (order) << 8))
#define PAGE_HEAD_ORDER(head)   ((head) >> 8 & 0xf)
#define PAGE_HEAD_MARKS(head)   ((head) >> PAGE_MARKS_SHIFT)
#define PAGE_PLACE(zone, nid)   ((u16)((nid) | (zone) << 8))
#define PAGE_BLOCK(state, order, zone, nid) \
	(PAGE_HEAD(state, order) | (u32)PAGE_PLACE(zone, nid) << 16)

/*
 * The type that a block was taken for, and the number of the CPU's list that it goes to if its order is
 * one of those that CPUs keep: below NR_PAGE_LIST_ORDERS.
 */
#define NR_PAGE_LIST_ORDERS    4
#define PAGE_LIST(order, type) ((u8)((type)*NR_PAGE_LIST_ORDERS + (order) % NR_PAGE_LIST_ORDERS))
#define PAGE_LIST_TYPE(list)   ((enum block_type)((list) / NR_PAGE_LIST_ORDERS))

static inline struct page *pfn_to_page(pfn_t pfn)
{
	return (struct page *)VMEMMAP_BASE + pfn;
}

static inline pfn_t page_to_pfn(const struct page *page)
{
	return (pfn_t)(page - (struct page *)VMEMMAP_BASE);
}

static inline phys_addr_t page_to_phys(const struct page *page)
{
	return pfn_to_phys(page_to_pfn(page));
}

static inline void *page_address(const struct page *page)
{
	return vmemmap_to_virt((uintptr_t)page);
}

static inline struct page *virt_to_page(const void *addr)
{
	return (struct page *)virt_to_vmemmap(addr);
}

/* Is there a struct page for this frame number? True for every frame of a populated block. */
bool pfn_valid(pfn_t pfn);

const char *page_state_name(enum page_state state);
const char *zone_type_name(enum zone_type zone);

#endif
