/*
 * Group 4: memory by size. The mixed loop is null_mixed's, word by word (cases_driver.c).
 */
#include "bench.h"

#include <mm/kmalloc.h>

/* --- One piece, taken and given back ------------------------------------------------------- */

static __always_inline void hot_loop(size_t size, struct bench_batch *batch)
{
	for (u32 i = 0; i < 4096; i++) {
		void *object = kmalloc(size, BENCH_GFP);

		if (unlikely(!object))
			batch->fail++;
		else
			kfree(object);
	}
}

static void hot(u64 size, struct bench_batch *batch)
{
	hot_loop(size, batch);
}

/* The size is known to the compiler. */
#define CONST_BODY(size)                                             \
	static void const_##size(u64 arg, struct bench_batch *batch) \
	{                                                            \
		(void)arg;                                           \
		hot_loop((size), batch);                             \
	}

CONST_BODY(8)
CONST_BODY(32)
CONST_BODY(128)
CONST_BODY(512)
CONST_BODY(2048)
CONST_BODY(8192)

/* --- Random replace ------------------------------------------------------------------------ */

#define MIXED_SLOTS   4096
#define MIXED_OPS     16384
#define MIXED_CLASSES 10

static void *slots[MIXED_SLOTS];
static struct {
	u32 slot, size;
} mixed[MIXED_OPS];
static u32 mixed_state;

/* 8, 16, ... 4096; or any size of that class. */
static u32 draw_size(bool any)
{
	u32 high = 8u << bench_draw(&mixed_state) % MIXED_CLASSES;

	if (!any)
		return high;
	if (high == 8)
		return 1 + bench_draw(&mixed_state) % 8;
	return high / 2 + 1 + bench_draw(&mixed_state) % (high / 2);
}

static void mixed_end(u64 any)
{
	(void)any;
	for (u32 i = 0; i < MIXED_SLOTS; i++) {
		kfree(slots[i]);
		slots[i] = NULL;
	}
}

static bool mixed_begin(u64 any)
{
	mixed_state = BENCH_SEED;
	for (u32 i = 0; i < MIXED_SLOTS; i++) {
		slots[i] = kmalloc(draw_size(any), BENCH_GFP);
		if (!slots[i]) {
			mixed_end(any);
			return false;
		}
	}
	return true;
}

static void mixed_prepare(u64 any)
{
	for (u32 i = 0; i < MIXED_OPS; i++) {
		mixed[i].slot = bench_draw(&mixed_state) % MIXED_SLOTS;
		mixed[i].size = draw_size(any);
	}
}

static void mixed_body(u64 any, struct bench_batch *batch)
{
	(void)any;
	for (u32 i = 0; i < MIXED_OPS; i++) {
		u32 slot = mixed[i].slot;

		if (likely(slots[slot]))
			kfree(slots[slot]);
		slots[slot] = kmalloc(mixed[i].size, BENCH_GFP);
		if (unlikely(!slots[slot]))
			batch->fail++;
	}
}

#define HOT(size)                                                                     \
	{                                                                             \
		.name = "kmalloc_hot_" #size, .ops = 4096, .body = hot, .arg = (size) \
	}
#define CONST(size)                                                               \
	{                                                                         \
		.name = "kmalloc_const_" #size, .ops = 4096, .body = const_##size \
	}
#define MIXED(its_name, any)                                                                 \
	{                                                                                    \
		.name = (its_name), .ops = MIXED_OPS, .begin = mixed_begin,                  \
		.prepare = mixed_prepare, .body = mixed_body, .end = mixed_end, .arg = (any) \
	}

const struct bench_case bench_cases_kmalloc[] = {
	HOT(8),
	HOT(32),
	HOT(128),
	HOT(512),
	HOT(2048),
	HOT(8192),
	CONST(8),
	CONST(32),
	CONST(128),
	CONST(512),
	CONST(2048),
	CONST(8192),
	MIXED("kmalloc_mixed", false),
	MIXED("kmalloc_mixed_any", true),
};
const u32 nr_bench_cases_kmalloc = ARRAY_SIZE(bench_cases_kmalloc);
