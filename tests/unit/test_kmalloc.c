/*
 * Memory by size: classes, what they cost, large pieces, and the family's corner cases.
 */
#include "host.h"

#include <arch/page.h>
#include <base/string.h>
#include <mm/fault_inject.h>
#include <mm/kmalloc.h>
#include <mm/page_alloc.h>

#include "mm/slab.h"

static const struct host_machine machine = {
	.ram = {{MiB(1), MiB(63), 0}, {GiB(4), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static const struct kmem_cache *class_of(const void *object)
{
	return virt_to_page(object)->slab_home->cache;
}

/* Each has its size, its alignment and its own bytes. */
static void any_size(struct ktest *t)
{
	host_machine_boot(&machine);
	for (u32 size = 1; size <= KMALLOC_MAX_CACHE_SIZE; size += size < 600 ? 1 : 61) {
		u8 *a = kmalloc(size, GFP_KERNEL), *b = kmalloc(size, GFP_KERNEL);
		u64 align = 8;

		ASSERT_TRUE(t, a && b);
		memset(a, 0xaa, size);
		memset(b, 0xbb, size);
		EXPECT_EQ(t, a[size - 1], 0xaa);
		EXPECT(t, ksize(a) >= size && ksize(a) == class_of(a)->object_size);
		if ((size & (size - 1)) == 0)
			align = MIN((u64)MAX(size, 8u), PAGE_SIZE);
		EXPECT_MSG(t, IS_ALIGNED((uintptr_t)a | (uintptr_t)b, align), "%u: %p, %p", size,
			   (void *)a, (void *)b);
		kfree(a);
		kfree(b);
	}
}

/* The next class below would not have held it. */
static void the_smallest_class_that_holds_it(struct ktest *t)
{
	u32 previous = 0, nr = 0;

	host_machine_boot(&machine);
	for (u32 size = 1; size <= KMALLOC_MAX_CACHE_SIZE; size++) {
		void *object = kmalloc(size, GFP_KERNEL);
		u32 bytes = (u32)ksize(object);

		if (bytes != previous) {
			EXPECT_EQ(t, size, previous + 1);
			nr++;
			previous = bytes;
		}
		kfree(object);
	}
	EXPECT_EQ(t, previous, KMALLOC_MAX_CACHE_SIZE);
	EXPECT_EQ(t, nr, 31);
}

/* What a request of that size costs: its share of its slab. In tenths of a percent of what it asked for. */
static u64 cost_of(u32 size)
{
	void *object = kmalloc(size, GFP_KERNEL);
	const struct kmem_cache *class = class_of(object);
	u64 cost = ((u64)PAGE_SIZE << class->order) * 1000 / class->nr_objects / size;

	kfree(object);
	return cost - 1000;
}

/*
 * Mean of all sizes of an octave. Worked out beside this by a program of its own (per cent):
 *
 *	         9-16  17-32  33-64  65-128  129-256  257-512  513-1024  1025-2048  2049-4096  4097-8192
 *	here     33.6   16.8    8.4     9.3     10.2      8.6      10.4       12.4       19.7       38.6
 *	Linux    33.6   36.6   37.1    18.7     19.0     38.4      38.5       38.6       38.6       38.6
 */
static void what_classes_cost(struct ktest *t)
{
	static const u32 bound[] = {340, 170, 90, 100, 105, 90, 110, 130, 200, 390};
	static const char *const linux_has[] = {"33.6", "36.6", "37.1", "18.7", "19.0",
						"38.4", "38.5", "38.6", "38.6", "38.6"};

	host_machine_boot(&machine);
	for (u32 i = 0; i < ARRAY_SIZE(bound); i++) {
		u32 first = (8u << i) + 1, last = 16u << i;
		u64 sum = 0;

		for (u32 size = first; size <= last; size++)
			sum += cost_of(size);
		sum /= last - first + 1;
		EXPECT_MSG(t, sum <= bound[i], "%u to %u bytes cost %llu per mille more", first,
			   last, (unsigned long long)sum);
		ktest_note(t, "%4u to %4u bytes: %2llu.%llu%% more than asked for (Linux's: %s%%)",
			   first, last, (unsigned long long)sum / 10, (unsigned long long)sum % 10,
			   linux_has[i]);
	}
}

static void no_class_leaves_much_over(struct ktest *t)
{
	host_machine_boot(&machine);
	for (u32 size = 8; size <= KMALLOC_MAX_CACHE_SIZE;) {
		void *object = kmalloc(size, GFP_KERNEL);
		u32 bytes = (u32)ksize(object);

		EXPECT_MSG(t, cost_of(bytes) <= 25, "kmalloc-%u: %llu per mille", bytes,
			   (unsigned long long)cost_of(bytes));
		EXPECT(t, class_of(object)->map_kind != SLAB_MAP_OFF_SLAB);
		kfree(object);
		size = bytes + 1;
	}
}

static void nothing_is_not_null(struct ktest *t)
{
	host_machine_boot(&machine);
	EXPECT(t, kmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT(t, kmalloc_node(0, GFP_KERNEL, 1) == ZERO_SIZE_PTR);
	EXPECT_EQ(t, ksize(NULL), 0);
	EXPECT_EQ(t, ksize(ZERO_SIZE_PTR), 0);
	kfree(NULL);
	kfree(ZERO_SIZE_PTR);
	/* Of 2^64 and a few bytes only the few would be left. */
	EXPECT(t, !kmalloc_array(~(size_t)0 / 16 + 2, 16, GFP_KERNEL));
	EXPECT(t, !kcalloc(2, ~(size_t)0 / 2 + 2, GFP_KERNEL));
}

static void zeroed_if_asked(struct ktest *t)
{
	host_machine_boot(&machine);
	for (u32 size = 24; size <= 40000; size = size * 5 / 2) {
		u8 *dirty = kmalloc(size, GFP_KERNEL), *clean;

		memset(dirty, 0xa5, size);
		kfree(dirty);
		clean = kzalloc(size, GFP_KERNEL);
		ASSERT_TRUE(t, clean != NULL);
		for (u32 i = 0; i < size; i++)
			ASSERT_TRUE(t, clean[i] == 0);
		kfree(clean);
	}
}

/*
 *	8193 bytes:   | page 0: home = large | page 1 | page 2 | page 3 |    order 2
 */
static void large_ones_are_blocks(struct ktest *t)
{
	struct page *page;
	char *object;

	host_machine_boot(&machine);
	object = kmalloc_node(8193, GFP_KERNEL, 1);
	ASSERT_TRUE(t, object != NULL);
	page = virt_to_page(object);
	EXPECT_EQ(t, page->order, 2);
	EXPECT_EQ(t, page->nid, 1);
	EXPECT(t, page->slab_home == &slab_large_home && (page->marks & PAGE_MARK_SLAB));
	EXPECT_EQ(t, ksize(object), 4 * PAGE_SIZE);
	memset(object, 1, 4 * PAGE_SIZE);
	kfree(object);
	EXPECT(t, page->slab_home == NULL && page->marks == 0);
	EXPECT(t, page->state == PAGE_PCP || page->state == PAGE_FREE || page->state == PAGE_TAIL);
	EXPECT(t, !kmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL));
	object = kmalloc(KMALLOC_MAX_SIZE, GFP_KERNEL);
	ASSERT_TRUE(t, object != NULL);
	EXPECT_EQ(t, virt_to_page(object)->order, MAX_ORDER);
	kfree(object);
	expect_check_clean(t);
}

static void dma_is_low(struct ktest *t)
{
	void *object;

	host_machine_boot(&machine);
	for (u32 size = 8; size <= 40000; size *= 3) {
		object = kmalloc(size, GFP_KERNEL | __GFP_DMA);
		ASSERT_TRUE(t, object != NULL);
		EXPECT(t, ksize(object) >= size && virt_to_phys(object) < MiB(16));
		kfree(object);
	}
	object = kmalloc(100, GFP_DMA);
	EXPECT_STREQ(t, class_of(object)->name, "dma-kmalloc-128");
	kfree(object);
	EXPECT(t, !kmalloc(100, GFP_KERNEL | __GFP_DMA32));
	EXPECT(t, host_log_contains("__GFP_DMA32 has no classes"));
}

static void krealloc_moves_if_it_must(struct ktest *t)
{
	char *a, *b;

	host_machine_boot(&machine);
	a = krealloc(NULL, 100, GFP_KERNEL);
	ASSERT_TRUE(t, a != NULL && ksize(a) == 112);
	for (u32 i = 0; i < 112; i++)
		a[i] = (char)i;
	EXPECT(t, krealloc(a, 112, GFP_KERNEL) == a); /* the same class */
	EXPECT(t, krealloc(a, 56, GFP_KERNEL) == a);  /* half */
	b = krealloc(a, 55, GFP_KERNEL);
	EXPECT(t, b != a && ksize(b) == 56);
	EXPECT_EQ(t, b[54], 54);
	a = krealloc(b, 9000, GFP_KERNEL);
	ASSERT_TRUE(t, a != NULL && ksize(a) == 4 * PAGE_SIZE);
	EXPECT_EQ(t, a[54], 54);
	/* A large one that stays one. */
	EXPECT(t, krealloc(a, 4 * PAGE_SIZE, GFP_KERNEL) == a);
	/* There is no memory: the old one is as it was. */
	EXPECT(t, !krealloc(a, KMALLOC_MAX_SIZE + 1, GFP_KERNEL));
	EXPECT_EQ(t, a[54], 54);
	EXPECT(t, krealloc(a, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	/* Smaller there is not. */
	a = krealloc(ZERO_SIZE_PTR, 8, GFP_KERNEL);
	EXPECT(t, krealloc(a, 1, GFP_KERNEL) == a);
	kfree(a);
}

static bool all_zero(const char *at, u32 from, u32 to)
{
	for (; from < to; from++) {
		if (at[from])
			return false;
	}
	return true;
}

/* What is beyond the old content is zero, if each request of a piece asks for that. */
/* Without memory a piece does not grow; it becomes smaller where it is. */
static void krealloc_to_less_never_fails(struct ktest *t)
{
	struct fault_rule rule = {.quiet = true};
	u8 *a;
	int id;

	host_machine_boot(&machine);
	a = kmalloc(4000, GFP_KERNEL);
	memset(a, 0x31, 4000);
	id = fault_rule_add(&rule);
	EXPECT(t, !krealloc(a, 5000, GFP_KERNEL));
	EXPECT(t, krealloc(a, 100, GFP_KERNEL) == a);
	EXPECT(t, krealloc(a, 200, GFP_KERNEL) == a);
	EXPECT(t, fault_rule_remove((u32)id));
	EXPECT(t, a[0] == 0x31 && a[99] == 0x31);
	EXPECT(t, krealloc(a, 100, GFP_KERNEL) != a);
}

/* What moves is asked for anew, and where it may lie is asked for as well. */
static void krealloc_to_less_stays_low(struct ktest *t)
{
	u8 *a, *b;

	host_machine_boot(&machine);
	a = kmalloc(2000, GFP_KERNEL | __GFP_DMA);
	ASSERT_TRUE(t, a != NULL);
	a[0] = 0xa5;
	b = krealloc(a, 100, GFP_KERNEL | __GFP_DMA);
	EXPECT(t, b != a && b[0] == 0xa5);
	EXPECT_MSG(t, virt_to_phys(b) + 100 <= MiB(16), "at 0x%llx",
		   (unsigned long long)virt_to_phys(b));
	EXPECT_STREQ(t, class_of(b)->name, "dma-kmalloc-128");
	kfree(b);
}

static void krealloc_grows_by_zeroes(struct ktest *t)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO;
	char *a, *b;

	host_machine_boot(&machine);
	a = krealloc(NULL, 112, gfp);
	memset(a, 1, 112);
	b = krealloc(a, 60, gfp);
	EXPECT(t, b == a);
	b = krealloc(a, 100, gfp); /* where it is */
	EXPECT(t, b == a && b[59] == 1 && all_zero(b, 60, 112));
	memset(a, 1, 100);
	EXPECT(t, krealloc(a, 70, gfp) == a);
	a = krealloc(a, 5000, gfp); /* elsewhere */
	EXPECT(t, a[69] == 1 && all_zero(a, 70, 8192));
	memset(a, 1, 5000);
	a = krealloc(a, 60, gfp); /* smaller, elsewhere */
	EXPECT(t, a[59] == 1 && all_zero(a, 60, 64));
	kfree(a);
}

static void free_a_page(void *arg)
{
	__free_pages(arg, ((struct page *)arg)->order);
}

static void free_by_kfree(void *arg)
{
	kfree(arg);
}

/* What kfree() is given may be anything. */
static void wrong_pointers_are_named(struct ktest *t)
{
	char *large, *small, *stack = (char *)&large;
	struct page *page;

	host_machine_boot(&machine);
	large = kmalloc(20000, GFP_KERNEL);
	small = kmalloc(20, GFP_KERNEL);
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT_TRUE(t, large && small && page);
	expect_panic(t, free_a_page, virt_to_page(large), "slab of cache 'kmalloc-large'");
	expect_panic(t, free_a_page, virt_to_page(small), "slab of cache 'kmalloc-24'");
	expect_panic(t, free_by_kfree, large + PAGE_SIZE, "is in no slab");
	expect_panic(t, free_by_kfree, page_address(page), "is in no slab");
	expect_panic(t, free_by_kfree, stack, "is no address of memory");
	expect_panic(t, free_by_kfree, (void *)0xdead000000000000, "is no address of memory");
	kfree(large);
	expect_panic(t, free_by_kfree, large, "is in no slab");
	kfree(small);
	expect_panic(t, free_by_kfree, small, "is free already");
}

static const struct ktest_case cases[] = {
	KTEST(any_size),
	KTEST(the_smallest_class_that_holds_it),
	KTEST(what_classes_cost),
	KTEST(no_class_leaves_much_over),
	KTEST(nothing_is_not_null),
	KTEST(zeroed_if_asked),
	KTEST(large_ones_are_blocks),
	KTEST(dma_is_low),
	KTEST(krealloc_moves_if_it_must),
	KTEST(krealloc_to_less_never_fails),
	KTEST(krealloc_to_less_stays_low),
	KTEST(krealloc_grows_by_zeroes),
	KTEST(wrong_pointers_are_named),
};
KTEST_SUITE(kmalloc, cases);
