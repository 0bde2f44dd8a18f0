/*
 * The network block device with time driven by hand: delays, the wheel, its bounds, and what happens when nothing
 * at all is free. Each interrupt is the test's own.
 */
#include "host.h"

#include <base/errno.h>
#include <kernel/netblk.h>
#include <mm/fault_inject.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stress/pages_back.h"

#define MS       1000000ull
#define MANY     1000
#define SOME     100
#define START_NS (5000 * MS)

static const struct host_machine machine = {.ram = {{0, MiB(32), 0}}, .nr_nodes = 1};

struct sent {
	struct netblk_write write;
	bool done;
	int err;
	u64 done_ns;
};

static struct sent sent[MANY];
static u64 now_ns;

static void is_done(struct netblk_write *write, int err)
{
	struct sent *s = container_of(write, struct sent, write);

	s->done = true;
	s->err = err;
	s->done_ns = now_ns;
}

static void interrupt(void *arg)
{
	(void)arg;
	netblk_interrupt(now_ns);
}

static void at(u64 ns)
{
	now_ns = ns;
	host_interrupt(0, interrupt, NULL);
}

static struct netblk_options boot(void)
{
	struct netblk_options options;

	host_machine_boot(&machine);
	netblk_init();
	netblk_options_default(&options);
	options.max_in_flight = 0;
	at(START_NS);
	return options;
}

static void submit(struct ktest *t, u32 nr)
{
	memset(sent, 0, sizeof(sent));
	for (u32 i = 0; i < nr; i++) {
		sent[i].write = (struct netblk_write){
			.done = is_done, .block = i, .version = 1, .checksum = i * 3};
		EXPECT_EQ(t, netblk_submit(&sent[i].write, GFP_KERNEL), 0);
	}
}

static u32 nr_done(u32 nr)
{
	u32 done = 0;

	for (u32 i = 0; i < nr; i++)
		done += sent[i].done;
	return done;
}

static struct netblk_snapshot counts(void)
{
	struct netblk_snapshot s;

	netblk_snapshot(&s);
	return s;
}

static void count_finding(void *arg, const char *text)
{
	u32 *nr = arg;

	(void)text;
	++*nr;
}

static void expect_no_findings(struct ktest *t)
{
	u32 nr = 0;

	for (u32 i = 0; i < NR_NETBLK_INVARIANTS; i++)
		netblk_check(i, count_finding, &nr);
	EXPECT_EQ(t, nr, 0);
}

/* Each between the least and the greatest, and not all at once; the wheel goes round several times. */
static void delays_are_kept(struct ktest *t)
{
	struct netblk_options options = boot();
	u64 least = ~(u64)0, most = 0, took_ns;

	options.min_delay_ns = 100 * MS;
	options.max_delay_ns = 900 * MS;
	ASSERT_EQ(t, netblk_configure(&options), 0);
	submit(t, SOME);
	for (u32 ms = 0; ms <= 900; ms++) {
		at(START_NS + ms * MS);
		expect_no_findings(t);
	}
	ASSERT_EQ(t, nr_done(SOME), SOME);
	for (u32 i = 0; i < SOME; i++) {
		EXPECT_EQ(t, sent[i].err, 0);
		EXPECT_EQ(t, sent[i].write.checksum, i * 3);
		EXPECT(t, sent[i].done_ns >= sent[i].write.due_ns);
		EXPECT(t, sent[i].done_ns - sent[i].write.due_ns < MS);
		took_ns = sent[i].done_ns - START_NS;
		least = MIN(least, took_ns);
		most = MAX(most, took_ns);
	}
	EXPECT(t, least >= 100 * MS && least < 200 * MS);
	EXPECT(t, most <= 900 * MS && most > 800 * MS);
}

/* Which are lost, by the seed: bit i of the i-th. */
static u64 losses(struct ktest *t, u64 seed)
{
	struct netblk_options options;
	u64 lost = 0;

	netblk_options_default(&options);
	options.seed = seed;
	options.lost_permille = 300;
	options.max_in_flight = 0;
	EXPECT_EQ(t, netblk_configure(&options), 0);
	submit(t, 64);
	for (u32 i = 0; i < 64; i++)
		lost |= (u64)!sent[i].write.arrived << i;
	for (u32 i = 0; i < 1000 && nr_done(64) < 64; i++)
		at(now_ns + 10 * MS);
	EXPECT_EQ(t, nr_done(64), 64);
	return lost;
}

