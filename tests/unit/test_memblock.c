/*
 * memblock: ranges in, ranges out.
 *
 * Pictures: each character is a page of the first 16, '.' no RAM, '-' free, a letter the owner of a
 * reservation (F first page, K kernel image, T page tables, O other).
 */
#include "host.h"

#include <arch/page.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/memblock.h>

#include "mm/memblock_internal.h"

#define PAGES(n) ((u64)(n)*PAGE_SIZE)

static const char owner_letter[MEMBLOCK_NR_OWNERS] = {
	[MEMBLOCK_FIRST_PAGE] = 'F', [MEMBLOCK_TRAMPOLINE] = 'C', [MEMBLOCK_KERNEL_IMAGE] = 'K',
	[MEMBLOCK_BOOT_INFO] = 'B',  [MEMBLOCK_ACPI] = 'A',       [MEMBLOCK_PAGE_TABLES] = 'T',
	[MEMBLOCK_STACKS] = 'S',     [MEMBLOCK_NODE_DATA] = 'N',  [MEMBLOCK_STRUCT_PAGE] = 'P',
	[MEMBLOCK_OTHER] = 'O',
};

/* Draws the first pages as above and compares. */
static void expect_picture(struct ktest *t, const char *expected)
{
	char picture[65];
	size_t pages = strlen(expected);
	struct memblock_range r;
	phys_addr_t cursor = 0;

	memset(picture, '.', sizeof(picture));
	picture[pages] = '\0';
	while (memblock_next(&cursor, &r)) {
		for (pfn_t pfn = pfn_down(r.base); pfn < pfn_down(r.end) && pfn < pages; pfn++)
			picture[pfn] = r.reserved ? owner_letter[r.owner] : '-';
	}
	EXPECT_STREQ(t, picture, expected);
}

static void add_merges_and_sorts(struct ktest *t)
{
	EXPECT_EQ(t, memblock_add(PAGES(8), PAGES(2)), 0);
	EXPECT_EQ(t, memblock_add(PAGES(2), PAGES(2)), 0);
	expect_picture(t, "..--....--......");
	EXPECT_EQ(t, memblock_region_list(false)->nr, 2);

	/* Fills the gap, touching both and overlapping the first. */
	EXPECT_EQ(t, memblock_add(PAGES(3), PAGES(5)), 0);
	expect_picture(t, "..--------......");
	EXPECT_EQ(t, memblock_region_list(false)->nr, 1);
	EXPECT_EQ(t, memblock_ram_pages(), 8);
	EXPECT_EQ(t, memblock_end(), PAGES(10));
}

static void add_spans_several_gaps(struct ktest *t)
{
	memblock_add(PAGES(1), PAGES(1));
	memblock_add(PAGES(5), PAGES(1));
	memblock_add(PAGES(9), PAGES(1));
	memblock_set_node(PAGES(5), PAGES(1), 3);
	EXPECT_EQ(t, memblock_add(PAGES(0), PAGES(12)), 0);
	expect_picture(t, "------------....");

	/* What was there keeps its node. */
	const struct region_list *list = memblock_region_list(false);

	ASSERT_EQ(t, list->nr, 3);
	EXPECT_EQ(t, list->region[1].base, PAGES(5));
	EXPECT_EQ(t, list->region[1].attr, 3);
}

static void add_cuts_inward(struct ktest *t)
{
	/* Half of page 1 and half of page 4 are not whole pages. */
	memblock_add(PAGES(1) + 1, PAGES(3));
	expect_picture(t, "..--............");
	/* Less than a page anywhere adds nothing. */
	EXPECT_EQ(t, memblock_add(PAGES(8) + 1, PAGE_SIZE), 0);
	EXPECT_EQ(t, memblock_add(PAGES(8), 0), 0);
	EXPECT_EQ(t, memblock_ram_pages(), 2);
}

