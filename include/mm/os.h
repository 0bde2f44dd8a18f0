/*
 * Seam 2: what mm/ asks of the kernel around it.
 *
 * A kernel that takes mm/ implements these functions; kernel/mm_os.c is ours,
 * tests/host/os.c the host's, examples/minimal/port.c the smallest one. The seam grows
 * with mm/: sleeping, tasks and threads join it with the mechanisms that need them.
 */
#ifndef MM_OS_H
#define MM_OS_H

#include <base/types.h>

/* Levels as Linux numbers them; smaller is more urgent. */
enum os_log_level {
	OS_LOG_ERR = 3,
	OS_LOG_WARN = 4,
	OS_LOG_NOTICE = 5,
	OS_LOG_INFO = 6,
	OS_LOG_DEBUG = 7,
};

/*
 * One log line of a subsystem; `fmt` carries no newline. Any context, also under a zone's lock with
 * interrupts off (check says what it finds where it finds it): may not allocate, free or sleep.
 */
void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
	__printf_like(3, 4);

/* A broken invariant or a misuse that cannot be survived: says so and does not return. */
_Noreturn void os_panic(const char *fmt, ...) __printf_like(1, 2);

/* The address that the current function returns to: who asked. */
#define os_call_site() ((uintptr_t)__builtin_return_address(0))

/*
 * Who that is, for people: the function's name where the kernel knows it, else the address. At most
 * `size` bytes with the final NUL; OS_CALLER_BYTES is room for most. Any context, os_log()'s too.
 */
#define OS_CALLER_BYTES 64
void os_describe_caller(uintptr_t call_site, char *buf, size_t size);

/*
 * What is at an address that is none of memory: the kernel's image, a stack, nothing; as a report of misuse ends. The
 * same contexts.
 */
void os_describe_address(const void *address, char *buf, size_t size);

/*
 * Does that function's name, without what follows it, match the glob ('*' any text, '?' any character)?
 * Any context, also under a spinlock. False where the kernel knows no names.
 */
bool os_caller_matches(uintptr_t call_site, const char *glob);

/* The calls that have led here, as log lines of that level, the innermost first. Any context. */
void os_backtrace(enum os_log_level level, const char *subsystem);

#endif
