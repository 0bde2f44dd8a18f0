/*
 * The part of <string.h> that the kernel uses, with the C library's prototypes.
 *
 * In the kernel kernel/lib/string.c implements it; on the host the C library does.
 */
#ifndef BASE_STRING_H
#define BASE_STRING_H

#include <base/types.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);

#endif