static void reserve_cuts_outward(struct ktest *t)
{
	memblock_add(0, PAGES(8));
	memblock_reserve(PAGES(2) + 5, 1, MEMBLOCK_OTHER);
	memblock_reserve(PAGES(5) - 1, 2, MEMBLOCK_KERNEL_IMAGE);
	expect_picture(t, "--O-KK--........");
}

static void earlier_owner_keeps_its_part(struct ktest *t)
{
	memblock_add(0, PAGES(12));
	memblock_reserve(PAGES(4), PAGES(4), MEMBLOCK_KERNEL_IMAGE);
	memblock_reserve(PAGES(2), PAGES(8), MEMBLOCK_OTHER);
	expect_picture(t, "--OOKKKKOO--....");
	EXPECT_EQ(t, memblock_reserved_pages(MEMBLOCK_KERNEL_IMAGE), 4);
	EXPECT_EQ(t, memblock_reserved_pages(MEMBLOCK_OTHER), 4);
}

static void reserving_holes_counts_no_ram(struct ktest *t)
{
	memblock_add(PAGES(4), PAGES(4));
	memblock_reserve(PAGES(0), PAGES(6), MEMBLOCK_OTHER);
	expect_picture(t, "....OO--........");
	EXPECT_EQ(t, memblock_reserved_pages(MEMBLOCK_OTHER), 2);
}

static void remove_and_free_split(struct ktest *t)
{
	memblock_add(0, PAGES(16));
	memblock_reserve(PAGES(1), PAGES(6), MEMBLOCK_OTHER);
	EXPECT_EQ(t, memblock_free(PAGES(3), PAGES(2)), 0);
	EXPECT_EQ(t, memblock_remove(PAGES(10), PAGES(2)), 0);
	expect_picture(t, "-OO--OO---..----");
	/* A part of a page that is not RAM spoils the page. */
	EXPECT_EQ(t, memblock_remove(PAGES(15) + 100, 1), 0);
	expect_picture(t, "-OO--OO---..---.");
}

static u64 request(u64 pages, u64 align_pages, u64 limit_page, int nid)
{
	struct memblock_request r = {
		.size_bytes = PAGES(pages),
		.align_bytes = PAGES(align_pages),
		.limit = PAGES(limit_page),
		.nid = nid,
		.owner = MEMBLOCK_PAGE_TABLES,
	};
	return memblock_alloc(&r) / PAGE_SIZE;
}

static void allocates_from_the_top(struct ktest *t)
{
	memblock_add(0, PAGES(8));
	memblock_add(PAGES(10), PAGES(6));
	memblock_reserve(0, 1, MEMBLOCK_FIRST_PAGE);
	memblock_reserve(PAGES(13), PAGES(1), MEMBLOCK_KERNEL_IMAGE);
	expect_picture(t, "F-------..---K--");

	EXPECT_EQ(t, request(1, 1, 0, NUMA_NO_NODE), 15);
	EXPECT_EQ(t, request(2, 1, 0, NUMA_NO_NODE), 11); /* over the kernel */
	EXPECT_EQ(t, request(2, 4, 0, NUMA_NO_NODE), 4);  /* aligned: 12 is half taken */
	EXPECT_EQ(t, request(1, 1, 4, NUMA_NO_NODE), 3);  /* ends at or below page 4 */
	expect_picture(t, "F--TTT--..-TTK-T");
	EXPECT_EQ(t, request(7, 1, 0, NUMA_NO_NODE), 0); /* never fits */
	expect_picture(t, "F--TTT--..-TTK-T");
}

static void allocates_by_node(struct ktest *t)
{
	memblock_add(0, PAGES(16));
	memblock_set_node(0, PAGES(8), 0);
	memblock_set_node(PAGES(8), PAGES(8), 1);
	memblock_reserve(0, 1, MEMBLOCK_FIRST_PAGE);
	EXPECT_EQ(t, request(2, 1, 0, 0), 6);
	EXPECT_EQ(t, request(8, 8, 0, 1), 8);
	EXPECT_EQ(t, request(1, 1, 0, 1), 0); /* full: no other node's memory */
	EXPECT_EQ(t, request(1, 1, 0, 0), 5);
	EXPECT_EQ(t, request(1, 1, 0, 7), 0); /* no such memory */
	expect_picture(t, "F----TTTTTTTTTTT");
}

