/*
 * Where the kernel's image is: symbols of linker.ld, all virtual and page-aligned. The image's
 * memory is [__image_start, __image_end); the boot section at its start is used before paging
 * only and is not mapped there later.
 */
#ifndef X86_IMAGE_H
#define X86_IMAGE_H

#include <base/types.h>

#include <asm/layout.h>

extern const char __image_start[], __image_end[];
extern const char __text_start[], __text_end[];
extern const char __rodata_start[], __rodata_end[];
extern const char __data_start[], __data_end[]; /* .data and .bss */
extern const char __ksyms_start[], __ksyms_end[];

/* Of an address inside the image; virt_to_phys() is for the direct map only. */
static inline phys_addr_t image_to_phys(const void *image_address)
{
	return (phys_addr_t)image_address - KERNEL_IMAGE_BASE;
}

#endif
