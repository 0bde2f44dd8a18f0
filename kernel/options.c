/*
 * What can be said on the kernel command line; how a line is read: options_line.c.
 *
 * One table declares every option: name, type, allowed values, default, a sentence, and where in
 * struct options the value goes. The parser, `help options` and the generated reference page
 * all read it, and the defaults are written as text and parsed like any other value, so that
 * none of them can say something else than the others.
 *
 * Pure but for the log: this file runs on the host, too.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/printk.h>

#include "options_internal.h"

enum option_type {
	OPTION_FLAG,   /* bool: one of the words below; alone it is "on" */
	OPTION_CHOICE, /* int: which of the choices */
	OPTION_NUMBER, /* u64 */
	OPTION_SIZE,   /* u64: bytes, with a suffix */
	OPTION_TEXT,   /* char[OPTION_TEXT_BYTES] */
	OPTION_GLOBS,  /* struct option_globs: asked for, and which of them */
};

struct option {
	const char *name;
	enum option_type type;
	size_t offset; /* of the value in struct options */
	u64 min, max;  /* inclusive */
	const char *choices;
	const char *default_text; /* NULL: not given, and default_note says what that means */
	const char *default_note;
	const char *sentence;
};

/* Of a flag: the odd ones mean on. */
#define FLAG_WORDS    "off|on|0|1|no|yes"

#define FIELD(member) .offset = offsetof(struct options, member)

_Static_assert(MM_BEFORE == 0 && MM_POSTED == 1 && MM_AFTER == 2 && MM_LAYERED == 3,
	       "the order of the choices below");
#define BEHAVIOURS     "before|posted|after"
#define AS_THE_PROFILE .default_note = "as mm.profile"

static const struct option table[] = {
	{"test", OPTION_GLOBS, FIELD(test), .default_note = "no",
	 .sentence = "run the in-kernel suites, print KTAP and exit"},
	{"bench", OPTION_GLOBS, FIELD(bench), .default_note = "no",
	 .sentence = "run the benchmark's cases, print a line for each and exit"},
	{"run", OPTION_TEXT, FIELD(run), .default_note = "none",
	 .sentence = "run these monitor commands (\"numa; check\") and exit"},
	{"monitor", OPTION_FLAG, FIELD(monitor), .default_text = "off",
	 .sentence = "after run=, go on into the monitor"},
	{"seed", OPTION_NUMBER, FIELD(seed), .max = UINT64_MAX, .default_text = "1",
	 .sentence = "start of every random sequence of the tests"},
	{"soak_minutes", OPTION_NUMBER, FIELD(soak_minutes), .max = 1440, .default_text = "0",
	 .sentence = "how long the test suite `soak` runs; 0: 20 seconds"},
	{"loglevel", OPTION_NUMBER, FIELD(loglevel), .max = LOG_DEBUG, .default_text = "6",
	 .sentence = "log up to 3 errors, 4 warnings, 6 info, 7 all; panics always"},
	{"numa", OPTION_FLAG, FIELD(numa), .default_text = "on",
	 .sentence = "off: ignore what the firmware says, one node owns everything"},
	{"mem", OPTION_SIZE, FIELD(mem_bytes), .min = MiB(4), .max = TiB(64), .default_note = "all",
	 .sentence = "use only the lowest so many bytes of RAM"},
	{"maxcpus", OPTION_NUMBER, FIELD(maxcpus), .min = 1, .max = 4096, .default_note = "all",
	 .sentence = "use only so many CPUs"},
	{"min_free_kbytes", OPTION_NUMBER, FIELD(min_free_kbytes), .max = GiB(1),
	 .default_text = "0",
	 .sentence = "what the min marks hold back; 0: computed from the size of RAM"},
	{"oom", OPTION_CHOICE, FIELD(oom), .choices = "fail|panic", .default_text = "fail",
	 .sentence = "what becomes of a request when there is nobody left to kill"},
	{"lockcheck", OPTION_CHOICE, FIELD(lockcheck), .choices = "0|1",
	 .default_note = "1 while tests run",
	 .sentence = "check the order of locks, and interrupts where they are taken"},
	{"mm.block_types", OPTION_FLAG, FIELD(block_types), .default_text = "on",
	 .sentence = "off: movable pages and those that stay share all pageblocks"},
	{"mm.debug", OPTION_CHOICE, FIELD(slab_debug), .choices = "0|1|2|3", .default_text = "0",
	 .sentence = "objects: 1 who had them, 2 red zones and poison, 3 all checks"},
	{"slab_random", OPTION_CHOICE, FIELD(slab_random), .choices = "0|1", .default_text = "0",
	 .sentence = "1: free objects come in an order that is drawn (seed=)"},
	{"mm.profile", OPTION_CHOICE, FIELD(profile), .choices = BEHAVIOURS,
	 .default_text = "after", .sentence = "behaviour of all four mechanisms"},
	{"mm.fallback", OPTION_CHOICE, FIELD(behaviour[MM_FALLBACK]), .choices = BEHAVIOURS,
	 AS_THE_PROFILE, .sentence = "slab growth when the preferred node is full"},
	{"mm.critical", OPTION_CHOICE, FIELD(behaviour[MM_CRITICAL]),
	 .choices = BEHAVIOURS "|layered", AS_THE_PROFILE,
	 .sentence = "slabs backed by a critical pool"},
	{"mm.pfmemalloc", OPTION_CHOICE, FIELD(behaviour[MM_PFMEMALLOC]), .choices = BEHAVIOURS,
	 AS_THE_PROFILE, .sentence = "who may have objects of a slab made from reserves"},
	{"mm.capture", OPTION_CHOICE, FIELD(behaviour[MM_CAPTURE]), .choices = BEHAVIOURS,
	 AS_THE_PROFILE, .sentence = "what a direct reclaimer keeps of the pages it frees"},
};

