/* The multiboot2 boot information: each tag, and loaders that lie. */
#include <base/errno.h>
#include <boot/boot_info.h>
#include <kernel/memory_map.h>
#include <kernel/test.h>

#include "acpi_build.h"

static struct table table;
static struct boot_info info;

/* --- Building it: total size, then tags at multiples of 8 ----------------------------------- */

static size_t tag_start;

static void info_begin(void)
{
	table.len = 0;
	put(&table, 0, 8);
}

static void tag_begin(u32 type)
{
	while (table.len % 8)
		put(&table, 0xee, 1); /* padding means nothing */
	tag_start = table.len;
	put(&table, type, 4);
	put(&table, 0, 4);
}

static void tag_end(void)
{
	patch(&table, tag_start + 4, table.len - tag_start, 4);
}

static void tag_string(u32 type, const char *text)
{
	tag_begin(type);
	put_bytes(&table, text, strlen(text) + 1);
	tag_end();
}

static void tag_module(u32 start, u32 end, const char *name)
{
	tag_begin(3);
	put(&table, start, 4);
	put(&table, end, 4);
	put_bytes(&table, name, strlen(name) + 1);
	tag_end();
}

static void memory_map_begin(u32 entry_bytes)
{
	tag_begin(6);
	put(&table, entry_bytes, 4);
	put(&table, 0, 4);
}

static void memory_map_entry(u64 base, u64 size, u32 type)
{
	put(&table, base, 8);
	put(&table, size, 8);
	put(&table, type, 4);
	put(&table, 0, 4);
}

static void tag_rsdp(u32 type, u8 fill, size_t len)
{
	tag_begin(type);
	for (size_t i = 0; i < len; i++)
		put(&table, fill, 1);
	tag_end();
}

static void info_end(void)
{
	tag_begin(0);
	tag_end();
	patch(&table, 0, table.len, 4);
}

static int parse_info(void)
{
	u8 *copy = exact_copy(table.bytes, table.len);
	int err = multiboot2_parse(copy, table.len, &info);

	exact_free(copy);
	return err;
}

/* A BIOS machine of 128 MiB as GRUB describes it. */
static void build_typical(void)
{
	info_begin();
	tag_string(1, "test seed=7");
	tag_string(2, "GRUB 2.06");
	tag_module(0x200000, 0x201000, "initrd one");
	tag_begin(21); /* load base address: not asked for */
	put(&table, 0x100000, 4);
	tag_end();
	memory_map_begin(24);
	memory_map_entry(0, 0x9fc00, BOOT_MEM_AVAILABLE);
	memory_map_entry(0x9fc00, 0x400, BOOT_MEM_RESERVED);
	memory_map_entry(MiB(1), MiB(127), BOOT_MEM_AVAILABLE);
	memory_map_entry(0xfffc0000, 0x40000, 99);
	tag_end();
	tag_rsdp(14, 0x14, 20);
	info_end();
}

/* --- What loaders say ---------------------------------------------------------------------- */

static void typical_information(struct ktest *t)
{
	build_typical();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_STREQ(t, info.cmdline, "test seed=7");
	EXPECT_STREQ(t, info.loader, "GRUB 2.06");
	ASSERT_EQ(t, info.nr_modules, 1);
	EXPECT_EQ(t, info.modules[0].start, 0x200000);
	EXPECT_EQ(t, info.modules[0].end, 0x201000);
	EXPECT_STREQ(t, info.modules[0].name, "initrd one");
	ASSERT_EQ(t, info.nr_mem, 4);
	EXPECT_EQ(t, info.mem[0].base, 0);
	EXPECT_EQ(t, info.mem[0].size_bytes, 0x9fc00);
	EXPECT_EQ(t, info.mem[1].type, BOOT_MEM_RESERVED);
	EXPECT_EQ(t, info.mem[2].base, MiB(1));
	EXPECT_EQ(t, info.mem[2].size_bytes, MiB(127));
	EXPECT_EQ(t, info.mem[2].type, BOOT_MEM_AVAILABLE);
	EXPECT_EQ(t, info.mem[3].type, 99);
	EXPECT_EQ(t, info.rsdp_bytes, 20);
	EXPECT_EQ(t, info.rsdp[19], 0x14);
	EXPECT(t, !info.efi);
	EXPECT_EQ(t, info.nr_dropped, 0);
}

