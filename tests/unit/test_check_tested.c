/*
 * Are all invariants tested? Each must be broken on purpose by a case of its name, in a suite check_*.
 */
#include "host.h"

#include <base/string.h>
#include <mm/check.h>

extern const struct ktest_suite *const __start_ktest_suites[];
extern const struct ktest_suite *const __stop_ktest_suites[];

/* "BUDDY-3" against "buddy_3". */
static bool names_id(const char *name, const char *id)
{
	for (; *id; id++, name++) {
		char expected = *id == '-' ? '_' : *id;

		if (expected >= 'A' && expected <= 'Z')
			expected = (char)(expected - 'A' + 'a');
		if (*name != expected)
			return false;
	}
	return *name == '\0';
}

static bool breaks(const struct ktest_suite *suite, const char *id)
{
	for (u32 c = 0; c < suite->nr_cases; c++) {
		if (names_id(suite->cases[c].name, id))
			return true;
	}
	return false;
}

/* No invariant without a case of its name, in a suite check*. */
static void every_invariant_has_a_test(struct ktest *t)
{
	const struct ktest_suite *const *suite;
	const char *id, *sentence;

	for (u32 i = 0; mm_check_describe(i, &id, &sentence); i++) {
		bool found = false;

		for (suite = __start_ktest_suites; suite < __stop_ktest_suites; suite++)
			found |= strncmp((*suite)->name, "check", 5) == 0 && breaks(*suite, id);
		EXPECT_MSG(t, found, "%s is broken by no test", id);
	}
}

static const struct ktest_case cases[] = {
	KTEST(every_invariant_has_a_test),
};
KTEST_SUITE(check_tested, cases);
