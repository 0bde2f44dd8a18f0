/*
 * Group 2: objects of caches. The five caches are made by the first case that needs one of them, and stay.
 */
#include "bench.h"

static const struct {
	u32 size;
	const char *name;
} sizes[] = {{16, "bench-16"},
	     {64, "bench-64"},
	     {256, "bench-256"},
	     {1024, "bench-1024"},
	     {4096, "bench-4096"}};

struct kmem_cache *bench_cache(u32 size)
{
	static struct kmem_cache *caches[ARRAY_SIZE(sizes)];

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i].size != size)
			continue;
		if (!caches[i])
			caches[i] = kmem_cache_create(sizes[i].name, size, 0, 0, NULL);
		return caches[i];
	}
	return NULL;
}

static struct kmem_cache *used; /* the case's */
static void *objects[BENCH_OBJECTS];

/* --- One object, taken and given back ------------------------------------------------------ */

static bool hot_begin(u64 size)
{
	used = bench_cache((u32)size);
	return used;
}

static void hot(u64 arg, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	(void)arg;
	for (u32 i = 0; i < 4096; i++) {
		void *object = kmem_cache_alloc(cache, BENCH_GFP);

		if (unlikely(!object))
			batch->fail++;
		else
			kmem_cache_free(cache, object);
	}
}

/* --- Many, then all back ------------------------------------------------------------------- */

#define BATCH(size, n) ((u64)(size) << 16 | (n))

static bool batch_begin(u64 arg)
{
	return hot_begin(arg >> 16);
}

static inline void alloc_all(struct kmem_cache *cache, u32 n, struct bench_batch *batch)
{
	for (u32 i = 0; i < n; i++) {
		objects[i] = kmem_cache_alloc(cache, BENCH_GFP);
		if (unlikely(!objects[i]))
			batch->fail++;
	}
}

static void batch_fifo(u64 arg, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;
	u32 n = (u16)arg;

	for (u32 turn = 0; turn < 4096 / n; turn++) {
		u64 start = arch_timestamp(), middle;

		alloc_all(cache, n, batch);
		middle = arch_timestamp();
		for (u32 i = 0; i < n; i++) {
			if (likely(objects[i]))
				kmem_cache_free(cache, objects[i]);
		}
		batch->alloc_ticks += middle - start;
		batch->free_ticks += arch_timestamp() - middle;
	}
}

static void batch_lifo(u64 arg, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;
	u32 n = (u16)arg;

	for (u32 turn = 0; turn < 4096 / n; turn++) {
		u64 start = arch_timestamp(), middle;

		alloc_all(cache, n, batch);
		middle = arch_timestamp();
		for (u32 i = n; i-- > 0;) {
			if (likely(objects[i]))
				kmem_cache_free(cache, objects[i]);
		}
		batch->alloc_ticks += middle - start;
		batch->free_ticks += arch_timestamp() - middle;
	}
}

/* Interrupts are on here. */
#define BULK 64

static void bulk(u64 arg, struct bench_batch *batch)
{
	struct kmem_cache *cache = used;

	(void)arg;
	for (u32 turn = 0; turn < 16; turn++) {
		u64 start = arch_timestamp(), middle;
		u32 got = kmem_cache_alloc_bulk(cache, BENCH_GFP, BULK, objects);

		middle = arch_timestamp();
		if (unlikely(got != BULK))
			batch->fail += BULK;
		else
			kmem_cache_free_bulk(cache, BULK, objects);
		batch->alloc_ticks += middle - start;
		batch->free_ticks += arch_timestamp() - middle;
	}
}

#define HOT(size)                                                                        \
	{                                                                                \
		.name = "slab_hot_" #size, .ops = 4096, .begin = hot_begin, .body = hot, \
		.arg = (size)                                                            \
	}
#define SLAB_BATCH(size, n, order)                                                               \
	{                                                                                        \
		.name = "slab_batch_" #size "_n" #n "_" #order, .ops = 4096, .has_phases = true, \
		.begin = batch_begin, .body = batch_##order, .arg = BATCH(size, n)               \
	}

const struct bench_case bench_cases_slab[] = {
	HOT(16),
	HOT(64),
	HOT(256),
	HOT(1024),
	HOT(4096),
	SLAB_BATCH(64, 128, fifo),
	SLAB_BATCH(64, 128, lifo),
	SLAB_BATCH(64, 1024, fifo),
	SLAB_BATCH(64, 1024, lifo),
	SLAB_BATCH(256, 128, fifo),
	SLAB_BATCH(256, 128, lifo),
	SLAB_BATCH(256, 1024, fifo),
	SLAB_BATCH(256, 1024, lifo),
	{.name = "slab_bulk_256",
	 .ops = 16 * BULK,
	 .has_phases = true,
	 .interrupts_on = true,
	 .begin = hot_begin,
	 .body = bulk,
	 .arg = 256},
};
const u32 nr_bench_cases_slab = ARRAY_SIZE(bench_cases_slab);
