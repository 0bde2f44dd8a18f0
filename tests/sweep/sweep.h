/*
 * Sweeping: a piece of work is done again and again, and each time another of its requests for memory
 * fails: first the 1st, then the 2nd, until it asks for fewer and none fails. Each time it must end
 * cleanly, and nothing may be lost.
 *
 * The same in the kernel and on the host.
 */
#ifndef TESTS_SWEEP_H
#define TESTS_SWEEP_H

#include <base/types.h>
#include <kernel/test.h>

/* What the work says of itself, all that it took given back in any case. */
enum sweep_answer {
	SWEEP_DONE,   /* it did what it was to do */
	SWEEP_FAILED, /* it could not, and said so as it does */
	SWEEP_WRONG,  /* neither */
};

struct sweep {
	const char *what;
	enum sweep_answer (*work)(void *arg); /* on this thread */
	void *arg;
	void (*settle)(void); /* gives back what is kept for the next time; NULL: nothing */
	u64 (*kept)(void);    /* pages that stay for good, by now; NULL: none */
	u32 most;             /* requests that it makes, at most: the sweep ends there */
	u32 stride;           /* so many at a time, where there are too many to try each; 0: one */
	bool has_another_way; /* it may be DONE with one request failed */
};

struct sweep_result {
	u32 requests; /* of the work when none fails; 0: the sweep did not come to its end */
	u32 failed;   /* times that it was FAILED */
	u32 managed;  /* times that it was DONE with a request failed */
};
/* May sleep. Expects by itself: clean answers, each failure injected once, no page lost, check clean. */
struct sweep_result sweep(struct ktest *t, const struct sweep *s);

#endif
