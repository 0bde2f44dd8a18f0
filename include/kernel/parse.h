/*
 * Reading what a person typed, on the command line and in the monitor: words, numbers, sizes and
 * choices. Pure; of a value the whole text must be it, and on false *value is untouched.
 */
#ifndef KERNEL_PARSE_H
#define KERNEL_PARSE_H

#include <base/types.h>

/* Decimal, or hexadecimal after 0x. False on anything else and on overflow. */
bool parse_u64(const char *text, u64 *value);
/* The same with a suffix K, M, G or T (powers of 1024; either case); in bytes. */
bool parse_size(const char *text, u64 *bytes);
/* Which of the choices ("off|on") it is, from 0. */
bool parse_choice(const char *text, const char *choices, u32 *index);

/* Cuts `line` at blanks, in place. Returns the number of words, or -E2BIG if they are too many. */
int split_words(char *line, char **words, int max);

/* How many characters must be inserted, deleted or replaced to turn one word into the other.
 * Only the first 31 characters of each count. */
u32 edit_distance(const char *a, const char *b);
/* May somebody who typed this have meant that? One slip in the first three letters, one more for each
 * three that follow: a swap of two letters is two slips. */
bool is_near(const char *typed, const char *known);

#endif
