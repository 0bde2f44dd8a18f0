/*
 * Trace records: a ring for each CPU, between what happens and whoever wants to know.
 *
 *	this CPU, any context                       one reader, any CPU
 *	        |  trace()                               ^  trace_read()
 *	        v                                        |
 *	   +---------+---------+---------+---------+---------+
 *	   |         |  unread |  unread |  unread | read    |      slot = index modulo size
 *	   +---------+---------+---------+---------+---------+
 *	        head ^         ^ tail
 *
 * head and tail only grow; their difference is what is unread. A ring has one producer: its CPU, which
 * writes a record with interrupts off, so that an interrupt's record comes before or after, never
 * in the middle. (Not in an NMI: that one may find a half-written record below it.) That is a few
 * dozen instructions, on paths that take a lock anyway, and only while tracing is on. Producer and
 * reader are ordered by acquire and release: a record is whole before head says that it is there,
 * and copied before tail says that its slot is free.
 *
 * A full ring loses what is new and keeps what is old: nothing waits for a reader, and a reader is
 * never overtaken. What was lost is counted, and the next record that finds room is preceded by a
 * TRACE_LOST that says how many. Sequence numbers count the lost ones, too:
 *
 *	sequence = index in the ring + lost before it, of its CPU, modulo 2^32
 *
 * so that in a CPU's records a gap is a loss, of just that many, and can be held against TRACE_LOST.
 *
 * Tracing on means that every request is seen. The hit paths of the page allocator have no room for a
 * look at trace_enabled, so they are closed meanwhile: requests then go the long way to the same
 * lists, and get the same pages as without tracing (hit_paths_close() in mm/pcp_zone.c).
 *
 * Source: Lamport, "Proving the correctness of multiprocess programs", 1977, for the ring with one
 * writer to each index.
 */
#include <mm/trace.h>

#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/assert.h>

#include "pcp.h"
#include "trace_ring.h"

bool trace_enabled;

static struct trace_ring rings[MAX_CPUS];

static const char *const event_names[NR_TRACE_EVENTS] = {
	[TRACE_NONE] = "none",
	[TRACE_PAGE_ALLOC] = "page_alloc",
	[TRACE_PAGE_FREE] = "page_free",
	[TRACE_PAGE_ALLOC_FAILED] = "page_alloc_failed",
	[TRACE_PCP_REFILL] = "pcp_refill",
	[TRACE_PCP_DRAIN] = "pcp_drain",
	[TRACE_ZONE_SPLIT] = "zone_split",
	[TRACE_ZONE_MERGE] = "zone_merge",
	[TRACE_SCHED_SWITCH] = "sched_switch",
	[TRACE_SCHED_WAKE] = "sched_wake",
	[TRACE_FAULT_INJECTED] = "fault_injected",
	[TRACE_OOM_KILL] = "oom_kill",
	[TRACE_KSWAPD_WAKE] = "kswapd_wake",
	[TRACE_KSWAPD_SLEEP] = "kswapd_sleep",
	[TRACE_RECLAIM_BEGIN] = "reclaim_begin",
	[TRACE_RECLAIM_END] = "reclaim_end",
	[TRACE_RECLAIM_BLOCK] = "reclaim_block",
	[TRACE_SLAB_ALLOC] = "slab_alloc",
	[TRACE_SLAB_FREE] = "slab_free",
	[TRACE_SLAB_REFILL] = "slab_refill",
	[TRACE_SLAB_FLUSH] = "slab_flush",
	[TRACE_SLAB_GROW] = "slab_grow",
	[TRACE_SLAB_GIVE] = "slab_give",
	[TRACE_SLAB_FALLBACK] = "slab_fallback",
	[TRACE_SLAB_REAP] = "slab_reap",
	[TRACE_LOST] = "lost",
};

const char *trace_event_name(enum trace_event event)
{
	return (u32)event < NR_TRACE_EVENTS ? event_names[event] : "unknown";
}

/* --- Writing -------------------------------------------------------------------------------- */

/* A record as the words of its slot. The ring holds words, so that each is stored and loaded whole. */
union words_of_record {
	struct trace_record record;
	u64 word[TRACE_RECORD_WORDS];
};

/* The producer, with room for it. */
static void put(struct trace_ring *ring, u32 cpu, enum trace_event event,
		const struct trace_fields *fields)
{
	u64 head = ring->head;
	u64 *slot = trace_slot(ring, head);
	union words_of_record out = {.record = {
					     .timestamp = arch_timestamp(),
					     .id = fields->id,
					     .call_site = fields->call_site,
					     .arg = fields->arg,
					     .gfp = fields->gfp,
					     .event = (u16)event,
					     .cpu = (u16)cpu,
					     .nid = fields->nid,
					     .order = fields->order,
					     .zone = fields->zone,
					     .sequence = (u32)(head + ring->lost),
				     }};

	/*
	 * Release: who sees a word of this record in trace_at() sees the head of before, by which the
	 * slot's old record is gone. (Who reads the unread comes after the release below.)
	 */
	for (u32 i = 0; i < TRACE_RECORD_WORDS; i++)
		store_release(&slot[i], out.word[i]);
	store_release(&ring->head, head + 1); /* the record is whole before it is there */
}

