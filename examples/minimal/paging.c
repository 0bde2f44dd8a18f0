/*
 * Page tables, as far as this kernel needs any: pages are added and never taken away.
 *
 * Four levels; level 0 entries are 4 KiB pages, and one of level 1 may be a 2 MiB page. A missing
 * table is a page from memblock, below what boot.asm has mapped, so that it can be written at once.
 * After mm_init() memblock is closed, and a kernel that goes on mapping takes its tables from
 * alloc_pages().
 *
 * Entries go from absent to present only, which no CPU caches: nothing is flushed.
 *
 * Source: Intel SDM volume 3A, section 4.5.
 */
#include "minimal.h"

#include <arch/page.h>
#include <arch/restart.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/numa.h>

#define PRESENT    0x1UL
#define WRITABLE   0x2UL
#define LARGE      0x80UL
#define NO_EXECUTE (1UL << 63)
#define ADDRESS    0x000ffffffffff000UL

extern u64 top_table[512]; /* boot.asm */

/* The table that an entry points to, made if there is none. */
static int next_table(u64 *entry, u64 **table)
{
	static const struct memblock_request request = {
		.size_bytes = PAGE_SIZE,
		.align_bytes = PAGE_SIZE,
		.limit = BOOT_MAP_END,
		.nid = NUMA_NO_NODE,
		.owner = MEMBLOCK_PAGE_TABLES,
	};

	if (!(*entry & PRESENT)) {
		phys_addr_t at = memblock_alloc(&request);

		if (!at)
			return -ENOMEM;
		memset(phys_to_virt(at), 0, PAGE_SIZE);
		*entry = at | PRESENT | WRITABLE;
	}
	if (*entry & LARGE)
		return -EEXIST;
	*table = phys_to_virt(*entry & ADDRESS);
	return 0;
}

static int map_page(uintptr_t virt, phys_addr_t phys, int page_level)
{
	u64 *table = top_table, *entry;

	for (int level = 3;; level--) {
		int err;

		entry = &table[virt >> (PAGE_SHIFT + 9 * level) & 511];
		if (level == page_level)
			break;
		err = next_table(entry, &table);
		if (err)
			return err;
	}
	if (*entry & PRESENT)
		return -EEXIST;
	*entry = phys | PRESENT | WRITABLE | NO_EXECUTE | (page_level ? LARGE : 0);
	return 0;
}

/* Is there a page at this address? False of what can be no address: bits 63 to 47 differ. */
static bool is_mapped(uintptr_t virt)
{
	const u64 *table = top_table;

	if ((u64)((s64)(virt << 16) >> 16) != virt)
		return false;
	for (int level = 3;; level--) {
		u64 entry = table[virt >> (PAGE_SHIFT + 9 * level) & 511];

		if (!(entry & PRESENT))
			return false;
		if (level == 0 || (entry & LARGE))
			return true;
		table = phys_to_virt(entry & ADDRESS);
	}
}

/* Seam 1: include/arch. A kernel that handles page faults would let this one fault instead. */
bool load_or_fault(const u64 *addr, u64 *value)
{
	if ((uintptr_t)addr < PAGE_SIZE || !is_mapped((uintptr_t)addr))
		return false;
	*value = *addr;
	return true;
}

int map_pages(uintptr_t virt, phys_addr_t phys, u64 size_bytes)
{
	for (u64 done = 0, step; done < size_bytes; done += step) {
		bool large = IS_ALIGNED((virt + done) | (phys + done), LARGE_PAGE_SIZE) &&
			     size_bytes - done >= LARGE_PAGE_SIZE;
		int err = map_page(virt + done, phys + done, large);

		if (err)
			return err;
		step = large ? LARGE_PAGE_SIZE : PAGE_SIZE;
	}
	return 0;
}
