/*
 * The line a person types, and the words of it. Runs on the host, too.
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <kernel/test.h>

static char echoed[512];
static struct line_editor editor;

static void echo(const char *text)
{
	size_t used = strlen(echoed), len = strlen(text);

	if (used + len < sizeof(echoed))
		memcpy(echoed + used, text, len + 1);
}

/* Types the text; returns how many lines it completed. */
static u32 type(const char *text)
{
	u32 lines = 0;

	echoed[0] = '\0';
	for (; *text; text++)
		lines += line_editor_feed(&editor, *text, echo);
	return lines;
}

static void start(void)
{
	memset(&editor, 0, sizeof(editor));
}

static void lines_end_in_every_way(struct ktest *t)
{
	start();
	EXPECT_EQ(t, type("numa\r"), 1);
	EXPECT_STREQ(t, editor.text, "numa");
	EXPECT_STREQ(t, echoed, "numa\n");
	EXPECT_EQ(t, type("\n"), 0); /* the second half of CR LF */
	EXPECT_EQ(t, type("a\nb\r\nc"), 2);
	EXPECT_STREQ(t, editor.text, "c");
	EXPECT_EQ(t, type("\r\r"), 2); /* the second is an empty line */
	EXPECT_STREQ(t, editor.text, "");
}

static void editing(struct ktest *t)
{
	start();
	EXPECT_EQ(t, type("nuna\b\x7fma\n"), 1);
	EXPECT_STREQ(t, editor.text, "numa");
	EXPECT_EQ(t, type("x\b\b\b\n"), 1); /* no further than the start */
	EXPECT_STREQ(t, editor.text, "");
	EXPECT_STREQ(t, echoed, "x\b \b\n");
	EXPECT_EQ(t, type("reboot\x03help\n"), 1);
	EXPECT_STREQ(t, editor.text, "help");
	EXPECT_EQ(t, type("reboot\x15numa\n"), 1);
	EXPECT_STREQ(t, editor.text, "numa");
}

static void control_bytes_are_swallowed(struct ktest *t)
{
	start();
	EXPECT_EQ(t, type("a\x1b[Ab\x1b[1;5Cc\x1bOHd\x01\x80\xff\n"), 1);
	EXPECT_STREQ(t, editor.text, "abcd");
	EXPECT_EQ(t, type("a\tb\n"), 1);
	EXPECT_STREQ(t, editor.text, "a b");
}

/* Escape by itself, or a sequence that lost its end: the keys after it still do what they do. */
static void control_bytes_end_a_sequence(struct ktest *t)
{
	start();
	EXPECT_EQ(t, type("numa\x1b\r"), 1);
	EXPECT_STREQ(t, editor.text, "numa");
	EXPECT_EQ(t, type("numa\x1b[\r"), 1);
	EXPECT_STREQ(t, editor.text, "numa");
	EXPECT_EQ(t, type("reboot\x1b[12;\x03help\n"), 1);
	EXPECT_STREQ(t, editor.text, "help");
	EXPECT_EQ(t, type("ab\x1b[1\b\n"), 1);
	EXPECT_STREQ(t, editor.text, "a");
	EXPECT_EQ(t, type("a\x1b[1\x1b[Ab\x1b\x1b[Bc\n"), 1); /* an Escape starts another */
	EXPECT_STREQ(t, editor.text, "abc");
}

/* `nr` characters, not echoed: they would fill the buffer of what was. */
static void type_many(u32 nr)
{
	for (; nr > 0; nr--)
		line_editor_feed(&editor, 'x', echo);
}

static void long_lines_are_marked(struct ktest *t)
{
	start();
	type_many(MONITOR_LINE_BYTES - 1);
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_EQ(t, strlen(editor.text), MONITOR_LINE_BYTES - 1);
	EXPECT_EQ(t, type("y\n"), 1);
	EXPECT_EQ(t, editor.excess, 1);
	EXPECT_EQ(t, type("z\n"), 1); /* the next line is another one */
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_STREQ(t, editor.text, "z");
}

/* Backspace takes back the last character typed, and that is one of the excess first. */
static void excess_is_taken_back_one_by_one(struct ktest *t)
{
	start();
	type_many(MONITOR_LINE_BYTES - 1 + 3);
	EXPECT_EQ(t, type("\b\b"), 0);
	EXPECT_STREQ(t, echoed, ""); /* they were not on the screen */
	EXPECT_EQ(t, editor.excess, 1);
	EXPECT_EQ(t, strlen(editor.text), MONITOR_LINE_BYTES - 1);
	EXPECT_EQ(t, type("\b\b"), 0);
	EXPECT_STREQ(t, echoed, "\b \b");
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_EQ(t, strlen(editor.text), MONITOR_LINE_BYTES - 2);

	type_many(10);
	EXPECT_EQ(t, type("\x15numa\n"), 1);
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_STREQ(t, editor.text, "numa");
}

static void words(struct ktest *t)
{
	char line[] = "  alloc \t 3  node=1";
	char many[] = "a b c d";
	char blank[] = " \t ";
	char *word[4];

	EXPECT_EQ(t, split_words(line, word, 4), 3);
	EXPECT_STREQ(t, word[0], "alloc");
	EXPECT_STREQ(t, word[1], "3");
	EXPECT_STREQ(t, word[2], "node=1");
	EXPECT_EQ(t, split_words(many, word, 3), -E2BIG);
	EXPECT_EQ(t, split_words(blank, word, 4), 0);
}

static u32 random_below(u64 *state, u32 limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (u32)(*state >> 33) % limit;
}

/* Any bytes: the text stays inside its buffer, ended, and free of what is not a character. */
static void survives_any_bytes(struct ktest *t)
{
	static const char keys[] = "a b\t\b\x7f\x03\x15\x1b[O1;A\r\n";
	u64 state = t->seed, lines = 0;
	u32 bad = 0;

	start();
	for (u32 i = 0; i < 100000; i++) {
		char c = random_below(&state, 4)
				 ? keys[random_below(&state,
						     i % 20000 < 10000 ? 4 : sizeof(keys) - 1)]
				 : (char)random_below(&state, 256);

		echoed[0] = '\0';
		lines += line_editor_feed(&editor, c, echo);
		bad += strlen(editor.text) != editor.len || editor.len >= MONITOR_LINE_BYTES;
		bad += editor.excess > 0 && editor.len != MONITOR_LINE_BYTES - 1;
		for (size_t at = 0; at < editor.len; at++)
			bad += editor.text[at] < ' ' || editor.text[at] == 0x7f;
	}
	EXPECT_EQ(t, bad, 0);
	EXPECT(t, lines > 100);
}

static const struct ktest_case cases[] = {
	KTEST(lines_end_in_every_way),
	KTEST(editing),
	KTEST(control_bytes_are_swallowed),
	KTEST(control_bytes_end_a_sequence),
	KTEST(long_lines_are_marked),
	KTEST(excess_is_taken_back_one_by_one),
	KTEST(words),
	KTEST(survives_any_bytes),
};
KTEST_SUITE(line_editor, cases);
