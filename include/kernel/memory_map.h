/*
 * The firmware's memory map as whole pages of RAM, and how much of it mem= lets the kernel use.
 */
#ifndef KERNEL_MEMORY_MAP_H
#define KERNEL_MEMORY_MAP_H

#include <base/types.h>
#include <boot/boot_info.h>

struct memory_map {
	const struct boot_info *info;
	phys_addr_t cutoff; /* what mem= keeps is below it */
};

/* This machine's; constant after the boot. */
extern struct memory_map machine_memory_map;

/* `info` stays in use. keep_bytes: how many of the lowest bytes of RAM to keep, 0: all. */
void memory_map_init(struct memory_map *map, const struct boot_info *info, u64 keep_bytes);

struct memory_map_range {
	phys_addr_t base, end;
};

/*
 * Walks the RAM of the map in address order, whole pages only; start with *cursor == 0. False
 * after the last.
 */
bool memory_map_next(const struct memory_map *map, phys_addr_t *cursor,
		     struct memory_map_range *range);
/* The same, of what mem= keeps. */
bool memory_map_next_kept(const struct memory_map *map, phys_addr_t *cursor,
			  struct memory_map_range *range);

/*
 * What the firmware says of a page: enum boot_mem_type or another number of the firmware's, 0:
 * nothing. Where ranges contradict each other it is RAM only if all say so. *next: the first page
 * after it where that may be different.
 */
u32 memory_map_type(const struct memory_map *map, pfn_t pfn, pfn_t *next);

u64 memory_map_pages(const struct memory_map *map);     /* all RAM of the map */
u64 memory_map_cut_pages(const struct memory_map *map); /* of it, what mem= cuts off */

#endif
