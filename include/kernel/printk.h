/*
 * The kernel's log: lines on the console, "[    0.012345] subsystem: text".
 *
 * Any context, also before anything else is set up and during a panic. Lines above the
 * log level (option loglevel, default 6) are not printed; no level hides LOG_EMERG. Text that is
 * longer than a buffer of fixed size is cut, and ends with "...". In log lines, what is not printable
 * ASCII stands as \xNN.
 */
#ifndef KERNEL_PRINTK_H
#define KERNEL_PRINTK_H

#include <base/types.h>

enum log_level {
	LOG_EMERG = 0, /* why the kernel ends: printed always */
	LOG_ERR = 3,
	LOG_WARN = 4,
	LOG_NOTICE = 5,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
};

/* One line; `fmt` carries no newline. */
void klog(enum log_level level, const char *subsystem, const char *fmt, ...) __printf_like(3, 4);
void vklog(enum log_level level, const char *subsystem, const char *fmt, va_list args)
	__printf_like(3, 0);
void klog_set_level(enum log_level level);

/* Text for the person at the console: no time stamp, no level, newlines as given. */
void kprintf(const char *fmt, ...) __printf_like(1, 2);
void vkprintf(const char *fmt, va_list args) __printf_like(1, 0);
/* Text of any length, to where kprintf() goes. */
void kprint(const char *text);
/* The same, past whoever kprintf() is diverted to. */
void console_write(const char *text);
void console_write_bytes(const char *bytes, size_t len);
/*
 * From now on kprintf() hands its text to the sink, NULL: prints it. For who pages or prefixes what
 * a command prints; one thread's, and off in a panic. Returns the sink before it, to be put back.
 */
struct printk_sink {
	void (*write)(const char *bytes, size_t len);
};
const struct printk_sink *printk_divert(const struct printk_sink *sink);

/*
 * Copies `len` characters so that a terminal shows them and does nothing else: what is not printable
 * ASCII as \xNN, whole or not at all. Ends with NUL; returns the length that the whole has.
 */
size_t printk_escape(char *buf, size_t size, const char *text, size_t len);

struct printk_stats {
	u64 lines;      /* log lines printed */
	u64 suppressed; /* above the log level */
	u64 cut;        /* lines and texts that did not fit */
	u64 bytes;      /* sent to the console */
};
struct printk_stats printk_stats(void);

/* From now on nothing waits for the console's lock: whoever has it will not come back. */
void printk_panic_mode(void);

#endif
