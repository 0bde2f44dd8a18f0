/*
 * The line a person is typing: bytes in, echo out. Pure; kernel/line_editor.c has the keys.
 */
#ifndef KERNEL_LINE_EDITOR_H
#define KERNEL_LINE_EDITOR_H

#include <base/types.h>

#define LINE_BYTES         256
#define LINE_HISTORY       32
#define LINE_PROMPT        "hw> "
#define LINE_COLUMNS       80 /* until a terminal says otherwise */
#define LINE_ESCAPE_PARAMS 12

/* The lines typed before, oldest overwritten first; no line twice in a row, no empty one. */
struct line_history {
	char line[LINE_HISTORY][LINE_BYTES];
	u32 nr; /* added since boot */
};

struct line_editor {
	char text[LINE_BYTES];
	size_t len, cursor;
	bool complete; /* text is a line that was returned already */
	size_t excess; /* characters typed past the end: they are nowhere */

	/* What came before this byte. */
	bool after_cr; /* a '\n' now belongs to the '\r' before it */
	u8 escape;     /* inside an escape sequence */
	char params[LINE_ESCAPE_PARAMS];
	u8 nr_params;
	bool after_tab; /* a second Tab lists */

	/* What is on the screen: of text, from shown_from on, so many characters; the cursor there. */
	size_t shown_from, shown_len, shown_cursor;

	/* The terminal's size as it has said; rows is 0 as long as it has not. */
	u32 columns, rows;

	struct line_history history;
	u32 back; /* how many lines back in it we are; 0: the line being typed */
	char typed[LINE_BYTES];
	size_t typed_excess;

	/*
	 * The i-th text that could stand in place of text[*from .. cursor); false after the last.
	 * NULL: Tab is a blank.
	 */
	bool (*candidate)(const char *text, size_t cursor, u32 i, char *out, size_t size,
			  size_t *from);
};

/*
 * Takes one byte; echoes through `echo`. True when a line is complete: then text is it, and the
 * next byte starts another. A line with an excess is to be refused: what is missing may be what
 * matters. Ctrl-C completes an empty line.
 */
bool line_editor_feed(struct line_editor *editor, char c, void (*echo)(const char *text));

/* How wide the screen is. */
u32 line_editor_columns(const struct line_editor *editor);
/* The column of text[at] on the screen; false if it is in no part that is shown. */
bool line_editor_column(const struct line_editor *editor, size_t at, u32 *column);

/* The line that was typed `back` lines ago, from 1; NULL: there is none. */
const char *line_history_at(const struct line_history *history, u32 back);

#endif
