/*
 * Is every page back? Two looks at all zones, before and after something, and what must be alike. The same
 * body runs in the kernel and on the host.
 */
#ifndef TESTS_PAGES_BACK_H
#define TESTS_PAGES_BACK_H

#include <kernel/test.h>
#include <mm/inspect.h>

/*
 * What caches and CPUs keep for the next request goes back: what is then not free, somebody has. For who compares numbers
 * of his own. Threads; may sleep.
 */
void pages_settle(void);

/*
 * One pair of pictures for all suites, which run one after the other: they are large. Settled before. One thread.
 */
void pages_before(void);
void pages_after(void);

/* Between both, in all zones. */
u64 zone_events_between(enum zone_event event);
/* As many free pages in each zone, its own and those on CPUs' lists. */
void expect_counts_as_before(struct ktest *t);
/*
 * As many free blocks of each order, once the lists are drained: blocks that merge eagerly are what they
 * were if and only if the same frames are free.
 */
void expect_blocks_as_before(struct ktest *t);

#endif
