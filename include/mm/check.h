/*
 * Executing the invariants that stand above the structs.
 */
#ifndef MM_CHECK_H
#define MM_CHECK_H

#include <base/types.h>

struct check_report {
	u32 run;         /* invariants executed */
	u32 failed;      /* of them broken */
	bool stopped;    /* not all were run, or none */
	u64 items;       /* pages, list entries, ranges looked at */
	char first[192]; /* the first broken one: id, what, values */
};

/*
 * Runs every invariant, by id. Takes zone locks one at a time; the figures are exact if no
 * other CPU allocates meanwhile. Each failure is also a log line. Returns true if all hold.
 * Threads, interrupts on or off, no lock of mm/ held; may sleep, where something is amidst a change; with interrupts off what other CPUs have on their stacks of
 * objects is left out. In an interrupt nothing is run: false, `stopped`, and a line. Not in an NMI.
 */
bool mm_check(struct check_report *report);
/* The same until stop() says so, which is asked before each invariant; false then, too. */
bool mm_check_until(struct check_report *report, bool (*stop)(void));

/*
 * For who looks again, CHECK_LOOKS times in all, as two words may differ for a moment: waits before the look of that
 * number (0 is the first), each time for twice as long, a quarter of a second in all. Where it may not sleep it does not.
 */
#define CHECK_LOOKS 8
void check_wait_a_moment(u32 look);

/* The i-th invariant's id and sentence; false past the end. For `check list` and the docs. */
bool mm_check_describe(u32 i, const char **id, const char **sentence);

#endif
