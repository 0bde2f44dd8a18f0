/*
 * Notes: what was odd about a machine, one line each.
 *
 * There is room for a fixed number, since nothing can be allocated yet; what does not fit is
 * counted and said. That a table with five hundred overlaps does not hide everything else, a kind
 * of oddity has NOTES_OF_A_KIND lines and then one for all others.
 */
#include <base/format.h>

#include "topology_internal.h"

#define NOTES_OF_A_KIND 6

void topology_note(struct topology_notes *notes, const char *fmt, ...)
{
	va_list args;

	if (notes->nr == TOPOLOGY_MAX_NOTES) {
		notes->nr_dropped++;
		return;
	}
	va_start(args, fmt);
	vsnprintf(notes->text[notes->nr++], sizeof(notes->text[0]), fmt, args);
	va_end(args);
}

bool topology_note_this(u32 *nr)
{
	return (*nr)++ < NOTES_OF_A_KIND;
}

void topology_note_rest(struct topology_notes *notes, u32 nr, const char *what)
{
	if (nr > NOTES_OF_A_KIND)
		topology_note(notes, "and %u more: %s", nr - NOTES_OF_A_KIND, what);
}
