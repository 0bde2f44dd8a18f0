; preempt_enable()'s rare branch, called from inline assembly: the caller's compiler knows of no call, so
; every register that C may change is kept, and the stack may be aligned to 8 only.

global preempt_schedule_thunk
extern preempt_schedule

section .text progbits alloc exec nowrite align=16
bits 64
preempt_schedule_thunk:
	push rbp
	mov rbp, rsp
	push rax
	push rcx
	push rdx
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push rbx
	mov rbx, rsp
	and rsp, -16
	cld
	call preempt_schedule
	mov rsp, rbx
	pop rbx
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rax
	pop rbp
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
