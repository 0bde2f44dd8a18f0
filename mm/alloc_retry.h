/*
 * When a request gives up, private to mm/. Theory in alloc_retry.c.
 */
#ifndef MM_ALLOC_RETRY_H
#define MM_ALLOC_RETRY_H

#include "alloc_context.h"

/* What a request has tried so far. */
struct retries {
	u32 rounds, fruitless;
	bool passed_by; /* the last round: a cache that may have something */
};

/* How often a request has come to OOM: for something, and only to wait. */
struct oom_rounds {
	u32 rounds, waits;
};

/* Who frees memory itself must not be sent to free memory: there would be no end to it. */
bool may_reclaim(const struct alloc_context *ac);
/* Has this very task been chosen to end since the request was built? */
bool may_go_lower_now(const struct alloc_context *ac);
/* Of reclaim, after one that freed so much. Counts it. */
bool worth_another_round(const struct alloc_context *ac, u64 progress, struct retries *retries);
/* May somebody be brought to his end for it, here and now? */
bool may_oom(const struct alloc_context *ac);
/* Is there something on the lists that others may free, as the request may not write it? */
bool others_may_free_it(const struct alloc_context *ac);

#endif
