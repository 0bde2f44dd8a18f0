/*
 * Rehearsal and performance: a request is explained, then made, and the two must agree, in as many random
 * states as asked for. The same body on the host and in the kernel.
 */
#ifndef TESTS_REHEARSAL_H
#define TESTS_REHEARSAL_H

#include <kernel/test.h>
#include <mm/explain.h>

#define REHEARSAL_MAX_HELD 8192

struct rehearsal_counts {
	u32 requests;
	u32 ends[EXPLAIN_WAITS + 1];
	u32 steps[NR_ALLOC_STEPS]; /* of those that took a block */
};

/*
 * By the running task, whose limits come and go meanwhile and are as before in the end. At most
 * `max_held` blocks are held at a time. Nobody else may allocate. gfp_all: in every request.
 */
void rehearse_and_do(struct ktest *t, u64 seed, u32 requests, u32 max_held, gfp_t gfp_all,
		     struct rehearsal_counts *counts);

#endif
