/*
 * Seam 2 for mm/numa.c and mm/memblock.c: their log lines are kept for the report; an assertion
 * that fails ends the program.
 */
#include <base/assert.h>
#include <base/format.h>
#include <mm/os.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect.h"

static struct topology_notes lines;

const struct topology_notes *os_log_lines(void)
{
	return &lines;
}

void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
{
	char text[sizeof(lines.text[0])];
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	topology_note(&lines, "%s: %s", subsystem, text);
}

_Noreturn void os_panic(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "numa-inspect: panic: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

_Noreturn void assert_failed(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "numa-inspect: %s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