static void never_gives_page_zero(struct ktest *t)
{
	memblock_add(0, PAGES(2));
	memblock_reserve(0, 1, MEMBLOCK_FIRST_PAGE);
	EXPECT_EQ(t, request(1, 1, 0, NUMA_NO_NODE), 1);
	EXPECT_EQ(t, request(1, 1, 0, NUMA_NO_NODE), 0);
	EXPECT_EQ(t, memblock_reserved_pages(MEMBLOCK_PAGE_TABLES), 1);
}

static void absurd_sizes_fail(struct ktest *t)
{
	struct memblock_request r = {.align_bytes = PAGE_SIZE, .nid = NUMA_NO_NODE};

	memblock_add(PAGES(4), PAGES(4));
	EXPECT_EQ(t, memblock_alloc(&r), 0); /* of size 0 */
	r.size_bytes = ~(u64)0;
	EXPECT_EQ(t, memblock_alloc(&r), 0);
	r.size_bytes = ~(u64)0 - PAGE_SIZE;
	EXPECT_EQ(t, memblock_alloc(&r), 0);
	/* Ranges up to the end of what an address can be, and beyond it. */
	EXPECT_EQ(t, memblock_add(~(u64)0 - PAGES(2), PAGES(2)), 0);
	EXPECT_EQ(t, memblock_reserve(PAGES(6), ~(u64)0, MEMBLOCK_OTHER), 0);
	expect_picture(t, "....--OO........");
	EXPECT_EQ(t, memblock_ram_pages(), 4);
}

static void full_arrays_refuse_and_change_nothing(struct ktest *t)
{
	u64 i;

	for (i = 0; i < MEMBLOCK_MAX_REGIONS; i++)
		ASSERT_EQ(t, memblock_add(PAGES(2 * i), PAGE_SIZE), 0);
	EXPECT_EQ(t, memblock_add(PAGES(2 * i), PAGE_SIZE), -ENOSPC);
	EXPECT_EQ(t, memblock_ram_pages(), MEMBLOCK_MAX_REGIONS);
	/* A whole region changes its node without a cut; the middle of one needs two more. */
	EXPECT_EQ(t, memblock_set_node(0, PAGE_SIZE, 1), 0);
	EXPECT_EQ(t, memblock_remove(PAGES(4), PAGES(1)), 0);
	EXPECT_EQ(t, memblock_add(PAGES(4 * i), PAGES(3)), 0);
	EXPECT_EQ(t, memblock_set_node(PAGES(4 * i + 1), PAGES(1), 1), -ENOSPC);
	EXPECT_EQ(t, memblock_remove(PAGES(4 * i + 1), PAGES(1)), -ENOSPC);
	EXPECT_EQ(t, memblock_remove(PAGES(4 * i), PAGES(3)), 0);
	EXPECT_EQ(t, memblock_add(PAGES(4), PAGES(1)), 0);
	/* What fits into what is there still works. */
	EXPECT_EQ(t, memblock_add(PAGES(2), PAGE_SIZE), 0);
	EXPECT_EQ(t, memblock_ram_pages(), MEMBLOCK_MAX_REGIONS);
}

/* Random operations against a byte per page. */
#define MODEL_PAGES 64

struct model_page {
	bool ram, reserved;
	int nid;
	enum memblock_owner owner;
};

static void model_apply(struct model_page *m, u32 op, u64 first, u64 count, u32 value)
{
	for (u64 i = first; i < first + count && i < MODEL_PAGES; i++) {
		if (op == 0 && !m[i].ram)
			m[i] = (struct model_page){true, m[i].reserved, NUMA_NO_NODE, m[i].owner};
		else if (op == 1)
			m[i].ram = false;
		else if (op == 2 && !m[i].reserved) {
			m[i].reserved = true;
			m[i].owner = (enum memblock_owner)value;
		} else if (op == 3)
			m[i].reserved = false;
		else if (op == 4)
			m[i].nid = (int)value;
	}
}

