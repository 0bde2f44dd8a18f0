/*
 * The kernel command line: one table of options (kernel/options.c) feeds the parser,
 * `help options` and docs/reference/options.md.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <base/types.h>
#include <mm/policy.h>

#define OPTION_TEXT_BYTES 1024

struct options {
	bool test; /* run the suites, print KTAP, exit */
	char test_globs[OPTION_TEXT_BYTES];
	char run[OPTION_TEXT_BYTES]; /* monitor commands; empty: none */
	bool monitor;                /* go on into the monitor after run= */
	u64 seed;
	u64 mem_bytes; /* 0: all */
	u64 min_free_kbytes; /* 0: computed */
	u64 loglevel;
	bool numa; /* false: one node */
	/* index into the allowed values, -1: as mm.profile says */
	enum mm_behaviour profile;
	int behaviour[NR_MM_MECHANISMS];
};

extern struct options options;

/*
 * Reads words `key` or `key=value` (quotes keep spaces: run="a; b" or "run=a; b") over the
 * current values, so that a later command line wins. Each unknown key is one warning that names
 * the nearest known one; each bad value one error that names the allowed ones, and the
 * previous value stands. Returns how many words were not accepted.
 */
u32 options_parse(struct options *out, const char *cmdline);
void options_defaults(struct options *out);
/* Prints the table: name, type, range, default, sentence. */
void options_help(void (*print)(const char *fmt, ...));

#endif
