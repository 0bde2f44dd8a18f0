/*
 * The line that a person is typing, byte by byte. Pure: bytes in, echo out.
 *
 *	Left Right Ctrl-B Ctrl-F  a character      Backspace     before the cursor
 *	Ctrl-Left Ctrl-Right      a word           Delete Ctrl-D under it
 *	Home End Ctrl-A Ctrl-E    to either end    Ctrl-W        the word before it
 *	Up Down Ctrl-P Ctrl-N     older, newer     Ctrl-U Ctrl-K all before, all after it
 *	Tab                       complete         Ctrl-C        drops the line
 *	Ctrl-L                    clear the screen Return        CR, LF or CR LF
 *
 * Other control characters and sequences are swallowed, so that they cannot end up in a command. A
 * control character inside a sequence ends it and is obeyed: Return and Ctrl-C must work after an
 * Escape that was typed alone, or came broken over the line.
 *
 * Drawing uses nothing but backspaces and blanks, so that it is right on every
 * terminal and legible in a log. What is typed at the end of the line is echoed as it comes; any
 * other change draws the visible part anew. A line that is longer than the terminal is wide shows
 * a part of itself around the cursor, with '<' and '>' where it goes on.
 *
 * Characters past the end of the buffer are counted and not echoed. Backspace takes them back one
 * by one as it does those that are shown, and until they are gone nothing but that, dropping the
 * line and the history has an effect. Whoever asked refuses a line that is finished with some left:
 * half a command is not what was meant.
 *
 * The terminal may tell its size: the monitor asks it to report where the cursor ends up when
 * it is sent far to the lower right (ECMA-48, CPR), and the answer comes in here as a sequence.
 */
#include <base/string.h>
#include <kernel/line_editor.h>

#include "line_internal.h"

#define CTRL(letter) ((letter)&0x1f)
#define ESC          0x1b
#define DELETE       0x7f

/* A terminal that says it is smaller or larger has not understood the question. */
#define MIN_COLUMNS   20
#define MIN_ROWS      4
#define MAX_DIMENSION 1000

enum escape_state { ESCAPE_NONE, ESCAPE_STARTED, ESCAPE_IN_SEQUENCE };

/* --- The screen ---------------------------------------------------------------------------- */

u32 line_editor_columns(const struct line_editor *editor)
{
	return editor->columns ? editor->columns : LINE_COLUMNS;
}

bool line_editor_column(const struct line_editor *editor, size_t at, u32 *column)
{
	bool before = editor->shown_from > 0;
	bool after = editor->shown_from + editor->shown_len < editor->len;

	if (at < editor->shown_from + before ||
	    at + after >= editor->shown_from + editor->shown_len)
		return false;
	*column = (u32)(sizeof(LINE_PROMPT) - 1 + at - editor->shown_from);
	return true;
}

static size_t window_width(const struct line_editor *editor)
{
	/* The last column stays free: writing there wraps on some terminals. */
	return line_editor_columns(editor) - (sizeof(LINE_PROMPT) - 1) - 1;
}

/* Where the window starts so that the cursor is in it; moved by half its width, if at all. */
static size_t window_from(const struct line_editor *editor)
{
	size_t width = window_width(editor), from = editor->shown_from;

	if (editor->len <= width)
		return 0;
	if (editor->cursor < from + (from > 0) || editor->cursor >= from + width)
		return editor->cursor > width / 2 ? editor->cursor - width / 2 : 0;
	return from;
}

void line_repeat(const char *text, size_t times, void (*echo)(const char *text))
{
	while (times-- > 0)
		echo(text);
}

/* Draws the window anew over what was there. Not the prompt: a script may be waiting for that. */
static void redraw(struct line_editor *editor, void (*echo)(const char *text))
{
	char visible[LINE_BYTES];
	size_t from = window_from(editor);
	size_t len = MIN(editor->len - from, window_width(editor));
	size_t drawn = MAX(len, editor->shown_len);

	memcpy(visible, editor->text + from, len);
	visible[len] = '\0';
	if (from > 0)
		visible[0] = '<';
	if (from + len < editor->len)
		visible[len - 1] = '>';
	line_repeat("\b", editor->shown_cursor, echo);
	echo(visible);
	line_repeat(" ", drawn - len, echo);
	editor->shown_from = from;
	editor->shown_len = len;
	editor->shown_cursor = editor->cursor - from;
	line_repeat("\b", drawn - editor->shown_cursor, echo);
}

void line_draw_afresh(struct line_editor *editor, void (*echo)(const char *text))
{
	editor->shown_len = editor->shown_cursor = 0;
	echo(LINE_PROMPT);
	redraw(editor, echo);
}

/* --- Changing the text --------------------------------------------------------------------- */

static void start_line(struct line_editor *editor)
{
	editor->len = editor->cursor = 0;
	editor->text[0] = '\0';
	editor->excess = 0;
	editor->complete = false;
	editor->shown_from = editor->shown_len = editor->shown_cursor = 0;
	editor->back = 0;
}