static void apply(u32 op, u64 first, u64 count, u32 value)
{
	switch (op) {
	case 0:
		memblock_add(PAGES(first), PAGES(count));
		break;
	case 1:
		memblock_remove(PAGES(first), PAGES(count));
		break;
	case 2:
		memblock_reserve(PAGES(first), PAGES(count), (enum memblock_owner)value);
		break;
	case 3:
		memblock_free(PAGES(first), PAGES(count));
		break;
	default:
		memblock_set_node(PAGES(first), PAGES(count), (int)value);
		break;
	}
}

static bool model_agrees(struct ktest *t, const struct model_page *m)
{
	struct memblock_range r = {0};
	phys_addr_t cursor = 0;
	u64 pfn = 0;

	while (memblock_next(&cursor, &r)) {
		for (; pfn < pfn_down(r.base); pfn++)
			if (!EXPECT_MSG(t, !m[pfn].ram, "page %llu lost", (unsigned long long)pfn))
				return false;
		for (; pfn < pfn_down(r.end); pfn++)
			if (!EXPECT_MSG(t,
					m[pfn].ram && m[pfn].nid == r.nid &&
						m[pfn].reserved == r.reserved &&
						(!r.reserved || m[pfn].owner == r.owner),
					"page %llu differs", (unsigned long long)pfn))
				return false;
	}
	for (; pfn < MODEL_PAGES; pfn++)
		if (!EXPECT_MSG(t, !m[pfn].ram, "page %llu lost", (unsigned long long)pfn))
			return false;
	return true;
}

static void random_operations_match_a_model(struct ktest *t)
{
	struct random_state random = {t->seed * 77 + 5};
	static struct model_page model[MODEL_PAGES];
	bool was_ram[MODEL_PAGES] = {false};

	for (u32 step = 0; step < 20000; step++) {
		u32 op = (u32)host_random_below(&random, 5);
		u64 first = host_random_below(&random, MODEL_PAGES);
		u64 count = 1 + host_random_below(&random, 1 + (MODEL_PAGES - first) / 2);
		u32 value = (u32)host_random_below(&random, 3);

		if (first + count > MODEL_PAGES)
			count = MODEL_PAGES - first;
		/* A page's node is only meaningful while it is RAM. */
		for (u64 i = 0; i < MODEL_PAGES; i++)
			was_ram[i] = model[i].ram;
		apply(op, first, count, value);
		model_apply(model, op, first, count, value);
		for (u64 i = 0; i < MODEL_PAGES; i++) {
			if (op == 4 && !was_ram[i])
				model[i].nid = NUMA_NO_NODE;
		}
		if (!model_agrees(t, model)) {
			ktest_note(t, "step %u: op %u, pages %llu + %llu", step, op,
				   (unsigned long long)first, (unsigned long long)count);
			return;
		}
	}
}

static void reserve_after_close(void *arg)
{
	(void)arg;
	memblock_add(0, PAGES(4));
	memblock_close();
	memblock_reserve(0, 1, MEMBLOCK_OTHER);
}

static void closing_is_final(struct ktest *t)
{
	expect_panic(t, reserve_after_close, NULL, "!closed");
}

static const struct ktest_case cases[] = {
	KTEST(add_merges_and_sorts),
	KTEST(add_spans_several_gaps),
	KTEST(add_cuts_inward),
	KTEST(reserve_cuts_outward),
	KTEST(earlier_owner_keeps_its_part),
	KTEST(reserving_holes_counts_no_ram),
	KTEST(remove_and_free_split),
	KTEST(allocates_from_the_top),
	KTEST(allocates_by_node),
	KTEST(never_gives_page_zero),
	KTEST(absurd_sizes_fail),
	KTEST(full_arrays_refuse_and_change_nothing),
	KTEST(random_operations_match_a_model),
	KTEST(closing_is_final),
};
KTEST_SUITE(memblock, cases);
