/*
 * printf-style formatting into a buffer, with the C library's prototypes.
 *
 * In the kernel kernel/lib/format.c implements it: d i u x X o c s p %, the flags
 * '-', '0', '+', ' ' and '#', width, precision and '*', the lengths hh h l ll z j t. No
 * floating point. On the host the C library does.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <base/types.h>

/* Both write at most `size` bytes, always with a final NUL when size > 0, and
 * return the length that the whole text has. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args) __printf_like(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf_like(3, 4);

/* "%u page%s", n, plural(n): 1 page, 2 pages, 0 pages. */
static inline const char *plural(u64 n)
{
	return n == 1 ? "" : "s";
}

/* "%u entr%s", n, plural_y(n): 1 entry, 2 entries. */
static inline const char *plural_y(u64 n)
{
	return n == 1 ? "y" : "ies";
}

#endif
