/*
 * Group 1: what the clock and the loops themselves cost, with an allocator that does nothing.
 */
#include "bench.h"

static void *slots[BENCH_PERM];

static __noinline void *null_alloc(u32 size)
{
	__asm__ volatile("" : "+r"(size));
	return slots;
}

static __noinline void null_free(void *object)
{
	__asm__ volatile("" : : "r"(object) : "memory");
}

static void timer(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	(void)batch;
}

/* 1,000,000 turns of ten instructions. */
static void calib_insn(u64 arg, struct bench_batch *batch)
{
	u64 turns = 1000000;

	(void)arg;
	(void)batch;
	__asm__ volatile("1:\n\t"
			 "nop; nop; nop; nop; nop; nop; nop; nop\n\t"
			 "dec %0\n\t"
			 "jnz 1b"
			 : "+r"(turns)
			 :
			 : "cc");
}

static void null_hot(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	for (u32 i = 0; i < 4096; i++) {
		void *object = null_alloc(0);

		if (unlikely(!object))
			batch->fail++;
		else
			null_free(object);
	}
}

static void null_batch(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	for (u32 turn = 0; turn < 4; turn++) {
		for (u32 i = 0; i < 1024; i++) {
			slots[i] = null_alloc(0);
			if (unlikely(!slots[i]))
				batch->fail++;
		}
		for (u32 i = 0; i < 1024; i++) {
			if (likely(slots[i]))
				null_free(slots[i]);
		}
	}
}

static void null_perm(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	for (u32 i = 0; i < BENCH_PERM; i++) {
		slots[i] = null_alloc(0);
		if (unlikely(!slots[i]))
			batch->fail++;
	}
	for (u32 i = 0; i < BENCH_PERM; i++) {
		void *object = slots[bench_perm[i]];

		if (likely(object))
			null_free(object);
	}
}

/* The loop of kmalloc_mixed. */
#define MIXED_OPS 16384
static struct {
	u32 slot, size;
} mixed[MIXED_OPS];
static u32 mixed_state;

static bool mixed_begin(u64 arg)
{
	(void)arg;
	mixed_state = BENCH_SEED;
	for (u32 i = 0; i < BENCH_PERM; i++)
		slots[i] = null_alloc(8u << bench_draw(&mixed_state) % 10);
	return true;
}

static void mixed_prepare(u64 arg)
{
	(void)arg;
	for (u32 i = 0; i < MIXED_OPS; i++) {
		mixed[i].slot = bench_draw(&mixed_state) % BENCH_PERM;
		mixed[i].size = 8u << bench_draw(&mixed_state) % 10;
	}
}

static void null_mixed(u64 arg, struct bench_batch *batch)
{
	(void)arg;
	for (u32 i = 0; i < MIXED_OPS; i++) {
		u32 slot = mixed[i].slot;

		if (likely(slots[slot]))
			null_free(slots[slot]);
		slots[slot] = null_alloc(mixed[i].size);
		if (unlikely(!slots[slot]))
			batch->fail++;
	}
}

const struct bench_case bench_cases_driver[] = {
	{.name = "timer", .ops = 1, .body = timer},
	{.name = "calib_insn", .ops = 10000000, .body = calib_insn},
	{.name = "null_hot", .ops = 4096, .body = null_hot},
	{.name = "null_batch", .ops = 4096, .body = null_batch},
	{.name = "null_perm", .ops = 4096, .body = null_perm},
	{.name = "null_mixed",
	 .ops = MIXED_OPS,
	 .begin = mixed_begin,
	 .prepare = mixed_prepare,
	 .body = null_mixed},
};
const u32 nr_bench_cases_driver = ARRAY_SIZE(bench_cases_driver);