static void nothing_but_the_end(struct ktest *t)
{
	info_begin();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_STREQ(t, info.cmdline, "");
	EXPECT_EQ(t, info.nr_mem + info.nr_modules + info.rsdp_bytes + info.nr_dropped, 0);
}

/* Tags after the end tag do not count, nor do bytes after the total. */
static void the_end_is_the_end(struct ktest *t)
{
	info_begin();
	tag_string(1, "before");
	info_end();
	tag_string(1, "after");
	patch(&table, 0, table.len, 4);
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_STREQ(t, info.cmdline, "before");

	build_typical();
	put(&table, 0, 8);
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, info.nr_mem, 4);
}

static void efi_is_noticed(struct ktest *t)
{
	for (u32 type = 11; type <= 12; type++) {
		info_begin();
		tag_begin(type);
		put(&table, 0x7f000000, type == 11 ? 4 : 8);
		tag_end();
		info_end();
		ASSERT_EQ(t, parse_info(), 0);
		EXPECT(t, info.efi);
	}
}

static void newer_rsdp_is_preferred(struct ktest *t)
{
	for (u32 old_first = 0; old_first < 2; old_first++) {
		info_begin();
		if (old_first)
			tag_rsdp(14, 0x14, 20);
		tag_rsdp(15, 0x15, 36);
		if (!old_first)
			tag_rsdp(14, 0x14, 20);
		info_end();
		ASSERT_EQ(t, parse_info(), 0);
		EXPECT_EQ(t, info.rsdp_bytes, 36);
		EXPECT_EQ(t, info.rsdp[0], 0x15);
		EXPECT_EQ(t, info.rsdp[35], 0x15);
	}
	/* Too short for its kind: the other one is taken. A longer one is cut. */
	info_begin();
	tag_rsdp(15, 0x15, 35);
	tag_rsdp(14, 0x14, 19);
	tag_rsdp(14, 0x14, 64);
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, info.rsdp_bytes, 20);
	EXPECT_EQ(t, info.rsdp[0], 0x14);
	EXPECT_EQ(t, info.nr_dropped, 2);
}

/* Entries may grow: their size is the tag's to say. */
static void long_memory_entries(struct ktest *t)
{
	info_begin();
	memory_map_begin(40);
	for (u32 i = 0; i < 3; i++) {
		memory_map_entry(GiB(i), GiB(1), BOOT_MEM_AVAILABLE);
		put(&table, ~0ull, 8);
		put(&table, ~0ull, 8);
	}
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	ASSERT_EQ(t, info.nr_mem, 3);
	EXPECT_EQ(t, info.mem[2].base, GiB(2));
	EXPECT_EQ(t, info.mem[2].type, BOOT_MEM_AVAILABLE);
	EXPECT_EQ(t, info.nr_dropped, 0);
}

/* --- What does not fit, and what is broken -------------------------------------------------- */

static void bad_memory_maps(struct ktest *t)
{
	static const u32 sizes[] = {0, 8, 20, 23};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		info_begin();
		memory_map_begin(sizes[i]);
		memory_map_entry(0, GiB(1), BOOT_MEM_AVAILABLE);
		tag_end();
		tag_string(1, "still read");
		info_end();
		ASSERT_EQ(t, parse_info(), 0);
		EXPECT_EQ(t, info.nr_mem, 0);
		EXPECT_EQ(t, info.nr_dropped, 1);
		EXPECT_STREQ(t, info.cmdline, "still read");
	}
	/* A part of an entry at the end; an entry size of 4 GiB less one. */
	info_begin();
	memory_map_begin(24);
	memory_map_entry(0, GiB(1), BOOT_MEM_AVAILABLE);
	put(&table, GiB(1), 8);
	tag_end();
	memory_map_begin(0xffffffff);
	memory_map_entry(0, GiB(1), BOOT_MEM_AVAILABLE);
	tag_end();
	tag_begin(6);
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, info.nr_mem, 1);
	EXPECT_EQ(t, info.nr_dropped, 3);
}

