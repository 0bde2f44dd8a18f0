/* The live screen: what memory is doing now. See kernel/top.c. */
#ifndef KERNEL_TOP_H
#define KERNEL_TOP_H

#include <kernel/screen.h>

/* Looks at the machine, and counts changes from here on. */
void top_begin(void);
/*
 * Looks again and draws: at most `lines` lines (at least TOP_MIN_LINES), the last one without a
 * newline, so that a terminal of that many does not scroll.
 */
void top_frame(struct screen *screen, u32 lines, u32 every_ms);

#define TOP_MIN_LINES 16

#endif