struct options options;

/* ---- Values ------------------------------------------------------------------------------ */

/* "2^64-1", "64T" or "1000": the way a person would write it. */
static void format_limit(enum option_type type, u64 value, char *buf, size_t size)
{
	static const char suffixes[] = "KMGT";
	int suffix = -1;

	if (value == UINT64_MAX) {
		snprintf(buf, size, "2^64-1");
		return;
	}
	while (type == OPTION_SIZE && value != 0 && value % 1024 == 0 && suffix < 3) {
		value /= 1024;
		suffix++;
	}
	snprintf(buf, size, "%llu%.*s", (unsigned long long)value, suffix >= 0,
		 suffixes + MAX(suffix, 0));
}

static void format_allowed(const struct option *option, char *buf, size_t size)
{
	char min[24], max[24];

	switch (option->type) {
	case OPTION_FLAG:
		snprintf(buf, size, "nothing (on), or " FLAG_WORDS);
		break;
	case OPTION_CHOICE:
		snprintf(buf, size, "%s", option->choices);
		break;
	case OPTION_NUMBER:
	case OPTION_SIZE:
		format_limit(option->type, option->min, min, sizeof(min));
		format_limit(option->type, option->max, max, sizeof(max));
		snprintf(buf, size, "%s..%s%s", min, max,
			 option->type == OPTION_SIZE ? ", suffix K, M, G or T" : "");
		break;
	case OPTION_TEXT:
		snprintf(buf, size, "text of up to %d characters", OPTION_TEXT_BYTES - 1);
		break;
	case OPTION_GLOBS:
		snprintf(buf, size, "nothing, or GLOB[,GLOB]");
		break;
	}
}

static bool store_text(char *field, const char *value)
{
	size_t len = strlen(value);

	if (len >= OPTION_TEXT_BYTES)
		return false;
	memcpy(field, value, len + 1);
	return true;
}

static bool store_number(const struct option *option, u64 *field, const char *value)
{
	u64 n;

	if (!(option->type == OPTION_SIZE ? parse_size(value, &n) : parse_u64(value, &n)))
		return false;
	if (n < option->min || n > option->max)
		return false;
	*field = n;
	return true;
}

