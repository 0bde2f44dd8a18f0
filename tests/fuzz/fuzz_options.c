/*
 * The command line: any text. Values stay within what the table of options allows, texts end, and
 * a value that is printed reads back as itself.
 */
#include "fuzz.h"

#include <base/format.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <stdlib.h>

static struct options first, second, printed;

static void expect_bounds(const struct options *o)
{
	FUZZ_CHECK(strnlen(o->test.globs, OPTION_TEXT_BYTES) < OPTION_TEXT_BYTES, "test");
	FUZZ_CHECK(strnlen(o->bench.globs, OPTION_TEXT_BYTES) < OPTION_TEXT_BYTES, "bench");
	FUZZ_CHECK(strnlen(o->run, OPTION_TEXT_BYTES) < OPTION_TEXT_BYTES, "run");
	FUZZ_CHECK(o->mem_bytes == 0 || (o->mem_bytes >= MiB(4) && o->mem_bytes <= TiB(64)),
		   "mem=%llu", (unsigned long long)o->mem_bytes);
	FUZZ_CHECK(strnlen(o->refused_request, OPTION_REFUSED_BYTES) < OPTION_REFUSED_BYTES,
		   "refused request");
	FUZZ_CHECK(o->loglevel <= 7, "loglevel=%llu", (unsigned long long)o->loglevel);
	FUZZ_CHECK(o->profile >= MM_BEFORE && o->profile <= MM_AFTER, "profile %d", o->profile);
	for (u32 i = 0; i < NR_MM_MECHANISMS; i++)
		FUZZ_CHECK(o->behaviour[i] >= -1 && o->behaviour[i] <= MM_LAYERED, "behaviour %d",
			   o->behaviour[i]);
}

/* `name="value"`, with a backslash before what would end the quotes. */
static void quote(char *word, size_t size, const char *name, const char *value)
{
	size_t at = (size_t)snprintf(word, size, "%s=\"", name);

	for (; *value && at + 4 < size; value++) {
		if (*value == '"' || *value == '\\')
			word[at++] = '\\';
		word[at++] = *value;
	}
	word[at++] = '"';
	word[at] = '\0';
}

static void expect_reads_back(void)
{
	static char word[4 * OPTION_TEXT_BYTES], value[OPTION_TEXT_BYTES], back[OPTION_TEXT_BYTES];
	struct option_description option;

	for (u32 i = 0; option_describe(i, &option); i++) {
		option_value(i, &first, value, sizeof(value));
		/* What is printed of `test` is for people: "all". */
		if (value[0] == '\0' || strcmp(value, option.default_text) == 0 ||
		    strcmp(option.name, "test") == 0)
			continue;
		quote(word, sizeof(word), option.name, value);
		options_defaults(&printed);
		FUZZ_CHECK(options_parse(&printed, word) == 0, "%s is refused", word);
		option_value(i, &printed, back, sizeof(back));
		FUZZ_CHECK(strcmp(value, back) == 0, "%s reads back as %s", word, back);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *line = malloc(size + 1);
	u32 refused, blanks = 0;
	const char *nearest;

	if (!line)
		abort();
	memcpy(line, data, size);
	line[size] = '\0';
	for (const char *at = line; *at; at++)
		blanks += *at == ' ' || *at == '\t' || *at == '\n' || *at == '\r';

	options_defaults(&first);
	refused = options_parse(&first, line);
	FUZZ_CHECK(refused <= blanks + 1, "%u words refused, there are %u at most", refused,
		   blanks + 1);
	expect_bounds(&first);

	/* Saying it once more changes nothing. */
	second = first;
	FUZZ_SAME(options_parse(&second, line), refused);
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0,
		   "said again, it means something else");

	expect_reads_back();
	nearest = option_nearest(line);
	FUZZ_CHECK(!nearest || is_near(line, nearest), "%s is suggested", nearest);
	FUZZ_SAME(edit_distance(line, line), 0);
	free(line);
	return 0;
}
