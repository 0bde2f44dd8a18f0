/*
 * Multiboot2: any bytes as the loader's information, and the memory map that it gives as pages.
 */
#include "fuzz.h"

#include <arch/page.h>
#include <base/errno.h>
#include <boot/boot_info.h>
#include <kernel/acpi.h>
#include <kernel/memory_map.h>

/* The walk over the map is quadratic: beyond this many entries it shows nothing new. */
#define MAX_WALKED 40

static struct boot_info first, second;

static bool ends(const char *text, size_t size)
{
	return strnlen(text, size) < size;
}

static void expect_bounds(const struct boot_info *info)
{
	FUZZ_CHECK(info->nr_mem <= BOOT_MAX_MEM, "%u ranges", info->nr_mem);
	FUZZ_CHECK(info->nr_modules <= BOOT_MAX_MODULES, "%u modules", info->nr_modules);
	FUZZ_CHECK(ends(info->cmdline, sizeof(info->cmdline)), "command line without an end");
	FUZZ_CHECK(ends(info->loader, sizeof(info->loader)), "loader's name without an end");
	for (u32 i = 0; i < info->nr_modules; i++) {
		FUZZ_CHECK(info->modules[i].start <= info->modules[i].end,
			   "module %u is upside down", i);
		FUZZ_CHECK(ends(info->modules[i].name, sizeof(info->modules[i].name)),
			   "module %u: name without an end", i);
	}
	FUZZ_CHECK(info->rsdp_bytes == 0 || info->rsdp_bytes == 20 || info->rsdp_bytes == 36,
		   "an RSDP of %u bytes", info->rsdp_bytes);
}

static void expect_same(const struct boot_info *a, const struct boot_info *b)
{
	FUZZ_CHECK(memcmp(a->cmdline, b->cmdline, sizeof(a->cmdline)) == 0, "command line differs");
	FUZZ_CHECK(memcmp(a->rsdp, b->rsdp, sizeof(a->rsdp)) == 0, "RSDP differs");
	FUZZ_SAME(a->nr_mem, b->nr_mem);
	FUZZ_SAME(a->nr_modules, b->nr_modules);
	FUZZ_SAME(a->nr_dropped, b->nr_dropped);
	for (u32 i = 0; i < a->nr_mem; i++) {
		FUZZ_SAME(a->mem[i].base, b->mem[i].base);
		FUZZ_SAME(a->mem[i].size_bytes, b->mem[i].size_bytes);
		FUZZ_SAME(a->mem[i].type, b->mem[i].type);
	}
}

/* Does some range of this kind (available, or any other) touch the page at `addr`? */
static bool touches(const struct boot_info *info, phys_addr_t addr, bool available)
{
	for (u32 i = 0; i < info->nr_mem; i++) {
		const struct boot_mem_range *r = &info->mem[i];

		if ((r->type == BOOT_MEM_AVAILABLE) == available && r->size_bytes != 0 &&
		    r->base < addr + PAGE_SIZE &&
		    (r->base >= addr || r->size_bytes > addr - r->base))
			return true;
	}
	return false;
}

/* Pages of RAM: in order, whole, below the limit, of available memory and nothing else. */
static void expect_map(const struct boot_info *info)
{
	struct memory_map map;
	struct memory_map_range range;
	phys_addr_t cursor = 0, end = 0;
	u64 bytes = 0;

	memory_map_init(&map, info, 0);
	while (memory_map_next(&map, &cursor, &range)) {
		FUZZ_CHECK(range.base >= end && range.base < range.end, "[0x%llx, 0x%llx)",
			   (unsigned long long)range.base, (unsigned long long)range.end);
		FUZZ_CHECK(IS_ALIGNED(range.base | range.end, PAGE_SIZE), "[0x%llx, 0x%llx)",
			   (unsigned long long)range.base, (unsigned long long)range.end);
		FUZZ_CHECK(touches(info, range.base, true) && !touches(info, range.base, false),
			   "0x%llx is no RAM", (unsigned long long)range.base);
		end = range.end;
		bytes += range.end - range.base;
		FUZZ_CHECK(!touches(info, end - PAGE_SIZE, false), "0x%llx is no RAM",
			   (unsigned long long)end - PAGE_SIZE);
	}
	FUZZ_CHECK(end <= (phys_addr_t)1 << PHYS_ADDR_BITS_MAX, "RAM up to 0x%llx",
		   (unsigned long long)end);
	FUZZ_SAME(memory_map_pages(&map), bytes >> PAGE_SHIFT);

	/* Half of it kept: the rest is cut off, and the two add up. */
	memory_map_init(&map, info, bytes / 2);
	FUZZ_SAME(memory_map_pages(&map), bytes >> PAGE_SHIFT);
	if (bytes / 2 >= PAGE_SIZE)
		FUZZ_SAME(memory_map_cut_pages(&map),
			  (bytes >> PAGE_SHIFT) - (bytes / 2 >> PAGE_SHIFT));
}

/* Mostly mends the total size: what lies past it is not read. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	u32 total = (u32)LLVMFuzzerMutate(data, size, max_size);

	if (total >= sizeof(total) && seed % 4)
		memcpy(data, &total, sizeof(total));
	return total;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 *info = fuzz_exact_copy(data, size);
	struct acpi_rsdp rsdp;
	int err = multiboot2_parse(info, size, &first);

	FUZZ_CHECK(err == 0 || err == -EINVAL, "error %d", err);
	expect_bounds(&first);
	memset(&second, 0xa5, sizeof(second));
	FUZZ_SAME(multiboot2_parse(info, size, &second), err);
	expect_same(&first, &second);
	if (first.nr_mem <= MAX_WALKED)
		expect_map(&first);
	acpi_parse_rsdp(first.rsdp, first.rsdp_bytes, &rsdp);
	fuzz_free(info);
	return 0;
}
