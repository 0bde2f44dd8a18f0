/*
 * Finding the tests, choosing among them, running them, and saying so in KTAP version 1.
 *
 * Each suite leaves a pointer in the linker section ktest_suites; the linker's __start_ and __stop_
 * symbols bound it. Its order there is the link's, so suites are run in order of name: a run
 * depends on the sources and not on the build.
 *
 * Output, two blanks a level:
 *
 *	KTAP version 1
 *	1..2
 *	  KTAP version 1
 *	  # Subtest: buddy
 *	  1..3
 *	  ok 1 splits
 *	  # merges: tests/unit/test_buddy.c:88: zone.free_blocks[3] is 2 (0x2), expected ...
 *	  not ok 2 merges
 *	  ok 3 keeps_apart # SKIP one node only
 *	not ok 1 buddy
 *	...
 *	# Totals: pass:7 fail:1 skip:1
 *
 * Every plan comes before what it counts, so a run that ends early cannot look complete. Not
 * matching anything is a failure as well: each glob that chose no case is a test of its own, and
 * not ok, and so is a list that has no glob in it (","). A case that checked nothing fails: it
 * proves nothing.
 *
 * What differs between the kernel and the host (where output goes, who watches the time) is
 * behind ktest_write() and ktest_env_run(). No allocation, no state between runs.
 *
 * Source: Documentation/dev-tools/ktap.rst of Linux.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/glob.h>
#include <kernel/test.h>

#define LINE_BYTES 512
#define PATH_BYTES 160

/* One level of KTAP's nesting. */
#define INDENT "  "

extern const struct ktest_suite *const __start_ktest_suites[];
extern const struct ktest_suite *const __stop_ktest_suites[];

/* ---- Output ------------------------------------------------------------------------------ */

/*
 * prefix, text, newline, in one piece: a log line cannot come between. A text that is too long ends
 * in "...".
 */
static void vwrite_line(const char *prefix, const char *fmt, va_list args)
{
	char line[LINE_BYTES + 1];
	size_t len = (size_t)snprintf(line, LINE_BYTES, "%s", prefix);

	len += (size_t)vsnprintf(line + len, LINE_BYTES - len, fmt, args);
	if (len >= LINE_BYTES) {
		len = LINE_BYTES - 1;
		memcpy(line + len - 3, "...", 3);
	}
	memcpy(line + len, "\n", 2);
	ktest_write(line);
}

static void __printf_like(2, 3) write_line(const char *prefix, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vwrite_line(prefix, fmt, args);
	va_end(args);
}

static void vnote(const struct ktest *t, const char *fmt, va_list args)
{
	char prefix[PATH_BYTES];

	snprintf(prefix, sizeof(prefix), INDENT "# %s: ", t->name);
	vwrite_line(prefix, fmt, args);
}

void ktest_note(struct ktest *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vnote(t, fmt, args);
	va_end(args);
}

void ktest_fail(struct ktest *t, const char *file, int line, const char *fmt, ...)
{
	char message[LINE_BYTES];
	va_list args;

	t->failures++;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	ktest_note(t, "%s:%d: %s", file, line, message);
}

void ktest_skip(struct ktest *t, const char *fmt, ...)
{
	va_list args;

	t->skipped = true;
	va_start(args, fmt);
	vsnprintf(t->skip_reason, sizeof(t->skip_reason), fmt, args);
	va_end(args);
}

/* ---- Choosing ---------------------------------------------------------------------------- */

/* Is the suite's name what the glob says, letter by letter, before the '.' if it has one? */
static bool names_suite(const char *glob, size_t len, const struct ktest_suite *suite)
{
	size_t name_len = strlen(suite->name);

	return len >= name_len && memcmp(glob, suite->name, name_len) == 0 &&
	       (len == name_len || glob[name_len] == '.');
}

static bool chosen_by(const char *glob, size_t len, const struct ktest_suite *suite,
		      const struct ktest_case *c)
{
	char path[PATH_BYTES];

	if (suite->only_by_name && !names_suite(glob, len, suite))
		return false;
	snprintf(path, sizeof(path), "%s.%s", suite->name, c->name);
	return glob_match(glob, len, suite->name) || glob_match(glob, len, path);
}

static bool chosen(const char *globs, const struct ktest_suite *suite, const struct ktest_case *c)
{
	const char *glob;
	size_t len;

	if (*globs == '\0')
		return !suite->only_by_name;
	while (glob_next(&globs, &glob, &len))
		if (chosen_by(glob, len, suite, c))
			return true;
	return false;
}

static u32 count_chosen(const char *globs, const struct ktest_suite *suite)
{
	u32 nr = 0;

	for (u32 i = 0; i < suite->nr_cases; i++)
		nr += chosen(globs, suite, &suite->cases[i]);
	return nr;
}

