/*
 * The kernel's virtual address space.
 *
 *	0xffff_8880_0000_0000  64 TiB  direct map: physical address + this, RW NX;
 *	                               its alias of text and rodata read-only
 *	0xffff_c900_0000_0000  32 TiB  stack window: slots of 64 KiB, the stack at the
 *	                               top of each, a hole below it
 *	0xffff_ea00_0000_0000   1 TiB  vmemmap: struct page of every frame
 *	0xffff_ffff_8000_0000   2 GiB  the kernel image: text RX, rodata R, data RW
 *
 * Nothing is mapped below; the loader's identity map is gone after paging_init().
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#define DIRECT_MAP_BASE    0xffff888000000000UL
#define STACK_WINDOW_BASE  0xffffc90000000000UL
#define VMEMMAP_BASE       0xffffea0000000000UL
#define KERNEL_IMAGE_BASE  0xffffffff80000000UL

#define STACK_WINDOW_BYTES 0x200000000000UL
#define VMEMMAP_BYTES      0x10000000000UL

#define PHYS_ADDR_BITS_MAX 46

/* A slot of the stack window: STACK_BYTES at its top, the rest stays unmapped. */
#define STACK_SLOT_BYTES 0x10000UL
#define STACK_BYTES      0x8000UL

#endif
