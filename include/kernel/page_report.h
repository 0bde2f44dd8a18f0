/* What one page frame is, in lines of text. See kernel/page_report.c. */
#ifndef KERNEL_PAGE_REPORT_H
#define KERNEL_PAGE_REPORT_H

#include <base/types.h>

/*
 * Each line goes to `say`, without a newline and at most SCREEN_COLUMNS long; none for what is no
 * RAM.
 */
void page_report(pfn_t pfn, void (*say)(const char *line));

#endif
