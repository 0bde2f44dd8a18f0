/*
 * The line that a person is typing, byte by byte. Pure: bytes in, echo out.
 *
 * Backspace and Delete take back a character, Ctrl-U and Ctrl-C the line. Return, in any of
 * the forms that terminals send (CR, LF, CR LF), completes it. Escape sequences (arrow keys) and
 * other control characters are swallowed, so that they cannot end up in a command. A control
 * character inside a sequence ends it and is obeyed: Return and Ctrl-C must work after an Escape
 * that was typed alone, or came broken over the line.
 *
 * Characters past the end of the buffer are counted and not echoed. Backspace takes them back one
 * by one as it does those that are shown. Whoever asked refuses a line that is finished with some
 * left: half a command is not what was meant.
 */
#include <base/string.h>
#include <kernel/monitor.h>

#define CTRL_C    0x03
#define BACKSPACE 0x08
#define CTRL_U    0x15
#define ESC       0x1b
#define DELETE    0x7f

enum escape_state { ESCAPE_NONE, ESCAPE_STARTED, ESCAPE_IN_SEQUENCE };

static void start_line(struct line_editor *editor)
{
	editor->len = 0;
	editor->text[0] = '\0';
	editor->excess = 0;
	editor->complete = false;
}

/* Is the byte part of an escape sequence? ESC [ parameters, up to a byte of 0x40 or above. */
static bool swallow_escape(struct line_editor *editor, char c)
{
	if ((unsigned char)c < ' ') {
		editor->escape = c == ESC ? ESCAPE_STARTED : ESCAPE_NONE;
		return c == ESC;
	}
	switch (editor->escape) {
	case ESCAPE_STARTED:
		editor->escape = c == '[' || c == 'O' ? ESCAPE_IN_SEQUENCE : ESCAPE_NONE;
		return true;
	case ESCAPE_IN_SEQUENCE:
		if ((unsigned char)c >= 0x40)
			editor->escape = ESCAPE_NONE;
		return true;
	default:
		return false;
	}
}

/* Takes back the last character. One of the excess is not on the screen. */
static void erase(struct line_editor *editor, void (*echo)(const char *text))
{
	if (editor->excess > 0) {
		editor->excess--;
		return;
	}
	if (editor->len == 0)
		return;
	editor->text[--editor->len] = '\0';
	echo("\b \b");
}

static void insert(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	const char text[2] = {c, '\0'};

	if (editor->len == sizeof(editor->text) - 1) {
		editor->excess++;
		return;
	}
	editor->text[editor->len++] = c;
	editor->text[editor->len] = '\0';
	echo(text);
}

bool line_editor_feed(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	bool after_cr = editor->after_cr;

	if (editor->complete)
		start_line(editor);
	editor->after_cr = c == '\r';
	if ((c == '\n' && after_cr) || swallow_escape(editor, c))
		return false;

	switch (c) {
	case '\r':
	case '\n':
		echo("\n");
		editor->complete = true;
		return true;
	case BACKSPACE:
	case DELETE:
		erase(editor, echo);
		return false;
	case CTRL_C:
	case CTRL_U:
		while (editor->excess > 0 || editor->len > 0)
			erase(editor, echo);
		return false;
	case '\t':
		insert(editor, ' ', echo);
		return false;
	default:
		if (c >= ' ' && c < DELETE)
			insert(editor, c, echo);
		return false;
	}
}
