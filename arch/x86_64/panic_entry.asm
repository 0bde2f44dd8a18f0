; The entries of panic(), os_panic() and assert_failed().
;
; What a panic prints of the registers is worth something only if nobody has used them since. So
; these three do not begin in C: each stub stores all registers as they were at the call, in the
; frame that an exception would have left (struct trap_frame of x86/trap.h, with no vector), hands on
; the caller's arguments as a va_list, and calls the C function that does the work.
;
; A va_list is, by the ABI: u32 offset of the next argument in the register save area, u32 the same
; for vector registers (past the end: there are none), pointer to the arguments on the stack, pointer
; to the save area. The offset is 0: also the named arguments are fetched from it.
;
; rbp is pushed first, as every function does, so that a backtrace from further in goes through here.
;
; Source: System V ABI, AMD64 supplement, "Variable Argument Lists".

FRAME_BYTES     equ 22 * 8
SAVE_AREA_BYTES equ 6 * 8

; An index in the frame, in eightbytes.
%define AT(i) [rsp + (i) * 8]

section .text progbits alloc exec nowrite align=16
bits 64

%macro panic_entry 2 ; name, the C function: (const struct trap_frame *, va_list)
global %1
extern %2
align 16
%1:
	push rbp
	mov rbp, rsp
	pushfq
	sub rsp, FRAME_BYTES
	mov AT(0), r15
	mov AT(1), r14
	mov AT(2), r13
	mov AT(3), r12
	mov AT(4), r11
	mov AT(5), r10
	mov AT(6), r9
	mov AT(7), r8
	mov AT(9), rdi
	mov AT(10), rsi
	mov AT(11), rdx
	mov AT(12), rcx
	mov AT(13), rbx
	mov AT(14), rax
	mov rax, [rbp]
	mov AT(8), rax		; rbp
	mov qword AT(15), -1	; TRAP_NO_VECTOR
	mov qword AT(16), 0	; error code
	mov rax, [rbp + 8]
	mov AT(17), rax		; rip: where the call returns to
	mov eax, cs
	mov AT(18), rax
	mov rax, [rbp - 8]
	mov AT(19), rax		; rflags
	lea rax, [rbp + 16]
	mov AT(20), rax		; rsp: the caller's
	mov r10d, ss
	mov AT(21), r10

	mov r10, rsp
	push r9			; the register save area
	push r8
	push rcx
	push rdx
	push rsi
	push rdi
	mov r11, rsp
	push r11		; the va_list
	push rax		; arguments on the stack begin at the caller's rsp
	mov eax, SAVE_AREA_BYTES
	shl rax, 32
	push rax
	mov rdi, r10
	mov rsi, rsp
	cld
	call %2			; rsp is aligned: 1 + 1 + 22 + 6 + 3 eightbytes and the return address
	ud2
%endmacro

panic_entry panic, panic_entered
panic_entry os_panic, panic_entered
panic_entry assert_failed, assert_failed_entered

section .note.GNU-stack noalloc noexec nowrite progbits
