/*
 * The command line, and the values on it. Runs on the host, too. What is refused here shows up
 * in the log as well.
 */
#include <base/string.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/test.h>

/* Too large for a stack together with what the parser needs; each case starts with defaults. */
static struct options parsed;

static u32 parse(const char *cmdline)
{
	options_defaults(&parsed);
	return options_parse(&parsed, cmdline);
}

static void defaults(struct ktest *t)
{
	EXPECT_EQ(t, parse(""), 0);
	EXPECT_EQ(t, parsed.test.asked, false);
	EXPECT_EQ(t, parsed.numa, true);
	EXPECT_EQ(t, parsed.seed, 1);
	EXPECT_EQ(t, parsed.loglevel, 6);
	EXPECT_EQ(t, parsed.mem_bytes, 0);
	EXPECT_EQ(t, parsed.profile, MM_AFTER);
	for (int i = 0; i < NR_MM_MECHANISMS; i++)
		EXPECT_EQ(t, parsed.behaviour[i], -1);
	EXPECT_STREQ(t, parsed.run, "");
}

static void words_and_values(struct ktest *t)
{
	EXPECT_EQ(t, parse("  test=buddy,numa*  seed=0x10\tmem=512M monitor numa=off "), 0);
	EXPECT(t, parsed.test.asked && parsed.monitor && !parsed.numa);
	EXPECT_STREQ(t, parsed.test.globs, "buddy,numa*");
	EXPECT_EQ(t, parsed.seed, 16);
	EXPECT_EQ(t, parsed.mem_bytes, MiB(512));

	EXPECT_EQ(t, parse("mm.profile=before mm.critical=layered mm.capture=posted"), 0);
	EXPECT_EQ(t, parsed.profile, MM_BEFORE);
	EXPECT_EQ(t, parsed.behaviour[MM_CRITICAL], MM_LAYERED);
	EXPECT_EQ(t, parsed.behaviour[MM_CAPTURE], MM_POSTED);
	EXPECT_EQ(t, parsed.behaviour[MM_FALLBACK], -1);
}

/* Two options of the same kind keep apart what they were given. */
static void tests_and_benchmark(struct ktest *t)
{
	EXPECT_EQ(t, parse("bench=page_*,null_hot"), 0);
	EXPECT(t, parsed.bench.asked && !parsed.test.asked);
	EXPECT_STREQ(t, parsed.bench.globs, "page_*,null_hot");
	EXPECT_STREQ(t, parsed.test.globs, "");
	EXPECT_EQ(t, parse("bench test=a"), 0);
	EXPECT(t, parsed.bench.asked && parsed.test.asked);
	EXPECT_STREQ(t, parsed.bench.globs, "");
	EXPECT_STREQ(t, parsed.test.globs, "a");
}

static void quotes(struct ktest *t)
{
	EXPECT_EQ(t, parse("run=\"numa; check\" seed=2"), 0);
	EXPECT_STREQ(t, parsed.run, "numa; check");
	EXPECT_EQ(t, parsed.seed, 2);
	/* The way GRUB hands on a word with a blank. */
	EXPECT_EQ(t, parse("\"run=numa; check\" seed=3"), 0);
	EXPECT_STREQ(t, parsed.run, "numa; check");
	EXPECT_EQ(t, parsed.seed, 3);
	EXPECT_EQ(t, parse("run=a\\\"b\\\\c"), 0);
	EXPECT_STREQ(t, parsed.run, "a\"b\\c");
	/* An open quote may have swallowed what follows it: all of it is left out. */
	EXPECT_EQ(t, parse("seed=4 run=\"numa seed=5"), 1);
	EXPECT_STREQ(t, parsed.run, "");
	EXPECT_EQ(t, parsed.seed, 4);
}

static void later_wins(struct ktest *t)
{
	EXPECT_EQ(t, parse("seed=1 seed=2 test=a test"), 0);
	EXPECT_EQ(t, parsed.seed, 2);
	EXPECT_STREQ(t, parsed.test.globs, "");
	/* A second line is read over the first. */
	EXPECT_EQ(t, options_parse(&parsed, "seed=9"), 0);
	EXPECT_EQ(t, parsed.seed, 9);
	EXPECT_EQ(t, parsed.test.asked, true);
}

