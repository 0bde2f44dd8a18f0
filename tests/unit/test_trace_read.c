/*
 * The trace rings in the middle of a read: what happens between a reader's steps.
 *
 * Without a second thread and luck. The ring's memory cannot be touched, so the copy of a record
 * faults; the handler opens the memory, does what another CPU might do at this moment, and the copy
 * goes on. (A reader and a writer at full speed are in test_trace.c.)
 */
#include "host.h"

#include <arch/page.h>
#include <mm/trace.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SIZE 8

static struct trace_record out[SIZE];

static void note(u64 first, u64 nr)
{
	for (u64 id = first; id < first + nr; id++)
		trace(TRACE_SCHED_WAKE, .id = id);
}

static struct trace_record *trapped; /* a page; NULL once the trap has sprung */
static void (*meanwhile)(void);

static void spring(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	if (!trapped || mprotect(trapped, PAGE_SIZE, PROT_READ | PROT_WRITE) != 0)
		abort();
	trapped = NULL;
	meanwhile();
}

/* CPU 0's ring, in a page that is shut by set_trap(). */
static bool start_trapped(void)
{
	struct sigaction action = {.sa_sigaction = spring, .sa_flags = SA_SIGINFO};

	trapped = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (trapped == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0)
		return false;
	trace_set_ring(0, trapped, SIZE);
	trace_switch(true);
	return true;
}

static bool set_trap(void (*fn)(void))
{
	meanwhile = fn;
	return mprotect(trapped, PAGE_SIZE, PROT_NONE) == 0;
}

static struct trace_state state_meanwhile;

static void look_at_the_state(void)
{
	trace_state(0, &state_meanwhile);
}

/* The writer may have a slot only when the reader is done with it. */
static void slots_are_kept_until_they_are_read(struct ktest *t)
{
	struct trace_state state;

	ASSERT_TRUE(t, start_trapped());
	note(0, 5);
	ASSERT_TRUE(t, set_trap(look_at_the_state));
	EXPECT_EQ(t, trace_read(0, out, 3), 3);
	ASSERT_TRUE(t, trapped == NULL);
	EXPECT_EQ(t, state_meanwhile.head, 5);
	EXPECT_EQ(t, state_meanwhile.tail, 0);
	trace_state(0, &state);
	EXPECT_EQ(t, state.tail, 3);
	EXPECT_EQ(t, out[2].id, 2);
}

static void write_two_more(void)
{
	note(SIZE, 2);
}

/* Who looks at what was read already is told if it was written over under the look. */
static void what_is_written_over_is_not_shown(struct ktest *t)
{
	struct trace_record r;

	ASSERT_TRUE(t, start_trapped());
	note(0, SIZE);
	ASSERT_EQ(t, trace_read(0, out, SIZE), SIZE);
	ASSERT_TRUE(t, trace_at(0, 1, &r));
	EXPECT_EQ(t, r.id, 1);
	ASSERT_TRUE(t, set_trap(write_two_more));
	EXPECT(t, !trace_at(0, 1, &r));
	ASSERT_TRUE(t, trapped == NULL);
	EXPECT(t, trace_at(0, SIZE + 1, &r));
	EXPECT_EQ(t, r.id, SIZE + 1);
}

static const struct ktest_case cases[] = {
	KTEST(slots_are_kept_until_they_are_read),
	KTEST(what_is_written_over_is_not_shown),
};
KTEST_SUITE(trace_read, cases);
