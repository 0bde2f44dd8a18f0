/*
 * The monitor: the line a person types, words, and that bad input is refused and changes nothing.
 * The commands print; what counts here are the counters behind them.
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/test.h>
#include <mm/inspect.h>
#include <mm/numa.h>

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

static void long_lines_are_marked(struct ktest *t)
{
	start();
	for (u32 i = 0; i < MONITOR_LINE_BYTES - 1; i++)
		line_editor_feed(&editor, 'x', echo);
	EXPECT(t, !editor.too_long);
	EXPECT_EQ(t, strlen(editor.text), MONITOR_LINE_BYTES - 1);
	EXPECT_EQ(t, type("y\n"), 1);
	EXPECT(t, editor.too_long);
	EXPECT_EQ(t, type("z\n"), 1); /* the next line is another one */
	EXPECT(t, !editor.too_long);
	EXPECT_STREQ(t, editor.text, "z");
}

static void words(struct ktest *t)
{
	char line[] = "  alloc \t 3  node=1";
	char many[] = "a b c d";
	char blank[] = " \t ";
	char *word[4];

	EXPECT_EQ(t, monitor_split(line, word, 4), 3);
	EXPECT_STREQ(t, word[0], "alloc");
	EXPECT_STREQ(t, word[1], "3");
	EXPECT_STREQ(t, word[2], "node=1");
	EXPECT_EQ(t, monitor_split(many, word, 3), -E2BIG);
	EXPECT_EQ(t, monitor_split(blank, word, 4), 0);
}

static u64 free_pages(void)
{
	struct node_snapshot node;
	u64 free = 0;
	int nid;

	for_each_node(nid)
		if (node_snapshot(nid, &node))
			free += node.free_pages;
	return free;
}

static void alloc_and_free_by_hand(struct ktest *t)
{
	u64 before = free_pages();

	EXPECT_EQ(t, monitor_run("alloc"), 0);
	EXPECT_EQ(t, free_pages(), before - 1);
	EXPECT_EQ(t, monitor_run("alloc 3; alloc 0 gfp=GFP_KERNEL|__GFP_ZERO"), 0);
	EXPECT_EQ(t, free_pages(), before - 10);
	EXPECT_EQ(t, monitor_run("free all"), 0);
	EXPECT_EQ(t, free_pages(), before);
	EXPECT_EQ(t, monitor_run("free all; ;; "), 0);
}

static void bad_input_is_refused(struct ktest *t)
{
	static const char *const bad[] = {
		"nmua",          "numa 1",        "alloc 11",
		"alloc -1",      "alloc x",       "alloc 0x",
		"alloc node=64", "alloc node=-1", "alloc node=",
		"alloc gfp=",    "alloc gfp=X",   "free",
		"free 0",        "free 256",      "free -1",
		"free a b",      "check all",     "help nothing",
		"help a b",      "crash nothing", "test a b",
		"buddyinfo all", "options x",     "policy x",
		"poweroff now",  "reboot now",    "a b c d e f g h i j k l m n o p q",
	};
	u64 before = free_pages();

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_MSG(t, monitor_run(bad[i]) == 1, "'%s' was accepted", bad[i]);
	EXPECT_EQ(t, free_pages(), before);
	/* Each command of a line is on its own. */
	EXPECT_EQ(t, monitor_run("nmua; free 0; check"), 2);
}

static void every_command_has_help(struct ktest *t)
{
	for (u32 i = 0; i < nr_monitor_commands; i++) {
		const struct monitor_command *command = &monitor_commands[i];

		EXPECT(t, command->sentence[0] != '\0' && command->arguments != NULL);
		EXPECT(t, monitor_find(command->name) == command);
	}
	EXPECT_EQ(t, monitor_run("help; help alloc; help options; crash; check list"), 0);
}

static void reports_run(struct ktest *t)
{
	EXPECT_EQ(t, monitor_run("numa; meminfo; buddyinfo; zoneinfo; memblock; policy; options"),
		  0);
}

static const struct ktest_case cases[] = {
	KTEST(lines_end_in_every_way),
	KTEST(editing),
	KTEST(control_bytes_are_swallowed),
	KTEST(long_lines_are_marked),
	KTEST(words),
	KTEST(alloc_and_free_by_hand),
	KTEST(bad_input_is_refused),
	KTEST(every_command_has_help),
	KTEST(reports_run),
};
KTEST_SUITE(monitor, cases);
