/*
 * Text for a terminal: built in a buffer, with colours and a right margin, and written in one
 * piece.
 *
 * Two things make a report on a terminal ugly: lines that are longer than the terminal is wide, and
 * colours that stay switched on. Here neither can happen. A line knows the column that a reader
 * sees (escape sequences have no width) and drops what is past the margin, and ending a line ends
 * its colour. Without colours there is not one escape sequence in the text: it may go into a file.
 *
 * A full buffer drops what comes, and never half of an escape sequence: each piece is appended as a
 * whole or not at all, and room for ending colour and line is kept aside.
 *
 * Source: ECMA-48, "Control Functions for Coded Character Sets": SGR.
 */
#include <kernel/screen.h>

#include <base/format.h>
#include <base/string.h>

#define ESCAPE_END "\x1b[0m"
/* Kept free for the end of a line: the end of a colour, and the newline. */
#define RESERVE (sizeof(ESCAPE_END))

static void append(struct screen *screen, const char *text, size_t reserve)
{
	size_t len = strlen(text);

	if (screen->len + len + reserve >= screen->size)
		return;
	memcpy(screen->text + screen->len, text, len + 1);
	screen->len += len;
}

void screen_start(struct screen *screen, char *text, size_t size, bool colour)
{
	*screen = (struct screen){
		.text = text, .size = size, .colour = colour, .colour_on = COLOUR_NONE};
	text[0] = '\0';
}

void screen_control(struct screen *screen, const char *sequence)
{
	if (screen->colour)
		append(screen, sequence, RESERVE);
}

void screen_colour(struct screen *screen, const char *colour)
{
	char sequence[24];

	if (!screen->colour || strcmp(colour, screen->colour_on) == 0)
		return;
	if (screen->colour_on[0] != '\0')
		append(screen, ESCAPE_END, 1);
	screen->colour_on = COLOUR_NONE;
	if (colour[0] == '\0')
		return;
	snprintf(sequence, sizeof(sequence), "\x1b[%sm", colour);
	append(screen, sequence, RESERVE);
	screen->colour_on = colour;
}

void screen_char(struct screen *screen, char c)
{
	char text[2] = {c, '\0'};

	if (screen->column >= SCREEN_COLUMNS)
		return;
	append(screen, text, RESERVE);
	screen->column++;
}

void screen_printf(struct screen *screen, const char *fmt, ...)
{
	char text[SCREEN_COLUMNS + 1];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (const char *at = text; *at != '\0'; at++)
		screen_char(screen, *at);
}

void screen_pad(struct screen *screen, u32 column)
{
	while (screen->column < column && screen->column < SCREEN_COLUMNS)
		screen_char(screen, ' ');
}

void screen_end_line(struct screen *screen)
{
	screen_colour(screen, COLOUR_NONE);
	append(screen, "\n", 0);
	screen->column = 0;
}

const char *size_text(char buf[SIZE_TEXT_BYTES], u64 bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	u32 unit = 0;
	u64 tenths;

	while (unit + 1 < ARRAY_SIZE(units) && bytes >> (10 * (unit + 1)) != 0)
		unit++;
	/* Of the part below the unit its ten highest bits are enough for one digit. */
	tenths = unit ? (bytes >> (10 * (unit - 1)) & 1023) * 10 / 1024 : 0;
	if (tenths)
		snprintf(buf, SIZE_TEXT_BYTES, "%llu.%llu %s",
			 (unsigned long long)(bytes >> (10 * unit)), (unsigned long long)tenths,
			 units[unit]);
	else
		snprintf(buf, SIZE_TEXT_BYTES, "%llu %s",
			 (unsigned long long)(bytes >> (10 * unit)), units[unit]);
	return buf;
}
