; From the boot loader's 32-bit protected mode to kmain() in the higher half.
;
; State on entry (Multiboot2 Specification 2.0, section 3.3): eax the loader's magic, ebx the
; physical address of its information, flat segments, paging and interrupts off, .bss cleared.
; Nothing else is promised: no stack, no GDT that stays, and CR4 and EFER are as the firmware left
; them.
;
; What happens here, and why in this order:
;   1. read the TSC, so that the time since entry is the kernel's own
;   2. check that the CPU has long mode and no-execute pages; if not, say so on COM1 and stop
;   3. page tables: the first 4 GiB in 2 MiB pages, seen at three places through the same tables:
;	  0                  this code goes on running while paging is switched on
;	  DIRECT_MAP_BASE    phys_to_virt() works from the first line of C
;	  KERNEL_IMAGE_BASE  where the image is linked (its first 2 GiB)
;      All of it is writable and executable. paging_init() replaces these tables and the low half
;      is gone with them.
;   4. long mode, jump up, boot stack, kmain(magic, information)
;
; The constants are those of asm/layout.h. The magic is checked in C, where a message is easy.
;
; Sources: Intel SDM volume 3A, "4-Level Paging" and "Initializing IA-32e Mode"; 16550D data sheet.

KERNEL_IMAGE_BASE equ 0xffffffff80000000
DIRECT_MAP_BASE   equ 0xffff888000000000
%define PHYS(symbol) (symbol - KERNEL_IMAGE_BASE)
%define PML4_SLOT(address) (((address) >> 39) & 511)

PAGE_BYTES       equ 4096
LARGE_PAGE_BYTES equ 0x200000
ENTRIES          equ 512
PRESENT          equ 1 << 0
WRITABLE         equ 1 << 1
LARGE            equ 1 << 7
NR_DIRECTORIES   equ 4 ; of 1 GiB each
BOOT_STACK_BYTES equ 0x8000

CR0_PG        equ 1 << 31
CR0_WP        equ 1 << 16
CR4_PAE       equ 1 << 5
MSR_EFER      equ 0xc0000080
EFER_LME      equ 1 << 8
EFER_NXE      equ 1 << 11
CPUID_EXT_MAX equ 0x80000000
CPUID_EXT     equ 0x80000001
CPUID_EDX_NX  equ 1 << 20
CPUID_EDX_LM  equ 1 << 29

COM1            equ 0x3f8
UART_THR_EMPTY  equ 1 << 5
UART_WAIT_LIMIT equ 100000
DEBUG_EXIT      equ 0xf4
EXIT_PANIC_CODE equ 0x12

SELECTOR_CODE equ 0x08
SELECTOR_DATA equ 0x10

global _start
global boot_entry_tsc
global boot_stack_bottom
global boot_stack_top
extern kmain

section .boot.text progbits alloc exec nowrite align=16
bits 32
_start:
	cli
	cld
	mov edi, eax ; kmain's first argument: magic
	mov esi, ebx ; and second: information
	rdtsc
	mov [PHYS(boot_entry_tsc)], eax
	mov [PHYS(boot_entry_tsc) + 4], edx
	mov esp, PHYS(boot_stack_top)

	call require_cpu_features
	call build_page_tables

	; CR4 is set as a whole: with LA57 left on, the tables would need a fifth level.
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, PHYS(boot_pml4)
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, cr0
	or eax, CR0_PG | CR0_WP
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp SELECTOR_CODE:long_mode

; Changes eax, ebx, ecx, edx. Does not return if something is missing.
require_cpu_features:
	mov eax, CPUID_EXT_MAX
	cpuid
	cmp eax, CPUID_EXT
	jb .no_long_mode
	mov eax, CPUID_EXT
	cpuid
	test edx, CPUID_EDX_LM
	jz .no_long_mode
	test edx, CPUID_EDX_NX
	jz .no_execute_disable
	ret
.no_long_mode:
	mov esi, message_no_long_mode
	jmp refuse
.no_execute_disable:
	mov esi, message_no_nx
	jmp refuse

; Changes eax, ecx. Entries below 4 GiB have an upper half of zero, which .bss already is.
build_page_tables:
	mov eax, LARGE | WRITABLE | PRESENT
	xor ecx, ecx
