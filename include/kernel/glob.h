/* Patterns as people type them: '*' is any text, '?' any one character; lists with commas. */
#ifndef KERNEL_GLOB_H
#define KERNEL_GLOB_H

#include <base/types.h>

/* Does `text` match the glob of `len` characters? */
bool glob_match(const char *glob, size_t len, const char *text);
/* The next of the comma-separated globs, from *globs on; false after the last. */
bool glob_next(const char **globs, const char **glob, size_t *len);
/* Does one of the list match? */
bool glob_list_match(const char *globs, const char *text);

#endif
