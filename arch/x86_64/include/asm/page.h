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

#endif
