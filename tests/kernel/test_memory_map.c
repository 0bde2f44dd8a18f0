/*
 * From the firmware's byte ranges to whole pages of RAM. Runs on the host, too.
 */
#include <arch/page.h>
#include <base/string.h>
#include <kernel/memory_map.h>
#include <kernel/test.h>

static struct boot_info info;
static struct memory_map map;

static void add(phys_addr_t base, u64 size_bytes, u32 type)
{
	info.mem[info.nr_mem++] = (struct boot_mem_range){base, size_bytes, type};
}

static void start(void)
{
	memset(&info, 0, sizeof(info));
}

static void expect_range(struct ktest *t, phys_addr_t *cursor, phys_addr_t base, phys_addr_t end)
{
	struct memory_map_range range = {0};

	EXPECT(t, memory_map_next_kept(&map, cursor, &range));
	EXPECT_EQ(t, range.base, base);
	EXPECT_EQ(t, range.end, end);
}

static void expect_end(struct ktest *t, phys_addr_t *cursor)
{
	struct memory_map_range range;

	EXPECT(t, !memory_map_next_kept(&map, cursor, &range));
}

/*
 *	0     0x1000              0x9fc00   0xa0000        1M       2M
 *	|=========available=========|reserved|     hole    |==avail==|
 *	|--------- 0x9f pages -----|                       |-- 256 --|
 */
static void partial_pages_are_no_ram(struct ktest *t)
{
	phys_addr_t cursor = 0;

	start();
	add(MiB(1), MiB(1), BOOT_MEM_AVAILABLE);
	add(0, 0x9fc00, BOOT_MEM_AVAILABLE);
	add(0x9fc00, 0x400, BOOT_MEM_RESERVED);
	memory_map_init(&map, &info, 0);
	expect_range(t, &cursor, 0, 0x9f000);
	expect_range(t, &cursor, MiB(1), MiB(2));
	expect_end(t, &cursor);
	EXPECT_EQ(t, memory_map_pages(&map), 0x9f + 256);
	EXPECT_EQ(t, memory_map_cut_pages(&map), 0);
}

/*
 *	1M        2M        3M        4M
 *	|======available==============|
 *	     |==available==|               counted once
 *	               |r|                 one byte of it takes its page
 */
static void overlap(struct ktest *t)
{
	phys_addr_t cursor = 0;

	start();
	add(MiB(1), MiB(3), BOOT_MEM_AVAILABLE);
	add(MiB(1) + KiB(512), MiB(1), BOOT_MEM_AVAILABLE);
	add(MiB(2) + 0x10fff, 1, BOOT_MEM_ACPI_NVS);
	memory_map_init(&map, &info, 0);
	expect_range(t, &cursor, MiB(1), MiB(2) + 0x10000);
	expect_range(t, &cursor, MiB(2) + 0x11000, MiB(4));
	expect_end(t, &cursor);
	EXPECT_EQ(t, memory_map_pages(&map), 3 * 256 - 1);
}

/*
 *	1M           1.5M+1             2M
 *	|===========available===========|
 *	             0 bytes, reserved        rounded outward it would be a page
 */
static void empty_ranges_are_none(struct ktest *t)
{
	phys_addr_t cursor = 0;

	start();
	add(MiB(1), MiB(1), BOOT_MEM_AVAILABLE);
	add(MiB(1) + KiB(512) + 1, 0, BOOT_MEM_RESERVED);
	memory_map_init(&map, &info, 0);
	expect_range(t, &cursor, MiB(1), MiB(2));
	expect_end(t, &cursor);
	EXPECT_EQ(t, memory_map_pages(&map), 256);
}

static void ranges_that_touch_are_one(struct ktest *t)
{
	phys_addr_t cursor = 0;

	start();
	add(MiB(2), MiB(1), BOOT_MEM_AVAILABLE);
	add(MiB(1), MiB(1), BOOT_MEM_AVAILABLE);
	memory_map_init(&map, &info, 0);
	expect_range(t, &cursor, MiB(1), MiB(3));
	expect_end(t, &cursor);
}

static void absurd_ranges(struct ktest *t)
{
	phys_addr_t cursor = 0, top = (phys_addr_t)1 << PHYS_ADDR_BITS_MAX;

	start();
	add(MiB(1), 0, BOOT_MEM_AVAILABLE);
	add(UINT64_MAX - 100, 101, BOOT_MEM_AVAILABLE);
	add(UINT64_MAX, UINT64_MAX, BOOT_MEM_RESERVED);
	add(top - MiB(1), UINT64_MAX, BOOT_MEM_AVAILABLE); /* the sum wraps */
	memory_map_init(&map, &info, 0);
	expect_range(t, &cursor, top - MiB(1), top);
	expect_end(t, &cursor);
	start();
	memory_map_init(&map, &info, 0);
	cursor = 0;
	expect_end(t, &cursor);
	EXPECT_EQ(t, memory_map_pages(&map), 0);
}

/* mem=3M: the lowest three MiB of RAM, not of addresses. */
static void cut(struct ktest *t)
{
	phys_addr_t cursor = 0;

	start();
	add(MiB(1), MiB(2), BOOT_MEM_AVAILABLE);
	add(MiB(16), MiB(4), BOOT_MEM_AVAILABLE);
	memory_map_init(&map, &info, MiB(3));
	expect_range(t, &cursor, MiB(1), MiB(3));
	expect_range(t, &cursor, MiB(16), MiB(17));
	expect_end(t, &cursor);
	EXPECT_EQ(t, memory_map_pages(&map), 6 * 256);
	EXPECT_EQ(t, memory_map_cut_pages(&map), 3 * 256);

	cursor = 0;
	memory_map_init(&map, &info, MiB(2)); /* ends with a range */
	expect_range(t, &cursor, MiB(1), MiB(3));
	expect_end(t, &cursor);
	memory_map_init(&map, &info, GiB(1)); /* more than there is */
	EXPECT_EQ(t, memory_map_cut_pages(&map), 0);
}

static const struct ktest_case cases[] = {
	KTEST(partial_pages_are_no_ram),  KTEST(overlap),       KTEST(empty_ranges_are_none),
	KTEST(ranges_that_touch_are_one), KTEST(absurd_ranges), KTEST(cut),
};
KTEST_SUITE(memory_map, cases);