/* Ranges of length 0 say nothing and take no room. */
static void empty_memory_ranges(struct ktest *t)
{
	info_begin();
	memory_map_begin(24);
	for (u64 i = 0; i < BOOT_MAX_MEM; i++)
		memory_map_entry(MiB(i) + 1, 0, 1 + (u32)i % 5);
	memory_map_entry(MiB(1), MiB(1), BOOT_MEM_AVAILABLE);
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	ASSERT_EQ(t, info.nr_mem, 1);
	EXPECT_EQ(t, info.mem[0].base, MiB(1));
	EXPECT_EQ(t, info.nr_ram_left_out + info.nr_dropped, 0);
}

static bool is_ram(phys_addr_t addr)
{
	struct memory_map_range range;
	struct memory_map map;
	phys_addr_t cursor = 0;

	memory_map_init(&map, &info, 0);
	while (memory_map_next(&map, &cursor, &range))
		if (addr >= range.base && addr < range.end)
			return true;
	return false;
}

/*
 *	1G   1G+16M      ...        1G+298*16M    8G                                16G
 *	|A4K |A8K        ...        |A            |===========available=============|
 *	                                                     12G |R| the last of 300 entries
 *
 * 299 available ranges, each a page larger than the one before, and the largest of all last.
 */
static void reserved_memory_never_becomes_ram(struct ktest *t)
{
	enum { NR = 300, NR_OUT = NR - BOOT_MAX_MEM };

	info_begin();
	memory_map_begin(24);
	for (u64 i = 0; i < NR - 2; i++)
		memory_map_entry(GiB(1) + i * MiB(16), (i + 1) * KiB(4), BOOT_MEM_AVAILABLE);
	memory_map_entry(GiB(8), GiB(8), BOOT_MEM_AVAILABLE);
	memory_map_entry(GiB(12), MiB(1), BOOT_MEM_RESERVED);
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, info.nr_mem, BOOT_MAX_MEM);
	EXPECT(t, is_ram(GiB(12) - 1) && is_ram(GiB(12) + MiB(1)));
	EXPECT(t, !is_ram(GiB(12)) && !is_ram(GiB(12) + MiB(1) - 1));
	/* What gave way is the smallest, and it is counted: 4K + 8K + ... */
	EXPECT(t, !is_ram(GiB(1)) && !is_ram(GiB(1) + (NR_OUT - 1) * MiB(16)));
	EXPECT(t, is_ram(GiB(1) + NR_OUT * MiB(16)));
	EXPECT_EQ(t, info.nr_ram_left_out, NR_OUT);
	EXPECT_EQ(t, info.ram_left_out_bytes, KiB(4) * NR_OUT * (NR_OUT + 1) / 2);
	EXPECT_EQ(t, info.nr_dropped, 0);
}

