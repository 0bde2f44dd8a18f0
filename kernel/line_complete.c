/*
 * What Tab does to the line: inserts what all candidates agree on, and at the second Tab lists them.
 *
 *	hw> alloc no|      one candidate         hw> alloc node=|
 *	hw> alloc gfp=|    fourteen of them      a second Tab: all, in columns, and the line again
 *
 * Who knows the candidates is not asked here: the editor's owner gives them (completion.c).
 */
#include <base/string.h>

#include "line_internal.h"

#define MAX_LISTED_BYTES 64

/* All candidates below each other's columns, then the line again. */
static void list_candidates(struct line_editor *editor, u32 nr, size_t longest,
			    void (*echo)(const char *text))
{
	u32 a_row = MAX(line_editor_columns(editor) / (u32)(longest + 2), 1u);
	char out[MAX_LISTED_BYTES];
	size_t from;

	echo("\n");
	for (u32 i = 0; i < nr; i++) {
		bool last = i % a_row == a_row - 1 || i == nr - 1;

		editor->candidate(editor->text, editor->cursor, i, out, sizeof(out), &from);
		echo(out);
		if (!last)
			line_repeat(" ", longest + 2 - strlen(out), echo);
		else
			echo("\n");
	}
	line_draw_afresh(editor, echo);
}

static size_t common_length(const char *a, const char *b)
{
	size_t len = 0;

	while (a[len] != '\0' && a[len] == b[len])
		len++;
	return len;
}

/* After "node=" the value is still to come. */
static bool ends_a_word(const char *candidate)
{
	size_t len = strlen(candidate);

	return len > 0 && candidate[len - 1] != '=';
}

void line_complete_word(struct line_editor *editor, void (*echo)(const char *text))
{
	char common[MAX_LISTED_BYTES] = "", out[MAX_LISTED_BYTES];
	size_t from = editor->cursor, longest = 0, typed;
	bool again = editor->after_tab;
	u32 nr = 0;

	while (editor->candidate(editor->text, editor->cursor, nr, out, sizeof(out), &from)) {
		if (nr++ == 0)
			memcpy(common, out, strlen(out) + 1);
		common[common_length(common, out)] = '\0';
		longest = MAX(longest, strlen(out));
	}
	typed = editor->cursor - from;
	editor->after_tab = nr > 1;
	for (size_t at = typed; at < strlen(common) && editor->len < LINE_BYTES - 1; at++)
		line_insert(editor, common[at], echo);
	if (nr == 1 && ends_a_word(common) && editor->text[editor->cursor] != ' ' &&
	    editor->len < LINE_BYTES - 1)
		line_insert(editor, ' ', echo);
	if (nr > 1 && again && strlen(common) <= typed)
		list_candidates(editor, nr, longest, echo);
}
