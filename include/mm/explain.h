/*
 * What would become of a request, and why: a rehearsal by the functions that serve requests, which tell
 * a recorder what they see, take nothing and count nothing. docs/request.md has the picture.
 */
#ifndef MM_EXPLAIN_H
#define MM_EXPLAIN_H

#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/page.h>

/* The steps of a request, in the order in which they are taken. */
enum alloc_step {
	STEP_HIT,         /* this CPU's own list, without a question */
	STEP_FAST,        /* every zone against its low mark */
	STEP_WAKE_KSWAPD, /* if the request lets it */
	STEP_MIN,         /* every zone against its min mark, less what the request may use of it */
	STEP_NO_MARKS,    /* entitled: without marks */
	STEP_RECLAIM,     /* may block: free something oneself */
	STEP_AFTER_RECLAIM, /* and look again */
	STEP_DRAIN,         /* what the CPUs keep for themselves goes back */
	STEP_AFTER_DRAIN,   /* and look again */
	STEP_OOM,           /* may block, and has not said otherwise: somebody must end */
	STEP_GIVE_UP,
	NR_ALLOC_STEPS
};
/* "fast", and "every zone against its low mark". */
const char *alloc_step_name(enum alloc_step step);
const char *alloc_step_meaning(enum alloc_step step);

/* Why the hit path serves a request, or does not. */
enum hit_verdict {
	HIT_TAKE,
	HIT_NOT_ASKED, /* order or flags want what it does not do */
	HIT_LIMITED,   /* the task has a cpuset, a policy or an entitlement */
	HIT_MARK,      /* the zone is near its low mark, or the hit paths are closed */
	HIT_EMPTY,     /* the list has nothing, or is in use */
};

/* Why a zone was passed over, or not. */
enum zone_verdict {
	VERDICT_CLASS,  /* above what the request may use */
	VERDICT_POLICY, /* its node is not permitted */
	VERDICT_MARK,   /* too few free pages */
	VERDICT_BLOCK,  /* enough, but none large enough together */
	VERDICT_MAYBE, /* enough, once the lists are back: whether they make a block only doing it says */
	VERDICT_TAKE,
	NR_ZONE_VERDICTS
};

/* The sum of one check against a mark. */
struct watermark_check {
	u64 free, others;  /* pages free, and those of the request but the last */
	u64 mark, lowered; /* the mark, and what is left of it for this request */
	u64 reserve;       /* kept from its class */
	bool pages_ok;     /* free - others > lowered + reserve */
	bool block_ok;     /* a block of the order, or larger, is free */
};

struct explained_zone {
	int nid;
	enum zone_type type;
	enum zone_verdict verdict;
	bool marks;                   /* false: the request is entitled, the sum does not matter */
	struct watermark_check check; /* of no meaning for CLASS and POLICY */
};

enum explained_end {
	EXPLAIN_REFUSED, /* its words contradict each other or mean nothing */
	EXPLAIN_TAKES,   /* from `zone`, at `step` */
	EXPLAIN_MAYBE, /* from `zone`, if what CPUs keep makes a block; else from a later one, or not */
	EXPLAIN_RECLAIMS, /* reclaim may free what it lacks: `reclaimable_pages` are there to try */
	EXPLAIN_FAILS,
	EXPLAIN_WAITS, /* it must not fail: again for a while, then the end of the kernel */
};

struct explanation {
	const char *refused; /* why; NULL */
	struct node_permit permit;
	enum zone_type request_class;
	bool may_block;
	enum hit_verdict hit;
	enum explained_end end;
	enum alloc_step step;
	struct explained_zone zone;
	u64 reclaimable_pages; /* on LRUs of the permitted nodes, if it comes to RECLAIM */
};

/* What hears of it, as it comes. The private words are mm's. */
struct alloc_recorder {
	/* The request was understood: refused, permit, class, may_block and hit are there. */
	void (*begin)(struct alloc_recorder *recorder, const struct explanation *so_far);
	void (*step)(struct alloc_recorder *recorder, enum alloc_step step);
	void (*zone)(struct alloc_recorder *recorder, const struct explained_zone *zone);

	struct explanation *out; /* private: where it stands */
	bool drained;            /* private: as if the CPUs' lists were back */
};

/*
 * As alloc_pages_node(nid, gfp, order), or, with NUMA_NO_NODE, alloc_pages(gfp, order), by the running
 * task, now and on this CPU; any callback may be NULL. While others allocate it is a guess, as any look is. A
 * rehearsal drains no lists, so where that decides, and a block is asked for, the end may be
 * EXPLAIN_MAYBE. Thread context.
 */
void explain_request(int nid, gfp_t gfp, unsigned int order, struct alloc_recorder *recorder,
		     struct explanation *out);

#endif
