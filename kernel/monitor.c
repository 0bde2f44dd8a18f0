/*
 * The monitor: reads a line, cuts it into commands and words, runs them.
 *
 * The same text works at the prompt and in run=: commands with ';' between them, each a name and
 * words. What a command can do stands in the table of commands.c; here is only how one is
 * found. A line that cannot be run gets one line that says why, and nothing of it is guessed:
 *
 *	hw> alloc 3 nod=1
 *	            ^ 'nod=1': there is node=N and gfp=NAME|NAME
 *
 * At the prompt the mark stands below the word as it was typed, as long as that is the row above and
 * the word is in the part of the line that is shown. In run= nobody typed anything, and elsewhere
 * it is out of sight: then the message holds the command, and in it the word between > and <.
 *
 * Paging and editing know the terminal's size if there is a terminal: it is asked once, by sending
 * the cursor far away and having it say where it got to. A script does not answer, and gets
 * output without stops and lines of 80 columns.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/printk.h>

#include "commands.h"

#define MESSAGE_BYTES 256
#define MARKED_BEFORE 48 /* of a command's text that is shown before a marked word, */
#define MARKED_AFTER  16 /* and after it */

/* Save the cursor, to the lower right, where is it?, back. ECMA-48 CUP and DSR; DECSC, DECRC. */
#define ASK_SIZE "\0337\033[999;999H\033[6n\0338"

struct line_editor monitor_editor = {.candidate = monitor_candidate};

/* Of the text that is being run. */
static u32 nr_failed;

/* The command that is being run: what command_bad() needs to show a word's place. */
static struct {
	const char *text; /* as it was typed */
	size_t len;
	const char *words; /* the copy that was cut into words */
	const char *line;  /* at the prompt: the whole line that text is a part of; else NULL */
	u64 bytes_before;  /* sent to the console when the line began */
} running;

const struct monitor_command *monitor_find(const char *name)
{
	for (u32 i = 0; i < nr_monitor_commands; i++)
		if (strcmp(monitor_commands[i].name, name) == 0)
			return &monitor_commands[i];
	return NULL;
}

/* --- What is wrong ------------------------------------------------------------------------- */

/* The name that a mistyped one most likely means; NULL if none is near. */
static const char *nearest_command(const char *name)
{
	const char *nearest = NULL;
	u32 least = UINT32_MAX;

	for (u32 i = 0; i < nr_monitor_commands; i++) {
		u32 distance = edit_distance(name, monitor_commands[i].name);

		if (distance < least && is_near(name, monitor_commands[i].name)) {
			least = distance;
			nearest = monitor_commands[i].name;
		}
	}
	return nearest;
}

/* The text is out of sight: what is around the word in one line, the word between marks. */
static void mark_in_text(size_t offset, size_t word_len, const char *message)
{
	char before[4 * MARKED_BEFORE + 1], word[MESSAGE_BYTES], after[4 * MARKED_AFTER + 1];
	const char *at = running.text + offset;
	size_t nr_before = MIN(offset, (size_t)MARKED_BEFORE);
	size_t nr_after = running.len - offset - word_len;

	printk_escape(before, sizeof(before), at - nr_before, nr_before);
	printk_escape(word, sizeof(word), at, word_len);
	printk_escape(after, sizeof(after), at + word_len, MIN(nr_after, (size_t)MARKED_AFTER));
	kprintf("in '%s%s>%s<%s%s': %s\n", nr_before < offset ? "..." : "", before, word, after,
		nr_after > MARKED_AFTER ? "..." : "", message);
}

/* Is the word on the screen, in the row above? Then *column is where. */
static bool is_in_sight(size_t offset, u32 *column)
{
	return running.line && printk_stats().bytes == running.bytes_before &&
	       line_editor_column(&monitor_editor, (size_t)(running.text - running.line) + offset,
				  column);
}

/* A mark below the word, the message beside it, or below if that is too wide. */
static void mark_on_screen(u32 column, const char *message)
{
	u32 columns = line_editor_columns(&monitor_editor);

	if (column + 2 + strlen(message) < columns)
		kprintf("%*s^ %s\n", (int)column, "", message);
	else
		kprintf("%*s^\n%s\n", (int)column, "", message);
}