.next_page:
	mov [PHYS(boot_directories) + ecx * 8], eax
	add eax, LARGE_PAGE_BYTES
	inc ecx
	cmp ecx, NR_DIRECTORIES * ENTRIES
	jne .next_page

	mov eax, PHYS(boot_directories) + (WRITABLE | PRESENT)
	xor ecx, ecx
.next_directory:
	mov [PHYS(boot_pdpt_low) + ecx * 8], eax
	add eax, PAGE_BYTES
	inc ecx
	cmp ecx, NR_DIRECTORIES
	jne .next_directory

	; The top 2 GiB of the address space are the last two entries.
	mov eax, PHYS(boot_directories) + (WRITABLE | PRESENT)
	mov [PHYS(boot_pdpt_high) + 510 * 8], eax
	add eax, PAGE_BYTES
	mov [PHYS(boot_pdpt_high) + 511 * 8], eax

	mov eax, PHYS(boot_pdpt_low) + (WRITABLE | PRESENT)
	mov [PHYS(boot_pml4)], eax
	mov [PHYS(boot_pml4) + PML4_SLOT(DIRECT_MAP_BASE) * 8], eax
	mov eax, PHYS(boot_pdpt_high) + (WRITABLE | PRESENT)
	mov [PHYS(boot_pml4) + PML4_SLOT(KERNEL_IMAGE_BASE) * 8], eax
	ret

; Writes the text at esi to COM1 and ends the machine; every wait is bounded.
refuse:
	mov edi, uart_set_up
.set_up:
	movzx edx, byte [edi]
	add edx, COM1
	mov al, [edi + 1]
	out dx, al
	add edi, 2
	cmp edi, uart_set_up.end
	jne .set_up
.next_byte:
	cmp byte [esi], 0
	je .stop
	mov ecx, UART_WAIT_LIMIT
	mov edx, COM1 + 5
.wait:
	in al, dx
	test al, UART_THR_EMPTY
	jnz .send
	pause
	dec ecx
	jnz .wait
.send:
	lodsb
	mov edx, COM1
	out dx, al
	jmp .next_byte
.stop:
	mov al, EXIT_PANIC_CODE
	out DEBUG_EXIT, al ; ends QEMU; without that device nobody listens
.halt:
	hlt
	jmp .halt

bits 64
long_mode:
	mov ax, SELECTOR_DATA
	mov ss, ax
	mov ds, ax
	mov es, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov rax, higher_half
	jmp rax

section .boot.rodata progbits alloc noexec nowrite align=8
; Descriptors have the accessed bit set: the CPU need not write them. traps_init() loads its own.
boot_gdt:
	dq 0
	dq 0x00af9b000000ffff ; 64-bit code, ring 0
	dq 0x00cf93000000ffff ; data
.end:
boot_gdt_pointer:
	dw boot_gdt.end - boot_gdt - 1
	dd boot_gdt

; Register and value: no interrupts, 115200 8N1, FIFOs on and cleared, DTR and RTS.
uart_set_up:
	db 1, 0x00, 3, 0x80, 0, 1, 1, 0, 3, 0x03, 2, 0x07, 4, 0x03
.end:
message_no_long_mode:
	db "highwater: this CPU has no 64-bit mode, cannot run", 13, 10, 0
message_no_nx:
	db "highwater: this CPU has no no-execute pages (NX), cannot run", 13, 10, 0

section .text progbits alloc exec nowrite align=16
higher_half:
	mov rsp, boot_stack_top
	xor ebp, ebp ; a backtrace ends here
	mov edi, edi ; the upper halves are undefined after the mode switch
	mov esi, esi
	call kmain
.halt:
	cli
	hlt
	jmp .halt

section .bss nobits alloc noexec write align=4096
boot_pml4:
	resb PAGE_BYTES
boot_pdpt_low:
	resb PAGE_BYTES
boot_pdpt_high:
	resb PAGE_BYTES
boot_directories:
	resb PAGE_BYTES * NR_DIRECTORIES
boot_stack_bottom:
	resb BOOT_STACK_BYTES
boot_stack_top:
boot_entry_tsc:
	resq 1

section .note.GNU-stack noalloc noexec nowrite progbits
