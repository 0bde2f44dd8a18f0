/*
 * How an invariant is executed: it looks, and says what it found broken.
 */
#ifndef MM_CHECK_INTERNAL_H
#define MM_CHECK_INTERNAL_H

#include <mm/check.h>

struct check {
	const char *id; /* of the invariant that runs */
	u32 failures;   /* of it, so far */
	struct check_report *report;
};

struct zone;

struct invariant {
	const char *id;
	const char *sentence;
	/* One of the two: the whole at once, or each zone that has pages, under its lock, its CPUs' lists owned. */
	void (*run)(struct check *c);
	void (*run_zone_locked)(struct check *c, struct zone *zone);
};

/* Notes a failure: values in, one line out. Only the first few of an invariant are logged. */
void check_fail(struct check *c, const char *fmt, ...) __printf_like(2, 3);

extern const struct invariant zone_invariants[];
extern const u32 nr_zone_invariants;
extern const struct invariant trace_invariants[];
extern const u32 nr_trace_invariants;

#endif
