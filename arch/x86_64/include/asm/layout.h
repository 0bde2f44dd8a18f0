/*
 * The kernel's virtual address space.
 *
 *	0xffff_8880_0000_0000  64 TiB  direct map: physical address + this, RW NX;
 *	                               its alias of text and rodata read-only
 *	0xffff_c900_0000_0000  32 TiB  stack window: slots of 64 KiB, the stack at the
 *	                               top of each, a hole below it
 *	0xffff_fe22_0000_0000   1 TiB  vmemmap: struct page of every frame; 64 bytes for 4 KiB, so it is
 *	                               where the direct map is, shifted right by 6 with the sign
 *	0xffff_ffff_8000_0000   2 GiB  the kernel image: text RX, rodata R, data RW
 *
 * Nothing is mapped below; the loader's identity map is gone after paging_init().
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#define DIRECT_MAP_BASE    0xffff888000000000UL
#define STACK_WINDOW_BASE  0xffffc90000000000UL
#define VMEMMAP_BASE       0xfffffe2200000000UL
#define KERNEL_IMAGE_BASE  0xffffffff80000000UL

#define STACK_WINDOW_BYTES 0x200000000000UL
#define VMEMMAP_BYTES      0x10000000000UL

#define DIRECT_MAP_BYTES   (1UL << PHYS_ADDR_BITS_MAX)

#define PHYS_ADDR_BITS_MAX 46

/* From an address to that of its struct page by a shift: <asm/page.h>. */
#define VMEMMAP_SHIFT 6
_Static_assert(VMEMMAP_BASE == (unsigned long)((long)DIRECT_MAP_BASE >> VMEMMAP_SHIFT) &&
		       VMEMMAP_BYTES == DIRECT_MAP_BYTES >> VMEMMAP_SHIFT,
	       "the direct map, shifted");
_Static_assert(DIRECT_MAP_BASE + DIRECT_MAP_BYTES <= STACK_WINDOW_BASE &&
		       STACK_WINDOW_BASE + STACK_WINDOW_BYTES <= VMEMMAP_BASE &&
		       VMEMMAP_BASE + VMEMMAP_BYTES <= KERNEL_IMAGE_BASE,
	       "one after the other");

/* A slot of the stack window: STACK_BYTES at its top, the rest stays unmapped. */
#define STACK_SLOT_BYTES 0x10000UL
#define STACK_BYTES      0x8000UL

#endif
