/*
 * What the command line is told about itself: the lines in the log. The values are the business of
 * tests/kernel/test_options.c, which runs in the kernel, too, where nobody can read the log back.
 */
#include "host.h"

#include <base/format.h>
#include <base/string.h>
#include <kernel/options.h>

static struct options parsed;

static u32 parse(const char *cmdline)
{
	host_log_clear();
	options_defaults(&parsed);
	return options_parse(&parsed, cmdline);
}

static void only_what_is_near_is_suggested(struct ktest *t)
{
	EXPECT_EQ(t, parse("nuna=off"), 1);
	EXPECT(t, host_log_contains("unknown option 'nuna': did you mean 'numa'?"));
	EXPECT_EQ(t, parse("quiet=foo mm.zonelist=3"), 2);
	EXPECT(t, host_log_contains("unknown option 'quiet': `help options` lists all"));
	EXPECT(t, host_log_contains("unknown option 'mm.zonelist': `help options` lists all"));
	EXPECT(t, !host_log_contains("did you mean"));
}

static void complaints_come_to_an_end(struct ktest *t)
{
	char line[1024], text[32];
	size_t len = 0;

	for (u32 i = 0; i < OPTION_COMPLAINTS; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "junk%u ", i);
	EXPECT_EQ(t, parse(line), OPTION_COMPLAINTS);
	snprintf(text, sizeof(text), "'junk%u'", OPTION_COMPLAINTS - 1);
	EXPECT(t, host_log_contains(text));
	EXPECT(t, !host_log_contains("more word"));

	/* Of any kind: unknown, not allowed, quote without an end. */
	len += (size_t)snprintf(line + len, sizeof(line) - len, "junk%u ", OPTION_COMPLAINTS);
	EXPECT_EQ(t, parse(line), OPTION_COMPLAINTS + 1);
	EXPECT(t, host_log_contains("... and 1 more word left out"));
	snprintf(line + len, sizeof(line) - len, "loglevel=77 run=\"numa");
	EXPECT_EQ(t, parse(line), OPTION_COMPLAINTS + 3);
	EXPECT(t, host_log_contains("... and 3 more words left out"));
	EXPECT(t, !host_log_contains("junk8") && !host_log_contains("loglevel=77"));
	/* A request is kept, said or not. */
	EXPECT_STREQ(t, parsed.refused_request, "run=numa: quote without an end");
}

static void bad_values_name_the_good_ones(struct ktest *t)
{
	EXPECT_EQ(t, parse("numa=maybe loglevel=9"), 2);
	EXPECT(t, host_log_contains("numa=maybe: allowed is nothing (on), or off|on|0|1|no|yes"));
	EXPECT(t, host_log_contains("loglevel=9: allowed is 0..7"));
}

static const struct ktest_case cases[] = {
	KTEST(only_what_is_near_is_suggested),
	KTEST(complaints_come_to_an_end),
	KTEST(bad_values_name_the_good_ones),
};
KTEST_SUITE(options_log, cases);