static void a_seed_says_what_is_lost(struct ktest *t)
{
	u64 lost;

	boot();
	lost = losses(t, 1);
	EXPECT(t, lost != 0 && lost != ~(u64)0);
	EXPECT_EQ(t, losses(t, 1), lost);
	EXPECT(t, losses(t, 2) != lost);
}

/* A thousand that are all due at once, behind which one is due earlier: nobody waits for those that are not due. */
static void work_is_bounded(struct ktest *t)
{
	struct netblk_options options = boot();
	struct sent late = {.write = {.done = is_done, .block = MANY, .version = 1}};

	options.min_delay_ns = options.max_delay_ns = 500 * MS;
	ASSERT_EQ(t, netblk_configure(&options), 0);
	submit(t, MANY);
	/* Lap after lap they are passed over, some of them each time. */
	for (u32 ms = 0; ms < 490; ms += 10)
		at(START_NS + ms * MS);
	EXPECT_EQ(t, nr_done(MANY), 0);
	EXPECT_EQ(t, netblk_submit(&late.write, GFP_KERNEL), 0);
	for (u32 i = 1; i <= 3; i++) {
		at(START_NS + 500 * MS + i);
		EXPECT(t, nr_done(MANY) <= i * NETBLK_INTERRUPT_EVENTS);
		expect_no_findings(t);
	}
	at(START_NS + 510 * MS);
	EXPECT_EQ(t, nr_done(MANY), MANY);
	EXPECT(t, !late.done);
	at(START_NS + 480 * MS + 500 * MS);
	EXPECT(t, late.done);
	EXPECT_EQ(t, counts().in_flight, 0);
}

/*
 * Half of a thousand are lost and stand in one slot of the wheel for seconds, passed over each lap. The others,
 * further on, are not held up by more interrupts than that takes: two.
 *
 *	slot  0: 500, due in 2560 ms, ten laps    ...    100: 500, due in 100 ms
 */
static void who_is_due_later_holds_up_nobody(struct ktest *t)
{
	struct netblk_options options = boot();

	options.lost_permille = 500;
	options.resend_after_ns = 2560 * MS;
	options.min_delay_ns = options.max_delay_ns = 100 * MS;
	ASSERT_EQ(t, netblk_configure(&options), 0);
	submit(t, MANY);
	for (u32 ms = 0; ms <= 150; ms += 10)
		at(START_NS + ms * MS);
	/* All that arrived are done, or their acknowledgement was lost: none is overdue. */
	for (u32 i = 0; i < MANY; i++)
		EXPECT(t, sent[i].done || sent[i].write.due_ns > now_ns);
	EXPECT(t, nr_done(MANY) > MANY / 8);
}

/*
 * More at once than an interrupt handles, and one that comes after it into the same slot: it is not left for the
 * lap after.
 */
static void who_comes_into_a_half_walked_slot(struct ktest *t)
{
	struct netblk_options options = boot();
	struct sent late = {.write = {.done = is_done, .block = MANY, .version = 1}};

	options.min_delay_ns = options.max_delay_ns = 0;
	ASSERT_EQ(t, netblk_configure(&options), 0);
	submit(t, NETBLK_INTERRUPT_EVENTS + SOME);
	at(START_NS);
	EXPECT_EQ(t, nr_done(NETBLK_INTERRUPT_EVENTS + SOME), NETBLK_INTERRUPT_EVENTS);
	EXPECT_EQ(t, netblk_submit(&late.write, GFP_KERNEL), 0);
	at(START_NS + 10 * MS);
	EXPECT_EQ(t, nr_done(NETBLK_INTERRUPT_EVENTS + SOME), NETBLK_INTERRUPT_EVENTS + SOME);
	EXPECT(t, late.done);
	expect_no_findings(t);
}

