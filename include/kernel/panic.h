/*
 * The end: message, registers, backtrace, memory summary, exit with failure.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <base/types.h>

struct trap_frame;

/* Never returns; a panic inside a panic prints what it can and exits at once. */
_Noreturn void panic(const char *fmt, ...) __printf_like(1, 2);
/* The same for an exception: registers and backtrace are those of the frame. */
_Noreturn void panic_trap(const struct trap_frame *frame, const char *fmt, ...)
	__printf_like(2, 3);

/* "name+0x12/0x80" for a kernel address, or its hex digits. */
void symbol_format(uintptr_t addr, char *buf, size_t size);

#endif
