/*
 * The trace rings: what is kept, in which order, what is lost. What the allocator says into them: test_trace_alloc.c.
 */
#include "host.h"

#include <arch/cpu.h>
#include <arch/page.h>
#include <base/string.h>
#include <mm/page_alloc.h>
#include <mm/trace.h>
#include <pthread.h>
#include <sched.h>

#define SIZE 8

static const struct host_machine machine = {
	.ram = {{GiB(4), MiB(384), 0}, {GiB(8), MiB(384), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

static struct trace_record memory[4][1024], out[1024];

static void start(u32 nr_records)
{
	for (u32 cpu = 0; cpu < ARRAY_SIZE(memory); cpu++)
		trace_set_ring(cpu, memory[cpu], nr_records);
	trace_switch(true);
}

static void note(u64 first, u64 nr)
{
	for (u64 id = first; id < first + nr; id++)
		trace(TRACE_SCHED_WAKE, .id = id, .arg = id * 3);
}

/* --- The ring alone ------------------------------------------------------------------------- */

static void off_means_nothing(struct ktest *t)
{
	trace_set_ring(0, memory[0], SIZE);
	note(1, 3);
	EXPECT_EQ(t, trace_read(0, out, SIZE), 0);
	trace_switch(true);
	trace_switch(true); /* is nothing new */
	note(4, 1);
	trace_switch(false);
	note(5, 1);
	ASSERT_EQ(t, trace_read(0, out, SIZE), 1);
	EXPECT_EQ(t, out[0].id, 4);
}

static void a_record_is_all_that_was_said(struct ktest *t)
{
	u64 before = arch_timestamp();

	start(SIZE);
	host_cpu = 3;
	trace(TRACE_PAGE_ALLOC, .id = 0x123456789a, .call_site = 0xffffffff80100001, .arg = 7,
	      .gfp = GFP_KERNEL, .nid = 300, .order = 10, .zone = 2);
	ASSERT_EQ(t, trace_read(3, out, SIZE), 1);
	EXPECT(t, out[0].timestamp >= before && out[0].timestamp <= arch_timestamp());
	EXPECT_EQ(t, out[0].id, 0x123456789a);
	EXPECT_EQ(t, out[0].call_site, 0xffffffff80100001);
	EXPECT_EQ(t, out[0].arg, 7);
	EXPECT_EQ(t, out[0].gfp, GFP_KERNEL);
	EXPECT_EQ(t, out[0].event, TRACE_PAGE_ALLOC);
	EXPECT_EQ(t, out[0].cpu, 3);
	EXPECT_EQ(t, out[0].nid, 300);
	EXPECT_EQ(t, out[0].order, 10);
	EXPECT_EQ(t, out[0].zone, 2);
	EXPECT_EQ(t, out[0].sequence, 0);
	EXPECT_EQ(t, trace_read(0, out, SIZE), 0); /* nobody else's */
}

/* Often around the ring, in pieces that do not divide it. */
static void order_is_kept_around_the_end(struct ktest *t)
{
	u64 next = 0;

	host_machine_boot(&machine);
	start(SIZE);
	for (u32 round = 0; round < 100; round++) {
		note(round * 5, 5);
		for (u32 left = 5; left > 0;) {
			u32 nr = trace_read(0, out, MIN(left, 3u));

			ASSERT_EQ(t, nr, MIN(left, 3u));
			for (u32 i = 0; i < nr; i++, next++) {
				EXPECT_EQ(t, out[i].id, next);
				EXPECT_EQ(t, out[i].sequence, next);
			}
			left -= nr;
		}
	}
	EXPECT_EQ(t, trace_lost(0), 0);
	expect_check_clean(t);
}

/*
 *	| 0 1 2 3 4 5 6 7 |  8 to 12 find it full; 0 and 1 are read, 13 finds room for two:
 *	| L 13  2 ...   7 |  LOST says 5, and 13 is the fifth but one after it by sequence
 */
static void loss_is_counted_and_told(struct ktest *t)
{
	host_machine_boot(&machine);
	start(SIZE);
	note(0, 13);
	EXPECT_EQ(t, trace_lost(0), 5);
	EXPECT_EQ(t, trace_read(0, out, 2), 2);
	note(13, 1);
	ASSERT_EQ(t, trace_read(0, out, SIZE), SIZE);
	for (u32 i = 0; i < 6; i++)
		EXPECT_EQ(t, out[i].id, i + 2); /* what is old stays */
	EXPECT_EQ(t, out[6].event, TRACE_LOST);
	EXPECT_EQ(t, out[6].arg, 5);
	EXPECT_EQ(t, out[6].sequence, 7 + 1 + 5);
	EXPECT_EQ(t, out[7].id, 13);
	EXPECT_EQ(t, out[7].sequence, 14);
	expect_check_clean(t);
}

/* ---- Writer and readers at the same time ---------------------------------------------------- */

#define WRITTEN    50000u
#define READ_LEAST 100u
#define LIMIT_NS   20000000000ull

static bool written;     /* atomic */
static u64 looks, taken; /* atomic: records that the looker and the reader have got */
static u64 mixtures;

/* On a busy host the others may not have run before all is written. Relaxed: two figures. */
static bool others_were_there(void)
{
	return load_relaxed(&looks) > 0 && load_relaxed(&taken) >= READ_LEAST;
}

static void *write_many(void *arg)
{
	u64 end = arch_timestamp() + LIMIT_NS; /* the host's is in ns */

	(void)arg;
	host_cpu = 1;
	for (u64 id = 0; id < WRITTEN || !others_were_there(); id++) {
		if (arch_timestamp() > end)
			break;
		trace(TRACE_SCHED_WAKE, .id = id, .arg = ~id, .call_site = id * 5);
		if (id % 64 == 0)
			sched_yield();
	}
	/* Release: after the last record. */
	store_release(&written, true);
	return NULL;
}

static bool is_whole(const struct trace_record *r)
{
	return r->cpu == 1 &&
	       (r->event == TRACE_LOST ||
		(r->event == TRACE_SCHED_WAKE && r->arg == ~r->id && r->call_site == r->id * 5));
}

/* As a debugger or `trace dump` would: at records that may be written over meanwhile. */
static void *look_at_some(void *arg)
{
	struct trace_record r;
	struct trace_state state;

	(void)arg;
	host_cpu = 2;
	while (!load_acquire(&written)) {
		trace_state(1, &state);
		for (u32 back = 1; back <= SIZE && back <= state.head; back++) {
			if (!trace_at(1, state.head - back, &r))
				continue;
			store_relaxed(&looks, looks + 1);
			mixtures += !is_whole(&r);
		}
	}
	return NULL;
}

/* What it had before of the writer's numbers, and what this one has. */
static void expect_next(struct ktest *t, const struct trace_record *r, u64 *sequence, u64 *lost)
{
	u64 gap = r->event == TRACE_LOST ? r->arg : 0;

	EXPECT(t, is_whole(r));
	EXPECT_EQ(t, r->sequence, *sequence + gap);
	*sequence = r->sequence + 1;
	*lost += gap;
}

/* Each record is whole, and each gap told of: whoever is faster. */
static void a_reader_beside_the_writer(struct ktest *t)
{
	u64 sequence = 0, lost = 0, nr_read = 0;
	struct trace_state state;
	pthread_t writer, looker;
	bool last = false;
	u32 nr;

	start(SIZE);
	ASSERT_EQ(t, pthread_create(&writer, NULL, write_many, NULL), 0);
	ASSERT_EQ(t, pthread_create(&looker, NULL, look_at_some, NULL), 0);
	do {
		last = load_acquire(&written);
		nr = trace_read(1, out, 3);
		for (u32 i = 0; i < nr; i++)
			expect_next(t, &out[i], &sequence, &lost);
		nr_read += nr;
		store_relaxed(&taken, nr_read);
		if (nr == 0)
			sched_yield();
	} while (!last || nr > 0);
	pthread_join(writer, NULL);
	pthread_join(looker, NULL);
	trace_switch(false);
	trace_state(1, &state);
	EXPECT_EQ(t, state.head, nr_read);
	EXPECT(t, others_were_there());
	EXPECT_EQ(t, mixtures, 0);
	/* Each told of is a record more. */
	EXPECT(t, lost <= trace_lost(1));
	EXPECT_MSG(t, state.head + state.lost >= WRITTEN, "%llu written, %llu lost",
		   (unsigned long long)state.head, (unsigned long long)state.lost);
	ktest_note(t, "%llu read, %llu lost, %llu looked at", (unsigned long long)nr_read,
		   (unsigned long long)state.lost, (unsigned long long)looks);
}

/* ---- The writer at the worst moment --------------------------------------------------------- */

/* Where a reader puts what it has read: its first store there is after the first slot is copied. */
static union {
	struct trace_record record[SIZE];
	char page[PAGE_SIZE];
} copied __attribute__((aligned(PAGE_SIZE)));

static void write_five(void *arg)
{
	(void)arg;
	note(100, 5);
}

/* Until the read is over none of its slots is free, and what comes meanwhile is lost. */
static void slots_that_are_read_are_not_free(struct ktest *t)
{
	start(SIZE);
	note(0, SIZE);
	host_at_write(copied.page, write_five, NULL);
	ASSERT_EQ(t, trace_read(0, copied.record, 3), 3);
	EXPECT(t, !host_write_awaited());
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(t, copied.record[i].id, i);
	EXPECT_EQ(t, trace_lost(0), 5);
	note(200, 1);
	ASSERT_EQ(t, trace_read(0, out, SIZE), SIZE - 3 + 2);
	EXPECT_EQ(t, out[SIZE - 3].arg, 5);
	EXPECT_EQ(t, out[SIZE - 3 + 1].id, 200);
}

/* As its CPU's interrupts and its reader, at the same time. */
static void write_once_around(void *arg)
{
	(void)arg;
	trace_read(0, out, SIZE);
	note(100, SIZE - 1);
}

/* Copied whole, and written over before anybody could say so: it does not count. */
static void a_look_that_took_too_long_is_none(struct ktest *t)
{
	start(SIZE);
	note(0, SIZE);
	host_at_write(copied.page, write_once_around, NULL);
	EXPECT(t, !trace_at(0, 3, &copied.record[0]));
	EXPECT(t, !host_write_awaited());
	EXPECT(t, trace_at(0, SIZE, &copied.record[0]) && copied.record[0].id == 100);

	/* One that the writer does not reach. */
	host_at_write(copied.page, write_five, NULL);
	EXPECT(t, trace_at(0, 2 * SIZE - 2, &copied.record[0]));
	EXPECT(t, !host_write_awaited());
	EXPECT_EQ(t, copied.record[0].id, 100 + SIZE - 2);
}

/* With room for one only, the record is lost as well: a gap is never without its TRACE_LOST. */
static void room_for_one_is_not_enough_to_tell(struct ktest *t)
{
	host_machine_boot(&machine);
	start(SIZE);
	note(0, SIZE + 1);
	trace_read(0, out, 1);
	note(100, 1);
	EXPECT_EQ(t, trace_lost(0), 2);
	EXPECT_EQ(t, trace_read(0, out, SIZE), SIZE - 1);
	note(101, 1);
	ASSERT_EQ(t, trace_read(0, out, SIZE), 2);
	EXPECT_EQ(t, out[0].arg, 2);
	EXPECT_EQ(t, out[1].id, 101);
	expect_check_clean(t);
}

static void what_was_read_can_be_seen_again(struct ktest *t)
{
	struct trace_record r;

	start(SIZE);
	note(0, 5);
	trace_read(0, out, 5);
	note(5, 6); /* the slots of 0, 1 and 2 have 8, 9 and 10 */
	EXPECT(t, !trace_at(0, 2, &r));
	EXPECT(t, trace_at(0, 4, &r) && r.id == 4);
	EXPECT(t, trace_at(0, 10, &r) && r.id == 10);
	EXPECT(t, !trace_at(0, 11, &r));
	/* The oldest slot is the one that is written next: nobody may rely on it. */
	EXPECT(t, !trace_at(0, 3, &r));
	EXPECT(t, !trace_at(1, 0, &r));
}

static void every_event_has_a_name(struct ktest *t)
{
	for (u32 i = 0; i < NR_TRACE_EVENTS; i++) {
		const char *name = trace_event_name((enum trace_event)i);

		ASSERT_TRUE(t, name && name[0]);
		for (u32 j = 0; j < i; j++)
			EXPECT(t, strcmp(name, trace_event_name((enum trace_event)j)) != 0);
	}
	EXPECT_STREQ(t, trace_event_name(TRACE_SCHED_SWITCH), "sched_switch");
	EXPECT_STREQ(t, trace_event_name(NR_TRACE_EVENTS), "unknown");
}

static const struct ktest_case cases[] = {
	KTEST(off_means_nothing),
	KTEST(a_record_is_all_that_was_said),
	KTEST(order_is_kept_around_the_end),
	KTEST(loss_is_counted_and_told),
	KTEST(a_reader_beside_the_writer),
	KTEST(slots_that_are_read_are_not_free),
	KTEST(a_look_that_took_too_long_is_none),
	KTEST(room_for_one_is_not_enough_to_tell),
	KTEST(what_was_read_can_be_seen_again),
	KTEST(every_event_has_a_name),
};
KTEST_SUITE(trace, cases);
