/*
 * How the kernel command line is read. What can be said on it: options.c.
 *
 * A line is words separated by blanks. A word is `key` or `key=value`; double quotes keep blanks
 * and may stand anywhere in it, because GRUB puts them around the whole word ("run=a; b") while
 * a person puts them around the value (run="a; b"). A backslash takes the next character
 * as it is: GRUB writes one before quotes. GRUB has dropped the kernel's file name.
 *
 * Nothing on the line can stop the boot. What is not understood is said and left out: a word
 * whose quote is never closed may have swallowed others, so it is not guessed at; the last word
 * of a line that was too long may be half of one. Of a line that is junk from end to end only the
 * first words are complained about.
 *
 * Who says `test`, `bench` or `run=` wants the kernel to do that and leave: a script. If such a word
 * is among what is left out, options.refused_request says why, and the kernel leaves with failure
 * (main.c) where it would otherwise sit at a prompt that nobody reads, or do half of what was meant.
 *
 * Pure but for the log: this file runs on the host, too.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/printk.h>

#include "options_internal.h"

#define WORD_BYTES (OPTION_TEXT_BYTES + 64)

/* ---- Words ------------------------------------------------------------------------------- */

enum word_result { WORD_NONE, WORD_OK, WORD_TOO_LONG, WORD_UNCLOSED };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* The next word, without quotes, of WORD_BYTES at most; *line moves behind it. */
static enum word_result next_word(const char **line, char *word)
{
	const char *at = skip_blanks(*line);
	size_t len = 0;
	bool quoted = false, fits = true;

	if (*at == '\0')
		return WORD_NONE;
	for (; *at != '\0' && (quoted || !is_blank(*at)); at++) {
		if (*at == '"') {
			quoted = !quoted;
			continue;
		}
		if (*at == '\\' && at[1] != '\0')
			at++;
		fits = len < WORD_BYTES - 1;
		if (fits)
			word[len++] = *at;
	}
	word[len] = '\0';
	*line = at;
	return quoted ? WORD_UNCLOSED : fits ? WORD_OK : WORD_TOO_LONG;
}

/* ---- Lines ------------------------------------------------------------------------------- */

static bool is_request(const char *key, size_t len)
{
	static const char *const requests[] = {"test", "bench", "run"};

	for (u32 i = 0; i < ARRAY_SIZE(requests); i++) {
		if (strlen(requests[i]) == len && strncmp(key, requests[i], len) == 0)
			return true;
	}
	return false;
}

/* Does a word of this text ask for something to be run? A quote that should not be one hides none. */
static bool holds_request(const char *text, const char *end)
{
	const char *key = text;

	for (; text < end; text++) {
		if (*text != '=' && *text != '"' && *text != '\0' && !is_blank(*text))
			continue;
		if (is_request(key, (size_t)(text - key)))
			return true;
		/* What follows a '=' is a value, and no key matches that begins with it. */
		key = *text == '=' ? text : text + 1;
	}
	return is_request(key, (size_t)(end - key));
}

/* The first reason stands: what follows may follow from it. */
static void refuse_request(struct options *out, const char *what, const char *why)
{
	if (out->refused_request[0] == '\0')
		snprintf(out->refused_request, sizeof(out->refused_request), "%.40s%s", what, why);
}

/* `say`: complaints have not been too many yet. */
static bool apply_word(struct options *out, char *word, bool say)
{
	char allowed[64];
	char *value = strchr(word, '=');
	bool may_ask = holds_request(word, word + strlen(word)); /* a\\ run=b is one word */
	enum option_result result;
	const char *nearest;

	if (value)
		*value++ = '\0';
	result = option_set(out, word, value, allowed, sizeof(allowed));
	if (result == OPTION_SET)
		return true;
	if (result == OPTION_NOT_ALLOWED) {
		if (is_request(word, strlen(word)))
			refuse_request(out, word,
				       value ? "=: a text that is too long" : " without a value");
		if (say)
			klog(LOG_ERR, "options",
			     "%s%s%.40s: allowed is %s; the value before it stands", word,
			     value ? "=" : "", value ? value : "", allowed);
		return false;
	}
	if (may_ask)
		refuse_request(out, word, ": quoted into a word that is unknown");
	nearest = say ? option_nearest(word) : NULL;
	if (say && nearest)
		klog(LOG_WARN, "options", "unknown option '%.40s': did you mean '%s'?", word,
		     nearest);
	else if (say)
		klog(LOG_WARN, "options", "unknown option '%.40s': `help options` lists all", word);
	return false;
}

u32 options_parse(struct options *out, const char *cmdline)
{
	char word[WORD_BYTES];
	enum word_result result;
	const char *why, *start = cmdline;
	u32 refused = 0;

	while ((result = next_word(&cmdline, word)) != WORD_NONE) {
		bool say = refused < OPTION_COMPLAINTS;

		if (result == WORD_OK) {
			refused += !apply_word(out, word, say);
		} else {
			why = result == WORD_UNCLOSED ? ": quote without an end"
						      : ": word too long";
			if (holds_request(start, cmdline))
				refuse_request(out, word, why);
			if (say)
				klog(LOG_ERR, "options", "'%.40s...' is left out%s", word, why);
			refused++;
		}
		start = cmdline;
	}
	if (refused > OPTION_COMPLAINTS)
		klog(LOG_WARN, "options", "... and %u more word%s left out",
		     refused - OPTION_COMPLAINTS, plural(refused - OPTION_COMPLAINTS));
	return refused;
}

/* The word that the line ends in; the line's end if a blank shows that the last word is whole. */
static char *last_word(char *line)
{
	char word[WORD_BYTES];
	const char *start, *at = line;

	do {
		start = at = skip_blanks(at);
	} while (next_word(&at, word) != WORD_NONE && *at != '\0');
	return line + (start - line);
}

/* Is there text behind the NUL that ends it? */
static bool goes_on(const char *text, const char *end)
{
	for (text += strlen(text); text < end; text++)
		if (*text != '\0')
			return true;
	return false;
}

u32 options_parse_line(struct options *out, const char *whose, char *text, size_t size,
		       size_t length)
{
	const char *end = text + MIN(length, size - 1); /* of what there is of it */
	char *left_out = NULL;
	bool asked_there = false;
	u32 refused;

	if (goes_on(text, end)) {
		left_out = text + strlen(text);
		klog(LOG_ERR, "options",
		     "%s command line: what follows a NUL at byte %u is left out", whose,
		     (u32)strlen(text));
	} else if (length >= size) {
		left_out = last_word(text);
		klog(LOG_ERR, "options",
		     "%s command line has more than %u bytes: from '%.40s' on it is left out",
		     whose, (u32)size - 1, left_out);
	}
	if (left_out) {
		asked_there = holds_request(left_out, end);
		*left_out = '\0';
	}
	refused = options_parse(out, text);
	/* Behind the end of what there is may have been anything. */
	if (asked_there || (length >= size && !out->monitor && !holds_request(text, left_out)))
		refuse_request(out, whose,
			       " command line was cut, and what is missing may ask for more");
	return refused + (left_out != NULL);
}
