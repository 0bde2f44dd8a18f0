/*
 * The monitor: commands at the serial console, and those that run= gives.
 */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include <base/types.h>

/* argv[0] is the command's name. Returns 0, or -EINVAL after one line that says what is wrong. */
struct monitor_command {
	const char *name;
	const char *arguments; /* as `help` shows them; "" for none */
	const char *sentence;
	int (*run)(int argc, char **argv);
};

/* kernel/commands.c */
extern const struct monitor_command monitor_commands[];
extern const u32 nr_monitor_commands;
const struct monitor_command *monitor_find(const char *name);

#define MONITOR_LINE_BYTES 256
#define MONITOR_MAX_WORDS  16

/* Runs the commands of a text, ';' between them. Returns how many failed. */
u32 monitor_run(const char *text);
/* Has a command of the text that is being run failed? For one that ends the machine. */
bool monitor_has_failed(void);

/*
 * The line a person is typing. Feed it the bytes that come in; it echoes through `echo`.
 * Returns true when a line is complete: then text is it, and the next byte starts another. One with
 * an excess is to be refused: what is missing may be what matters.
 */
struct line_editor {
	char text[MONITOR_LINE_BYTES];
	size_t len;
	bool complete; /* text is a line that was returned already */
	size_t excess; /* characters typed past the end: they are nowhere */
	bool after_cr; /* a '\n' now belongs to the '\r' before it */
	u8 escape;     /* inside an escape sequence: 1 after ESC, 2 after ESC [ */
};
bool line_editor_feed(struct line_editor *editor, char c, void (*echo)(const char *text));

/* Prompts for commands until one of them ends the machine. */
_Noreturn void monitor(void);

#endif
