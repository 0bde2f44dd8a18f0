/*
 * Trace records: what happened, when, on which CPU, to which page, by whom.
 *
 * Off by default at the cost of one predictable branch; none on the hit paths, which are closed
 * while tracing is on (see mm/pcp_zone.c), so that what is traced goes the slow way. mm/trace.c has
 * the rings; the kernel gives it their memory and drains them.
 */
#ifndef MM_TRACE_H
#define MM_TRACE_H

#include <base/atomic.h>
#include <base/types.h>

/* `id` is what the event is about: a frame number, an object, a thread. */
enum trace_event {
	TRACE_NONE,
	TRACE_PAGE_ALLOC,        /* pfn */
	TRACE_PAGE_FREE,         /* written before anybody else can have the page */
	TRACE_PAGE_ALLOC_FAILED, /* nid: preferred, zone: the highest allowed */
	TRACE_PCP_REFILL,        /* order, arg: pages */
	TRACE_PCP_DRAIN,
	TRACE_ZONE_SPLIT, /* pfn; order: of the larger block, arg: of the smaller, taken out of it */
	TRACE_ZONE_MERGE,     /* the same: arg is the order of the block that was given back */
	TRACE_SCHED_SWITCH,   /* id: the next thread, arg: the one before */
	TRACE_SCHED_WAKE,     /* id: the thread, arg: its CPU, call_site: where it waited */
	TRACE_FAULT_INJECTED, /* id: the rule, arg: which of its requests */
	TRACE_OOM_KILL,    /* id: the victim, arg: its badness; nid, zone: as of a failed request */
	TRACE_KSWAPD_WAKE, /* arg: orders wanted plus 1, a byte for each class */
	TRACE_KSWAPD_SLEEP, /* id: enum kswapd_state from now on, arg: pages freed since it was woken */
	TRACE_RECLAIM_BEGIN, /* direct; nid: preferred, zone: the highest allowed, arg: pages wanted */
	TRACE_RECLAIM_END,   /* the same; id: pages looked at, arg: freed */
	TRACE_RECLAIM_BLOCK, /* pfn; arg: pages evicted, doubled, and 1 if the block was whole then */
	/* Of the slab layer; id is the object's address, or the cache's. */
	TRACE_SLAB_ALLOC,    /* object; arg: its size; gfp, nid, call_site */
	TRACE_SLAB_FREE,     /* the same */
	TRACE_SLAB_REFILL,   /* cache; arg: objects, nid: their home */
	TRACE_SLAB_FLUSH,    /* the same; alien, if nid is not the CPU's */
	TRACE_SLAB_GROW,     /* cache; arg: pfn, order, nid */
	TRACE_SLAB_GIVE,     /* the same: a slab goes back to the page allocator */
	TRACE_SLAB_FALLBACK, /* cache; arg: enum slab_fallback_step, nid: looked at, call_site */
	TRACE_SLAB_REAP,     /* cache; arg: objects, nid */
	TRACE_LOST,          /* arg: records that found the ring full */
	NR_TRACE_EVENTS
};

/* Is the id of such a record a cache's address? */
static inline bool trace_is_about_cache(u32 event)
{
	return event >= TRACE_SLAB_REFILL && event <= TRACE_SLAB_REAP;
}

/* Fixed, little-endian, as it goes over the wire: tools/trace.py reads it. 48 bytes. */
struct trace_record {
	u64 timestamp; /* arch_timestamp() */
	u64 id;
	u64 call_site;
	u64 arg;
	u32 gfp;
	u16 event; /* enum trace_event */
	u16 cpu;
	u16 nid;
	u8 order;
	u8 zone;
	u32 sequence; /* of its CPU's records: a gap is a loss */
};
_Static_assert(sizeof(struct trace_record) == 48, "the decoder's format");

extern bool trace_enabled; /* read relaxed: who misses the change by a moment traces one less */

struct trace_fields {
	u64 id, call_site, arg;
	u32 gfp;
	u16 nid;
	u8 order, zone;
};
/* Any context, NMI excepted. Out of line: the caller has looked at trace_enabled. */
void trace_record(enum trace_event event, const struct trace_fields *fields);

#define trace(event, ...)                                                                 \
	do {                                                                              \
		if (unlikely(load_relaxed(&trace_enabled)))                               \
			trace_record((event), &(const struct trace_fields){__VA_ARGS__}); \
	} while (0)

/*
 * Gives CPU `cpu` its ring, empty; nr_records is a power of two, 0 takes it away. While tracing is
 * off and no CPU can be inside trace_record().
 */
void trace_set_ring(u32 cpu, struct trace_record *records, u32 nr_records);
/* Thread, interrupts on: waits for the owners of page lists. A CPU without a ring traces nothing. */
void trace_switch(bool on);
/* Takes up to max of the oldest records of a CPU's ring; one reader at a time. Returns how many. */
u32 trace_read(u32 cpu, struct trace_record *out, u32 max);
/*
 * The index-th record that CPU wrote since it has its ring, read or not. False: not yet written, or its
 * slot has another by now. Any context, beside a reader.
 */
bool trace_at(u32 cpu, u64 index, struct trace_record *out);
u64 trace_lost(u32 cpu);

/* Indices grow: head - tail records are unread, and the next one's sequence is head + lost. */
struct trace_state {
	u64 head, tail, lost;
	u32 size; /* records that fit; 0: no ring */
};
void trace_state(u32 cpu, struct trace_state *out);

const char *trace_event_name(enum trace_event event);

#endif
