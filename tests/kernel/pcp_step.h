/*
 * What comes between the instructions of a request for pages: tests/kernel/pcp_step.c, which has the
 * theory. The requests are tests/kernel/test_pcp_step.c.
 */
#ifndef TESTS_PCP_STEP_H
#define TESTS_PCP_STEP_H

#include <mm/inspect.h>
#include <mm/page_alloc.h>

#include "../../mm/pcp.h"

struct trap_frame;

#define GFP      (GFP_ATOMIC | __GFP_NOWARN)
#define MAX_POOL 16
#define PERIOD   16 /* HOLD: held for half of so many instructions */

/* What comes between the instructions. */
enum plan {
	TAKE_AND_GIVE,  /* a block, and back with it */
	TAKE_THEN_GIVE, /* one at each instruction until MAX_POOL are held, then all back at once */
	GIVE_THEN_TAKE, /* one back at each until none is held, then MAX_POOL at once */
	DRAIN,          /* all lists of all CPUs back to their zones */
	LOOK,           /* own, walk and count; nothing is changed */
	AT_RANDOM,      /* any of the above */
	HOLD,           /* owned for PERIOD / 2 instructions, less a block meanwhile */
	NR_PLANS
};

struct figures {
	u64 steps;
	u64 acted;       /* with interrupts on: free to do what any interrupt may */
	u64 owned;       /* of them while the stepped code owned the list */
	u64 irqs_off;    /* with interrupts off */
	u64 zone_locked; /* of them under the zone's lock */
	u64 hit_only;    /* of them when the list was free, and used */
	u64 held;        /* HOLD: times that the list was owned across instructions */
	u64 refused;     /* times that the stepped code found it so, and went to the zone */
};

struct stage {
	int nid;
	unsigned int order;  /* of the stepped request */
	unsigned int beside; /* of those that come between: the same, or 0 if no list has it */
	struct zone *zone;
	struct pcp_list *list; /* of order `beside` */
	enum plan plan;
	u32 phase;
	u64 random;

	struct page *page; /* what the stepped code asks for, or gives */
	struct page *pool[MAX_POOL];
	u32 nr_pool;

	struct page *out;     /* HOLD: the block taken off the list */
	struct pcp_list kept; /* and the list as it must stay */
	bool holds;

	u64 step, all_pages; /* of the zone, free or held */
	struct figures f;
	char bad[160]; /* the first thing that was wrong */
};
extern struct stage stage;

/* Notes what is wrong, and where it first was. */
void stage_bad(const char *fmt, ...) __printf_like(1, 2);

/* Somebody has the block now, and nobody had it before; and the other way. Return it. */
struct page *stage_mark(struct page *page, unsigned int order);
struct page *stage_unmark(struct page *page, unsigned int order);

/* Blocks of order `beside`, marked. */
struct page *stage_take(void);
void stage_give(struct page *page);
void stage_fill_pool(void);
void stage_give_pool(void);

u64 stage_event(enum zone_event what);
u64 stage_zone_pages(void); /* free, in the zone or on lists */

/* For single_step(): acts by the plan, looks, counts. */
bool stage_between(const struct trap_frame *frame, void *arg);
/* HOLD: if the list is still held. */
void stage_end_hold(void);

/* Instructions of the hit paths that were reached, by function: NULL past the end. */
#define MAX_FN_BYTES 768
const char *stage_visited(u32 i, const u8 **seen);

#endif
