; The multiboot2 header: how the boot loader recognises the kernel and what it wants.
;
; The loader looks for it, 8-byte aligned, in the first 32 KiB of the file; linker.ld puts this
; section first for that reason. It asks for nothing but the default: load the ELF segments at
; their physical addresses, enter at e_entry in 32-bit protected mode with paging off. GRUB gives
; the same state under BIOS and UEFI (it leaves the boot services itself, since no tag says
; otherwise), and memory map, command line and ACPI root pointer without being asked.
;
; Source: Multiboot2 Specification 2.0, section 3.1.

MULTIBOOT2_MAGIC  equ 0xe85250d6
ARCHITECTURE_I386 equ 0
TAG_END           equ 0

section .boot.header progbits alloc noexec nowrite align=8
header:
	dd MULTIBOOT2_MAGIC
	dd ARCHITECTURE_I386
	dd header.end - header
	dd -(MULTIBOOT2_MAGIC + ARCHITECTURE_I386 + (header.end - header))

	dw TAG_END
	dw 0 ; flags
	dd 8 ; bytes of this tag
.end:

section .note.GNU-stack noalloc noexec nowrite progbits
