/*
 * The stress of LRU lists: every CPU adds, uses, writes, evicts and drops pages of a small cache at once, threads
 * and interrupts. The same body runs in the kernel and on the host. Theory in lru_stress.c.
 */
#ifndef TESTS_LRU_STRESS_H
#define TESTS_LRU_STRESS_H

#include <kernel/test.h>

struct lru_stress_plan {
	u64 seed;
	u64 cpus;             /* one bit for each CPU that takes part */
	u32 threads_per_cpu;  /* 1 or 2 */
	u32 operations;       /* of each thread */
	void (*begin)(void);  /* from here on timers may call lru_stress_interrupt() ... */
	void (*end)(void);    /* ... and none does any more when this returns */
	void (*settle)(void); /* gives back what threads that have ended keep; NULL: nothing */
};

/* A case: runs the plan, and expects that each page is back and that each mechanism ran. May sleep. */
void lru_stress_case(struct ktest *t, const struct lru_stress_plan *plan);
/* In an interrupt, on any CPU. */
void lru_stress_interrupt(void);

#endif
