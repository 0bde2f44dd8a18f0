/*
 * Object caches on the machine: sizes from the smallest to a block, constructors, low memory, large pieces, and every
 * page back. What is finer is tested on the host (tests/unit/test_slab_*.c), what is many in slab_stress.
 */
#include <base/string.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/check.h>
#include <mm/kmalloc.h>
#include <mm/os_task.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "../../mm/slab.h"
#include "../stress/pages_back.h"

#define MAX_OBJECTS 40u
#define CTOR_WORD   0x6d616465ull

static u8 *objects[MAX_OBJECTS];

static void expect_clean(struct ktest *t)
{
	struct check_report report;

	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

static void rest(void)
{
	threads_release_spares();
	pages_settle();
}

static void construct(void *object)
{
	*(u64 *)object = CTOR_WORD;
}

/* As many as fit into some slabs, and no more than a small machine bears. */
static u32 how_many(u32 size)
{
	return size > PAGE_SIZE ? 3 : MAX_OBJECTS;
}

/* Each holds its own byte, all over, while all are out. */
static void fill_and_look(struct ktest *t, struct kmem_cache *cache, u32 size)
{
	u32 nr = 0, bad = 0;

	for (; nr < how_many(size); nr++) {
		objects[nr] =
			kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
		if (!objects[nr])
			break;
		memset(objects[nr], (int)nr + 1, size);
	}
	EXPECT_MSG(t, nr == how_many(size), "%u objects of %u bytes", nr, size);
	for (u32 i = 0; i < nr; i++) {
		for (u32 at = 0; at<size; at += size> PAGE_SIZE ? PAGE_SIZE / 2 : 1)
			bad += objects[i][at] != (u8)(i + 1);
		kmem_cache_free(cache, objects[i]);
	}
	EXPECT_EQ(t, bad, 0);
}

static void all_sizes(struct ktest *t)
{
	static const u32 sizes[] = {1,   8,    13,   56,   64,   100,   255,    256,
				    700, 1024, 2040, 4096, 5000, 20000, 131072, 262144};
	u64 grown = vmstat_read(VMSTAT_SLAB_GROW), given = vmstat_read(VMSTAT_SLAB_GIVE_BACK);

	rest();
	pages_before();
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kmem_cache *cache = kmem_cache_create("size", sizes[i], 0, 0, NULL);

		ASSERT_TRUE(t, cache != NULL);
		fill_and_look(t, cache, sizes[i]);
		EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
	}
	rest();
	pages_after();
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GROW) > grown);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_GIVE_BACK) > given);
	expect_counts_as_before(t);
	expect_clean(t);
}

static void constructed_once(struct ktest *t)
{
	struct kmem_cache *cache = kmem_cache_create("constructed", 48, 64, 0, construct);

	ASSERT_TRUE(t, cache != NULL);
	for (u32 i = 0; i < MAX_OBJECTS; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		ASSERT_TRUE(t, objects[i] != NULL);
		EXPECT_EQ(t, *(u64 *)objects[i], CTOR_WORD);
		EXPECT(t, IS_ALIGNED((uintptr_t)objects[i], 64));
	}
	/* What its holder has put there stays: it is not called again. */
	*(u64 *)objects[0] = CTOR_WORD + 1;
	kmem_cache_free(cache, objects[0]);
	objects[0] = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(t, *(u64 *)objects[0] - CTOR_WORD <= 1);
	for (u32 i = 0; i < MAX_OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static void out_of_it_is_not_destroyed(struct ktest *t)
{
	struct kmem_cache *cache = kmem_cache_create("kept", 100, 0, 0, NULL);
	void *object;

	ASSERT_TRUE(t, cache != NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(t, kmem_cache_destroy(cache) != 0);
	kmem_cache_free(cache, object);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

/* --- By size ------------------------------------------------------------------------------------------ */

static void pieces_of_memory(struct ktest *t)
{
	for (size_t size = 1; size <= MiB(1); size += size / 3 + 1) {
		u8 *piece = kzalloc(size, GFP_KERNEL | __GFP_NOWARN);
		u32 bad = 0;

		ASSERT_TRUE(t, piece != NULL);
		EXPECT(t, ksize(piece) >= size);
		EXPECT(t, (size & (size - 1)) || size > PAGE_SIZE ||
				  IS_ALIGNED((uintptr_t)piece, MIN(size, (size_t)PAGE_SIZE)) ||
				  size < 8);
		for (size_t i = 0; i < size; i++)
			bad += piece[i] != 0;
		memset(piece, 0x5a, ksize(piece));
		EXPECT_EQ(t, bad, 0);
		kfree(piece);
	}
	EXPECT(t, kmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT(t, !kmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL | __GFP_NOWARN));
	EXPECT(t, !kcalloc(~(size_t)0 / 8, 16, GFP_KERNEL | __GFP_NOWARN));
	expect_clean(t);
}

static void a_piece_grows_and_shrinks(struct ktest *t)
{
	u8 *piece = NULL;

	for (u32 size = 1; size <= 40000; size = size * 3 + 1) {
		u8 *larger = krealloc(piece, size, GFP_KERNEL);

		ASSERT_TRUE(t, larger != NULL);
		piece = larger;
		EXPECT(t, size == 1 || piece[(size - 1) / 3 - 1] == 0x77);
		memset(piece, 0x77, size);
	}
	EXPECT(t, krealloc(piece, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
}

/* Sizes whose slabs are blocks as large as such a request may ask for; with mm.debug no larger. */
static void what_must_not_fail(struct ktest *t)
{
	static const u32 sizes[] = {64, 2048, 2720, 4096, 8192};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *piece = kmalloc(sizes[i], GFP_KERNEL | __GFP_NOFAIL);

		ASSERT_TRUE(t, piece != NULL);
		memset(piece, (int)i, sizes[i]);
		kfree(piece);
	}
}

static void low_memory(struct ktest *t)
{
	void *piece = kmalloc(100, GFP_DMA | __GFP_NOWARN);

	/* A machine may have none left, or its node may have no such zone. */
	if (!piece)
		SKIP(t, "no free memory below 16 MiB");
	EXPECT(t, virt_to_phys(piece) + 100 <= MiB(16));
	kfree(piece);
	EXPECT(t, !kmalloc(100,
			   GFP_DMA32 |
				   __GFP_NOWARN)); /* no class has it: a cache can be made for it */
}

static void check_there(void *arg)
{
	struct check_report *report = arg;

	if (!mm_check(report) && !os_in_interrupt())
		report->failed++;
}

/* Another CPU's interrupt may have come upon a holder of locks that threads take: it looks at nothing. */
static void an_interrupt_checks_nothing(struct ktest *t)
{
	u32 cpu, asked = 0;

	for_each_online_cpu(cpu) {
		struct check_report report = {.run = 1};

		if (cpu == smp_processor_id())
			continue;
		EXPECT_EQ(t, os_run_on_cpu(cpu, check_there, &report), 0);
		EXPECT(t, report.stopped && report.run == 0 && report.failed == 0);
		asked++;
	}
	ktest_note(t, "%u CPUs asked", asked);
	expect_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(all_sizes),
	KTEST(constructed_once),
	KTEST(out_of_it_is_not_destroyed),
	KTEST(pieces_of_memory),
	KTEST(a_piece_grows_and_shrinks),
	KTEST(what_must_not_fail),
	KTEST(low_memory),
	KTEST(an_interrupt_checks_nothing),
};
KTEST_SUITE(slab, cases);
