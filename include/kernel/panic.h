/*
 * The end: message, registers, backtrace, memory summary, exit with failure.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <base/types.h>

struct trap_frame;

/* Never returns; a panic inside a panic prints both messages and exits. Any context. */
_Noreturn void panic(const char *fmt, ...) __printf_like(1, 2);
/* The same for an exception: registers and backtrace are those of the frame. */
_Noreturn void panic_trap(const struct trap_frame *frame, const char *fmt, ...) __printf_like(2, 3);

/* The same, about a frame of another CPU, which is stopped there. */
_Noreturn void panic_trap_of(u32 cpu, const struct trap_frame *frame, const char *fmt, ...)
	__printf_like(3, 4);

/*
 * Makes the panic that is to come this CPU's. If it is another's already, the text becomes part of
 * that one's report, and this does not return. Interrupts off.
 */
void panic_own(const char *fmt, ...) __printf_like(1, 2);

/* What both come to, for other functions that mean it; `prefix` goes before the message. */
_Noreturn void panic_at(const struct trap_frame *frame, const char *prefix, const char *fmt,
			va_list args) __printf_like(3, 0);

/* The memory manager is up: a panic may look at its zones from now on. */
void panic_memory_ready(void);

/* A panic from now on says that this test was running; NULL: none. */
void panic_set_test(const char *suite, const char *name);

/* "name+0x12/0x80" for a kernel address, or its hex digits. */
void symbol_format(uintptr_t addr, char *buf, size_t size);
/* The same for a return address: the function that made the call. */
void symbol_format_return(uintptr_t addr, char *buf, size_t size);
/* That function's name alone; NULL: it has none. */
const char *symbol_name_return(uintptr_t addr);

#endif
