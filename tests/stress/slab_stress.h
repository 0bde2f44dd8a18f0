/*
 * All CPUs hammer all caches: objects go from hand to hand across nodes, and are freed by threads and interrupts.
 * The same in the kernel and on the host. Theory in slab_stress.c.
 */
#ifndef TESTS_SLAB_STRESS_H
#define TESTS_SLAB_STRESS_H

#include <kernel/test.h>

struct slab_stress_plan {
	u64 seed;
	u64 cpus; /* a bit each; several nodes' if there are */
	u32 threads_per_cpu;
	u32 operations;  /* of each thread */
	bool many_nodes; /* objects of other nodes are to be seen going home */
	/* What interrupts do while it runs: begin() sees to it that slab_stress_interrupt() is called in some, end() ends it. */
	void (*begin)(void);
	void (*end)(void);
	void (*settle)(void); /* gives back what the kernel keeps of threads; may be NULL */
};

/* The whole case: every object verified, every page back, every mechanism's counter moved. */
void slab_stress_case(struct ktest *t, const struct slab_stress_plan *plan);
/* In an interrupt of any CPU. */
void slab_stress_interrupt(void);

#endif
