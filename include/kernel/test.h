/*
 * Tests: declared where they stand, found by the linker, printed as KTAP version 1.
 *
 *	static void splits(struct ktest *t)
 *	{
 *		EXPECT_EQ(t, zone.free_blocks[3], 1);
 *	}
 *	static const struct ktest_case cases[] = { KTEST(splits), ... };
 *	KTEST_SUITE(buddy, cases);
 *
 * The same suites and the same runner work in the kernel and on the host; there each case
 * runs in a process of its own. EXPECT_* notes a failure and goes on; ASSERT_* also returns
 * from the function it stands in. A case that checks nothing fails.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include <base/types.h>

struct ktest {
	const char *suite, *name;
	u32 checks;   /* expectations evaluated */
	u32 failures; /* of them not met */
	bool skipped;
	char skip_reason[96];
	u64 seed; /* the run's seed, for tests with random input */
};

struct ktest_case {
	const char *name;
	void (*run)(struct ktest *t);
	u32 limit_seconds; /* 0: KTEST_DEFAULT_LIMIT_SECONDS; the watchdog ends it after that */
};

struct ktest_suite {
	const char *name;
	const struct ktest_case *cases;
	u32 nr_cases;
	bool only_by_name; /* not part of a plain `test`: it must be asked for by exact name */
};

#define KTEST_DEFAULT_LIMIT_SECONDS 60

#define KTEST(fn)                      \
	{                              \
		.name = #fn, .run = fn \
	}
#define KTEST_SLOW(fn, seconds)                                    \
	{                                                          \
		.name = #fn, .run = fn, .limit_seconds = (seconds) \
	}
#define KTEST_SUITE(id, case_array)                                                       \
	const struct ktest_suite ktest_suite_##id = {                                     \
		.name = #id, .cases = case_array, .nr_cases = ARRAY_SIZE(case_array)};    \
	static const struct ktest_suite *const ktest_ref_##id __section("ktest_suites") = \
		&ktest_suite_##id
#define KTEST_SUITE_BY_NAME(id, case_array)                                               \
	const struct ktest_suite ktest_suite_##id = {.name = #id,                         \
						     .cases = case_array,                 \
						     .nr_cases = ARRAY_SIZE(case_array),  \
						     .only_by_name = true};               \
	static const struct ktest_suite *const ktest_ref_##id __section("ktest_suites") = \
		&ktest_suite_##id

/* A diagnostic line, "# ..." in the output. */
void ktest_note(struct ktest *t, const char *fmt, ...) __printf_like(2, 3);
void ktest_fail(struct ktest *t, const char *file, int line, const char *fmt, ...)
	__printf_like(4, 5);
void ktest_skip(struct ktest *t, const char *fmt, ...) __printf_like(2, 3);

#define EXPECT(t, cond)                                                 \
	({                                                              \
		bool ok_ = (cond);                                      \
		(t)->checks++;                                          \
		if (!ok_)                                               \
			ktest_fail(t, __FILE__, __LINE__, "%s", #cond); \
		ok_;                                                    \
	})

/* With a message that carries the values. */
#define EXPECT_MSG(t, cond, ...)                                        \
	({                                                              \
		bool ok_ = (cond);                                      \
		(t)->checks++;                                          \
		if (!ok_)                                               \
			ktest_fail(t, __FILE__, __LINE__, __VA_ARGS__); \
		ok_;                                                    \
	})

/* Integers of any type, compared and printed as 64 bits. */
#define EXPECT_EQ(t, actual, expected)                                                         \
	({                                                                                     \
		u64 a_ = (u64)(actual), e_ = (u64)(expected);                                  \
		EXPECT_MSG(t, a_ == e_, "%s is %llu (0x%llx), expected %s = %llu (0x%llx)",    \
			   #actual, (unsigned long long)a_, (unsigned long long)a_, #expected, \
			   (unsigned long long)e_, (unsigned long long)e_);                    \
	})

#define EXPECT_STREQ(t, actual, expected)                                                        \
	({                                                                                       \
		const char *a_ = (actual), *e_ = (expected);                                     \
		EXPECT_MSG(t, strcmp(a_, e_) == 0, "%s is \"%s\", expected \"%s\"", #actual, a_, \
			   e_);                                                                  \
	})

#define ASSERT_TRUE(t, cond)          \
	do {                          \
		if (!EXPECT(t, cond)) \
			return;       \
	} while (0)
#define ASSERT_EQ(t, actual, expected)               \
	do {                                         \
		if (!EXPECT_EQ(t, actual, expected)) \
			return;                      \
	} while (0)

#define SKIP(t, ...)                        \
	do {                                \
		ktest_skip(t, __VA_ARGS__); \
		return;                     \
	} while (0)

/* The i-th suite in the order of the link; NULL past the end. */
const char *ktest_suite_name(u32 i);

struct ktest_summary {
	u32 passed, failed, skipped;
	bool interrupted; /* by the person who watches: counts as one that failed */
};

/*
 * Runs every suite or case that matches `globs` (comma-separated, '*' and '?', against
 * "suite" and "suite.case"; NULL or "": all that are not only_by_name), plan first. Returns
 * the counts; a glob that matches nothing counts as one failure with a line that says so.
 */
struct ktest_summary ktest_run(const char *globs, u64 seed);

/*
 * What the runner needs of its surroundings: kernel/test_env.c, tests/host/harness.c.
 * ktest_write: a line to the output. ktest_env_run: runs one case under the watchdog.
 */
void ktest_write(const char *text);
bool ktest_env_interrupted(void); /* asked before each case */
void ktest_env_run(const struct ktest_case *c, struct ktest *t);

#endif
