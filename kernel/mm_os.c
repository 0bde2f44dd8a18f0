/*
 * Seam 2 in this kernel: what mm/ asks of its surroundings, and the end of a failed assertion.
 *
 * Nothing is decided here. mm/ says what happened; printk and panic do the rest.
 */
#include <base/assert.h>
#include <base/format.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/os.h>

#define PLACE_BYTES 96

_Static_assert((int)OS_LOG_ERR == (int)LOG_ERR && (int)OS_LOG_DEBUG == (int)LOG_DEBUG,
	       "the seam's levels are the log's");

void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vklog((enum log_level)level, subsystem, fmt, args);
	va_end(args);
}

__noinline _Noreturn void os_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_begin("", fmt, args);
	va_end(args);
	panic_end(__builtin_frame_address(0));
}

__noinline _Noreturn void assert_failed(const char *file, int line, const char *fmt, ...)
{
	char place[PLACE_BYTES];
	va_list args;

	snprintf(place, sizeof(place), "assertion failed at %s:%d: ", file, line);
	va_start(args, fmt);
	panic_begin(place, fmt, args);
	va_end(args);
	panic_end(__builtin_frame_address(0));
}
