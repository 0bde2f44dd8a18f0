/*
 * From the firmware's memory map to pages.
 *
 * The map is a list of byte ranges in any order, and nothing promises that they do not overlap. A
 * page is RAM if it lies as a whole in one range of type "available" and touches no range of
 * another type. Whether that holds can change only at an edge of some range, so the walk goes
 * from edge to edge; with n ranges that is n^2 steps, and n is a dozen.
 *
 * This is the figure that everything is accounted against: it is worked out from the firmware's
 * words alone, without memblock, so that the two can be compared.
 *
 * Pages above what the direct map reaches are no RAM here; the log says so.
 */
#include <arch/page.h>
#include <kernel/memory_map.h>
#include <kernel/printk.h>

struct memory_map machine_memory_map;

#define MAX_ADDR ((phys_addr_t)1 << PHYS_ADDR_BITS_MAX)
#define MAX_PFN  pfn_down(MAX_ADDR)

/*
 * The range as pages: RAM inward, anything else outward. A sum that wraps ends at the top. A range
 * of length 0 is none: rounded outward it would cost the page around it.
 */
static void to_pages(const struct boot_mem_range *range, pfn_t *start, pfn_t *end)
{
	phys_addr_t base = MIN(range->base, MAX_ADDR);
	phys_addr_t limit = base + MIN(range->size_bytes, MAX_ADDR - base);

	if (range->type == BOOT_MEM_AVAILABLE || range->size_bytes == 0) {
		*start = pfn_up(base);
		*end = pfn_down(limit);
	} else {
		*start = pfn_down(base);
		*end = pfn_up(limit);
	}
}

u32 memory_map_type(const struct memory_map *map, pfn_t pfn, pfn_t *next)
{
	const struct boot_info *info = map->info;
	bool found = false;
	u32 type = 0;

	*next = MAX_PFN;
	for (u32 i = 0; i < info->nr_mem; i++) {
		pfn_t start, end;

		to_pages(&info->mem[i], &start, &end);
		if (start >= end)
			continue;
		if (pfn < start)
			*next = MIN(*next, start);
		else if (pfn < end)
			*next = MIN(*next, end);
		if (pfn < start || pfn >= end)
			continue;
		if (!found || type == BOOT_MEM_AVAILABLE)
			type = info->mem[i].type;
		found = true;
	}
	return type;
}

static bool is_ram(const struct memory_map *map, pfn_t pfn, pfn_t *next)
{
	return memory_map_type(map, pfn, next) == BOOT_MEM_AVAILABLE;
}

bool memory_map_next(const struct memory_map *map, phys_addr_t *cursor,
		     struct memory_map_range *range)
{
	pfn_t pfn = pfn_down(*cursor), next;

	while (pfn < MAX_PFN && !is_ram(map, pfn, &next))
		pfn = next;
	if (pfn >= MAX_PFN)
		return false;
	range->base = pfn_to_phys(pfn);
	while (pfn < MAX_PFN && is_ram(map, pfn, &next))
		pfn = next;
	range->end = pfn_to_phys(pfn);
	*cursor = range->end;
	return true;
}

bool memory_map_next_kept(const struct memory_map *map, phys_addr_t *cursor,
			  struct memory_map_range *range)
{
	if (!memory_map_next(map, cursor, range) || range->base >= map->cutoff)
		return false;
	range->end = MIN(range->end, map->cutoff);
	return true;
}

static u64 count_pages(const struct memory_map *map,
		       bool (*next)(const struct memory_map *map, phys_addr_t *cursor,
				    struct memory_map_range *range))
{
	struct memory_map_range range;
	phys_addr_t cursor = 0;
	u64 bytes = 0;

	while (next(map, &cursor, &range))
		bytes += range.end - range.base;
	return bytes >> PAGE_SHIFT;
}

u64 memory_map_pages(const struct memory_map *map)
{
	return count_pages(map, memory_map_next);
}

u64 memory_map_cut_pages(const struct memory_map *map)
{
	return memory_map_pages(map) - count_pages(map, memory_map_next_kept);
}

/* The address that mem= cuts at. */
static phys_addr_t find_cutoff(const struct memory_map *map, u64 keep_bytes)
{
	struct memory_map_range range;
	phys_addr_t cursor = 0;
	u64 left = ALIGN_DOWN(keep_bytes, PAGE_SIZE);

	if (keep_bytes == 0)
		return UINT64_MAX;
	while (memory_map_next(map, &cursor, &range)) {
		if (range.end - range.base > left)
			return range.base + left;
		left -= range.end - range.base;
	}
	return UINT64_MAX;
}

void memory_map_init(struct memory_map *map, const struct boot_info *info, u64 keep_bytes)
{
	map->info = info;
	map->cutoff = find_cutoff(map, keep_bytes);
	for (u32 i = 0; i < info->nr_mem; i++) {
		const struct boot_mem_range *range = &info->mem[i];

		if (range->type != BOOT_MEM_AVAILABLE ||
		    (range->base <= MAX_ADDR && range->size_bytes <= MAX_ADDR - range->base))
			continue;
		klog(LOG_WARN, "memory", "RAM at 0x%llx + 0x%llx: not used beyond %d address bits",
		     (unsigned long long)range->base, (unsigned long long)range->size_bytes,
		     PHYS_ADDR_BITS_MAX);
	}
}
