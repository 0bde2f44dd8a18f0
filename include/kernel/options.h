/*
 * The kernel command line: one table of options (kernel/options.c) feeds the parser (kernel/options_line.c),
 * `help options` and docs/reference/options.md.
 */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <base/types.h>
#include <mm/policy.h>

#define OPTION_TEXT_BYTES    1024
#define OPTION_REFUSED_BYTES 96

/* `name` or `name=GLOB[,GLOB]`. */
struct option_globs {
	bool asked;
	char globs[OPTION_TEXT_BYTES]; /* empty: all */
};

struct options {
	struct option_globs test;    /* run the suites, print KTAP, exit */
	struct option_globs bench;   /* run the benchmark's cases, exit */
	char run[OPTION_TEXT_BYTES]; /* monitor commands; empty: none */
	bool monitor;                /* go on into the monitor after run= */
	/* Why a test, bench or run= that was asked for will not be what was meant; empty: nothing is wrong */
	char refused_request[OPTION_REFUSED_BYTES];
	u64 seed;
	u64 soak_minutes;    /* of the suite `soak`; 0: a moment */
	u64 mem_bytes;       /* 0: all */
	u64 min_free_kbytes; /* 0: computed */
	u64 maxcpus;         /* 0: all */
	u64 loglevel;
	int oom; /* enum oom_last_resort */
	bool block_types;
	int slab_debug;  /* 0..3: slab_debug_choose() */
	int slab_random; /* 0, 1 */
	bool numa;       /* false: one node */
	int lockcheck;   /* 0, 1; -1: from the first test on */
	/* enum mm_behaviour; in behaviour[] -1: as profile says */
	int profile;
	int behaviour[NR_MM_MECHANISMS];
};

extern struct options options;

/*
 * Reads words `key` or `key=value` (quotes keep spaces: run="a; b" or "run=a; b") over the
 * current values, so that a later command line wins. Each unknown key is one warning, with the known
 * one that may have been meant; each bad value one error that names the allowed ones, and the
 * previous value stands. Of many, the first OPTION_COMPLAINTS are said and the others counted.
 * Returns how many words were not accepted.
 *
 * A `test`, `bench` or `run=` among those is kept in refused_request: a script waits for what it asked for,
 * and must not be left at a prompt.
 */
#define OPTION_COMPLAINTS 8
u32 options_parse(struct options *out, const char *cmdline);

/*
 * The same for a line that comes from outside: `text` has room for `size` bytes, the last of them a
 * NUL, and the line had `length`. Of one that was cut, the last word is left out, since it may be
 * half of one; what stands behind a NUL is not read. Either is one error in the log; `whose`
 * says there which line it was. What was lost may have been such a request, and counts as one
 * that was refused unless the line as far as it was read has one, or `monitor`.
 */
u32 options_parse_line(struct options *out, const char *whose, char *text, size_t size,
		       size_t length);
void options_defaults(struct options *out);

/* One option as people read it. */
struct option_description {
	const char *name;
	const char *default_text;
	const char *sentence;
	char allowed[64]; /* "before|posted|after", "0..7", ... */
};
/* The i-th option of the table; false past the end. */
bool option_describe(u32 i, struct option_description *out);
/* Its value in `from`, as it would stand on the command line; empty if not given. */
void option_value(u32 i, const struct options *from, char *buf, size_t size);
/* The known key that a mistyped one most likely means; NULL: none comes near it. */
const char *option_nearest(const char *key);

/* Prints the table: name, allowed values, default, sentence. */
void options_help(void (*print)(const char *fmt, ...));

#endif