/* RAM that comes when there is no room, small or last, is what is left out; order means nothing. */
static void ram_gives_way_in_any_order(struct ktest *t)
{
	info_begin();
	memory_map_begin(24);
	for (u64 i = 0; i < BOOT_MAX_MEM; i++)
		memory_map_entry(GiB(4) + MiB(i), KiB(4), BOOT_MEM_BAD);
	memory_map_entry(GiB(1), GiB(8), BOOT_MEM_AVAILABLE);
	memory_map_entry(GiB(2), GiB(1), BOOT_MEM_RESERVED);
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, info.nr_mem, BOOT_MAX_MEM);
	EXPECT_EQ(t, info.nr_ram_left_out, 1);
	EXPECT_EQ(t, info.ram_left_out_bytes, GiB(8));
	EXPECT(t, !is_ram(GiB(1)) && !is_ram(GiB(2)));

	info_begin();
	memory_map_begin(24);
	for (u64 i = 0; i < BOOT_MAX_MEM; i++)
		memory_map_entry(GiB(1) + MiB(i), KiB(8), BOOT_MEM_AVAILABLE);
	memory_map_entry(GiB(5), KiB(4), BOOT_MEM_AVAILABLE);
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT(t, is_ram(GiB(1)) && is_ram(GiB(1) + MiB(BOOT_MAX_MEM - 1)) && !is_ram(GiB(5)));
	EXPECT_EQ(t, info.ram_left_out_bytes, KiB(4));
}

static bool in_a_module(phys_addr_t addr)
{
	for (u32 i = 0; i < info.nr_modules; i++)
		if (addr >= info.modules[i].start && addr < info.modules[i].end)
			return true;
	return false;
}

/*
 *	16M                                 64M
 *	|0|  |1|  |2| ... |15|16||17||18|   |19|      4 KiB each: the last four have no entry
 */
static void every_module_is_covered(struct ktest *t)
{
	info_begin();
	for (u32 i = 0; i < 16; i++)
		tag_module((u32)MiB(16 + i), (u32)MiB(16 + i) + 0x1000, "m");
	for (u32 i = 1; i < 4; i++)
		tag_module((u32)MiB(31) + (i << 12), (u32)MiB(31) + ((i + 1) << 12), "next to 15");
	tag_module((u32)MiB(64), (u32)MiB(64) + 0x1000, "far");
	tag_module((u32)MiB(128), (u32)MiB(128), "empty");
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, info.nr_modules, BOOT_MAX_MODULES);
	EXPECT_EQ(t, info.nr_modules_joined, 4);
	EXPECT_EQ(t, info.nr_dropped, 0);
	for (u32 i = 0; i < 16; i++)
		EXPECT(t, in_a_module(MiB(16 + i)) && in_a_module(MiB(16 + i) + 0xfff));
	EXPECT(t, in_a_module(MiB(31) + 0x1000) && in_a_module(MiB(31) + 0x3fff));
	EXPECT(t, in_a_module(MiB(64)) && in_a_module(MiB(64) + 0xfff));
	/* What lies between two others stays free, and an empty one takes nothing. */
	EXPECT(t, !in_a_module(MiB(16) + 0x1000) && !in_a_module(MiB(30) + 0x1000));
	EXPECT(t, !in_a_module(MiB(128) - 1));
}

static void bad_modules_are_left_out(struct ktest *t)
{
	info_begin();
	tag_begin(3);
	put(&table, 0x1000, 4);
	tag_end();
	tag_module(0x2000, 0x1000, "ends before it starts");
	tag_module(0x3000, 0x3000, "empty");
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	ASSERT_EQ(t, info.nr_modules, 1);
	EXPECT_STREQ(t, info.modules[0].name, "empty");
	EXPECT_EQ(t, info.nr_dropped, 2);
}

static void strings_are_bounded(struct ktest *t)
{
	static char text[BOOT_CMDLINE_BYTES + 1];

	/* The longest that fits, and one more. */
	memset(text, 'x', BOOT_CMDLINE_BYTES - 1);
	info_begin();
	tag_string(1, text);
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, strlen(info.cmdline), BOOT_CMDLINE_BYTES - 1);
	EXPECT_EQ(t, info.cmdline_bytes, BOOT_CMDLINE_BYTES - 1);
	EXPECT_EQ(t, info.nr_dropped, 0);

	text[BOOT_CMDLINE_BYTES - 1] = 'y';
	info_begin();
	tag_string(1, text);
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_EQ(t, strlen(info.cmdline), BOOT_CMDLINE_BYTES - 1);
	EXPECT_EQ(t, info.cmdline_bytes, BOOT_CMDLINE_BYTES);
	EXPECT_EQ(t, info.nr_dropped, 0); /* whoever reads the line will say it */

	/* No end within the tag: what follows the tag is not read. */
	info_begin();
	tag_begin(2);
	put_bytes(&table, "loader!!", 8);
	tag_end();
	tag_begin(1);
	tag_end();
	info_end();
	ASSERT_EQ(t, parse_info(), 0);
	EXPECT_STREQ(t, info.loader, "loader!!");
	EXPECT_STREQ(t, info.cmdline, "");
	EXPECT_EQ(t, info.nr_dropped, 2);
}

