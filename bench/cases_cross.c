/*
 * Group 32: one CPU allocates, the other frees.
 *
 * One after the other: a round has two phases, each timed on the CPU that works, with interrupts off; a round's
 * ticks are their sum. CPU 0 leads: its own phase it runs where it is, while CPU 1 is in its idle loop; CPU
 * 1's it starts by smp_call() and waits with `pause`. Under -icount that costs the other nothing: the CPU
 * that waits has its turn only when the one at work pauses or halts, and that does neither.
 *
 * At once: through a ring of pointers. A slot is full when it is not NULL; who finds it otherwise waits with
 * `pause`. Each CPU's ticks are its own, waiting included, so two cases tell of the same work.
 */
#include "bench.h"

#include <arch/irq.h>
#include <arch/preempt.h>
#include <base/atomic.h>
#include <kernel/thread.h>
#include <mm/numa.h>
#include <x86/smp.h>

/* --- One after the other --------------------------------------------------------------------- */

#define CROSS_OPS BENCH_OBJECTS

static struct page *pages[CROSS_OPS];
static int home; /* node of the CPU that allocates */

static struct kmem_cache *used;
static void *objects[CROSS_OPS];

static void alloc_pages_all(struct bench_batch *batch)
{
	for (u32 i = 0; i < CROSS_OPS; i++) {
		pages[i] = alloc_pages_node(home, BENCH_GFP, 0);
		if (unlikely(!pages[i]))
			batch->fail++;
	}
}

static void free_pages_all(struct bench_batch *batch)
{
	(void)batch;
	for (u32 i = 0; i < CROSS_OPS; i++) {
		if (likely(pages[i]))
			__free_pages(pages[i], 0);
	}
}

static void alloc_objects_all(struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	for (u32 i = 0; i < CROSS_OPS; i++) {
		objects[i] = kmem_cache_alloc(cache, BENCH_GFP);
		if (unlikely(!objects[i]))
			batch->fail++;
	}
}

static void free_objects_all(struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	(void)batch;
	for (u32 i = 0; i < CROSS_OPS; i++) {
		if (likely(objects[i]))
			kmem_cache_free(cache, objects[i]);
	}
}

struct phase {
	void (*body)(struct bench_batch *batch);
	struct bench_batch *batch;
	u64 ticks;
};

/* On the CPU that works, interrupts off. */
static void time_phase(void *arg)
{
	struct phase *phase = arg;
	u64 start = arch_timestamp();

	phase->body(phase->batch);
	phase->ticks = arch_timestamp() - start;
}

static u64 run_phase(u32 cpu, void (*body)(struct bench_batch *batch), struct bench_batch *batch)
{
	struct phase phase = {.body = body, .batch = batch};

	preempt_disable();
	if (smp_call(cpu, time_phase, &phase) != 0)
		batch->fail++;
	preempt_enable();
	return phase.ticks;
}

static u64 run_phases(u32 from, void (*alloc)(struct bench_batch *batch),
		      void (*free)(struct bench_batch *batch), struct bench_batch *batch)
{
	u64 alloc_ticks = run_phase(from, alloc, batch), free_ticks = run_phase(!from, free, batch);

	batch->alloc_ticks += alloc_ticks;
	batch->free_ticks += free_ticks;
	return alloc_ticks + free_ticks;
}

/* `from` is the CPU that allocates. */
static u64 page_round(u64 from, struct bench_batch *batch)
{
	home = cpu_to_node((u32)from);
	return run_phases((u32)from, alloc_pages_all, free_pages_all, batch);
}

static u64 slab_round(u64 from, struct bench_batch *batch)
{
	return run_phases((u32)from, alloc_objects_all, free_objects_all, batch);
}

static bool slab_begin(u64 arg)
{
	(void)arg;
	used = bench_cache(256);
	return used;
}

/* --- At once ------------------------------------------------------------------------------------ */

#define RING_SLOTS 1024
#define RING_OPS   8192
/* Seconds, however the host shares its CPUs out. */
#define RING_TURNS (1u << 26)

static void *ring[RING_SLOTS];
static u32 ring_cpus; /* that are there */

/* What one CPU does of a batch. */
struct side {
	bool (*work)(struct bench_batch *batch); /* false: the other did not do its part */
	struct bench_batch batch;
	u64 ticks;
	bool failed;
};

