/*
 * Pages on the host; the contract is in <arch/page.h>.
 *
 * Physical memory is a sparse memory file, mapped at host_direct_map where the fake machine has
 * RAM and nowhere else: touching a hole is a fault here, as it should be. The memory map aliases
 * the same file, so that struct pages really stand in the memory they were allocated from.
 */
#ifndef ASM_PAGE_H
#define ASM_PAGE_H

#include <base/types.h>

#define PAGE_SHIFT      12
#define PAGE_SIZE       4096UL
#define LARGE_PAGE_SIZE 0x200000UL

/* ThreadSanitizer leaves a program 3 TiB, in pieces; so fake machines are smaller under it. */
#ifdef __has_feature
#define HOST_TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HOST_TSAN 1
#else
#define HOST_TSAN 0
#endif

#if HOST_TSAN
#define PHYS_ADDR_BITS_MAX 36
#else
#define PHYS_ADDR_BITS_MAX 42
#endif

extern char *host_direct_map, *host_vmemmap;

#define VMEMMAP_BASE ((uintptr_t)host_vmemmap)

static inline void *phys_to_virt(phys_addr_t phys)
{
	return host_direct_map + phys;
}

static inline phys_addr_t virt_to_phys(const void *virt)
{
	return (phys_addr_t)((const char *)virt - host_direct_map);
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
