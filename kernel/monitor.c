/*
 * The monitor: reads a line, cuts it into commands and words, runs them.
 *
 * The same text works at the prompt and in run=: commands with ';' between them, each a name and
 * words. What a command can do stands in the table of commands.c; here is only how one is
 * found. A line that cannot be run gets one line that says why, and nothing of it is guessed.
 *
 * Waiting for input halts the CPU until an interrupt: the serial port's, or the tick's, which
 * bounds the wait if the port's is lost.
 */
#include <arch/irq.h>
#include <base/errno.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/printk.h>
#include <x86/machine.h>
#include <x86/serial.h>

/* Of the text that is being run. */
static u32 nr_failed;

const struct monitor_command *monitor_find(const char *name)
{
	for (u32 i = 0; i < nr_monitor_commands; i++)
		if (strcmp(monitor_commands[i].name, name) == 0)
			return &monitor_commands[i];
	return NULL;
}

static const char *nearest_command(const char *name)
{
	const char *nearest = monitor_commands[0].name;
	u32 least = UINT32_MAX;

	for (u32 i = 0; i < nr_monitor_commands; i++) {
		u32 distance = edit_distance(name, monitor_commands[i].name);

		if (distance < least) {
			least = distance;
			nearest = monitor_commands[i].name;
		}
	}
	return nearest;
}

/* One command; its text is cut up. An empty one is nothing to complain about. */
static int run_command(char *text)
{
	const struct monitor_command *command;
	char *words[MONITOR_MAX_WORDS];
	int nr = split_words(text, words, ARRAY_SIZE(words));

	if (nr == 0)
		return 0;
	if (nr < 0) {
		kprintf("more than %d words: a command has at most that many\n", MONITOR_MAX_WORDS);
		return nr;
	}
	command = monitor_find(words[0]);
	if (!command) {
		kprintf("unknown command '%.32s': did you mean '%s'? `help` lists all\n", words[0],
			nearest_command(words[0]));
		return -EINVAL;
	}
	return command->run(nr, words);
}

/* A text inside a text is one that a test runs: its failures are that test's to judge. */
u32 monitor_run(const char *text)
{
	char one[MONITOR_LINE_BYTES];
	u32 outer = nr_failed, failed;

	nr_failed = 0;
	while (*text != '\0') {
		const char *end = strchr(text, ';');
		size_t len = end ? (size_t)(end - text) : strlen(text);

		if (len >= sizeof(one)) {
			kprintf("command too long: at most %d characters\n",
				MONITOR_LINE_BYTES - 1);
			nr_failed++;
		} else {
			memcpy(one, text, len);
			one[len] = '\0';
			nr_failed += run_command(one) != 0;
		}
		text += len + (end != NULL);
	}
	failed = nr_failed;
	nr_failed = outer;
	return failed;
}

bool monitor_has_failed(void)
{
	return nr_failed > 0;
}

/*
 * The next byte. Looking and going to sleep are one step with interrupts off: a byte that comes
 * between them would otherwise wait for the next tick.
 */
static char wait_for_byte(void)
{
	unsigned long flags = irq_save();
	int c;

	while ((c = serial_getc()) < 0)
		machine_idle();
	irq_restore(flags);
	return (char)c;
}

_Noreturn void monitor(void)
{
	static struct line_editor editor;

	kprintf("`help` lists the commands.\nhw> ");
	for (;;) {
		if (!line_editor_feed(&editor, wait_for_byte(), console_write))
			continue;
		if (editor.excess > 0)
			kprintf("line too long: at most %d characters\n", MONITOR_LINE_BYTES - 1);
		else
			monitor_run(editor.text);
		kprintf("hw> ");
	}
}