/* No interrupt for a long time: once round the wheel finds all. */
static void a_long_silence(struct ktest *t)
{
	struct netblk_options options = boot();

	ASSERT_EQ(t, netblk_configure(&options), 0);
	submit(t, SOME);
	at(START_NS + 3600 * 1000 * MS);
	EXPECT_EQ(t, nr_done(SOME), SOME);
	expect_no_findings(t);
}

static struct page *held; /* by owner_next */

static void take_all_memory(void)
{
	struct page *page;

	while ((page = alloc_pages(__GFP_MEMALLOC | __GFP_NOWARN, 0))) {
		page->owner_next = held;
		held = page;
	}
}

static void give_back(void)
{
	while (held) {
		struct page *page = held;

		held = page->owner_next;
		__free_pages(page, 0);
	}
}

/* The last page is gone: each acknowledgement is dropped, for as long as it takes. */
static void nothing_left(struct ktest *t)
{
	struct netblk_options options = boot();
	struct netblk_snapshot s;

	ASSERT_EQ(t, netblk_configure(&options), 0);
	submit(t, SOME);
	take_all_memory();
	for (u32 ms = 0; ms < 1000; ms += 10) {
		at(START_NS + ms * MS);
		expect_no_findings(t);
	}
	s = counts();
	EXPECT_EQ(t, nr_done(SOME), 0);
	EXPECT_EQ(t, s.acks_dropped, SOME);
	EXPECT(t, s.resends_without_memory >= SOME * 5);
	EXPECT_EQ(t, s.resent, 0);
	EXPECT_EQ(t, s.packet_pages, SOME);
	EXPECT_EQ(t, netblk_submit(&sent[0].write, GFP_ATOMIC | __GFP_NOWARN), -ENOMEM);
	EXPECT_EQ(t, counts().refused, 1);
	give_back();
	for (u32 ms = 1000; ms < 1200; ms += 10)
		at(START_NS + ms * MS);
	EXPECT_EQ(t, nr_done(SOME), SOME);
	EXPECT_EQ(t, counts().resent, SOME);
	EXPECT_EQ(t, counts().packet_pages, 0);
}

static u64 pages_left(void)
{
	struct vm_totals totals;

	pages_settle();
	vm_totals(&totals);
	return totals.free_pages;
}

static void submit_one_more(void *arg)
{
	if (netblk_submit(arg, GFP_ATOMIC) != 0)
		abort();
}

/* There was room for one; while its packet's page is looked for elsewhere, another comes: it has no packet then. */
static void who_comes_first_has_the_room(struct ktest *t)
{
	struct netblk_options options = boot();
	u64 before = pages_left();
	int id;

	options.max_in_flight = 1;
	ASSERT_EQ(t, netblk_configure(&options), 0);
	memset(sent, 0, sizeof(sent));
	sent[0].write.done = sent[1].write.done = is_done;
	id = fault_rule_add(&(const struct fault_rule){.nth = 2});
	ASSERT_TRUE(t, id > 0);
	host_log_at("fails its request 2", submit_one_more, &sent[1].write);
	EXPECT_EQ(t, netblk_submit(&sent[0].write, GFP_KERNEL), -EBUSY);
	EXPECT(t, fault_rule_remove((u32)id));
	EXPECT_EQ(t, counts().packet_pages, 1);
	EXPECT_EQ(t, counts().refused, 1);
	at(START_NS + 10 * MS);
	EXPECT(t, sent[1].done && !sent[0].done);
	EXPECT_EQ(t, pages_left(), before);
}

static void interrupt_in_a_thread(void *arg)
{
	(void)arg;
	netblk_interrupt(START_NS);
}

static void a_thread_is_no_interrupt(struct ktest *t)
{
	boot();
	expect_panic(t, interrupt_in_a_thread, NULL, "netblk_interrupt() in a thread");
}

static const struct ktest_case cases[] = {
	KTEST(delays_are_kept),
	KTEST(a_seed_says_what_is_lost),
	KTEST(work_is_bounded),
	KTEST(who_is_due_later_holds_up_nobody),
	KTEST(who_comes_into_a_half_walked_slot),
	KTEST(a_long_silence),
	KTEST(nothing_left),
	KTEST(who_comes_first_has_the_room),
	KTEST(a_thread_is_no_interrupt),
};
KTEST_SUITE(netblk, cases);
