/* Between the files that execute the kernel's invariants. */
#ifndef KERNEL_CHECK_INTERNAL_H
#define KERNEL_CHECK_INTERNAL_H

#include <base/types.h>
#include <kernel/check.h>

/* One invariant being executed. */
struct check_run {
	const struct kernel_invariant *invariant;
	struct check_report *report;
	u32 failures;
};

struct kernel_invariant {
	const char *id, *sentence;
	void (*run)(struct check_run *run);
};

/* Each ends with an id of NULL. */
extern const struct kernel_invariant cpu_invariants[];    /* check_cpus.c */
extern const struct kernel_invariant thread_invariants[]; /* check_threads.c */
extern const struct kernel_invariant cache_invariants[];  /* check_cache.c */

/* One thing more has been looked at. */
void check_item(struct check_run *run);
/* And it is not as it should be. */
void check_broken(struct check_run *run, const char *fmt, ...) __printf_like(2, 3);

#endif