int command_bad(const char *word, const char *fmt, ...)
{
	size_t offset = (size_t)(word - running.words);
	char message[MESSAGE_BYTES], shown[MESSAGE_BYTES];
	va_list args;
	u32 column;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	printk_escape(shown, sizeof(shown), message, strlen(message));
	if (is_in_sight(offset, &column))
		mark_on_screen(column, shown);
	else
		mark_in_text(offset, strlen(word), shown);
	return -EINVAL;
}

int command_usage(int argc, char **argv, int bad)
{
	const struct monitor_command *command = monitor_find(argv[0]);
	const char *blank = command->arguments[0] ? " " : "";

	if (bad < argc)
		return command_bad(argv[bad], "'%.32s' is too much: usage: %s%s%s", argv[bad],
				   command->name, blank, command->arguments);
	kprintf("usage: %s%s%s\n", command->name, blank, command->arguments);
	return -EINVAL;
}

static int unknown_command(const char *name)
{
	const char *nearest = nearest_command(name);

	if (nearest)
		return command_bad(name, "unknown command '%.32s': did you mean '%s'?", name,
				   nearest);
	return command_bad(name, "unknown command '%.32s': `help` lists all", name);
}

/* --- Running ------------------------------------------------------------------------------- */

/* The first word that split_words() had no room for: behind the last and the blanks it cut away. */
static const char *word_after(const char *last)
{
	const char *word = last + strlen(last);

	while (*word == '\0')
		word++;
	return word;
}

/* One command; its text is cut up. An empty one is nothing to complain about. */
static int run_command(char *text)
{
	const struct monitor_command *command;
	char *words[MONITOR_MAX_WORDS];
	int nr = split_words(text, words, ARRAY_SIZE(words));

	if (nr == 0)
		return 0;
	if (nr < 0)
		return command_bad(word_after(words[MONITOR_MAX_WORDS - 1]),
				   "a command has at most %d words", MONITOR_MAX_WORDS);
	command = monitor_find(words[0]);
	return command ? command->run(nr, words) : unknown_command(words[0]);
}

/* The next command of a text, and what is behind it. */
static size_t command_length(const char *text)
{
	size_t len = 0;

	while (text[len] != '\0' && text[len] != ';' && text[len] != '\n')
		len++;
	return len;
}

/* `line`: the text as it stands at the prompt, NULL: elsewhere. */
static void run_text(const char *text, const char *line)
{
	char one[MONITOR_LINE_BYTES];

	for (const char *at = text; *at != '\0';) {
		size_t len;

		if (monitor_interrupted()) {
			nr_failed++;
			return;
		}
		while (*at == ' ')
			at++;
		len = command_length(at);
		if (len >= sizeof(one)) {
			kprintf("command too long: at most %d characters\n",
				MONITOR_LINE_BYTES - 1);
			nr_failed++;
		} else {
			memcpy(one, at, len);
			one[len] = '\0';
			running.text = at;
			running.len = len;
			running.words = one;
			running.line = line;
			nr_failed += run_command(one) != 0;
		}
		at += len + (at[len] != '\0');
	}
}

/* A text inside a text is one that a test runs: its failures are that test's to judge. */
u32 monitor_run(const char *text)
{
	u32 outer = nr_failed, failed;

	nr_failed = 0;
	run_text(text, NULL);
	failed = nr_failed;
	nr_failed = outer;
	return failed;
}

bool monitor_has_failed(void)
{
	return nr_failed > 0;
}

u32 monitor_run_at_boot(const char *text)
{
	u32 failed;

	monitor_input_begin();
	pager_start(0, LINE_COLUMNS);
	failed = monitor_run(text);
	pager_stop();
	if (monitor_ctrl_c_typed())
		kprintf("^C\n");
	return failed;
}

/* --- The prompt ---------------------------------------------------------------------------- */

static void run_line(const char *text)
{
	nr_failed = 0;
	monitor_input_begin();
	pager_start(monitor_editor.rows, line_editor_columns(&monitor_editor));
	running.bytes_before = printk_stats().bytes;
	run_text(text, text);
	pager_stop();
	if (monitor_ctrl_c_typed())
		kprintf("^C\n");
}

_Noreturn void monitor(void)
{
	kprintf("`help` lists the commands.\n" ASK_SIZE LINE_PROMPT);
	for (;;) {
		if (!line_editor_feed(&monitor_editor, monitor_next_byte(), console_write))
			continue;
		if (monitor_editor.excess > 0)
			kprintf("line too long: at most %d characters\n", MONITOR_LINE_BYTES - 1);
		else
			run_line(monitor_editor.text);
		kprintf(LINE_PROMPT);
	}
}
