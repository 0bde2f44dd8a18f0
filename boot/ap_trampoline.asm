; Where every CPU but the first begins: from real mode to C in the higher half.
;
; A start-up interrupt makes a CPU begin in real mode at the start of a page below 1 MiB. This code
; is copied there, so it knows its own place only by cs; what depends on that place is in the
; parameters at its end, as offsets from its start, and the boot CPU adds the place. It does the
; rest as well: arch/x86_64/smp_start.c has the other half of this, and struct ap_parameters.
;
; State on entry (after INIT): CR0 with caches disabled, CR4 and EFER zero, interrupts off, cs the
; page, everything else of no use. Then, as in entry.asm:
;   1. protected mode, since long mode is entered from there
;   2. the trampoline's page tables: this page at its own address, read and execute only, and
;      the upper half of the kernel's
;   3. long mode; who am I? The APIC id leads to this CPU's area and stack. A CPU that nobody
;      expects (it has answered too late) halts for ever.
;   4. C: ap_main(area), which leaves these tables at once
;
; Nothing here is written, so that all CPUs may be here at the same time, and the page need not be
; writable where it is executable.
;
; Sources: Intel SDM volume 3A, "Multiple-Processor Initialization", "Initializing IA-32e Mode".

CR0_PE           equ 1 << 0
CR0_ET           equ 1 << 4
CR0_NE           equ 1 << 5
CR0_WP           equ 1 << 16
CR0_PG           equ 1 << 31
CR4_PAE          equ 1 << 5
MSR_EFER         equ 0xc0000080
EFER_LME         equ 1 << 8
EFER_NXE         equ 1 << 11
CPUID_BASIC      equ 1

SELECTOR_CODE    equ 0x08
SELECTOR_DATA    equ 0x10
SELECTOR_CODE_32 equ 0x18

global ap_trampoline
global ap_trampoline_parameters
global ap_trampoline_end

%define AT(label) (label - ap_trampoline)

; Data here: it is executed where it is copied to.
section .rodata progbits alloc noexec nowrite align=16
bits 16
ap_trampoline:
	cli
	cld
	xor ebx, ebx
	mov bx, cs
	mov ds, bx
	shl ebx, 4 ; where the page is
	o32 lgdt [AT(gdt_pointer)]
	mov eax, CR0_PE | CR0_ET ; caches on
	mov cr0, eax
	jmp dword far [AT(protected_pointer)]

bits 32
protected:
	mov ax, SELECTOR_DATA
	mov ds, ax
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, [ebx + AT(page_tables)]
	mov cr3, eax
	mov ecx, MSR_EFER
	mov eax, EFER_LME | EFER_NXE
	xor edx, edx
	wrmsr
	mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE
	mov cr0, eax
	jmp dword far [ebx + AT(long_pointer)]

bits 64
long_mode:
	mov ax, SELECTOR_DATA
	mov ss, ax
	mov es, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov r8d, ebx
	mov eax, CPUID_BASIC
	cpuid
	shr ebx, 24 ; the APIC id
	shl ebx, 4  ; struct ap_start is 16 bytes
	add rbx, [r8 + AT(starts)]
	mov rdi, [rbx]
	test rdi, rdi
	jz .halt
	mov rsp, [rbx + 8]
	xor ebp, ebp
	push rbp ; a return address of 0: a backtrace ends here
	jmp [r8 + AT(entry)]
.halt:
	cli
	hlt
	jmp .halt

align 8
; Descriptors have the accessed bit set: the CPU need not write them.
gdt:
	dq 0
	dq 0x00af9b000000ffff ; 64-bit code, ring 0
	dq 0x00cf93000000ffff ; data
	dq 0x00cf9b000000ffff ; 32-bit code
.end:

; struct ap_parameters
align 8
ap_trampoline_parameters:
protected_pointer:
	dd AT(protected)
	dw SELECTOR_CODE_32
	dw 0
long_pointer:
	dd AT(long_mode)
	dw SELECTOR_CODE
gdt_pointer:
	dw gdt.end - gdt - 1
	dd AT(gdt)
page_tables:
	dd 0
starts:
	dq 0
entry:
	dq 0
ap_trampoline_end:

section .note.GNU-stack noalloc noexec nowrite progbits
