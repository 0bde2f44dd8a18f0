/*
 * The request, private to mm/.
 */
#ifndef MM_ALLOC_CONTEXT_H
#define MM_ALLOC_CONTEXT_H

#include <mm/mempolicy.h>
#include <mm/page_alloc.h>

#include "zone.h"

struct alloc_recorder;
struct watermark_check;

/*
 * What is asked for, by whom. Built once from the caller's words and the running task, then const: what a
 * retry changes lives in the slow path's own variables.
 */
struct alloc_context {
	gfp_t gfp;
	unsigned int order;
	enum block_type block_type;
	enum zone_type request_class; /* the highest zone it may use */
	u32 alloc_flags;              /* ALLOC_*: how far below the min mark it may go */
	bool may_block;               /* it may, and it says so */
	struct node_permit permit;
	const struct zonelist *zonelist; /* of the preferred node */
	struct alloc_recorder *recorder; /* NULL: this is no rehearsal */
};

/* The steps of a request, in the order in which they are taken. docs/request.md has the picture. */
enum alloc_step {
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
const char *alloc_step_name(enum alloc_step step);

/* Why a zone was passed over, or not. */
enum zone_verdict {
	VERDICT_CLASS,  /* above what the request may use */
	VERDICT_POLICY, /* its node is not permitted */
	VERDICT_MARK,   /* too few free pages */
	VERDICT_BLOCK,  /* enough, but none large enough together */
	VERDICT_TAKE,
	NR_ZONE_VERDICTS
};

/*
 * A rehearsal: the same functions look, and ask this instead of taking. Nothing is counted, and
 * nothing changes.
 */
struct alloc_recorder {
	void (*step)(struct alloc_recorder *recorder, enum alloc_step step);
	void (*zone)(struct alloc_recorder *recorder, const struct zone *zone,
		     enum zone_verdict verdict, const struct watermark_check *check);
};

/* False, and a line in the log: the caller's words contradict each other or mean nothing. */
bool alloc_context_build(struct alloc_context *ac, int nid, gfp_t gfp, unsigned int order,
			 const struct mempolicy *policy, uintptr_t call_site);

/*
 * One walk along the zonelist against one mark; ALLOC_NO_WATERMARKS: against none. A rehearsal returns
 * REHEARSED_PAGE where it would take.
 */
struct page *alloc_walk(const struct alloc_context *ac, enum zone_watermark mark, u32 alloc_flags);
#define REHEARSED_PAGE ((struct page *)1)

/* From below the low mark to the end, in the documented order. May sleep if the request may. */
struct page *alloc_slowly(const struct alloc_context *ac);

/* Fast, then slow, and again if the cpuset has changed meanwhile; *ac is then a new one. */
struct page *alloc_by_context(struct alloc_context *ac, int nid, const struct mempolicy *policy,
			      uintptr_t call_site);

#endif
