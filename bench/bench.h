/*
 * The benchmark: what a case is, and what cases share.
 *
 * A case is defined in words so that another kernel can do the identical work (docs/bench.md): its
 * batch is timed as a whole, from before the call of the body to after its return, with
 * interrupts and preemption off; nothing is subtracted. Under QEMU's -icount shift=0 a tick is an
 * instruction.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <arch/cpu.h>
#include <base/types.h>
#include <kernel/bench.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>

#define BENCH_SEED        0x9e3779b9u
#define BENCH_WARM_UPS    4
#define BENCH_BATCHES     16
#define BENCH_MAX_BATCHES 32
#define BENCH_GFP         (GFP_NOWAIT | __GFP_NOWARN)

/* What a batch found: filled by the body. */
struct bench_batch {
	u64 alloc_ticks, free_ticks; /* of a case that has phases */
	u64 fail;                    /* allocations that gave nothing */
};

struct bench_case {
	const char *name;
	u32 ops;     /* a batch */
	u32 batches; /* measured; 0: BENCH_BATCHES */
	bool has_phases;
	bool interrupts_on;       /* while it is timed; preemption is off all the same */
	u32 nodes;                /* needs at least so many with memory */
	u32 cpus;                 /* needs at least so many */
	bool (*begin)(u64 arg);   /* once, before the warm-up; false: no memory */
	void (*prepare)(u64 arg); /* before each batch, untimed */
	void (*body)(u64 arg, struct bench_batch *batch);
	/*
	 * In place of body, of a case that two CPUs work at: times itself, returns ticks. Bit 0 of arg is the
	 * CPU that the line names.
	 */
	u64 (*round)(u64 arg, struct bench_batch *batch);
	void (*end)(u64 arg); /* once, after the last batch */
	u64 arg;              /* an order, a node, a CPU */
};

/* Cases by group, each in its own file. */
struct bench_group {
	const struct bench_case *cases;
	u32 nr;
};
extern const struct bench_case bench_cases_driver[], bench_cases_slab[], bench_cases_kmalloc[],
	bench_cases_pages[], bench_cases_nodes[], bench_cases_cross[], bench_cases_reserve[];
extern const u32 nr_bench_cases_driver, nr_bench_cases_slab, nr_bench_cases_kmalloc,
	nr_bench_cases_pages, nr_bench_cases_nodes, nr_bench_cases_cross, nr_bench_cases_reserve;

/* The cache of objects of 16, 64, 256, 1024 or 4096 bytes; NULL: no memory. */
struct kmem_cache *bench_cache(u32 size);
#define BENCH_OBJECTS 1024

/* xorshift32: the new state is the result. */
static inline u32 bench_draw(u32 *state)
{
	u32 x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

#define BENCH_PERM 4096
extern u32 bench_perm[BENCH_PERM]; /* 0 .. 4095 in the order drawn from the seed */

#endif
