; single_step_call(fn, arg): calls fn(arg) with the trap flag set (single_step.c).

RFLAGS_TF equ 0x100

global single_step_call
global single_step_call_end

section .text progbits alloc exec nowrite align=16
bits 64
single_step_call:
	push rbp
	mov rbp, rsp
	mov rax, rdi
	mov rdi, rsi
	pushfq
	or qword [rsp], RFLAGS_TF
	popfq
	call rax ; the first exception comes after this: before fn's first instruction
	pushfq
	and qword [rsp], ~RFLAGS_TF
	popfq ; and the last one after this
	pop rbp
	ret
single_step_call_end:

section .note.GNU-stack noalloc noexec nowrite progbits
