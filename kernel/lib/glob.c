/*
 * Globs: matching without recursion, so that a pattern of many stars costs at most the product of
 * the lengths.
 */
#include <base/string.h>
#include <kernel/glob.h>

bool glob_match(const char *glob, size_t len, const char *text)
{
	const char *end = glob + len, *star = NULL, *retry = NULL;

	while (*text) {
		if (glob < end && *glob == '*') {
			/* Try it as nothing first; each failure lets it take one more. */
			star = ++glob;
			retry = text;
		} else if (glob < end && (*glob == '?' || *glob == *text)) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (glob < end && *glob == '*')
		glob++;
	return glob == end;
}

bool glob_next(const char **globs, const char **glob, size_t *len)
{
	const char *comma;

	while (**globs == ',')
		(*globs)++;
	if (**globs == '\0')
		return false;
	comma = strchr(*globs, ',');
	*glob = *globs;
	*len = comma ? (size_t)(comma - *globs) : strlen(*globs);
	*globs += *len;
	return true;
}

bool glob_list_match(const char *globs, const char *text)
{
	const char *glob;
	size_t len;

	while (glob_next(&globs, &glob, &len))
		if (glob_match(glob, len, text))
			return true;
	return false;
}