/* Takes out [from, to), which holds or touches the cursor. */
static void cut(struct line_editor *editor, size_t from, size_t to, void (*echo)(const char *text))
{
	bool last_shown = to == editor->len && to - from == 1 && editor->cursor == to &&
			  editor->shown_from == 0 && editor->shown_len == editor->len;

	if (from == to)
		return;
	memmove(editor->text + from, editor->text + to, editor->len - to + 1);
	editor->len -= to - from;
	editor->cursor = from;
	if (last_shown) {
		editor->shown_len--;
		editor->shown_cursor--;
		echo("\b \b");
	} else {
		redraw(editor, echo);
	}
}

/* The last typed goes first: one of the excess is not on the screen. */
static void erase(struct line_editor *editor, void (*echo)(const char *text))
{
	if (editor->excess > 0)
		editor->excess--;
	else if (editor->cursor > 0)
		cut(editor, editor->cursor - 1, editor->cursor, echo);
}

void line_insert(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	const char text[2] = {c, '\0'};

	if (editor->len == LINE_BYTES - 1) {
		editor->excess++;
		return;
	}
	memmove(editor->text + editor->cursor + 1, editor->text + editor->cursor,
		editor->len - editor->cursor + 1);
	editor->text[editor->cursor++] = c;
	editor->len++;
	if (editor->cursor == editor->len && editor->shown_from == window_from(editor) &&
	    editor->len - editor->shown_from <= window_width(editor)) {
		editor->shown_len++;
		editor->shown_cursor++;
		echo(text);
	} else {
		redraw(editor, echo);
	}
}

static void replace(struct line_editor *editor, const char *text, size_t excess,
		    void (*echo)(const char *text))
{
	editor->len = editor->cursor = strlen(text);
	memcpy(editor->text, text, editor->len + 1);
	editor->excess = excess;
	redraw(editor, echo);
}

/* --- Moving -------------------------------------------------------------------------------- */

static size_t word_start(const struct line_editor *editor)
{
	size_t at = editor->cursor;

	while (at > 0 && editor->text[at - 1] == ' ')
		at--;
	while (at > 0 && editor->text[at - 1] != ' ')
		at--;
	return at;
}

static size_t word_end(const struct line_editor *editor)
{
	size_t at = editor->cursor;

	while (at < editor->len && editor->text[at] == ' ')
		at++;
	while (at < editor->len && editor->text[at] != ' ')
		at++;
	return at;
}

static void move_to(struct line_editor *editor, size_t at, void (*echo)(const char *text))
{
	if (at == editor->cursor)
		return;
	editor->cursor = at;
	redraw(editor, echo);
}

/* --- History ------------------------------------------------------------------------------- */

const char *line_history_at(const struct line_history *history, u32 back)
{
	if (back == 0 || back > history->nr || back > LINE_HISTORY)
		return NULL;
	return history->line[(history->nr - back) % LINE_HISTORY];
}

static void remember(struct line_history *history, const char *text)
{
	const char *last = line_history_at(history, 1);

	if (text[0] == '\0' || (last && strcmp(last, text) == 0))
		return;
	memcpy(history->line[history->nr++ % LINE_HISTORY], text, strlen(text) + 1);
}

/* Up and down; below the newest line stands again what was being typed. */
static void recall(struct line_editor *editor, u32 back, void (*echo)(const char *text))
{
	const char *line = back == 0 ? editor->typed : line_history_at(&editor->history, back);

	if (!line || back == editor->back)
		return;
	if (editor->back == 0) {
		memcpy(editor->typed, editor->text, editor->len + 1);
		editor->typed_excess = editor->excess;
	}
	editor->back = back;
	replace(editor, line, back == 0 ? editor->typed_excess : 0, echo);
}

/* --- Keys ---------------------------------------------------------------------------------- */

/* The numbers of a sequence, "24;80": the first two, 0 where there is none. */
static void read_params(const struct line_editor *editor, u32 number[2])
{
	u32 at = 0;

	number[0] = number[1] = 0;
	for (u8 i = 0; i < editor->nr_params; i++) {
		char c = editor->params[i];

		if (c == ';')
			at++;
		else if (at < 2 && c >= '0' && c <= '9')
			number[at] = MIN(number[at] * 10 + (u32)(c - '0'), (u32)MAX_DIMENSION);
	}
}

static void terminal_size(struct line_editor *editor, u32 rows, u32 columns)
{
	if (rows < MIN_ROWS || rows >= MAX_DIMENSION || columns < MIN_COLUMNS ||
	    columns >= MAX_DIMENSION)
		return;
	editor->rows = rows;
	editor->columns = MIN(columns, (u32)LINE_BYTES);
}

