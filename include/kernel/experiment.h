/*
 * Experiments: each runs a load under the policies that were chosen at boot, and says what came of it, for
 * programs (`experiment: NAME: key=value ...`) and for people (a table). Theory in kernel/experiment.c.
 */
#ifndef KERNEL_EXPERIMENT_H
#define KERNEL_EXPERIMENT_H

#include <kernel/workload.h>

struct experiment {
	const char *name, *sentence;
	/* 0, or -EINVAL after a line that says why it came to nothing. The monitor's thread. */
	int (*run)(u64 seed);
};

/* "experiment: NAME: " and the rest, which begins with a phase: "phase=scan pages=12 ..." and ends the line. */
void experiment_line(const char *name, const char *fmt, ...) __printf_like(2, 3);
/* The policies of this boot and the machine's size, as such a line. */
void experiment_begin(const char *name, u64 seed);
/* All high marks: what is free above them nobody has to make room for. */
u64 experiment_high_pages(void);
/* What a phase may take. */
#define EXPERIMENT_PHASE_NS 120000000000ull
/* Random pages of the file, by one thread, until so few are free. False: Ctrl-C, out of time, wrong content. */
bool experiment_read(struct cache_file *file, u64 nr_ops, u64 until_free_pages, u64 seed);

/* kernel/experiment_reclaim.c */
int experiment_reclaim(u64 seed);
/* kernel/experiment_fallback.c */
int experiment_fallback(u64 seed);

#endif
