/*
 * The line that a person is typing, byte by byte. Pure: bytes in, echo out.
 *
 * Backspace and Delete take back a character, Ctrl-U and Ctrl-C the line. Return, in any of
 * the forms that terminals send (CR, LF, CR LF), completes it. Escape sequences (arrow keys) and
 * other control characters are swallowed, so that they cannot end up in a command.
 *
 * Characters past the end of the buffer are counted out and not echoed; the finished line is
 * then marked too_long, and whoever asked refuses it as a whole: half a command is not what was
 * meant.
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
	editor->too_long = false;
	editor->complete = false;
}

/* Is the byte part of an escape sequence? ESC [ parameters, up to a byte of 0x40 or above. */
static bool swallow_escape(struct line_editor *editor, char c)
{
	switch (editor->escape) {
	case ESCAPE_STARTED:
		editor->escape = c == '[' || c == 'O' ? ESCAPE_IN_SEQUENCE : ESCAPE_NONE;
		return true;
	case ESCAPE_IN_SEQUENCE:
		if ((unsigned char)c >= 0x40)
			editor->escape = ESCAPE_NONE;
		return true;
	default:
		if (c == ESC)
			editor->escape = ESCAPE_STARTED;
		return c == ESC;
	}
}

static void erase(struct line_editor *editor, size_t count, void (*echo)(const char *text))
{
	for (; count > 0; count--)
		echo("\b \b");
	editor->too_long = false;
}

static void insert(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	const char text[2] = {c, '\0'};

	if (editor->len == sizeof(editor->text) - 1) {
		editor->too_long = true;
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
		if (editor->len > 0) {
			erase(editor, 1, echo);
			editor->text[--editor->len] = '\0';
		}
		return false;
	case CTRL_C:
	case CTRL_U:
		erase(editor, editor->len, echo);
		start_line(editor);
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
