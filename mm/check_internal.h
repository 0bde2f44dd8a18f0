/*
 * How an invariant is executed: it looks, and says what it found broken.
 */
#ifndef MM_CHECK_INTERNAL_H
#define MM_CHECK_INTERNAL_H

#include <mm/check.h>

#include "zone.h"

struct check {
	const char *id; /* of the invariant that runs */
	u32 failures;   /* of it, so far */
	struct check_report *report;
};

struct invariant {
	const char *id;
	const char *sentence;
	/* One of the two: the whole at once, or each zone that has pages, under its lock, its CPUs' lists owned. */
	void (*run)(struct check *c);
	void (*run_zone_locked)(struct check *c, struct zone *zone);
};

/* Notes a failure: values in, one line out. Only the first few of an invariant are logged. */
void check_fail(struct check *c, const char *fmt, ...) __printf_like(2, 3);

/* The free lists of a zone by number: all orders of one type, then of the next. */
#define NR_FREE_LISTS (NR_BLOCK_TYPES * NR_ORDERS)

static inline enum block_type free_list_type(u32 i)
{
	return (enum block_type)(i / NR_ORDERS);
}

static inline u32 free_list_order(u32 i)
{
	return i % NR_ORDERS;
}

/* A walk along one list. It ends at the head, at a link that leads nowhere, or after the count. */
struct list_walk {
	const struct free_area *area;
	struct list_head *at;
	u64 seen;
};
struct list_walk list_walk_start(const struct zone *zone, u32 i);
/* The next page of the list; NULL at its end, however that comes. */
struct page *list_walk_next(struct list_walk *walk);

/* Does the page say that it is of this zone? Whatever it says, without following it. */
bool page_is_of(const struct page *page, const struct zone *zone);

extern const struct invariant zone_invariants[];
extern const u32 nr_zone_invariants;
extern const struct invariant type_invariants[];
extern const u32 nr_type_invariants;
extern const struct invariant claim_invariants[];
extern const u32 nr_claim_invariants;
extern const struct invariant lru_invariants[];
extern const u32 nr_lru_invariants;
extern const struct invariant pressure_invariants[];
extern const u32 nr_pressure_invariants;
extern const struct invariant reclaim_invariants[];
extern const u32 nr_reclaim_invariants;
extern const struct invariant trace_invariants[];
extern const u32 nr_trace_invariants;

#endif
