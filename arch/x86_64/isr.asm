; Interrupt entry: one stub for each of the 256 vectors, and the way into and out of C.
;
; The CPU has pushed ss, rsp, rflags, cs, rip and, for some exceptions, an error code, on a stack
; that it aligned to 16 bytes. A stub pushes a zero where there is no error code, then its vector;
; the common part pushes the registers. The result is struct trap_frame of x86/trap.h. Above the
; call stands what a function's entry would have left, with the interrupted rip in place of a return
; address, so that a backtrace goes on into the interrupted code. rsp is then aligned for the call:
; 5 + 2 + 15 + 2 eightbytes.
;
; Stubs are STUB_BYTES apart, so that a vector's address is arithmetic; traps.c fills the IDT so.
;
; Source: Intel SDM volume 3A, "Exception and Interrupt Handling in 64-bit Mode".

STUB_BYTES equ 16
FRAME_RIP  equ 17 * 8 ; in struct trap_frame

global isr_stubs
extern trap_dispatch

; #DF #TS #NP #SS #GP #PF, #AC, #CP, #VC and #SX: the CPU pushes an error code.
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || \
			   (v) == 29 || (v) == 30)

section .text progbits alloc exec nowrite align=16
bits 64

align STUB_BYTES
isr_stubs:
%assign vector 0
%rep 256
	align STUB_BYTES
%if !HAS_ERROR_CODE(vector)
	push byte 0
%endif
	push strict dword vector
	jmp strict near isr_common
%assign vector vector + 1
%endrep

align STUB_BYTES
isr_common:
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp
	push qword [rdi + FRAME_RIP]
	push rbp
	mov rbp, rsp
	call trap_dispatch
	add rsp, 16
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16 ; vector and error code
	iretq

section .note.GNU-stack noalloc noexec nowrite progbits