/*
 * Acquire and release: what one CPU has done to the slot, and to the object in it, the other sees when it finds
 * the slot changed. False: it does not change.
 */
static inline bool await_slot(void *const *slot, bool full, void **object)
{
	for (u32 turns = 0; turns < RING_TURNS; turns++) {
		*object = load_acquire(slot);
		if (likely((*object != NULL) == full))
			return true;
		cpu_relax();
	}
	return false;
}

static bool produce(struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	for (u32 i = 0; i < RING_OPS; i++) {
		void *object = kmem_cache_alloc(cache, BENCH_GFP), *old;

		if (unlikely(!object)) {
			batch->fail++;
			return false;
		}
		if (unlikely(!await_slot(&ring[i % RING_SLOTS], false, &old))) {
			kmem_cache_free(cache, object);
			return false;
		}
		store_release(&ring[i % RING_SLOTS], object);
	}
	return true;
}

static bool consume(struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	(void)batch;
	for (u32 i = 0; i < RING_OPS; i++) {
		void *object;

		if (unlikely(!await_slot(&ring[i % RING_SLOTS], true, &object)))
			return false;
		store_release(&ring[i % RING_SLOTS], NULL);
		kmem_cache_free(cache, object);
	}
	return true;
}

/* Both begin when the second of them is here. Relaxed, but for that: the ring is what they share. */
static bool meet(void)
{
	__atomic_fetch_add(&ring_cpus, 1, __ATOMIC_ACQ_REL);
	for (u32 turns = 0; turns < RING_TURNS; turns++) {
		if (load_acquire(&ring_cpus) == 2)
			return true;
		cpu_relax();
	}
	return false;
}

static void time_side(void *arg)
{
	struct side *side = arg;
	unsigned long flags;
	u64 start;

	preempt_disable();
	flags = irq_save();
	side->failed = !meet();
	start = arch_timestamp();
	if (!side->failed)
		side->failed = !side->work(&side->batch);
	side->ticks = arch_timestamp() - start;
	irq_restore(flags);
	preempt_enable();
}

static void empty_ring(void)
{
	for (u32 i = 0; i < RING_SLOTS; i++) {
		if (ring[i])
			kmem_cache_free(used, ring[i]);
		ring[i] = NULL;
	}
}

#define RING(from, timed) ((u64)(timed) | (u64)(from) << 1)

/* CPU 0 is this one. */
static u64 ring_round(u64 arg, struct bench_batch *batch)
{
	u32 from = (u32)(arg >> 1), timed = arg & 1;
	struct side sides[2] = {{.work = from == 0 ? produce : consume},
				{.work = from == 1 ? produce : consume}};
	struct thread *other;

	/* Plain: the other's thread does not run yet. */
	ring_cpus = 0;
	other = thread_start("bench ring", 1, time_side, &sides[1]);
	if (!other) {
		batch->fail++;
		return 0;
	}
	time_side(&sides[0]);
	thread_join(other);
	for (u32 cpu = 0; cpu < 2; cpu++)
		batch->fail += sides[cpu].batch.fail + sides[cpu].failed;
	empty_ring();
	return sides[timed].ticks;
}

#define CROSS(its_name, its_begin, its_round, from)                                      \
	{                                                                                \
		.name = (its_name), .ops = CROSS_OPS, .batches = 32, .has_phases = true, \
		.cpus = 2, .begin = (its_begin), .round = (its_round), .arg = (from)     \
	}
#define CROSS_RING(its_name, from, timed)                                          \
	{                                                                          \
		.name = (its_name), .ops = RING_OPS, .batches = 32, .cpus = 2,     \
		.begin = slab_begin, .round = ring_round, .arg = RING(from, timed) \
	}

const struct bench_case bench_cases_cross[] = {
	CROSS("cross_slab_0to1", slab_begin, slab_round, 0),
	CROSS("cross_slab_1to0", slab_begin, slab_round, 1),
	CROSS("cross_page_0to1", NULL, page_round, 0),
	CROSS("cross_page_1to0", NULL, page_round, 1),
	CROSS_RING("cross_ring_0to1_both0", 0, 0),
	CROSS_RING("cross_ring_0to1_both1", 0, 1),
	CROSS_RING("cross_ring_1to0_both0", 1, 0),
	CROSS_RING("cross_ring_1to0_both1", 1, 1),
};
const u32 nr_bench_cases_cross = ARRAY_SIZE(bench_cases_cross);
