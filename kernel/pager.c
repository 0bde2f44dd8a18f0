/*
 * What a command prints, on its way to the console: a page at a time if somebody sits at a
 * terminal, and no further once it is interrupted.
 *
 * A page is the terminal's rows less one, in which `-- more --` stands: Space shows another page,
 * Return another line, q or Ctrl-C ends the command. Rows are counted as the terminal wraps
 * them; bytes that move the cursor (the escape sequences of a map's colours) take no column.
 *
 * Scripts drive the same console. For them the monitor leaves paging off: it is on only when a
 * terminal has told its size, or by the command `rows`.
 */
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/printk.h>

#define ESC         0x1b
#define MORE        "-- more --"
#define MORE_BLANK  "\r          \r"
#define KEY_WAIT_MS 60000

static u32 page_rows, page_columns; /* of the terminal; rows 0: no pages */
static u32 rows_left;               /* to print before asking */
static u32 column;
static bool in_sequence;

/* Asks at the end of a page. False: enough. */
static bool go_on(void)
{
	bool answered = false;

	console_write(MORE);
	while (!answered && !monitor_interrupted()) {
		switch (monitor_wait_key(KEY_WAIT_MS)) {
		case ' ':
			rows_left = page_rows - 1;
			answered = true;
			break;
		case '\r':
		case '\n':
			rows_left = 1;
			answered = true;
			break;
		case 'q':
		case 'Q':
			monitor_interrupt();
			break;
		default:
			break;
		}
	}
	console_write(MORE_BLANK);
	return answered;
}

/*
 * Does a row of the screen end here? Behind a newline; or *before a character that does not fit into
 * the row any more, and is the first of the next.
 */
static bool ends_row(char c, bool *before)
{
	*before = false;
	if (in_sequence) {
		in_sequence = c == '[' || (unsigned char)c < 0x40;
		return false;
	}
	switch (c) {
	case ESC:
		in_sequence = true;
		return false;
	case '\r':
		column = 0;
		return false;
	case '\n':
		column = 0;
		return true;
	default:
		*before = ++column > page_columns;
		if (*before)
			column = 1;
		return *before;
	}
}

static void page(const char *text, size_t len)
{
	size_t start = 0, end;
	bool before;

	for (size_t at = 0; at < len; at++) {
		if (monitor_interrupted())
			return;
		if (!page_rows || !ends_row(text[at], &before))
			continue;
		if (rows_left > 0 && --rows_left > 0)
			continue;
		end = before ? at : at + 1;
		console_write_bytes(text + start, end - start);
		start = end;
		if (!go_on())
			return;
	}
	console_write_bytes(text + start, len - start);
}

static const struct printk_sink pager = {page};

void pager_start(u32 rows, u32 columns)
{
	page_rows = rows;
	page_columns = columns;
	rows_left = rows ? rows - 1 : 0;
	column = 0;
	in_sequence = false;
	printk_divert(&pager);
}

void pager_stop(void)
{
	printk_divert(NULL);
}
