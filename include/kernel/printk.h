/*
 * The kernel's log: lines on the console, "[    0.012345] subsystem: text".
 *
 * Any context, also before anything else is set up and during a panic. Lines above the
 * log level (option loglevel, default 6) are not printed.
 */
#ifndef KERNEL_PRINTK_H
#define KERNEL_PRINTK_H

#include <base/types.h>

enum log_level {
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

#endif
