; From one thread's stack to another's.
;
; The compiler keeps nothing in the other registers across a call, so these six and the stack pointer are
; all that a thread is while it does not run. Flags need not be kept: both sides have interrupts off
; and DF clear. A thread that has never run has the six and the address of its first function on its stack,
; as switch_prepare() put them there.

global switch_stacks

section .text progbits alloc exec nowrite align=16
bits 64
; void switch_stacks(uintptr_t *save, uintptr_t next): rdi, rsi
switch_stacks:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
