/*
 * Text for a terminal of 80 columns: lines with colours that end at the right margin, whatever is
 * written into them. See kernel/screen.c.
 */
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

#include <base/types.h>

/* The last column stays empty: a terminal may break the line after it. */
#define SCREEN_COLUMNS 79
#define SCREEN_LINES   24

/* The buffer is the caller's. text is always a whole string; what does not fit is left out. */
struct screen {
	char *text;
	size_t size, len;
	u32 column;            /* characters on the current line that a reader sees */
	bool colour;           /* false: no escape sequence is ever written */
	const char *colour_on; /* the one in force, "" for none */
};

/* Colours: what stands between "ESC [" and "m". */
#define COLOUR_NONE    ""
#define COLOUR_DIM     "2"
#define COLOUR_RED     "31"
#define COLOUR_GREEN   "32"
#define COLOUR_YELLOW  "33"
#define COLOUR_BLUE    "34"
#define COLOUR_MAGENTA "35"
#define COLOUR_CYAN    "36"
#define COLOUR_WHITE   "37"
#define COLOUR_BOLD    "1"

void screen_start(struct screen *screen, char *text, size_t size, bool colour);
/* From here on. The string stays in use until the next call. */
void screen_colour(struct screen *screen, const char *colour);
/* Printable text without newlines; what is past the margin is dropped. */
void screen_printf(struct screen *screen, const char *fmt, ...) __printf_like(2, 3);
void screen_char(struct screen *screen, char c);
/* Blanks up to the column, if it is not there yet. */
void screen_pad(struct screen *screen, u32 column);
void screen_end_line(struct screen *screen);
/* An escape sequence, as it is: only on a screen with colours. */
void screen_control(struct screen *screen, const char *sequence);

/* "64 KiB", "1.9 GiB": the largest unit that leaves a number, cut after one digit. */
#define SIZE_TEXT_BYTES 24
const char *size_text(char buf[SIZE_TEXT_BYTES], u64 bytes);

#endif
