/*
 * memblock: early memory.
 *
 * Before the buddy allocator exists somebody must already hand out memory: the allocator's own
 * struct pages need some. memblock does it with two sorted arrays of ranges and no memory of its
 * own:
 *
 *	memory    what RAM there is; attribute: the node it belongs to
 *	reserved  what of it is taken;  attribute: the owner, by name
 *
 *	        0      640K   1M                              top
 *	memory  |=======|      |===== node 0 ====|== node 1 ==|
 *	reserved|f|             |kern|        |sp|        |sp|     f first page, sp struct page
 *	free      ^^^^^^       ^      ^^^^^^^^    ^^^^^^^^
 *
 * Free memory is `memory` less `reserved`. Reserving something that is no RAM is allowed and
 * harmless (a firmware table may or may not stand in RAM). Where two reservations overlap the
 * earlier owner keeps its part: so each page has one owner, and the sum over owners is exact.
 *
 * Allocation goes from the top down: low memory is what devices and the DMA zone need.
 *
 * Limits: MAX_REGIONS ranges in each array, after that -ENOSPC and nothing changed. One CPU, no
 * lock: memblock is closed before others start.
 */
#include <mm/memblock.h>

#include <arch/page.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/string.h>
#include <mm/numa.h>

#include "memblock_internal.h"

static struct region_list memory, reserved;
static bool closed;

/* --- Sorted lists of disjoint ranges ------------------------------------------------------- */

