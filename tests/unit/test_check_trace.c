/*
 * Each invariant of the trace's rings, broken. As test_check.c.
 */
#include "host.h"

#include <mm/trace.h>

#include "mm/trace_ring.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

#define RING               8
#define SEQUENCE_AND_PLACE 5 /* the word of a record that has them */

/* CPU 0's, with four records. */
static struct trace_ring *traced_ring(struct ktest *t)
{
	static struct trace_record memory[RING];

	host_machine_boot(&machine);
	expect_check_clean(t);
	trace_set_ring(0, memory, RING);
	trace_switch(true);
	for (u32 i = 0; i < 4; i++)
		trace(TRACE_SCHED_WAKE, .id = i);
	return trace_ring_of(0);
}

static void trace_1(struct ktest *t)
{
	struct trace_ring *ring = traced_ring(t);

	ring->tail = 5;
	expect_check_finds(t, "TRACE-1");
	ring->tail = 0;
	ring->told = 1;
	expect_check_finds(t, "TRACE-1");
	ring->told = 0;
	ring->head = RING + 1;
	expect_check_finds(t, "TRACE-1");
}

static void trace_2(struct ktest *t)
{
	struct trace_ring *ring = traced_ring(t);
	u64 *word = trace_slot(ring, 2);

	word[SEQUENCE_AND_PLACE] += (u64)1 << 32;
	expect_check_finds(t, "TRACE-2");
	word[SEQUENCE_AND_PLACE] -= (u64)1 << 32;
	word[0] = 1; /* long ago */
	expect_check_finds(t, "TRACE-2");
}

static void trace_2_event(struct ktest *t)
{
	struct trace_ring *ring = traced_ring(t);

	trace_slot(ring, 3)[4] = (u64)NR_TRACE_EVENTS << 32;
	expect_check_finds(t, "TRACE-2");
}

static const struct ktest_case cases[] = {
	KTEST(trace_1),
	KTEST(trace_2),
	KTEST(trace_2_event),
};
KTEST_SUITE(check_trace, cases);
