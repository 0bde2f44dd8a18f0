/*
 * The line a person types, and the words of it. Runs on the host, too.
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/line_editor.h>
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
	EXPECT_EQ(t, type("reboot\x03help\n"), 2); /* Ctrl-C completes an empty line */
	EXPECT_STREQ(t, editor.text, "help");
	EXPECT_EQ(t, type("reboot\x15numa\n"), 1);
	EXPECT_STREQ(t, editor.text, "numa");
}

static void control_bytes_are_swallowed(struct ktest *t)
{
	start();
	EXPECT_EQ(t, type("a\x1b[Zb\x1b[1;5Pc\x1bOSd\x07\x80\xff\n"), 1);
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
	EXPECT_EQ(t, type("reboot\x1b[12;\x03help\n"), 2);
	EXPECT_STREQ(t, editor.text, "help");
	EXPECT_EQ(t, type("ab\x1b[1\b\n"), 1);
	EXPECT_STREQ(t, editor.text, "a");
	EXPECT_EQ(t, type("a\x1b[1\x1b[Zb\x1b\x1b[Zc\n"), 1); /* an Escape starts another */
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
	type_many(LINE_BYTES - 1);
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_EQ(t, strlen(editor.text), LINE_BYTES - 1);
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
	type_many(LINE_BYTES - 1 + 3);
	EXPECT_EQ(t, type("\b\b"), 0);
	EXPECT_STREQ(t, echoed, ""); /* they were not on the screen */
	EXPECT_EQ(t, editor.excess, 1);
	EXPECT_EQ(t, strlen(editor.text), LINE_BYTES - 1);
	EXPECT_EQ(t, type("\b\b"), 0);
	EXPECT(t, echoed[0] != '\0');
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_EQ(t, strlen(editor.text), LINE_BYTES - 2);

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
		bad += strlen(editor.text) != editor.len || editor.len >= LINE_BYTES;
		bad += editor.excess > 0 && editor.len != LINE_BYTES - 1;
		for (size_t at = 0; at < editor.len; at++)
			bad += editor.text[at] < ' ' || editor.text[at] == 0x7f;
	}
	EXPECT_EQ(t, bad, 0);
	EXPECT(t, lines > 100);
}

/* --- What stands on the screen --------------------------------------------------------------- */

/* One row of a terminal that knows what the editor uses: no more than any terminal does. */
#define SCREEN_COLUMNS 80
static struct {
	char row[SCREEN_COLUMNS + 1];
	u32 column, rows, wrapped, unknown;
} screen;

static void clear_row(void)
{
	memset(screen.row, ' ', SCREEN_COLUMNS);
	screen.row[SCREEN_COLUMNS] = '\0';
	screen.column = 0;
}

static void draw(const char *text)
{
	for (; *text; text++) {
		if (*text == '\r') {
			screen.column = 0;
		} else if (*text == '\n') {
			clear_row();
			screen.rows++;
		} else if (*text == '\b') {
			screen.column -= screen.column > 0;
		} else if (strncmp(text, "\x1b[H\x1b[2J", 7) == 0) {
			clear_row();
			text += 6;
		} else if (*text < ' ') {
			screen.unknown++;
		} else if (screen.column < SCREEN_COLUMNS) {
			screen.row[screen.column++] = *text;
		} else {
			screen.wrapped++;
		}
	}
}

static void start_screen(void)
{
	start();
	memset(&screen, 0, sizeof(screen));
	clear_row();
	draw(LINE_PROMPT);
}

static u32 type_on_screen(const char *text)
{
	u32 lines = 0;

	for (; *text; text++) {
		if (line_editor_feed(&editor, *text, draw)) {
			lines++;
			draw(LINE_PROMPT);
		}
	}
	return lines;
}

/* The row begins with the text, and the rest is blank. */
static void expect_row(struct ktest *t, const char *text, u32 column)
{
	size_t len = strlen(text);

	EXPECT_MSG(t, memcmp(screen.row, text, len) == 0, "row '%.80s', expected '%s'", screen.row,
		   text);
	for (size_t i = len; i < SCREEN_COLUMNS; i++)
		EXPECT_MSG(t, screen.row[i] == ' ', "row '%.80s' has a rest", screen.row);
	EXPECT_EQ(t, screen.column, column);
}