/* The suite that comes after `last` in order of name and has chosen cases; NULL: no more. */
static const struct ktest_suite *next_suite(const char *globs, const struct ktest_suite *last)
{
	const struct ktest_suite *const *ref, *next = NULL;

	for (ref = __start_ktest_suites; ref < __stop_ktest_suites; ref++) {
		if (last && strcmp((*ref)->name, last->name) <= 0)
			continue;
		if (next && strcmp((*ref)->name, next->name) >= 0)
			continue;
		if (count_chosen(globs, *ref) > 0)
			next = *ref;
	}
	return next;
}

static bool glob_chooses_nothing(const char *glob, size_t len)
{
	const struct ktest_suite *const *ref;

	for (ref = __start_ktest_suites; ref < __stop_ktest_suites; ref++)
		for (u32 i = 0; i < (*ref)->nr_cases; i++)
			if (chosen_by(glob, len, *ref, &(*ref)->cases[i]))
				return false;
	return true;
}

static u32 count_top_level(const char *globs)
{
	const struct ktest_suite *suite = NULL;
	const char *glob;
	size_t len;
	u32 nr = 0;

	while ((suite = next_suite(globs, suite)))
		nr++;
	while (glob_next(&globs, &glob, &len))
		nr += glob_chooses_nothing(glob, len);
	return MAX(nr, 1u); /* nothing at all is a failure, and has a line */
}

/* ---- Running ----------------------------------------------------------------------------- */

static void run_case(const struct ktest_suite *suite, const struct ktest_case *c, u32 number,
		     u64 seed, struct ktest_summary *summary)
{
	struct ktest t = {.suite = suite->name, .name = c->name, .seed = seed};

	ktest_env_run(c, &t);
	if (t.checks == 0 && t.failures == 0 && !t.skipped) {
		ktest_note(&t, "checked nothing");
		t.failures++;
	}
	if (t.failures) {
		summary->failed++;
		write_line(INDENT, "not ok %u %s", number, c->name);
	} else if (t.skipped) {
		summary->skipped++;
		write_line(INDENT, "ok %u %s # SKIP %s", number, c->name, t.skip_reason);
	} else {
		summary->passed++;
		write_line(INDENT, "ok %u %s", number, c->name);
	}
}

static void run_suite(const char *globs, const struct ktest_suite *suite, u32 number, u64 seed,
		      struct ktest_summary *total)
{
	struct ktest_summary summary = {0};
	u32 nr = 0;

	write_line(INDENT, "KTAP version 1");
	write_line(INDENT, "# Subtest: %s", suite->name);
	write_line(INDENT, "1..%u", count_chosen(globs, suite));
	for (u32 i = 0; i < suite->nr_cases && !total->interrupted; i++) {
		if (!chosen(globs, suite, &suite->cases[i]))
			continue;
		total->interrupted = ktest_env_interrupted();
		if (!total->interrupted)
			run_case(suite, &suite->cases[i], ++nr, seed, &summary);
	}
	if (total->interrupted) {
		write_line(INDENT, "Bail out! interrupted");
		summary.failed++;
	}

	write_line("", "%s %u %s%s", summary.failed ? "not ok" : "ok", number, suite->name,
		   summary.failed + summary.passed == 0 ? " # SKIP every case" : "");
	total->passed += summary.passed;
	total->failed += summary.failed;
	total->skipped += summary.skipped;
}

struct ktest_summary ktest_run(const char *globs, u64 seed)
{
	struct ktest_summary total = {0};
	const struct ktest_suite *suite = NULL;
	const char *glob, *all;
	size_t len;
	u32 number = 0;

	all = globs = globs ? globs : "";
	write_line("", "KTAP version 1");
	write_line("", "1..%u", count_top_level(globs));
	while (!total.interrupted && (suite = next_suite(globs, suite)))
		run_suite(globs, suite, ++number, seed, &total);
	while (glob_next(&globs, &glob, &len)) {
		if (!glob_chooses_nothing(glob, len))
			continue;
		write_line("# ", "no suite or case is called '%.*s'", (int)len, glob);
		write_line("", "not ok %u %.*s", ++number, (int)len, glob);
		total.failed++;
	}
	if (number == 0) {
		write_line("# ", "'%s' names no suite and no case", all);
		write_line("", "not ok 1 nothing");
		total.failed++;
	}
	write_line("", "# Totals: pass:%u fail:%u skip:%u", total.passed, total.failed,
		   total.skipped);
	return total;
}

const char *ktest_suite_name(u32 i)
{
	return i < (u32)(__stop_ktest_suites - __start_ktest_suites) ? __start_ktest_suites[i]->name
								     : NULL;
}
