/*
 * The kernel's page tables. See arch/x86_64/paging.c for the theory.
 *
 * Invariants (check: PAGING-*), once paging_init() is done:
 *   PAGING-1  no page is both writable and executable
 *   PAGING-2  the memory of text, rodata and symbols is writable at no address
 *   PAGING-3  nothing but the kernel's text is executable
 *   PAGING-4  the lower half of the address space is empty
 */
#ifndef X86_PAGING_H
#define X86_PAGING_H

#include <base/types.h>

/*
 * Builds the final tables and switches to them: image (W^X), direct map of every range that
 * `for_each` passes to its callback, no identity map. alloc_table gives one page, its content
 * arbitrary, below 4 GiB (what the entry's tables reach), or 0. Panics if it runs out. It is called
 * later, too, whenever something new is mapped; any page of the direct map will do then.
 */
struct paging_source {
	phys_addr_t (*alloc_table)(void);
	void (*for_each_range)(void (*map)(phys_addr_t base, u64 size_bytes));
};
void paging_init(const struct paging_source *source);

/*
 * Makes the physical range readable: firmware tables that are no RAM. Before paging_init() up to the
 * next call, and no more than 16 MiB; after it for good, in the direct map. Returns its address, or
 * NULL (address or size beyond what is mappable).
 */
const void *paging_map_firmware(phys_addr_t base, u64 size_bytes);

/*
 * Maps the registers of a device, uncached, where the direct map would have them if they were RAM.
 * After paging_init(). NULL: they are RAM according to the firmware, or there is no memory for
 * tables.
 */
volatile void *paging_map_device(phys_addr_t base, u64 size_bytes);

/*
 * Backs the stack of a slot of the stack window with the pages at phys; returns its top. Any
 * context once there are more CPUs. 0: there is no memory for a table.
 */
uintptr_t paging_map_stack(u32 slot, phys_addr_t phys);
/*
 * Takes the stack out again, on every CPU, and returns the address of its pages. Nobody may be on
 * it. In a thread with interrupts on, as tlb_shootdown().
 */
phys_addr_t paging_unmap_stack(u32 slot);
/* The same of several, with one interrupt to the other CPUs. */
void paging_unmap_stacks(const u32 *slots, u32 nr);

/* Is addr inside the mapped stack of a slot? Its bounds then. */
bool paging_stack_bounds(uintptr_t addr, uintptr_t *low, uintptr_t *top);

/* Does a fault at this address mean that a stack ran into its guard hole? Slot in *slot. */
bool paging_is_stack_guard(uintptr_t addr, u32 *slot);

/* The physical address that virt is mapped to; false if it is not mapped. */
bool paging_translate(uintptr_t virt, phys_addr_t *phys);

/* What an entry that ends a walk maps, with the rights that all levels together grant. */
struct paging_leaf {
	uintptr_t virt;
	phys_addr_t phys;
	u64 size_bytes;
	bool writable, executable;
};
/* Walks the tables in use, in order of table index: the lower half first. */
void paging_for_each_leaf(void (*fn)(const struct paging_leaf *leaf, void *arg), void *arg);

u64 paging_table_pages(void); /* pages used for tables since paging_init() */

#endif
