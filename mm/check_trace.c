/*
 * Executing the invariants of the trace rings (TRACE-*, mm/trace_ring.h).
 *
 * Nothing is stopped: CPUs write and the reader reads while this looks. So the indices are read in an
 * order in which movement cannot look like damage, and a record that was overwritten meanwhile says
 * so (trace_at()) and is left out.
 */
#include <arch/cpu.h>
#include <base/atomic.h>

#include "check_internal.h"
#include "trace_ring.h"

static void indices_are_sane(struct check *c)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct trace_ring *ring = trace_ring_of(cpu);
		u64 tail_before = load_acquire(&ring->tail);
		u64 head = load_acquire(&ring->head);
		u64 tail_after = load_acquire(&ring->tail);
		u64 told = load_acquire(&ring->told), lost = load_relaxed(&ring->lost);

		c->report->items += ring->records > 0;
		/* Signed: the reader may have gone past what head was. */
		if (tail_before > head || (s64)(head - tail_after) > (s64)ring->records)
			check_fail(c, "CPU %u: head %llu, tail %llu, %u records", cpu,
				   (unsigned long long)head, (unsigned long long)tail_after,
				   ring->records);
		if (told > lost)
			check_fail(c, "CPU %u: told of %llu lost, of %llu", cpu,
				   (unsigned long long)told, (unsigned long long)lost);
	}
}

static bool follows(const struct trace_record *before, const struct trace_record *after)
{
	u64 skipped = after->event == TRACE_LOST ? after->arg : 0;

	return after->sequence - before->sequence == (u32)(1 + skipped) &&
	       after->timestamp >= before->timestamp;
}

static void records_follow(struct check *c)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct trace_ring *ring = trace_ring_of(cpu);
		u64 head = load_acquire(&ring->head);
		struct trace_record before, at;
		bool have_before = false;

		for (u64 i = head - MIN(head, (u64)ring->records); i < head; i++) {
			if (!trace_at(cpu, i, &at)) {
				have_before = false;
				continue;
			}
			c->report->items++;
			if (at.cpu != cpu || at.event == TRACE_NONE || at.event >= NR_TRACE_EVENTS)
				check_fail(c, "CPU %u, record %llu: event %u of CPU %u", cpu,
					   (unsigned long long)i, at.event, at.cpu);
			if (have_before && !follows(&before, &at))
				check_fail(c, "CPU %u, record %llu: sequence %u after %u, %s", cpu,
					   (unsigned long long)i, at.sequence, before.sequence,
					   trace_event_name((enum trace_event)at.event));
			before = at;
			have_before = true;
		}
	}
}

const struct invariant trace_invariants[] = {
	{"TRACE-1", "each CPU's trace ring holds no more than its size", .run = indices_are_sane},
	{"TRACE-2", "its records are its own, in order, and every gap is told of as lost",
	 .run = records_follow},
};
const u32 nr_trace_invariants = ARRAY_SIZE(trace_invariants);