/* Interrupts off. */
static void put_or_lose(struct trace_ring *ring, u32 cpu, enum trace_event event,
			const struct trace_fields *fields)
{
	/* Acquire: the reader has copied what was in a slot before the slot is written anew. */
	u64 free = ring->records - (ring->head - load_acquire(&ring->tail));
	u64 untold = ring->lost - ring->told;

	if (free < 1 + (untold > 0)) {
		/* Relaxed: a figure for readers, who pair it with nothing. */
		store_relaxed(&ring->lost, ring->lost + 1);
		return;
	}
	if (untold) {
		put(ring, cpu, TRACE_LOST, &(const struct trace_fields){.arg = untold});
		store_release(&ring->told, ring->lost); /* check reads it before lost */
	}
	put(ring, cpu, event, fields);
}

/*
 * Asked once more with interrupts off: after a CPU has taken an interrupt that came when tracing was
 * switched off already, it writes no more records. The kernel's grace period is made of that.
 */
void trace_record(enum trace_event event, const struct trace_fields *fields)
{
	unsigned long flags = irq_save();
	u32 cpu = smp_processor_id();

	/* Relaxed: see trace_enabled; a ring is set while tracing is off, and stays while it is on. */
	if (load_relaxed(&trace_enabled) && rings[cpu].records)
		put_or_lose(&rings[cpu], cpu, event, fields);
	irq_restore(flags);
}

/* --- Switching ------------------------------------------------------------------------------ */

void trace_set_ring(u32 cpu, struct trace_record *records, u32 nr_records)
{
	ASSERT_MSG(!load_relaxed(&trace_enabled) && cpu < MAX_CPUS &&
			   (nr_records & (nr_records - 1)) == 0,
		   "ring of %u records for CPU %u, tracing %s", nr_records, cpu,
		   load_relaxed(&trace_enabled) ? "on" : "off");
	rings[cpu] = (struct trace_ring){.words = (u64 *)records, .records = nr_records};
}

/*
 * Lists first: from the first record on nothing goes by unseen. Release: who sees that tracing is on
 * by an acquire sees the rings; the CPUs of hit paths took their lists from here, and the rest trace
 * one record less.
 */
void trace_switch(bool on)
{
	if (on == load_relaxed(&trace_enabled))
		return;
	if (on)
		hit_paths_close();
	store_release(&trace_enabled, on);
	if (!on)
		hit_paths_open();
}

/* --- Reading -------------------------------------------------------------------------------- */

static void copy_slot(const struct trace_ring *ring, u64 index, struct trace_record *out)
{
	const u64 *slot = trace_slot(ring, index);
	union words_of_record in;

	/* Acquire: pairs with the releases in put(), and comes before the second look in trace_at(). */
	for (u32 i = 0; i < TRACE_RECORD_WORDS; i++)
		in.word[i] = load_acquire(&slot[i]);
	*out = in.record;
}

u32 trace_read(u32 cpu, struct trace_record *out, u32 max)
{
	struct trace_ring *ring = &rings[cpu];
	u64 tail = ring->tail;
	u64 unread = load_acquire(&ring->head) - tail; /* pairs with the release in put() */
	u32 nr = (u32)MIN(unread, (u64)max);

	for (u32 i = 0; i < nr; i++)
		copy_slot(ring, tail + i, &out[i]);
	store_release(&ring->tail, tail + nr); /* copied before the slots are free */
	return nr;
}

void trace_state(u32 cpu, struct trace_state *out)
{
	const struct trace_ring *ring = &rings[cpu];

	/* tail before head: what is unread is then never less than nothing. */
	*out = (struct trace_state){
		.size = ring->records,
		.tail = load_acquire(&ring->tail),
		.lost = load_relaxed(&ring->lost),
	};
	out->head = load_acquire(&ring->head);
}

bool trace_at(u32 cpu, u64 index, struct trace_record *out)
{
	const struct trace_ring *ring = &rings[cpu];

	if (index >= load_acquire(&ring->head))
		return false;
	copy_slot(ring, index, out);
	/*
	 * Relaxed: the slot's next record is written when head is index + size, and the copy's acquires
	 * come first: if this does not see that head, they saw nothing of that record.
	 */
	return load_relaxed(&ring->head) - index < ring->records;
}

u64 trace_lost(u32 cpu)
{
	return load_relaxed(&rings[cpu].lost);
}

struct trace_ring *trace_ring_of(u32 cpu)
{
	return &rings[cpu];
}