static void bad_values_change_nothing(struct ktest *t)
{
	static const char *const bad[] = {
		"loglevel=8",
		"loglevel=-1",
		"loglevel=",
		"loglevel",
		"loglevel=5x",
		"numa=maybe",
		"numa=o",
		"numa=",
		"numa=2",
		"numa=true",
		"numa=off|on",
		"monitor=ON",
		"seed=18446744073709551616",
		"mem=1K",
		"mem=17179869184T",
		"mem=5Q",
		"mem=1MB",
		"mm.profile=layered",
		"mm.critical=best",
		"mm.critical=",
		"min_free_kbytes=0x",
	};

	options_defaults(&parsed);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		static struct options before;

		before = parsed;
		EXPECT_MSG(t, options_parse(&parsed, bad[i]) == 1, "'%s' was accepted", bad[i]);
		EXPECT_MSG(t, memcmp(&before, &parsed, sizeof(before)) == 0,
			   "'%s' changed something", bad[i]);
	}
}

/* One grammar for all flags: alone it is on. */
static void flags_take_three_pairs_of_words(struct ktest *t)
{
	static const char *const on[] = {"numa monitor", "numa=on monitor=on", "numa=1 monitor=1",
					 "numa=yes monitor=yes"};
	static const char *const off[] = {"numa=off monitor=off", "numa=0 monitor=0",
					  "numa=no monitor=no", "monitor numa=off monitor=0"};

	for (u32 i = 0; i < ARRAY_SIZE(on); i++) {
		EXPECT_EQ(t, parse("numa=off"), 0);
		EXPECT_MSG(t, options_parse(&parsed, on[i]) == 0, "'%s' was refused", on[i]);
		EXPECT_MSG(t, parsed.numa && parsed.monitor, "'%s' is not on", on[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(off); i++) {
		EXPECT_EQ(t, parse("monitor"), 0);
		EXPECT_MSG(t, options_parse(&parsed, off[i]) == 0, "'%s' was refused", off[i]);
		EXPECT_MSG(t, !parsed.numa && !parsed.monitor, "'%s' is not off", off[i]);
	}
	/* `test` is no flag: this asks for a suite of that name, and there is none. */
	EXPECT_EQ(t, parse("test=0"), 0);
	EXPECT(t, parsed.test.asked);
	EXPECT_STREQ(t, parsed.test.globs, "0");
}

/* Who asked for tests or commands shall not wait for ever because the word was not understood. */
static void refused_requests_are_kept(struct ktest *t)
{
	static const struct {
		const char *line, *reason; /* NULL: none */
	} lines[] = {
		{"run=numa seed=x bogus", NULL},
		{"seed=\"4 loglevel=3", NULL},
		{"rerun=\"a contest=\"b runs testy", NULL},
		{"run=\"numa; check", "run=numa; check: quote without an end"},
		{"\"run=numa", "run=numa: quote without an end"},
		{"run", "run without a value"},
		{"\\ run=numa", " run: quoted into a word that is unknown"},
		{"\"x run=numa\"", "x run: quoted into a word that is unknown"},
		{"run=\"a test run=b\"", NULL},
		{"test=\"a", "test=a: quote without an end"},
		{"seed=\"4 bench", "seed=4 bench: quote without an end"},
		{"seed=\"4 workbench benches", NULL},
		{"seed=\"4 test", "seed=4 test: quote without an end"},
		{"seed=\"4 run=numa", "seed=4 run=numa: quote without an end"},
		{"seed=\"4 \\\"run=numa", "seed=4 \"run=numa: quote without an end"},
	};
	static char line[2 * OPTION_TEXT_BYTES];

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		parse(lines[i].line);
		EXPECT_STREQ(t, parsed.refused_request, lines[i].reason ? lines[i].reason : "");
	}
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "run=", 4);
	parse(line);
	EXPECT_STREQ(t, parsed.refused_request,
		     "run=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: word too long");
	line[4 + OPTION_TEXT_BYTES] = '\0';
	parse(line);
	EXPECT_STREQ(t, parsed.refused_request, "run=: a text that is too long");
	/* A word behind one that is too long is a word of its own. */
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line + 1500, " run=numa", 10);
	EXPECT_EQ(t, parse(line), 1);
	EXPECT_STREQ(t, parsed.refused_request, "");
	EXPECT_STREQ(t, parsed.run, "numa");
}

static const char *refused_of_cut(const char *text, size_t length)
{
	static char line[96];
	size_t len = strlen(text);

	memcpy(line, text, len + 1);
	options_defaults(&parsed);
	options_parse_line(&parsed, "its", line, len + 1, length);
	return parsed.refused_request;
}

