/*
 * What Tab offers: the names of commands, and what each says could be its arguments.
 *
 *	alloc 3 no|      -> node=          words are completed whole, key=value up to the '='
 *	alloc node=|     -> 0  1           then the value
 *	alloc gfp=A|B|   -> a flag         a list goes on after its last '|' or ','
 *
 * Nothing is stored: the i-th candidate is searched for anew, which a person does not notice.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>

#define NAME_BYTES 16

/* What stands before the cursor. */
struct partial {
	char command[NAME_BYTES]; /* "" while it is the command that is being typed */
	u32 word;                 /* 0: the command itself */
	const char *text;         /* the word's beginning */
	size_t len;               /* of it, up to the cursor */
	size_t key_len;           /* "node=": 5; 0 without '=' */
	size_t value_at;          /* where the part to complete begins in it */
};

/* Cuts the text before the cursor: the last command of the line, its last word. */
static bool cut_partial(const char *text, size_t cursor, struct partial *p)
{
	size_t start = 0, at;

	memset(p, 0, sizeof(*p));
	for (at = 0; at < cursor; at++)
		if (text[at] == ';')
			start = at + 1;
	for (at = start; at < cursor;) {
		size_t word = at;

		while (word < cursor && text[word] == ' ')
			word++;
		for (at = word; at < cursor && text[at] != ' ';)
			at++;
		p->text = text + word;
		p->len = at - word;
		if (at == cursor)
			break;
		if (p->word++ == 0) {
			if (p->len >= NAME_BYTES)
				return false;
			memcpy(p->command, p->text, p->len);
		}
	}
	if (!p->text)
		p->text = text + cursor;
	for (at = 0; at < p->len; at++) {
		if (p->text[at] == '=' && p->key_len == 0)
			p->key_len = at + 1;
		if (p->text[at] == '=' || p->text[at] == '|' || p->text[at] == ',')
			p->value_at = at + 1;
	}
	return true;
}

/* The part of a candidate that would stand at value_at; NULL if it does not begin as typed. */
static const char *fitting_part(const struct partial *p, const char *candidate)
{
	const char *part = candidate + p->key_len;

	if (strncmp(candidate, p->text, p->key_len) != 0 ||
	    strncmp(part, p->text + p->value_at, p->len - p->value_at) != 0)
		return NULL;
	return part;
}

/* "node=0" and "node=1" are both offered as "node=" as long as there is no '='. */
static size_t offered_length(const struct partial *p, const char *candidate, const char *part)
{
	const char *equals = p->key_len ? NULL : strchr(candidate, '=');

	return equals ? (size_t)(equals - part) + 1 : strlen(part);
}

static bool offer(const char *part, size_t len, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)len, part);
	return true;
}

static bool argument(const struct partial *p, const struct monitor_command *command, u32 i,
		     char *out, size_t size)
{
	char previous[LINE_BYTES] = "";
	const char *candidate;

	for (u32 k = 0; (candidate = command->complete(p->word, k)) != NULL; k++) {
		const char *part = fitting_part(p, candidate);
		size_t len = part ? offered_length(p, candidate, part) : 0;

		if (!part || (strlen(previous) == len && strncmp(previous, part, len) == 0))
			continue;
		snprintf(previous, sizeof(previous), "%.*s", (int)len, part);
		if (i-- == 0)
			return offer(part, len, out, size);
	}
	return false;
}

bool monitor_candidate(const char *text, size_t cursor, u32 i, char *out, size_t size, size_t *from)
{
	const struct monitor_command *command;
	struct partial p;

	if (!cut_partial(text, cursor, &p))
		return false;
	*from = (size_t)(p.text - text) + p.value_at;
	if (p.word > 0) {
		command = monitor_find(p.command);
		return command && command->complete && argument(&p, command, i, out, size);
	}
	*from = (size_t)(p.text - text);
	for (u32 k = 0; k < nr_monitor_commands; k++) {
		const char *name = monitor_commands[k].name;

		if (strncmp(name, p.text, p.len) == 0 && i-- == 0)
			return offer(name, strlen(name), out, size);
	}
	return false;
}
