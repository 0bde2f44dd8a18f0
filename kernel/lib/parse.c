/*
 * Words and values that a person typed, and how far a mistyped word is from a known one.
 *
 * A value is the whole text: "12x" is no number. Overflow is a wrong value
 * and not a smaller one.
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/parse.h>

#define EDIT_DISTANCE_MAX 31

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int split_words(char *line, char **words, int max)
{
	int nr = 0;

	for (;;) {
		while (is_blank(*line))
			*line++ = '\0';
		if (*line == '\0')
			return nr;
		if (nr == max)
			return -E2BIG;
		words[nr++] = line;
		while (*line != '\0' && !is_blank(*line))
			line++;
	}
}

/* The value of a digit in this base, or -1. */
static int digit_value(char c, unsigned int base)
{
	int value = -1;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value < (int)base ? value : -1;
}

/* Reads digits at *text and moves it past them. False: no digit, or too large. */
static bool read_number(const char **text, u64 *value)
{
	const char *at = *text;
	unsigned int base = 10;
	u64 n = 0;

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	}
	if (digit_value(*at, base) < 0)
		return false;
	for (int digit; (digit = digit_value(*at, base)) >= 0; at++) {
		if (__builtin_mul_overflow(n, (u64)base, &n) ||
		    __builtin_add_overflow(n, (u64)digit, &n))
			return false;
	}
	*text = at;
	*value = n;
	return true;
}

bool parse_u64(const char *text, u64 *value)
{
	u64 n;

	if (!read_number(&text, &n) || *text != '\0')
		return false;
	*value = n;
	return true;
}

bool parse_size(const char *text, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	u64 n;

	if (!read_number(&text, &n))
		return false;
	if (*text != '\0') {
		/* The letters differ from their lower case in one bit. */
		const char *suffix = strchr(suffixes, *text & ~0x20);

		if (!suffix || *suffix == '\0' || text[1] != '\0')
			return false;
		if (__builtin_mul_overflow(n, (u64)1 << (10 * (suffix - suffixes + 1)), &n))
			return false;
	}
	*bytes = n;
	return true;
}

bool parse_choice(const char *text, const char *choices, u32 *index)
{
	size_t len = strlen(text);

	for (u32 i = 0;; i++) {
		const char *end = strchr(choices, '|');
		size_t choice_len = end ? (size_t)(end - choices) : strlen(choices);

		if (len > 0 && len == choice_len && memcmp(text, choices, len) == 0) {
			*index = i;
			return true;
		}
		if (!end)
			return false;
		choices = end + 1;
	}
}

/* Levenshtein's distance, one row of the table at a time. */
u32 edit_distance(const char *a, const char *b)
{
	u32 row[EDIT_DISTANCE_MAX + 1];
	size_t a_len = strnlen(a, EDIT_DISTANCE_MAX), b_len = strnlen(b, EDIT_DISTANCE_MAX);

	for (u32 j = 0; j <= b_len; j++)
		row[j] = j;
	for (u32 i = 1; i <= a_len; i++) {
		u32 diagonal = row[0]; /* the cell above and to the left */

		row[0] = i;
		for (u32 j = 1; j <= b_len; j++) {
			u32 above = row[j];
			u32 replaced = diagonal + (a[i - 1] != b[j - 1]);
			u32 moved = MIN(above, row[j - 1]) + 1;

			row[j] = MIN(replaced, moved);
			diagonal = above;
		}
	}
	return row[b_len];
}

bool is_near(const char *typed, const char *known)
{
	size_t len = strnlen(typed, EDIT_DISTANCE_MAX);

	return len > 0 && edit_distance(typed, known) <= 1 + (len - 1) / 3;
}