static void keys_move_and_change(struct ktest *t)
{
	start_screen();
	type_on_screen("aloc 3\x01\x06l");
	expect_row(t, "hw> alloc 3", 6);
	EXPECT_EQ(t, type_on_screen("\x05 node=1\x1b[D\x1b[D\b\b"), 0);
	expect_row(t, "hw> alloc 3 no=1", 14);
	type_on_screen("de");
	expect_row(t, "hw> alloc 3 node=1", 16);
	type_on_screen("\x1b[H\x1b[3~\x04");
	expect_row(t, "hw> loc 3 node=1", 4);
	type_on_screen("\x1b[F\x17");
	expect_row(t, "hw> loc 3 ", 10);
	type_on_screen("\x1b[1;5D\x1b[1;5D\x1b[1;5C\x0b");
	expect_row(t, "hw> loc", 7);
	type_on_screen("\x02\x15");
	expect_row(t, "hw> c", 4);
	type_on_screen("\x0c");
	expect_row(t, "hw> c", 4);
	EXPECT_EQ(t, type_on_screen("\x1b[4~x\x1b[1~y\r"), 1);
	EXPECT_STREQ(t, editor.text, "ycx");
	EXPECT_EQ(t, screen.wrapped + screen.unknown, 0);
}

static void history_is_walked(struct ktest *t)
{
	start_screen();
	EXPECT_EQ(t, type_on_screen("one\rtwo\rtwo\r\r  \x15three\r"), 5);
	EXPECT_EQ(t, editor.history.nr, 3); /* neither twice nor empty */
	type_on_screen("dra\x1b[A");
	expect_row(t, "hw> three", 9);
	type_on_screen("\x10\x10\x10"); /* there is nothing older */
	expect_row(t, "hw> one", 7);
	type_on_screen("\x1b[B");
	expect_row(t, "hw> two", 7);
	type_on_screen("\x0e\x0e\x0e"); /* back to what was being typed */
	expect_row(t, "hw> dra", 7);
	EXPECT_EQ(t, type_on_screen("\x1b[A\x1b[A!\r"), 1);
	EXPECT_STREQ(t, editor.text, "two!");
	EXPECT_STREQ(t, line_history_at(&editor.history, 1), "two!");
	EXPECT_STREQ(t, line_history_at(&editor.history, 3), "two"); /* as it was */
	for (u32 i = 0; i < 3 * LINE_HISTORY; i++)
		type_on_screen(i % 2 ? "odd\r" : "even\r");
	EXPECT_STREQ(t, line_history_at(&editor.history, LINE_HISTORY), "even");
	EXPECT(t, line_history_at(&editor.history, LINE_HISTORY + 1) == NULL);
}

static bool fruit(const char *text, size_t cursor, u32 i, char *out, size_t size, size_t *from)
{
	static const char *const names[] = {"apple", "apricot", "banana", "key="};

	*from = cursor;
	while (*from > 0 && text[*from - 1] != ' ')
		(*from)--;
	for (u32 k = 0; k < ARRAY_SIZE(names); k++) {
		if (strncmp(names[k], text + *from, cursor - *from) != 0 || i-- > 0)
			continue;
		return strlen(names[k]) < size && memcpy(out, names[k], strlen(names[k]) + 1);
	}
	return false;
}

static void tab_completes(struct ktest *t)
{
	start_screen();
	editor.candidate = fruit;
	type_on_screen("b\t");
	expect_row(t, "hw> banana ", 11);
	type_on_screen("a\t");
	expect_row(t, "hw> banana ap", 13);
	EXPECT_EQ(t, screen.rows, 0);
	type_on_screen("\t"); /* the second: listed, and the line again */
	expect_row(t, "hw> banana ap", 13);
	EXPECT_EQ(t, screen.rows, 2);
	type_on_screen("r\t");
	expect_row(t, "hw> banana apricot ", 19);
	type_on_screen("k\t");
	expect_row(t, "hw> banana apricot key=", 23);
	type_on_screen("zz\t\t");
	expect_row(t, "hw> banana apricot key=zz", 25);
	type_on_screen("\x15"
		       "ap x\x02\x02p\t"); /* in the middle: no second blank */
	expect_row(t, "hw> apple x", 9);
	EXPECT_EQ(t, screen.wrapped + screen.unknown, 0);
}

/* Candidates with nothing in common are listed, too; and Tab never makes a line too long. */
static void tab_lists_what_differs(struct ktest *t)
{
	start_screen();
	editor.candidate = fruit;
	type_on_screen("\t");
	EXPECT_EQ(t, screen.rows, 0);
	type_on_screen("\t");
	EXPECT_EQ(t, screen.rows, 2);
	expect_row(t, "hw> ", 4);
	type_on_screen("\tx\t\t"); /* nothing begins with x */
	EXPECT_EQ(t, screen.rows, 4);

	type_on_screen("\x15");
	type_many(LINE_BYTES - 1 - 4);
	type_on_screen(" b\t");
	EXPECT_EQ(t, editor.len, LINE_BYTES - 1);
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_STREQ(t, editor.text + LINE_BYTES - 1 - 4, " ban");
}

