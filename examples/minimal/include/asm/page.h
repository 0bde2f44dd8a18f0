/*
 * Seam 1, pages: <arch/page.h> has the contract. The numbers here are this kernel's choice:
 *
 *	0                       512 GiB  all RAM, at its physical address; the kernel runs in it
 *	0xffff_8000_0000_0000     8 GiB  the memory map: struct page of every frame
 */
#ifndef ASM_PAGE_H
#define ASM_PAGE_H

#include <base/types.h>

#define PAGE_SHIFT         12
#define PAGE_SIZE          4096UL
#define LARGE_PAGE_SIZE    0x200000UL

#define VMEMMAP_BASE       0xffff800000000000UL
#define PHYS_ADDR_BITS_MAX 39 /* mm/ takes no notice of RAM above */

static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)phys;
}

static inline phys_addr_t virt_to_phys(const void *virt)
{
	return (phys_addr_t)virt;
}

static inline uintptr_t virt_to_vmemmap(const void *virt)
{
	return VMEMMAP_BASE + (virt_to_phys(virt) >> PAGE_SHIFT) * 64;
}

static inline void *vmemmap_to_virt(uintptr_t at)
{
	return phys_to_virt((at - VMEMMAP_BASE) / 64 << PAGE_SHIFT);
}

#endif
