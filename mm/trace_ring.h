/*
 * A CPU's ring of trace records, private to mm/: see mm/trace.c for the theory.
 */
#ifndef MM_TRACE_RING_H
#define MM_TRACE_RING_H

#include <mm/trace.h>

#define TRACE_RECORD_WORDS (sizeof(struct trace_record) / sizeof(u64))

/*
 * Invariants (check, also while tracing is on):
 *   TRACE-1  tail <= head <= tail + records, and what was told of as lost was lost
 *   TRACE-2  the records in the ring are of this CPU, known events, in order of time; from one to the
 *            next the sequence grows by 1, and to a TRACE_LOST by 1 + what it says was lost
 *
 * Three owners. Constant while tracing is on: words, records (a power of two, or 0: no ring). The
 * CPU, with interrupts off: head, lost, told. The reader: tail, in a line of its own.
 */
struct trace_ring {
	u64 *words;
	u32 records;
	u64 head; /* records ever written: read by others with acquire */
	u64 lost; /* that found no room; read by others relaxed */
	u64 told; /* of them in TRACE_LOST records */
	u64 tail __attribute__((aligned(64))); /* records ever read: by the producer with acquire */
} __attribute__((aligned(64)));

static inline u64 *trace_slot(const struct trace_ring *ring, u64 index)
{
	return &ring->words[(index & (ring->records - 1)) * TRACE_RECORD_WORDS];
}

struct trace_ring *trace_ring_of(u32 cpu); /* for check, and tests that damage it */

#endif
