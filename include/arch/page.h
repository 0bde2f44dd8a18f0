/*
 * Seam 1, part 1: pages and address translation.
 *
 * <asm/page.h> of the architecture gives, as constants or inline functions:
 *
 *   PAGE_SHIFT, PAGE_SIZE      the base page
 *   LARGE_PAGE_SIZE            the next mapping size up, used for the memory map
 *   VMEMMAP_BASE               where the array of struct page starts (virtual); the page
 *                              with frame number n is its n-th element. An expression: it
 *                              need not be constant. A multiple of 64 KiB (what a block of
 *                              the largest order takes of the array)
 *   PHYS_ADDR_BITS_MAX         physical addresses are below 1 << this
 *   uintptr_t virt_to_vmemmap(const void *)  of an address of the direct map: that of its page's
 *                              64 bytes of the array. VMEMMAP_BASE + pfn * 64, by whatever way is
 *                              the shortest. Of any other address: not one of such bytes
 *   void *vmemmap_to_virt(uintptr_t)       its inverse: where the page begins
 *   void *phys_to_virt(phys_addr_t)        through the direct map; RAM only, and all RAM
 *                                          before mm_init() is called
 *   phys_addr_t virt_to_phys(const void *) its inverse; direct map only
 */
#ifndef ARCH_PAGE_H
#define ARCH_PAGE_H

#include <base/types.h>

#include <asm/page.h>

#define PAGE_MASK (~((u64)PAGE_SIZE - 1))

/* Whole pages inside [base, base + size): a partial page at either end is left out. */
static inline pfn_t pfn_up(phys_addr_t addr)
{
	return (addr + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static inline pfn_t pfn_down(phys_addr_t addr)
{
	return addr >> PAGE_SHIFT;
}

static inline phys_addr_t pfn_to_phys(pfn_t pfn)
{
	return pfn << PAGE_SHIFT;
}

/*
 * Maps [virt, virt + size_bytes) of the vmemmap window to the physical memory at
 * phys, writable, never executable. All three are multiples of PAGE_SIZE; large
 * pages are used where all three allow it. Called by mm_init() only, before memblock closes,
 * so that tables may come from memblock_alloc(). May not sleep.
 * Returns 0, -EEXIST if part of it is mapped, -ENOMEM if there is no page for a table.
 */
int arch_map_vmemmap(uintptr_t virt, phys_addr_t phys, u64 size_bytes);

#endif
