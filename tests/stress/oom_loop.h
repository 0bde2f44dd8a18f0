/*
 * Out of memory over and over: threads on several CPUs take all there is, and are told to end. The same body on the
 * host and in the kernel. Theory in oom_loop.c.
 */
#ifndef TESTS_OOM_LOOP_H
#define TESTS_OOM_LOOP_H

#include <kernel/test.h>

struct oom_loop_plan {
	u64 cpus;  /* one bit for each that has a thread */
	u32 kills; /* it ends after so many, and a few more that are under way then */
};

/*
 * Expects that all threads end, that as many were told to as were counted, and that every page is back.
 * Nobody else may allocate. `settle` gives back what threads that have ended keep; NULL: nothing. May sleep.
 */
void oom_loop_case(struct ktest *t, const struct oom_loop_plan *plan, void (*settle)(void));

#endif
