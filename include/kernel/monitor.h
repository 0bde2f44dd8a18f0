/*
 * The monitor: commands at the serial console, and those that run= gives.
 */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include <base/types.h>
#include <kernel/line_editor.h>

/* argv[0] is the command's name. Returns 0, or -EINVAL after one line that says what is wrong. */
struct monitor_command {
	const char *name;
	const char *arguments; /* as `help` shows them; "" for none */
	const char *sentence;
	int (*run)(int argc, char **argv);
	/*
	 * What could stand at word `word` (1 is the first argument): the i-th text, NULL after the
	 * last; key=value words once for each value. Valid until the next call. NULL: nothing can.
	 */
	const char *(*complete)(u32 word, u32 i);
	const char *group; /* heads the part of `help` that starts with this row; else NULL */
};

/* kernel/commands.c */
extern const struct monitor_command monitor_commands[];
extern const u32 nr_monitor_commands;
const struct monitor_command *monitor_find(const char *name);

#define MONITOR_LINE_BYTES LINE_BYTES
#define MONITOR_MAX_WORDS  16

/*
 * Runs the commands of a text, ';' or newlines between them, as run= and tests do. Returns how many
 * failed. After Ctrl-C the rest of the text is left out, and counts as one that failed.
 */
u32 monitor_run(const char *text);
/* The same for run=: Ctrl-C ends it. */
u32 monitor_run_at_boot(const char *text);
/* Has a command of the text that is being run failed? For one that ends the machine. */
bool monitor_has_failed(void);

/* The id that the next `alloc` gets; -ENOSPC if all are in use. */
int lowest_free_handle(void);

/* --- For commands that take long: kernel/console_input.c ------------------------------------ */

/*
 * Was Ctrl-C typed since the command began (or `q` at a page's end)? To be asked now and then by
 * whatever loops; what it prints from then on is dropped.
 */
bool monitor_interrupted(void);
/* The next byte typed, or -1 when the time is over. Ctrl-C also interrupts. May sleep. */
int monitor_wait_key(u32 timeout_ms);

/* Who waits for input sleeps until it comes. Once, when there are threads. */
void monitor_input_init(void);

/* --- Between the monitor's files ------------------------------------------------------------- */

/* kernel/console_input.c: a new command begins; the prompt's next byte, for which it waits. */
void monitor_input_begin(void);
char monitor_next_byte(void);
void monitor_interrupt(void);
bool monitor_ctrl_c_typed(void); /* since then */

/* kernel/pager.c: output of commands in pages of `rows`, 0: never stop. */
void pager_start(u32 rows, u32 columns);
void pager_stop(void);

/* kernel/completion.c: for struct line_editor. */
bool monitor_candidate(const char *text, size_t cursor, u32 i, char *out, size_t size,
		       size_t *from);

/* The editor of the prompt: history and the terminal's size. */
extern struct line_editor monitor_editor;

/* Prompts for commands until one of them ends the machine. */
_Noreturn void monitor(void);

#endif