/* Index of the first region that ends after addr: the one that holds addr, or the next one. */
static u32 region_find(const struct region_list *list, phys_addr_t addr)
{
	u32 low = 0, high = list->nr;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (list->region[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void region_insert(struct region_list *list, u32 at, const struct region *region)
{
	ASSERT(list->nr < MEMBLOCK_MAX_REGIONS);
	memmove(&list->region[at + 1], &list->region[at],
		(list->nr - at) * sizeof(list->region[0]));
	list->region[at] = *region;
	list->nr++;
}

static void region_delete(struct region_list *list, u32 at)
{
	list->nr--;
	memmove(&list->region[at], &list->region[at + 1],
		(list->nr - at) * sizeof(list->region[0]));
}

/* Makes one of neighbours that touch and have the same attribute (MEMBLOCK-2). */
static void region_merge(struct region_list *list)
{
	u32 i = 0;

	while (i + 1 < list->nr) {
		struct region *a = &list->region[i], *b = &list->region[i + 1];

		if (a->end == b->base && a->attr == b->attr) {
			a->end = b->end;
			region_delete(list, i + 1);
		} else {
			i++;
		}
	}
}

/* How many gaps [base, end) has that no region covers: what covering it would insert. */
static u32 region_count_gaps(const struct region_list *list, phys_addr_t base, phys_addr_t end)
{
	u32 gaps = 0;

	for (u32 i = region_find(list, base); base < end; i++) {
		phys_addr_t next = i < list->nr ? MIN(list->region[i].base, end) : end;

		if (base < next)
			gaps++;
		base = i < list->nr ? list->region[i].end : end;
	}
	return gaps;
}

/* Adds [base, end) with the attribute; what is already covered stays as it is. */
static int region_cover(struct region_list *list, phys_addr_t base, phys_addr_t end, int attr)
{
	if (list->nr + region_count_gaps(list, base, end) > MEMBLOCK_MAX_REGIONS)
		return -ENOSPC;

	for (u32 i = region_find(list, base); base < end; i++) {
		phys_addr_t next = i < list->nr ? MIN(list->region[i].base, end) : end;

		if (base < next) {
			struct region gap = {base, next, attr};

			region_insert(list, i, &gap);
		}
		base = i < list->nr ? list->region[i].end : end;
	}
	region_merge(list);
	return 0;
}

/* Does a region begin before addr and end after it, so that a cut there makes two of it? */
static bool region_straddles(const struct region_list *list, phys_addr_t addr)
{
	u32 i = region_find(list, addr);

	return i < list->nr && list->region[i].base < addr;
}

static bool has_room_to_cut(const struct region_list *list, phys_addr_t base, phys_addr_t end)
{
	u32 cuts = (u32)region_straddles(list, base) + (u32)region_straddles(list, end);

	return list->nr + cuts <= MEMBLOCK_MAX_REGIONS;
}

/* Cuts the region that holds addr in two, so that one begins there. Needs a free entry. */
static void region_split(struct region_list *list, phys_addr_t addr)
{
	u32 i = region_find(list, addr);
	struct region upper;

	if (!region_straddles(list, addr))
		return;
	upper = (struct region){addr, list->region[i].end, list->region[i].attr};
	list->region[i].end = addr;
	region_insert(list, i + 1, &upper);
}

static int region_clear(struct region_list *list, phys_addr_t base, phys_addr_t end)
{
	u32 i;

	if (!has_room_to_cut(list, base, end))
		return -ENOSPC;
	region_split(list, base);
	region_split(list, end);
	i = region_find(list, base);
	while (i < list->nr && list->region[i].base < end)
		region_delete(list, i);
	region_merge(list);
	return 0;
}

static int region_set_attr(struct region_list *list, phys_addr_t base, phys_addr_t end, int attr)
{
	if (!has_room_to_cut(list, base, end))
		return -ENOSPC;
	region_split(list, base);
	region_split(list, end);
	for (u32 i = region_find(list, base); i < list->nr && list->region[i].base < end; i++)
		list->region[i].attr = attr;
	region_merge(list);
	return 0;
}

/* --- What the firmware and the kernel say -------------------------------------------------- */

/* Clips a range to what a physical address can be; false: nothing is left of it. */
static bool clip(phys_addr_t *base, phys_addr_t *end, u64 size_bytes)
{
	const phys_addr_t top = (phys_addr_t)1 << PHYS_ADDR_BITS_MAX;

	if (size_bytes == 0 || *base >= top)
		return false;
	*end = size_bytes > top - *base ? top : *base + size_bytes;
	return true;
}

static bool clip_inward(phys_addr_t *base, phys_addr_t *end, u64 size_bytes)
{
	if (!clip(base, end, size_bytes))
		return false;
	*base = ALIGN_UP(*base, PAGE_SIZE);
	*end = ALIGN_DOWN(*end, PAGE_SIZE);
	return *base < *end;
}

static bool clip_outward(phys_addr_t *base, phys_addr_t *end, u64 size_bytes)
{
	if (!clip(base, end, size_bytes))
		return false;
	*base = ALIGN_DOWN(*base, PAGE_SIZE);
	*end = ALIGN_UP(*end, PAGE_SIZE);
	return true;
}

int memblock_add(phys_addr_t base, u64 size_bytes)
{
	phys_addr_t end;

	ASSERT(!closed);
	if (!clip_inward(&base, &end, size_bytes))
		return 0;
	return region_cover(&memory, base, end, NUMA_NO_NODE);
}

int memblock_remove(phys_addr_t base, u64 size_bytes)
{
	phys_addr_t end;

	ASSERT(!closed);
	if (!clip_outward(&base, &end, size_bytes))
		return 0;
	return region_clear(&memory, base, end);
}

int memblock_reserve(phys_addr_t base, u64 size_bytes, enum memblock_owner owner)
{
	phys_addr_t end;

	ASSERT(!closed);
	ASSERT_MSG(owner < MEMBLOCK_NR_OWNERS, "memblock owner %d", (int)owner);
	if (!clip_outward(&base, &end, size_bytes))
		return 0;
	return region_cover(&reserved, base, end, (int)owner);
}

int memblock_free(phys_addr_t base, u64 size_bytes)
{
	phys_addr_t end;

	ASSERT(!closed);
	if (!clip_outward(&base, &end, size_bytes))
		return 0;
	return region_clear(&reserved, base, end);
}

int memblock_set_node(phys_addr_t base, u64 size_bytes, int nid)
{
	phys_addr_t end;

	ASSERT(!closed);
	if (!clip_inward(&base, &end, size_bytes))
		return 0;
	return region_set_attr(&memory, base, end, nid);
}

void memblock_close(void)
{
	closed = true;
}

/* --- Taking memory ------------------------------------------------------------------------- */

/*
 * The highest free block of `size` below `end` and not below `base`, or 0. Goes down from gap to
 * gap between reservations.
 */
static phys_addr_t find_top_down(phys_addr_t base, phys_addr_t end, u64 size_bytes, u64 align_bytes)
{
	while (end > base && end - base >= size_bytes) {
		phys_addr_t at = ALIGN_DOWN(end - size_bytes, align_bytes);
		u32 i = region_find(&reserved, at);

		if (at < base)
			return 0;
		if (i == reserved.nr || reserved.region[i].base >= at + size_bytes)
			return at;
		end = reserved.region[i].base;
	}
	return 0;
}

phys_addr_t memblock_alloc(const struct memblock_request *request)
{
	phys_addr_t limit = request->limit ? request->limit : ~(phys_addr_t)0;
	u64 size_bytes = request->size_bytes, align_bytes = request->align_bytes;

	ASSERT_MSG(!closed, "memblock is closed: memory comes from alloc_pages() now");
	ASSERT_MSG(align_bytes >= PAGE_SIZE && (align_bytes & (align_bytes - 1)) == 0,
		   "alignment 0x%llx is no power of two of at least a page",
		   (unsigned long long)align_bytes);
	if (size_bytes == 0 || size_bytes > ~(u64)0 - PAGE_SIZE)
		return 0;
	size_bytes = ALIGN_UP(size_bytes, PAGE_SIZE);

	for (u32 i = memory.nr; i-- > 0;) {
		const struct region *ram = &memory.region[i];
		phys_addr_t at;

		if (request->nid != NUMA_NO_NODE && ram->attr != request->nid)
			continue;
		at = find_top_down(ram->base, MIN(ram->end, limit), size_bytes, align_bytes);
		if (at == 0)
			continue;
		if (region_cover(&reserved, at, at + size_bytes, (int)request->owner) != 0)
			return 0;
		return at;
	}
	return 0;
}

/* --- Questions ----------------------------------------------------------------------------- */

bool memblock_next_ram(phys_addr_t *cursor, struct memblock_range *range)
{
	u32 i = region_find(&memory, *cursor);

	if (i == memory.nr)
		return false;
	range->base = MAX(memory.region[i].base, *cursor);
	range->end = memory.region[i].end;
	range->nid = memory.region[i].attr;
	*cursor = range->end;
	return true;
}

bool memblock_next(phys_addr_t *cursor, struct memblock_range *range)
{
	u32 i;

	if (!memblock_next_ram(cursor, range))
		return false;

	i = region_find(&reserved, range->base);
	range->reserved = i < reserved.nr && reserved.region[i].base <= range->base;
	if (range->reserved) {
		range->owner = (enum memblock_owner)reserved.region[i].attr;
		range->end = MIN(range->end, reserved.region[i].end);
	} else if (i < reserved.nr) {
		range->end = MIN(range->end, reserved.region[i].base);
	}
	*cursor = range->end;
	return true;
}

u64 memblock_ram_pages(void)
{
	u64 bytes = 0;

	for (u32 i = 0; i < memory.nr; i++)
		bytes += memory.region[i].end - memory.region[i].base;
	return bytes >> PAGE_SHIFT;
}

u64 memblock_reserved_pages(enum memblock_owner owner)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;
	u64 bytes = 0;

	while (memblock_next(&cursor, &range)) {
		if (range.reserved && range.owner == owner)
			bytes += range.end - range.base;
	}
	return bytes >> PAGE_SHIFT;
}

phys_addr_t memblock_end(void)
{
	return memory.nr ? memory.region[memory.nr - 1].end : 0;
}

const char *memblock_owner_name(enum memblock_owner owner)
{
	static const char *const names[] = {
		[MEMBLOCK_FIRST_PAGE] = "first page",
		[MEMBLOCK_TRAMPOLINE] = "CPU start-up page",
		[MEMBLOCK_KERNEL_IMAGE] = "kernel image",
		[MEMBLOCK_BOOT_INFO] = "boot information",
		[MEMBLOCK_ACPI] = "ACPI tables",
		[MEMBLOCK_PAGE_TABLES] = "page tables",
		[MEMBLOCK_STACKS] = "stacks",
		[MEMBLOCK_NODE_DATA] = "node data",
		[MEMBLOCK_PER_CPU] = "per-CPU page lists",
		[MEMBLOCK_STRUCT_PAGE] = "struct page",
		[MEMBLOCK_OTHER] = "other",
	};

	_Static_assert(ARRAY_SIZE(names) == MEMBLOCK_NR_OWNERS, "every owner has a name");
	return owner < MEMBLOCK_NR_OWNERS ? names[owner] : "unknown";
}

const struct region_list *memblock_region_list(bool of_reserved)
{
	return of_reserved ? &reserved : &memory;
}