/* What a cut line has lost may have been a request, unless it is plain what the line wanted. */
static void cut_lines_may_have_lost_a_request(struct ktest *t)
{
	static const char lost[] = "its command line was cut, and what is missing may ask for more";

	EXPECT_STREQ(t, refused_of_cut("seed=2 loglevel=3", 2000), lost);
	EXPECT_STREQ(t, refused_of_cut("seed=2 run=num", 2000), lost);
	EXPECT_STREQ(t, refused_of_cut("test seed=2 run=num", 2000), lost);
	EXPECT_STREQ(t, refused_of_cut("run=numa seed=2", 2000), "");
	EXPECT_STREQ(t, refused_of_cut("test seed=2", 2000), "");
	EXPECT_STREQ(t, refused_of_cut("monitor seed=2", 2000), "");
	EXPECT_STREQ(t, refused_of_cut("seed=2 loglevel=3", 17), ""); /* it fits */
}

static void limits_are_inclusive(struct ktest *t)
{
	EXPECT_EQ(t, parse("loglevel=0 mem=4M seed=18446744073709551615"), 0);
	EXPECT_EQ(t, parsed.loglevel, 0);
	EXPECT_EQ(t, parsed.mem_bytes, MiB(4));
	EXPECT_EQ(t, parsed.seed, UINT64_MAX);
	EXPECT_EQ(t, parse("loglevel=7 mem=64T"), 0);
	EXPECT_EQ(t, parsed.loglevel, 7);
	EXPECT_EQ(t, parsed.mem_bytes, TiB(64));
}

static void too_long_words(struct ktest *t)
{
	static char line[OPTION_TEXT_BYTES + 256];

	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "run=", 4);
	EXPECT_EQ(t, parse(line), 1);
	EXPECT_STREQ(t, parsed.run, "");
	/* The longest that fits is taken whole. */
	line[4 + OPTION_TEXT_BYTES - 1] = '\0';
	EXPECT_EQ(t, parse(line), 0);
	EXPECT_EQ(t, strlen(parsed.run), OPTION_TEXT_BYTES - 1);
	line[4 + OPTION_TEXT_BYTES - 1] = 'x';
	line[4 + OPTION_TEXT_BYTES] = '\0';
	EXPECT_EQ(t, parse(line), 1);
}

/* Of a line that did not fit, its last word may be half of one; it starts before its quotes. */
static void cut_lines_lose_their_last_word(struct ktest *t)
{
	static const struct {
		const char *text;
		u64 seed;
		const char *run;
	} lines[] = {
		{"seed=2 run=numa seed=34", 2, "numa"},
		{"seed=2 run=numa seed=34 ", 34, "numa"}, /* the blank ends it */
		{"seed=2 run=\"numa; seed=3", 2, ""},
		{"seed=2 \"run=a b\" \"seed=5", 2, "a b"},
		{"seed=2 run=a\\\" seed=5", 2, "a\""},
		{"seed=34", 1, ""},
		{"  ", 1, ""},
	};
	static char text[64];

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		size_t length = strlen(lines[i].text);

		memcpy(text, lines[i].text, length + 1);
		options_defaults(&parsed);
		EXPECT_EQ(t, options_parse_line(&parsed, "a test's", text, length + 1, length + 1),
			  1);
		EXPECT_EQ(t, parsed.seed, lines[i].seed);
		EXPECT_STREQ(t, parsed.run, lines[i].run);
	}
	memcpy(text, "seed=34", 8);
	options_defaults(&parsed);
	EXPECT_EQ(t, options_parse_line(&parsed, "a test's", text, 8, 7), 0); /* it fits */
	EXPECT_EQ(t, parsed.seed, 34);
}

/* Zeros behind it are padding; text there was meant. */
static void text_behind_a_nul_is_refused(struct ktest *t)
{
	static char text[] = "seed=7\0seed=8", padded[] = "seed=7\0\0\0";
	static char run[] = "seed=7\0seed=8 run=numa";

	options_defaults(&parsed);
	EXPECT_EQ(t, options_parse_line(&parsed, "a test's", text, sizeof(text), sizeof(text) - 1),
		  1);
	EXPECT_EQ(t, parsed.seed, 7);
	EXPECT_STREQ(t, parsed.refused_request, "");
	options_defaults(&parsed);
	EXPECT_EQ(t, options_parse_line(&parsed, "a test's", run, sizeof(run), sizeof(run) - 1), 1);
	EXPECT_STREQ(t, parsed.refused_request,
		     "a test's command line was cut, and what is missing may ask for more");
	options_defaults(&parsed);
	EXPECT_EQ(
		t,
		options_parse_line(&parsed, "a test's", padded, sizeof(padded), sizeof(padded) - 1),
		0);
	EXPECT_EQ(t, parsed.seed, 7);
}

