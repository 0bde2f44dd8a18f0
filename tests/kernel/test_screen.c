/*
 * Lines for a terminal: the margin, the colours, the end of the buffer. Runs on the host, too.
 */
#include <base/string.h>
#include <kernel/screen.h>
#include <kernel/test.h>

static char text[256];
static struct screen screen;

static void start(size_t size, bool colour)
{
	screen_start(&screen, text, size, colour);
}

static void the_margin_holds(struct ktest *t)
{
	start(sizeof(text), false);
	for (u32 i = 0; i < 30; i++)
		screen_printf(&screen, "%04u ", i);
	EXPECT_EQ(t, strlen(text), SCREEN_COLUMNS);
	EXPECT_EQ(t, screen.column, SCREEN_COLUMNS);
	screen_end_line(&screen);
	screen_pad(&screen, 5);
	screen_printf(&screen, "x");
	EXPECT_EQ(t, strlen(text), SCREEN_COLUMNS + 1 + 6);
	EXPECT_EQ(t, screen.column, 6);
}

/* Switched on once, off at the end of the line, and no width in between. */
static void colours_end(struct ktest *t)
{
	start(sizeof(text), true);
	screen_colour(&screen, COLOUR_GREEN);
	screen_char(&screen, 'a');
	screen_colour(&screen, COLOUR_GREEN);
	screen_char(&screen, 'b');
	screen_colour(&screen, COLOUR_RED);
	screen_char(&screen, 'c');
	EXPECT_EQ(t, screen.column, 3);
	screen_end_line(&screen);
	EXPECT_STREQ(t, text, "\x1b[32mab\x1b[0m\x1b[31mc\x1b[0m\n");
	screen_char(&screen, 'd');
	screen_end_line(&screen);
	EXPECT_STREQ(t, text, "\x1b[32mab\x1b[0m\x1b[31mc\x1b[0m\nd\n");
}

static void without_colours_no_escape(struct ktest *t)
{
	start(sizeof(text), false);
	screen_colour(&screen, COLOUR_GREEN);
	screen_control(&screen, "\x1b[K");
	screen_char(&screen, 'a');
	screen_end_line(&screen);
	EXPECT_STREQ(t, text, "a\n");
}

/* At any size: a whole string, no half of a sequence, no colour that stays on. */
static void a_full_buffer_stays_whole(struct ktest *t)
{
	for (size_t size = 16; size < 80; size++) {
		const char *off;

		memset(text, 'Z', sizeof(text));
		start(size, true);
		for (u32 i = 0; i < 10; i++) {
			screen_colour(&screen, i % 2 ? COLOUR_RED : COLOUR_GREEN);
			screen_printf(&screen, "abc");
		}
		screen_end_line(&screen);
		EXPECT_EQ(t, strlen(text), screen.len);
		EXPECT(t, screen.len < size && text[size] == 'Z');
		EXPECT(t, text[screen.len - 1] == '\n');
		off = text + screen.len - strlen("\x1b[0m\n");
		EXPECT_STREQ(t, off, "\x1b[0m\n");
	}
}

static void sizes(struct ktest *t)
{
	char buf[SIZE_TEXT_BYTES];

	EXPECT_STREQ(t, size_text(buf, 0), "0 B");
	EXPECT_STREQ(t, size_text(buf, 1023), "1023 B");
	EXPECT_STREQ(t, size_text(buf, KiB(4)), "4 KiB");
	EXPECT_STREQ(t, size_text(buf, MiB(1) - 1), "1023.9 KiB");
	EXPECT_STREQ(t, size_text(buf, MiB(1)), "1 MiB");
	EXPECT_STREQ(t, size_text(buf, GiB(1) + MiB(512)), "1.5 GiB");
	EXPECT_STREQ(t, size_text(buf, TiB(64)), "64 TiB");
	EXPECT_STREQ(t, size_text(buf, ~0ull), "15.9 EiB");
}

static const struct ktest_case cases[] = {
	KTEST(the_margin_holds),          KTEST(colours_end), KTEST(without_colours_no_escape),
	KTEST(a_full_buffer_stays_whole), KTEST(sizes),
};
KTEST_SUITE(screen, cases);
