/* What the line editor's files share. */
#ifndef LINE_INTERNAL_H
#define LINE_INTERNAL_H

#include <kernel/line_editor.h>

void line_repeat(const char *text, size_t times, void (*echo)(const char *text));

/* At the cursor; a full buffer counts it as excess. */
void line_insert(struct line_editor *editor, char c, void (*echo)(const char *text));

/* The prompt and the line at a fresh place: below a listing, or on a cleared screen. */
void line_draw_afresh(struct line_editor *editor, void (*echo)(const char *text));

/*
 * Inserts what all candidates have in common beyond what is typed; a second Tab lists them. What
 * does not fit is left out: only a person makes a line too long.
 */
void line_complete_word(struct line_editor *editor, void (*echo)(const char *text));

#endif