static void broken_chains_keep_what_was_read(struct ktest *t)
{
	static const u32 sizes[] = {0, 7, 1000, 0x7fffffff, 0xfffffff8, 0xffffffff};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		info_begin();
		tag_string(1, "kept");
		tag_begin(2);
		put_bytes(&table, "lost", 5);
		tag_end();
		patch(&table, tag_start + 4, sizes[i], 4);
		info_end();
		EXPECT_EQ(t, parse_info(), -EINVAL);
		EXPECT_STREQ(t, info.cmdline, "kept");
		EXPECT_STREQ(t, info.loader, "");
	}
	info_begin();
	tag_string(1, "no end tag");
	patch(&table, 0, table.len, 4);
	EXPECT_EQ(t, parse_info(), -EINVAL);
	EXPECT_STREQ(t, info.cmdline, "no end tag");
}

static void total_beyond_the_bytes(struct ktest *t)
{
	build_typical();
	patch(&table, 0, table.len + 1, 4);
	EXPECT_EQ(t, parse_info(), -EINVAL);
	for (u32 total = 0; total < 16; total++) {
		patch(&table, 0, total, 4);
		EXPECT_EQ(t, parse_info(), -EINVAL);
	}
	EXPECT_EQ(t, multiboot2_parse(NULL, 0, &info), -EINVAL);
}

static u32 nr_tried, nr_parsed;
static bool out_of_bounds;

static void try_info(const u8 *bytes, size_t len)
{
	nr_tried++;
	nr_parsed += multiboot2_parse(bytes, len, &info) == 0;
	out_of_bounds |= strnlen(info.cmdline, sizeof(info.cmdline)) == sizeof(info.cmdline) ||
			 strnlen(info.loader, sizeof(info.loader)) == sizeof(info.loader) ||
			 info.nr_mem > len / 24;
}

static void survives_any_byte(struct ktest *t)
{
	build_typical();
	EXPECT_EQ(t, each_truncation(&table, MULTIBOOT2_LENGTH_AT, try_info), 2 * table.len - 2);
	EXPECT_EQ(t, nr_parsed, 1 + 1);
	EXPECT_EQ(t, each_mutation(&table, try_info), table.len * 255);
	EXPECT_EQ(t, nr_tried, 2 * table.len - 2 + table.len * 255);
	EXPECT(t, !out_of_bounds);
}

static const struct ktest_case cases[] = {
	KTEST(typical_information),
	KTEST(nothing_but_the_end),
	KTEST(the_end_is_the_end),
	KTEST(efi_is_noticed),
	KTEST(newer_rsdp_is_preferred),
	KTEST(long_memory_entries),
	KTEST_SLOW(bad_memory_maps, 10), /* a loop fails soon */
	KTEST(empty_memory_ranges),
	KTEST(reserved_memory_never_becomes_ram),
	KTEST(ram_gives_way_in_any_order),
	KTEST(every_module_is_covered),
	KTEST(bad_modules_are_left_out),
	KTEST(strings_are_bounded),
	KTEST_SLOW(broken_chains_keep_what_was_read, 10), /* a loop fails soon */
	KTEST(total_beyond_the_bytes),
	KTEST(survives_any_byte),
};
KTEST_SUITE(multiboot2, cases);
