/*
 * The stress: every CPU allocates, writes, hands over and frees at once, and nothing may get lost or
 * doubled. The same bodies run in the kernel and on the host: they know mm/ and its two seams.
 *
 * Theory in stress.c.
 */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <arch/cpu.h>
#include <base/types.h>
#include <kernel/test.h>

struct stress_plan {
	u64 seed;
	u64 cpus;            /* one bit for each CPU that takes part */
	u32 threads_per_cpu; /* up to STRESS_MAX_THREADS in all */
	u32 operations;      /* of each thread */
	u32 max_order;
	/*
	 * 0: none. Else at this operation of its first thread a block is written to as a second owner
	 * of it would: the check must say so, once.
	 */
	u32 fault_at;
	void (*settle)(void); /* gives back what threads that have ended keep; NULL: nothing */
};

#define STRESS_MAX_THREADS (4 * MAX_CPUS)

enum stress_count {
	STRESS_ALLOCS,    /* blocks, by threads */
	STRESS_FREES,     /**/
	STRESS_REFUSED,   /* requests that got none */
	STRESS_HANDED,    /* blocks given to another CPU to free */
	STRESS_COLLECTED, /* of them freed by another thread */
	STRESS_DRAINS,    /* of all CPUs' lists, on demand */
	STRESS_CLOSES,    /* the lists closed, and opened again */
	STRESS_SLEEPS,    /**/
	STRESS_CLAIMS,    /* blocks that a thread began to gather */
	STRESS_GATHERED,  /* of them complete, written, verified and freed */
	STRESS_VERIFIED,  /* pages looked at in their first and last words */
	STRESS_READ,      /* pages of them read as a whole */
	STRESS_IRQS,      /* interrupts that took part */
	STRESS_IRQ_ALLOCS,
	STRESS_IRQ_FREES,
	STRESS_FAULTS,  /* planned */
	STRESS_BAD,     /* blocks with a page that held something else than was written */
	STRESS_STRAYED, /* blocks from a node or zone that the request excluded, or not zero */
	NR_STRESS_COUNTS
};
const char *stress_count_name(enum stress_count count);

struct stress;

/* NULL: there is no memory for its own tables. */
struct stress *stress_create(const struct stress_plan *plan);
/*
 * Starts the threads, waits for their end, and gives back every block. May sleep. False: not all threads
 * could be started, or came in time.
 */
bool stress_run(struct stress *s);
/* Sums over all threads and interrupts; while nothing runs. */
u64 stress_counted(const struct stress *s, enum stress_count count);
/* What the first bad or strayed block showed; "" if there was none. */
const char *stress_first_finding(const struct stress *s);
void stress_destroy(struct stress *s);

/*
 * For interrupts, on any CPU, at any time between create and destroy: a few requests with GFP_ATOMIC while
 * the stress runs, else nothing.
 */
void stress_from_interrupt(struct stress *s);

/*
 * A case: runs the plan and expects that each page is back, by count, by shape and by `check`, and that
 * each mechanism ran. `begin` and `end` are called around it: they may let timers call
 * stress_from_interrupt(); none does so any more when `end` returns. NULL: nothing to do.
 */
void stress_case(struct ktest *t, const struct stress_plan *plan, void (*begin)(struct stress *s),
		 void (*end)(struct stress *s));
/* The same with a planned fault, which the check must find. */
void stress_case_fault(struct ktest *t, const struct stress_plan *plan);
/* Each of the requests for its own tables failed in turn, for CPUs of the mask. */
void stress_case_without_memory(struct ktest *t, u64 cpus);

#endif
