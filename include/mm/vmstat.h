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

/* Linux's first, by its names; then our own, whose names begin with hw_. */
enum vmstat_item {
	VMSTAT_ALLOCSTALL_DMA,    /* a request of that class came to direct reclaim: one for each */
	VMSTAT_ALLOCSTALL_DMA32,  /* zone type, in order */
	VMSTAT_ALLOCSTALL_NORMAL, /**/
	VMSTAT_ALLOC_SLOW,        /* requests that no zone could serve above its low mark */
	VMSTAT_WAKE_KSWAPD,       /* of them, such as may wake kswapd */
	VMSTAT_ALLOC_MIN,         /* served above the min mark, less what urgency allows */
	VMSTAT_ALLOC_NO_MARKS,    /* served without marks: entitled */
	VMSTAT_ALLOC_DRAINED,     /* served after CPUs gave back the pages they keep */
	VMSTAT_ALLOC_RETRY,       /* rounds of the slow path after the first */
	VMSTAT_ALLOC_MEMS_MOVED,  /* of them, because the allowed nodes had changed meanwhile */
	VMSTAT_ALLOC_RESERVE,     /* blocks marked: their own class would have failed the check */
	VMSTAT_ALLOC_FAILED,      /* requests that got nothing */
	VMSTAT_GAVE_UP_NONBLOCK,  /* of them: may not wait, */
	VMSTAT_GAVE_UP_NORETRY,   /* __GFP_NORETRY, */
	VMSTAT_GAVE_UP_COSTLY,    /* a costly order, */
	VMSTAT_GAVE_UP_NO_PROGRESS, /* retries brought nothing */
	VMSTAT_ALLOC_REFUSED,       /* bad requests: contradictory flags, no such order or node */
	VMSTAT_FAULT_INJECTED,      /* requests that a rule made fail: not counted as failed */
	NR_VMSTAT_ITEMS
};

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
	u64 available_pages; /* what requests could have before marks and reserves stop them */
	u64 alloc_pages[MAX_NR_ZONES]; /* handed out since boot, by the zone they came from */
	u64 events[NR_ZONE_EVENTS];
};
void vm_totals(struct vm_totals *out);

#endif
