/*
 * Fixed-width types and the small macros that every room uses.
 *
 * Everything here works freestanding and hosted: the compiler's own stdint.h,
 * stddef.h and stdbool.h exist in both.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

/* A physical address, and a page frame number: address >> PAGE_SHIFT. */
typedef u64 phys_addr_t;
typedef u64 pfn_t;

#define KiB(n)                          ((u64)(n) << 10)
#define MiB(n)                          ((u64)(n) << 20)
#define GiB(n)                          ((u64)(n) << 30)
#define TiB(n)                          ((u64)(n) << 40)

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Both operands are evaluated once; types must agree. */
#define MIN(a, b)                                  \
	({                                         \
		__typeof__(a) min_a_ = (a);        \
		__typeof__(b) min_b_ = (b);        \
		(void)(&min_a_ == &min_b_);        \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define MAX(a, b)                                  \
	({                                         \
		__typeof__(a) max_a_ = (a);        \
		__typeof__(b) max_b_ = (b);        \
		(void)(&max_a_ == &max_b_);        \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})

/* `align` is a power of two. ALIGN_UP wraps at the top of the type: callers bound `x`. */
#define ALIGN_DOWN(x, align)                ((x) & ~((__typeof__(x))(align)-1))
#define ALIGN_UP(x, align)                  ALIGN_DOWN((x) + ((__typeof__(x))(align)-1), align)
#define IS_ALIGNED(x, align)                (((x) & ((__typeof__(x))(align)-1)) == 0)
#define DIV_ROUND_UP(n, d)                  (((n) + (d)-1) / (d))

#define likely(x)                           __builtin_expect(!!(x), 1)
#define unlikely(x)                         __builtin_expect(!!(x), 0)

#define __printf_like(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define __packed                            __attribute__((packed))
#define __section(name)                     __attribute__((section(name), used))
#define __noinline                          __attribute__((noinline))
#define __maybe_unused                      __attribute__((unused))
#define __must_check                        __attribute__((warn_unused_result))
#ifndef __always_inline /* the host's C library has it */
#define __always_inline inline __attribute__((always_inline))
#endif

#endif