static void names_the_nearest(struct ktest *t)
{
	EXPECT_EQ(t, parse("seeed=1 =5 \"\""), 3);
	EXPECT_STREQ(t, option_nearest("seeed"), "seed");
	EXPECT_STREQ(t, option_nearest("nmua"), "numa");
	EXPECT_STREQ(t, option_nearest("mm.fallbak"), "mm.fallback");
	EXPECT_STREQ(t, option_nearest("min_free_kbyte"), "min_free_kbytes");
	/* What comes nearest need not be near. */
	EXPECT(t, option_nearest("mm.zonelist") == NULL);
	EXPECT(t, option_nearest("quiet") == NULL);
	EXPECT(t, option_nearest("") == NULL);
	EXPECT(t, option_nearest("x") == NULL);
	EXPECT(t, is_near("rum", "run") && !is_near("bed", "mem") && !is_near("ab", "cd"));
	EXPECT_EQ(t, edit_distance("kitten", "sitting"), 3);
	EXPECT_EQ(t, edit_distance("", "abc"), 3);
	EXPECT_EQ(t, edit_distance("abc", "abc"), 0);
}

static void describes_itself(struct ktest *t)
{
	struct option_description option;
	char value[64];
	u32 nr = 0;

	parse("mem=1536M mm.capture=before seed=0xffffffffffffffff");
	for (; option_describe(nr, &option); nr++) {
		EXPECT(t, option.sentence[0] && option.allowed[0] && option.default_text[0]);
		option_value(nr, &parsed, value, sizeof(value));
		if (strcmp(option.name, "mem") == 0)
			EXPECT_STREQ(t, value, "1536M");
		if (strcmp(option.name, "seed") == 0)
			EXPECT_STREQ(t, value, "18446744073709551615");
		if (strcmp(option.name, "numa") == 0)
			EXPECT_STREQ(t, value, "on");
		if (strcmp(option.name, "monitor") == 0)
			EXPECT_STREQ(t, value, "off");
		if (strcmp(option.name, "mm.capture") == 0)
			EXPECT_STREQ(t, value, "before");
		if (strcmp(option.name, "mm.fallback") == 0)
			EXPECT_STREQ(t, value, "");
		if (strcmp(option.name, "lockcheck") == 0)
			EXPECT_STREQ(t, value, "");
	}
	EXPECT_EQ(t, nr, 21);
}

static void numbers(struct ktest *t)
{
	u64 n = 7;

	EXPECT(t, parse_u64("0", &n) && n == 0);
	EXPECT(t, parse_u64("0xFFffFFffFFffFFff", &n) && n == UINT64_MAX);
	n = 7;
	EXPECT(t, !parse_u64("", &n) && !parse_u64("1 ", &n) && !parse_u64(" 1", &n));
	EXPECT(t, !parse_u64("+1", &n) && !parse_u64("0x10000000000000000", &n));
	EXPECT(t, !parse_size("K", &n) && !parse_size("1KK", &n) && !parse_size("1 ", &n));
	EXPECT_EQ(t, n, 7);
	EXPECT(t, parse_size("3g", &n) && n == GiB(3));
	EXPECT(t, parse_size("0x10k", &n) && n == KiB(16));
}

static const struct ktest_case cases[] = {
	KTEST(defaults),
	KTEST(words_and_values),
	KTEST(tests_and_benchmark),
	KTEST(quotes),
	KTEST(later_wins),
	KTEST(bad_values_change_nothing),
	KTEST(flags_take_three_pairs_of_words),
	KTEST(refused_requests_are_kept),
	KTEST(cut_lines_may_have_lost_a_request),
	KTEST(limits_are_inclusive),
	KTEST(cut_lines_lose_their_last_word),
	KTEST(text_behind_a_nul_is_refused),
	KTEST(too_long_words),
	KTEST(names_the_nearest),
	KTEST(describes_itself),
	KTEST(numbers),
};
KTEST_SUITE(options, cases);
