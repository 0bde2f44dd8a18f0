/*
 * Looking at the memory manager from outside: consistent copies for reports, tests and check.
 * Every function takes the locks it needs for a short time; any context.
 */
#ifndef MM_INSPECT_H
#define MM_INSPECT_H

#include <mm/lru.h>
#include <mm/numa.h>
#include <mm/page.h>

enum zone_watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

/* Numbers a zone has counted since boot. */
enum zone_event {
	ZONE_ALLOC,           /* blocks handed out */
	ZONE_FREE,            /* blocks given back */
	ZONE_ALLOC_PAGES,     /* the same in pages */
	ZONE_FREE_PAGES,      /**/
	ZONE_SPLIT,           /* a block was halved */
	ZONE_MERGE,           /* two buddies became one */
	PCP_REFILL,           /* a CPU's list was filled from the zone */
	PCP_FLUSH,            /* one was given back to it */
	PCP_DRAINED,          /* pages given back because a request failed, or on demand */
	PCP_BUSY,             /* a CPU's lists were in use by whom it had interrupted */
	EXTFRAG_FALLBACK,     /* a block was taken where the other type stays */
	EXTFRAG_STEAL,        /* the other type gave pageblocks away, and a block was taken there */
	EXTFRAG_PAGEBLOCK,    /* a pageblock changed its type */
	CLAIM_BEGUN,          /* blocks that somebody began to gather */
	CLAIM_COMPLETED,      /* of them handed over as a whole */
	CLAIM_CAPTURED_PAGES, /* pages that went to claims */
	CLAIM_RETURNED_PAGES, /* of them given back when the claim ended */
	ZONE_WMARK_FAILED,    /* the check of a mark refused a request here */
	NUMA_HIT,             /* a request that preferred this node got it */
	NUMA_MISS,            /* one that preferred another got this one */
	NUMA_FOREIGN,         /* one that preferred this one got another */
	NUMA_INTERLEAVE_HIT,  /* one that a policy had sent here in turn */
	NUMA_LOCAL,           /* one from a CPU of this node */
	NUMA_OTHER,           /* one from a CPU of another node */
	ZONE_RESERVE_TAKEN,   /* pages marked as taken from the reserve */
	NR_ZONE_EVENTS
};

struct zone_snapshot {
	int nid;
	enum zone_type type;
	const char *name;
	pfn_t start_pfn;
	u64 spanned_pages; /* from first to last frame, holes included */
	u64 present_pages; /* RAM in it */
	u64 managed_pages; /* given to the buddy allocator */
	u64 free_pages;
	u64 pcp_pages;              /* on CPUs' own lists: free, but not counted above */
	u64 nr_captured;            /* claimed, on no list */
	u64 free_blocks[NR_ORDERS]; /* of both types */
	u64 type_blocks[NR_BLOCK_TYPES][NR_ORDERS];
	u64 watermark[NR_WMARK];          /* pages */
	u64 lowmem_reserve[MAX_NR_ZONES]; /* pages kept from requests of each class */
	u64 events[NR_ZONE_EVENTS];
};

const char *block_type_name(enum block_type type);
/* How many pageblocks of each type begin in the zone: walks all of them. False: as zone_snapshot(). */
struct pageblock_counts {
	u64 of_type[NR_BLOCK_TYPES];
	u64 shared; /* of them: with RAM of two nodes */
};
bool pageblock_counts(int nid, enum zone_type type, struct pageblock_counts *out);

/* False: the node or zone does not exist. A zone without pages is given with zeros. */
bool zone_snapshot(int nid, enum zone_type type, struct zone_snapshot *out);
/* The same without the lock, for a panic: the figures may be torn, but nothing is waited for. */
bool zone_snapshot_unlocked(int nid, enum zone_type type, struct zone_snapshot *out);

/* A CPU's own lists of a zone. False: it has none. */
struct pcp_snapshot {
	u64 pages, capacity_pages; /* on the lists, and what they may hold; 0: closed */
	u64 batch_pages;           /* that go from the zone to a list, or back, at a time */
	u64 allocs, alloc_pages;   /* taken from them since boot: blocks, pages */
	u64 frees, free_pages;     /* given to them */
	u64 misplaced;             /* of the allocs: for a request that preferred another node */
};
bool pcp_snapshot(int nid, enum zone_type type, u32 cpu, struct pcp_snapshot *out);

struct node_snapshot {
	int nid;
	pfn_t start_pfn;
	u64 spanned_pages, present_pages, managed_pages;
	u64 free_pages; /* in the zones and on CPUs' own lists */
};
bool node_snapshot(int nid, struct node_snapshot *out);

/* The i-th zone that a request for `type` from node nid tries; false past the end. */
bool zonelist_entry(int nid, bool this_node_only, u32 i, int *zone_nid, enum zone_type *type);

const char *zone_event_name(enum zone_event event);

/* No frame: the highest number is none's. */
#define NO_PFN (~(pfn_t)0)

/* What one frame is. */
struct page_snapshot {
	pfn_t pfn;
	enum page_state state;
	int nid; /* this and the zone mean nothing for a hole */
	enum zone_type zone;
	u8 marks;
	bool has_owner; /* taken at boot, and never the buddy allocator's */
	enum memblock_owner owner;
	/* The block it is in. */
	pfn_t head_pfn; /* NO_PFN: none */
	enum page_state head_state;
	u32 order;
	pfn_t next_pfn, prev_pfn; /* on the free list; NO_PFN: that is the list itself */
	u64 arm_words[7];         /* of the frame's own struct page, as they are */
	/* A page of an LRU: <mm/lru.h>. LRU_NONE: it is none, and the rest is 0. */
	enum lru_list lru;
	u32 lru_refs, lru_flags;
	const struct lru_owner *lru_owner;
};
/* False: there is no struct page for this frame. */
bool page_snapshot(pfn_t pfn, struct page_snapshot *out);

/* A stretch of RAM of one node, one zone and one owner. */
struct memory_piece {
	pfn_t start, end;
	int nid;
	enum zone_type zone;
	bool reserved; /* taken at boot, by `owner` */
	enum memblock_owner owner;
	/*
	 * How many of its frames are in a block of each state, or RESERVED; end - start in all.
	 * TAIL: in no block at all, which breaks PAGE-3.
	 */
	u64 pages[NR_PAGE_STATES];
	u64 slab_pages; /* of the ALLOCATED ones: of the slab layer's, large blocks included */
};
/*
 * The first piece of RAM in [*cursor, end), cut to that range and to a 4 MiB unit; moves *cursor to
 * its end. False: there is no more. Visits each block once; holds the zone's lock for one unit.
 */
bool memory_next(pfn_t *cursor, pfn_t end, struct memory_piece *piece);

/*
 * Where the firmware's RAM went, in pages. Invariant ACCT-1: ram == managed + sum of
 * reserved + lost, and lost is 0.
 */
struct page_accounting {
	u64 ram_pages;
	u64 managed_pages;
	u64 reserved_pages[16]; /* by enum memblock_owner */
	u64 lost_pages;
};
void page_accounting(struct page_accounting *out);

#endif
