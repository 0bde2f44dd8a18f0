/*
 * Counted events: what requests went through, and where they ended, since boot.
 *
 * Zones count what happens to them (enum zone_event), CPUs' page lists what is taken from them and
 * given to them (struct pcp_snapshot). Here is what belongs to the request, not to a zone: the steps
 * of the slow path, and faults injected. Any context.
 */
#ifndef MM_VMSTAT_H
#define MM_VMSTAT_H

#include <mm/inspect.h>
#include <mm/lru.h>

/* Linux's first, by its names; then our own, whose names begin with hw_. */
enum vmstat_item {
	VMSTAT_ALLOCSTALL_DMA,   /* rounds of direct reclaim, for requests of that class: one for */
	VMSTAT_ALLOCSTALL_DMA32, /* each zone type, in order */
	VMSTAT_ALLOCSTALL_NORMAL,   /**/
	VMSTAT_PGACTIVATE,          /* pages of LRUs: to the active list, from the inactive one */
	VMSTAT_PGDEACTIVATE,        /* back */
	VMSTAT_PGROTATED,           /* written, as reclaim wanted: to the inactive tail */
	VMSTAT_WORKINGSET_REFAULT,  /* pages that came back after they had been evicted */
	VMSTAT_WORKINGSET_ACTIVATE, /* of them so soon that they were activated at once */
	VMSTAT_PGREFILL, /* pages of active lists looked at, since the inactive one is short */
	VMSTAT_PGSTEAL_KSWAPD,    /* pages freed by reclaim, by who did it */
	VMSTAT_PGSTEAL_DIRECT,    /**/
	VMSTAT_PGSCAN_KSWAPD,     /* of so many that their owners were asked for */
	VMSTAT_PGSCAN_DIRECT,     /**/
	VMSTAT_PAGEOUTRUN,        /* times that a kswapd was woken */
	VMSTAT_VMSCAN_WRITE,      /* writes begun by reclaim */
	VMSTAT_SLABS_SCANNED,     /* objects that shrinkers were asked to free */
	VMSTAT_OOM_KILL,          /* victims told to end */
	VMSTAT_PGSKIP,            /* pages that reclaim stepped over: above the request's class */
	VMSTAT_ALLOC_WAKE_KSWAPD, /* the other steps of the slow path, as begun: see mm/alloc_slow.c */
	VMSTAT_ALLOC_MIN,         /**/
	VMSTAT_ALLOC_NO_MARKS,    /**/
	VMSTAT_ALLOC_AFTER_RECLAIM, /**/
	VMSTAT_ALLOC_DRAIN,         /**/
	VMSTAT_ALLOC_AFTER_DRAIN,   /**/
	VMSTAT_ALLOC_OOM,           /**/
	VMSTAT_ALLOC_GIVE_UP,       /* requests that got nothing */
	VMSTAT_ALLOC_MEMS_MOVED, /* requests begun anew: the allowed nodes had changed meanwhile */
	VMSTAT_ALLOC_REFUSED,    /* bad requests: contradictory flags, no such order or node */
	VMSTAT_TARGET_LOOKED,    /* targeted reclaim (mm/target.c): blocks looked at */
	VMSTAT_TARGET_LOOKED_PAGES, /* and pages of them, for that */
	VMSTAT_TARGET_CHOSEN,       /* of them begun with; each ends as one of these three: */
	VMSTAT_TARGET_COMPLETED,    /* whole and free */
	VMSTAT_TARGET_GIVEN_UP,     /* a page could not be had after all: left as it was */
	VMSTAT_TARGET_INCOMPLETE, /* pages were kept by their owners, or taken by others meanwhile */
	VMSTAT_TARGET_EVICTED,    /* pages freed on the way */
	VMSTAT_FAULT_INJECTED,    /* requests that a rule made fail: not counted as given up */
	VMSTAT_OOM_PASSED_OVER,   /* of them: had not ended within their time */
	VMSTAT_OOM_TURN_WAIT,     /* requests that waited for another's kill */
	VMSTAT_SLAB_REFILL,       /* the slab layer: a CPU's stack was filled from its home */
	VMSTAT_SLAB_FLUSH,        /* gave back to its home */
	VMSTAT_SLAB_ALIEN_FLUSH,  /* the same, of another node's objects */
	VMSTAT_SLAB_GROW,         /* slabs made */
	VMSTAT_SLAB_GIVE_BACK,    /* slabs given back to the page allocator */
	VMSTAT_SLAB_FALLBACK,     /* requests whose preferred node had neither object nor page */
	VMSTAT_SLAB_FALLBACK_LOOK,   /* nodes that were looked at for them */
	VMSTAT_SLAB_FALLBACK_OBJECT, /* of them served by a free object of another node */
	VMSTAT_SLAB_FALLBACK_DRAIN,  /* for which CPUs gave back what they had */
	VMSTAT_SLAB_FALLBACK_PAGE,   /* by a new slab */
	VMSTAT_SLAB_FALLBACK_RETRY,  /* whose new slab was empty when they came to take from it */
	VMSTAT_SLAB_FALLBACK_ATOMIC, /* posted: that would have slept with interrupts off */
	VMSTAT_SLAB_MEMS_MOVED,  /* requests begun anew: the allowed nodes had changed meanwhile */
	VMSTAT_SLAB_FAIL,        /* requests that got nothing */
	VMSTAT_SLAB_REAP,        /* rounds of reaping */
	VMSTAT_SLAB_REAPED,      /* objects that it has taken home */
	VMSTAT_SLAB_UNSHARE,     /* batches of what a node shares that went to their slabs */
	VMSTAT_SLAB_DEBUG_ALLOC, /* objects that mm.debug has looked at on their way out */
	VMSTAT_SLAB_DEBUG_FREE,  /* and on their way back */
	NR_VMSTAT_ITEMS
};
/* From here on our own. */
#define VMSTAT_FIRST_OWN VMSTAT_PGSKIP

static inline enum vmstat_item vmstat_allocstall(enum zone_type request_class)
{
	return (enum vmstat_item)(VMSTAT_ALLOCSTALL_DMA + request_class);
}

/* Since boot, all CPUs. While others count, a sum of several moments. */
u64 vmstat_read(enum vmstat_item item);
/* As the report prints it. */
const char *vmstat_name(enum vmstat_item item);

/* --- Sums of what zones and CPUs' lists have counted ------------------------------------------ */

/* By node, as Linux's `numastat` shows them, in blocks. */
struct numa_figures {
	u64 hit;            /* a request that preferred this node got it */
	u64 miss;           /* one that preferred another got this one */
	u64 foreign;        /* one that preferred this one got another */
	u64 interleave_hit; /* one that interleaving sent here got this one */
	u64 local_node;     /* from a CPU of this node */
	u64 other_node;     /* from a CPU of another */
};
/* False: there is no such node. */
bool numa_figures(int nid, struct numa_figures *out);

/* Of the whole machine. */
struct vm_totals {
	u64 managed_pages;
	u64 free_pages;      /* in zones: as Linux counts them, without those that CPUs have */
	u64 pcp_pages;       /* on CPUs' own lists */
	u64 captured_pages;  /* claimed */
	u64 available_pages; /* what requests could have, with reclaim, before marks stop them */
	struct lru_snapshot lru;       /* the sums over all nodes */
	u64 alloc_pages[MAX_NR_ZONES]; /* handed out since boot, by the zone they came from */
	u64 events[NR_ZONE_EVENTS];
};
void vm_totals(struct vm_totals *out);

#endif
