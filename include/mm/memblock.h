/*
 * Early memory: what RAM there is, whose it is, and what is taken, before the buddy
 * allocator exists. See mm/memblock.c for the theory.
 */
#ifndef MM_MEMBLOCK_H
#define MM_MEMBLOCK_H

#include <base/types.h>

/*
 * Every reservation has an owner by name, so that at the end each page of the firmware's map is
 * either the buddy's or accounted for.
 */
enum memblock_owner {
	MEMBLOCK_FIRST_PAGE, /* physical page 0, so that 0 can mean "none": reserve it first of all
			      */
	MEMBLOCK_TRAMPOLINE, /* low memory kept for starting CPUs */
	MEMBLOCK_KERNEL_IMAGE, /* text, rodata, data, bss */
	MEMBLOCK_BOOT_INFO,    /* the loader's information, modules, command line */
	MEMBLOCK_ACPI,         /* firmware tables that stand in available memory */
	MEMBLOCK_PAGE_TABLES,
	MEMBLOCK_STACKS,
	MEMBLOCK_NODE_DATA,   /* struct pglist_data, section map */
	MEMBLOCK_PER_CPU,     /* each CPU's page lists */
	MEMBLOCK_STRUCT_PAGE, /* the memory map: struct page for every frame */
	MEMBLOCK_OTHER,       /* what the embedding kernel took for itself */
	MEMBLOCK_NR_OWNERS
};

/* RAM. Ranges are cut to whole pages inward; overlap with what is there is merged. */
int memblock_add(phys_addr_t base, u64 size_bytes);
/* Not RAM after all: whole pages outward. */
int memblock_remove(phys_addr_t base, u64 size_bytes);
/* Taken: whole pages outward. Where it overlaps an earlier reservation the earlier owner stays. */
int memblock_reserve(phys_addr_t base, u64 size_bytes, enum memblock_owner owner);
/* Gives back [base, base + size). */
int memblock_free(phys_addr_t base, u64 size_bytes);
/* All RAM in [base, base + size) belongs to node nid. */
int memblock_set_node(phys_addr_t base, u64 size_bytes, int nid);

struct memblock_request {
	u64 size_bytes;
	u64 align_bytes;   /* power of two, at least a page */
	phys_addr_t limit; /* the block ends at or below it; 0: no limit */
	int nid;           /* only this node's memory, or NUMA_NO_NODE: any */
	enum memblock_owner owner;
};

/*
 * Takes a block, from the top of memory down. Returns its physical address, 0 if there is
 * none. The content is whatever was there. "This node, else the nearest" is numa_alloc_early().
 */
phys_addr_t memblock_alloc(const struct memblock_request *request);

/* A range of memory with one node and one fate. */
struct memblock_range {
	phys_addr_t base, end;
	int nid;
	bool reserved;
	enum memblock_owner owner; /* if reserved */
};

/*
 * Walks RAM in address order, cut at every change of node, fate or owner. Start with
 * *cursor == 0; returns false after the last. Sound while somebody reserves or frees: the walk
 * goes by address, and sees the change if it is ahead.
 */
bool memblock_next(phys_addr_t *cursor, struct memblock_range *range);
/* The same, cut only at changes of node; `reserved` and `owner` are not set. */
bool memblock_next_ram(phys_addr_t *cursor, struct memblock_range *range);

/* Takes no more: from now on reserve, free and alloc are errors, the questions stay. */
void memblock_close(void);

u64 memblock_ram_pages(void);
u64 memblock_reserved_pages(enum memblock_owner owner);
const char *memblock_owner_name(enum memblock_owner owner);
phys_addr_t memblock_end(void); /* address after the last byte of RAM; 0 if none */

#endif
