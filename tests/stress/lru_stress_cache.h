/*
 * Between the cache of the LRU stress and those who use it. Theory in lru_stress_cache.c.
 */
#ifndef TESTS_LRU_STRESS_CACHE_H
#define TESTS_LRU_STRESS_CACHE_H

#include <base/random.h>
#include <mm/lru.h>

#define NR_SLOTS 192u
#define MAX_KEPT 4u

enum count {
	FILLS,
	READS,
	BAD, /* pages that held something else */
	DROPS,
	PINS,
	UNPINS,
	WRITES,
	WRITE_ENDS,
	ISOLATED,
	ISOLATED_ALONE, /* by its struct page, which may be a page of anybody's by then */
	EVICTED,
	REFUSED, /* frozen in vain */
	IRQS,
	IRQ_DROPS,
	IRQ_WRITE_ENDS,
	NR_COUNTS
};

/* A thread, or the interrupts of a CPU, which do not nest. */
struct worker {
	struct random_state random;
	u64 count[NR_COUNTS];
	struct page *kept[MAX_KEPT];
	u32 operations;
};

void lsc_init(void);

/* A page for the slot; of two who fill it the first one's stays. */
void lsc_fill(struct worker *w, u32 n);
/* With a reference; NULL: the slot is empty. */
struct page *lsc_look_up(u32 n);
/* Without one: by now it may be nobody's, or another's. */
struct page *lsc_glimpse(u32 n);
/* Out of the slot; false: it was empty. */
bool lsc_drop(u32 n);
/* Compares some words. With a reference. */
void lsc_read(struct worker *w, struct page *page);

/* Of a page that is isolated. */
bool lsc_is_mine(const struct page *page);
enum lru_outcome lsc_evict(struct worker *w, struct page *page);

/* Of a page with a reference. */
enum lru_outcome lsc_begin_write(struct worker *w, struct page *page);
/* The youngest's; false: none is under way. */
bool lsc_end_write(struct worker *w, enum count counted);

#endif
