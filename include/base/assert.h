/*
 * Assertions that stay on in every build.
 *
 * A broken invariant is never survivable in a memory manager: the next free
 * would spread it. So a failed assertion panics and prints the values.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <base/types.h>

/* Prints the place and the message, then ends the machine (or the host test). */
_Noreturn void assert_failed(const char *file, int line, const char *fmt, ...) __printf_like(3, 4);

/* ASSERT(cond): for conditions that need no values beside them. */
#define ASSERT(cond)                                                    \
	do {                                                            \
		if (unlikely(!(cond)))                                  \
			assert_failed(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* ASSERT_MSG(cond, fmt, ...): prints the values that broke it. */
#define ASSERT_MSG(cond, ...)                                           \
	do {                                                            \
		if (unlikely(!(cond)))                                  \
			assert_failed(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#endif