/* `value` is NULL for a word without '='. False: not allowed, and nothing has changed. */
static bool store(const struct option *option, struct options *out, const char *value)
{
	void *field = (char *)out + option->offset;
	u32 choice;

	if (!value && option->type != OPTION_FLAG && option->type != OPTION_GLOBS)
		return false;

	switch (option->type) {
	case OPTION_FLAG:
		if (!parse_choice(value ? value : "on", FLAG_WORDS, &choice))
			return false;
		*(bool *)field = choice % 2;
		return true;
	case OPTION_GLOBS:
		if (!store_text(((struct option_globs *)field)->globs, value ? value : ""))
			return false;
		((struct option_globs *)field)->asked = true;
		return true;
	case OPTION_CHOICE:
		if (!parse_choice(value, option->choices, &choice))
			return false;
		*(int *)field = (int)choice;
		return true;
	case OPTION_TEXT:
		return store_text(field, value);
	default:
		return store_number(option, field, value);
	}
}

enum option_result option_set(struct options *out, const char *name, const char *value,
			      char *allowed, size_t size)
{
	for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		if (store(&table[i], out, value))
			return OPTION_SET;
		format_allowed(&table[i], allowed, size);
		return OPTION_NOT_ALLOWED;
	}
	return OPTION_UNKNOWN;
}

void options_defaults(struct options *out)
{
	memset(out, 0, sizeof(*out));
	for (u32 i = 0; i < NR_MM_MECHANISMS; i++)
		out->behaviour[i] = -1;
	out->lockcheck = -1;
	for (u32 i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].default_text)
			store(&table[i], out, table[i].default_text);
}

/* ---- What people read -------------------------------------------------------------------- */

const char *option_nearest(const char *key)
{
	const char *nearest = NULL;
	u32 least = UINT32_MAX;

	for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
		u32 distance = edit_distance(key, table[i].name);

		if (distance < least && is_near(key, table[i].name)) {
			least = distance;
			nearest = table[i].name;
		}
	}
	return nearest;
}

bool option_describe(u32 i, struct option_description *out)
{
	if (i >= ARRAY_SIZE(table))
		return false;
	out->name = table[i].name;
	out->default_text = table[i].default_text ? table[i].default_text : table[i].default_note;
	out->sentence = table[i].sentence;
	format_allowed(&table[i], out->allowed, sizeof(out->allowed));
	return true;
}

/* The i-th of "before|posted|after". */
static void copy_choice(const char *choices, u32 i, char *buf, size_t size)
{
	const char *end;

	for (; i > 0; i--)
		choices = strchr(choices, '|') + 1;
	end = strchr(choices, '|');
	snprintf(buf, size, "%.*s", (int)(end ? (size_t)(end - choices) : strlen(choices)),
		 choices);
}

void option_value(u32 i, const struct options *from, char *buf, size_t size)
{
	const struct option *option = &table[i];
	const void *field = (const char *)from + option->offset;
	const struct option_globs *globs = field;
	int choice;

	buf[0] = '\0';
	switch (option->type) {
	case OPTION_FLAG:
		snprintf(buf, size, "%s", *(const bool *)field ? "on" : "off");
		break;
	case OPTION_CHOICE:
		choice = *(const int *)field;
		if (choice >= 0)
			copy_choice(option->choices, (u32)choice, buf, size);
		break;
	case OPTION_NUMBER:
		/* 0 below the least allowed: not given. */
		if (*(const u64 *)field >= option->min)
			snprintf(buf, size, "%llu", (unsigned long long)*(const u64 *)field);
		break;
	case OPTION_SIZE:
		if (*(const u64 *)field != 0)
			format_limit(option->type, *(const u64 *)field, buf, size);
		break;
	case OPTION_TEXT:
		snprintf(buf, size, "%s", (const char *)field);
		break;
	case OPTION_GLOBS:
		snprintf(buf, size, "%s",
			 !globs->asked     ? ""
			 : globs->globs[0] ? globs->globs
					   : "all");
		break;
	}
}

void options_help(void (*print)(const char *fmt, ...))
{
	struct option_description option;

	for (u32 i = 0; option_describe(i, &option); i++) {
		print("%-16s %s; default: %s\n", option.name, option.allowed, option.default_text);
		print("%-16s %s\n", "", option.sentence);
	}
}