/* CSI n ~: the keys that have numbers. */
static void numbered_key(struct line_editor *editor, u32 number, void (*echo)(const char *text))
{
	if (number == 1 || number == 7)
		move_to(editor, 0, echo);
	else if (number == 4 || number == 8)
		move_to(editor, editor->len, echo);
	else if (number == 3 && editor->cursor < editor->len)
		cut(editor, editor->cursor, editor->cursor + 1, echo);
}

/* A sequence is complete with its last byte. */
static void obey_sequence(struct line_editor *editor, char last, void (*echo)(const char *text))
{
	u32 number[2];
	bool by_word;

	read_params(editor, number);
	by_word = number[1] == 5;
	if (editor->excess > 0 && last != 'A' && last != 'B' && last != 'R')
		return;
	switch (last) {
	case 'A':
		recall(editor, editor->back + 1, echo);
		break;
	case 'B':
		recall(editor, editor->back ? editor->back - 1 : 0, echo);
		break;
	case 'C':
		move_to(editor, by_word ? word_end(editor) : MIN(editor->cursor + 1, editor->len),
			echo);
		break;
	case 'D':
		move_to(editor,
			by_word ? word_start(editor) : editor->cursor - (editor->cursor > 0), echo);
		break;
	case 'H':
		move_to(editor, 0, echo);
		break;
	case 'F':
		move_to(editor, editor->len, echo);
		break;
	case 'R':
		terminal_size(editor, number[0], number[1]);
		break;
	case '~':
		numbered_key(editor, number[0], echo);
		break;
	default:
		break;
	}
}

/* Is the byte part of an escape sequence? ESC [ parameters, up to a byte of 0x40 or above. */
static bool swallow_escape(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	if ((unsigned char)c < ' ') {
		editor->escape = c == ESC ? ESCAPE_STARTED : ESCAPE_NONE;
		return c == ESC;
	}
	switch (editor->escape) {
	case ESCAPE_STARTED:
		editor->escape = c == '[' || c == 'O' ? ESCAPE_IN_SEQUENCE : ESCAPE_NONE;
		editor->nr_params = 0;
		return true;
	case ESCAPE_IN_SEQUENCE:
		if ((unsigned char)c >= 0x40) {
			editor->escape = ESCAPE_NONE;
			obey_sequence(editor, c, echo);
		} else if (editor->nr_params < LINE_ESCAPE_PARAMS) {
			editor->params[editor->nr_params++] = c;
		}
		return true;
	default:
		return false;
	}
}

/* The keys that change or move; all others are characters, or nothing. */
static void obey_key(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	if (editor->excess > 0 && (c == CTRL('D') || c == CTRL('K') || c == CTRL('W')))
		return;
	switch (c) {
	case '\b':
	case DELETE:
		erase(editor, echo);
		break;
	case CTRL('A'):
		move_to(editor, 0, echo);
		break;
	case CTRL('B'):
		move_to(editor, editor->cursor - (editor->cursor > 0), echo);
		break;
	case CTRL('D'):
		if (editor->cursor < editor->len)
			cut(editor, editor->cursor, editor->cursor + 1, echo);
		break;
	case CTRL('E'):
		move_to(editor, editor->len, echo);
		break;
	case CTRL('F'):
		move_to(editor, MIN(editor->cursor + 1, editor->len), echo);
		break;
	case CTRL('K'):
		cut(editor, editor->cursor, editor->len, echo);
		break;
	case CTRL('L'):
		echo("\x1b[H\x1b[2J");
		line_draw_afresh(editor, echo);
		break;
	case CTRL('N'):
		recall(editor, editor->back ? editor->back - 1 : 0, echo);
		break;
	case CTRL('P'):
		recall(editor, editor->back + 1, echo);
		break;
	case CTRL('U'):
		editor->excess = 0;
		cut(editor, 0, editor->cursor, echo);
		break;
	case CTRL('W'):
		cut(editor, word_start(editor), editor->cursor, echo);
		break;
	default:
		if (c >= ' ' && c < DELETE)
			line_insert(editor, c, echo);
		break;
	}
}

bool line_editor_feed(struct line_editor *editor, char c, void (*echo)(const char *text))
{
	bool after_cr = editor->after_cr;

	if (editor->complete)
		start_line(editor);
	editor->after_cr = c == '\r';
	if ((c == '\n' && after_cr) || swallow_escape(editor, c, echo))
		return false;

	switch (c) {
	case '\r':
	case '\n':
		echo("\n");
		if (editor->excess == 0)
			remember(&editor->history, editor->text);
		editor->complete = true;
		return true;
	case CTRL('C'):
		echo("^C\n");
		start_line(editor);
		editor->complete = true;
		return true;
	case '\t':
		if (editor->candidate)
			line_complete_word(editor, echo);
		else
			line_insert(editor, ' ', echo);
		return false;
	default:
		obey_key(editor, c, echo);
		editor->after_tab = false;
		return false;
	}
}
