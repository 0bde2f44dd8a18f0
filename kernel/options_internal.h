/*
 * Between the table of options and who reads a line.
 */
#ifndef KERNEL_OPTIONS_INTERNAL_H
#define KERNEL_OPTIONS_INTERNAL_H

#include <kernel/options.h>

enum option_result {
	OPTION_SET,
	OPTION_NOT_ALLOWED, /* nothing has changed; `allowed` says what would be */
	OPTION_UNKNOWN,
};

/* `value` is NULL for a word without '='. */
enum option_result option_set(struct options *out, const char *name, const char *value,
			      char *allowed, size_t size);

#endif
