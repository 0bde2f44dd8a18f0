; From QEMU's -kernel to kernel_main(), by the PVH boot protocol.
;
; PVH asks for one ELF note that names a 32-bit entry point. QEMU (4.0 and later) then needs no boot
; loader and no disk image: it loads the ELF segments, clears .bss and enters with paging and
; interrupts off, flat segments, and in ebx the physical address of a struct hvm_start_info.
;
; Here: page tables that map the first GiB to itself (2 MiB pages), long mode, a stack. The rest of
; RAM is mapped in C, when the memory map has been read.
;
; Sources: Xen, docs/misc/pvh.pandoc; Intel SDM volume 3A, section 10.8.5.

PRESENT   equ 1 << 0
WRITABLE  equ 1 << 1
LARGE     equ 1 << 7
CR4_PAE   equ 1 << 5
CR0_WP    equ 1 << 16
CR0_PG    equ 1 << 31
MSR_EFER  equ 0xc0000080
EFER_LME  equ 1 << 8
EFER_NXE  equ 1 << 11 ; else the no-execute bit is a reserved one, and faults

global _start
global top_table
extern kernel_main

; Aligned to 4 and alone in its segment: aligned to 8, or beside a note that is (compilers emit such),
; QEMU does not find it.
section .note.pvh progbits alloc noexec nowrite align=4
	dd 4  ; bytes of the name
	dd 8  ; bytes of the value
	dd 18 ; XEN_ELFNOTE_PHYS32_ENTRY
	db "Xen", 0
	dq _start

section .text
bits 32
_start:
	cld
	mov edi, ebx ; kernel_main's argument
	mov dword [top_table], pointers + (PRESENT | WRITABLE)
	mov dword [pointers], directory + (PRESENT | WRITABLE)
	mov eax, PRESENT | WRITABLE | LARGE
	mov ecx, directory
.next:
	mov [ecx], eax
	add eax, 0x200000
	add ecx, 8
	cmp ecx, directory + 4096
	jne .next

	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, top_table
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, cr0
	or eax, CR0_PG | CR0_WP
	mov cr0, eax
	lgdt [gdt_pointer]
	jmp 0x08:long_mode

bits 64
long_mode:
	mov eax, 0x10
	mov ss, eax
	mov ds, eax
	mov es, eax
	mov esp, stack_top
	xor ebp, ebp
	mov edi, edi ; the upper half is undefined after the switch
	call kernel_main ; does not return

section .rodata
gdt:
	dq 0
	dq 0x00af9b000000ffff ; 0x08: 64-bit code
	dq 0x00cf93000000ffff ; 0x10: data
.end:
gdt_pointer:
	dw gdt.end - gdt - 1
	dd gdt

section .bss align=4096
top_table:
	resb 4096
pointers:
	resb 4096
directory:
	resb 4096
	resb 16384 ; the stack
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