/* Too long is too long, also after a look at the history. */
static void history_keeps_the_excess(struct ktest *t)
{
	start();
	EXPECT_EQ(t, type("numa\r"), 1);
	type_many(LINE_BYTES - 1 + 3);
	type("\x1b[A");
	EXPECT_EQ(t, editor.excess, 0);
	EXPECT_STREQ(t, editor.text, "numa");
	EXPECT_EQ(t, type("\x1b[B\r"), 1);
	EXPECT_EQ(t, editor.excess, 3);
	EXPECT_EQ(t, editor.history.nr, 1);
}

/* Where a character of the text is on the screen, for marks below it. */
static void columns_are_where_the_text_is(struct ktest *t)
{
	char c[2] = "a";
	u32 column, seen = 0;

	start_screen();
	for (u32 i = 0; i < 120; i++) {
		c[0] = (char)('a' + i % 26);
		type_on_screen(c);
	}
	for (u32 back = 0; back < 120; back++) {
		for (size_t at = 0; at < editor.len; at++) {
			if (!line_editor_column(&editor, at, &column))
				continue;
			seen++;
			EXPECT_MSG(t, screen.row[column] == editor.text[at], "%zu is not at %u", at,
				   column);
		}
		EXPECT(t, !line_editor_column(&editor, editor.len, &column));
		type_on_screen("\x02");
	}
	EXPECT(t, seen > 120 * 60);
	EXPECT_EQ(t, screen.wrapped, 0);
}

static void the_terminal_tells_its_size(struct ktest *t)
{
	start_screen();
	EXPECT_EQ(t, editor.rows, 0);
	type_on_screen("nu\x1b[24;80Rma");
	EXPECT_EQ(t, editor.rows, 24);
	EXPECT_EQ(t, editor.columns, 80);
	expect_row(t, "hw> numa", 8);
	/* Answers that cannot be: ignored. */
	type_on_screen("\x1b[1;1R\x1b[R\x1b[99999999999;99999999999R\x1b[24;80;80;80;80;80R");
	EXPECT_EQ(t, editor.rows, 24);
	EXPECT_EQ(t, editor.columns, 80);
	expect_row(t, "hw> numa", 8);
}

/* Whatever is typed: the row shows the part of the text around the cursor, and nothing else. */
static void the_screen_is_always_right(struct ktest *t)
{
	static const char *const keys[] = {"a",    "b ",      "x",      "\b",        "\x01",
					   "\x05", "\x1b[D",  "\x1b[C", "\x1b[A",    "\x1b[B",
					   "\x17", "\x04",    "\x0b",   "\x1b[1;5D", "\t",
					   "\r",   "\x1b[3~", "\x0c"};
	u64 state = t->seed;
	u32 bad = 0, scrolled = 0;

	start_screen();
	editor.candidate = fruit;
	for (u32 i = 0; i < 20000 && bad == 0; i++) {
		u32 some = i % 4000 < 2000 ? 3 : ARRAY_SIZE(keys);
		size_t width = 75, shown;

		type_on_screen(keys[random_below(&state, some)]);
		if (editor.complete)
			continue;
		shown = MIN(editor.len - editor.shown_from, width);
		bad += screen.column != 4 + editor.cursor - editor.shown_from;
		bad += editor.cursor < editor.shown_from ||
		       editor.cursor > editor.shown_from + width;
		bad += memcmp(screen.row, LINE_PROMPT, 4) != 0;
		for (size_t at = 0; at < 76; at++) {
			char expected = at >= shown ? ' ' : editor.text[editor.shown_from + at];

			if (at == 0 && editor.shown_from > 0)
				expected = '<';
			if (at == shown - 1 && editor.shown_from + shown < editor.len)
				expected = '>';
			bad += at < shown || at > 0 || shown == 0 ? screen.row[4 + at] != expected
								  : 0;
		}
		scrolled += editor.shown_from > 0;
		EXPECT_MSG(t, bad == 0, "after key %u: '%s' cursor %zu from %zu, row '%.80s' %u", i,
			   editor.text, editor.cursor, editor.shown_from, screen.row,
			   screen.column);
	}
	EXPECT(t, scrolled > 100);
	EXPECT_EQ(t, screen.wrapped + screen.unknown, 0);
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
	KTEST(keys_move_and_change),
	KTEST(history_is_walked),
	KTEST(tab_completes),
	KTEST(tab_lists_what_differs),
	KTEST(history_keeps_the_excess),
	KTEST(columns_are_where_the_text_is),
	KTEST(the_terminal_tells_its_size),
	KTEST(the_screen_is_always_right),
};
KTEST_SUITE(line_editor, cases);
