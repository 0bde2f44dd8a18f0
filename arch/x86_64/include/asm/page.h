/* Pages and address translation on x86-64; the contract is in <arch/page.h>. */
#ifndef ASM_PAGE_H
#define ASM_PAGE_H

#include <base/types.h>

#include <asm/layout.h>

#define PAGE_SHIFT      12
#define PAGE_SIZE       4096UL
#define LARGE_PAGE_SIZE 0x200000UL

static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(phys + DIRECT_MAP_BASE);
}

static inline phys_addr_t virt_to_phys(const void *virt)
{
	return (phys_addr_t)virt - DIRECT_MAP_BASE;
}

#define VMEMMAP_BYTES_A_PAGE (PAGE_SIZE >> VMEMMAP_SHIFT)

/* Of any other address than one of the direct map it gives one where nothing is mapped. */
static inline uintptr_t virt_to_vmemmap(const void *virt)
{
	return (uintptr_t)((long)virt >> VMEMMAP_SHIFT) & -VMEMMAP_BYTES_A_PAGE;
}

static inline void *vmemmap_to_virt(uintptr_t at)
{
	return (void *)(at << VMEMMAP_SHIFT);
}

#endif
