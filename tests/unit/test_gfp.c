/*
 * gfp flags as text, and the choice of policies.
 */
#include "host.h"

#include <base/errno.h>
#include <base/string.h>
#include <mm/gfp.h>
#include <mm/policy.h>

static const char *text_of(gfp_t gfp)
{
	static char text[GFP_TEXT_BYTES];

	gfp_format(gfp, text, sizeof(text));
	return text;
}

static void formats_bundles_first(struct ktest *t)
{
	EXPECT_STREQ(t, text_of(GFP_KERNEL), "GFP_KERNEL");
	EXPECT_STREQ(t, text_of(GFP_ATOMIC), "GFP_ATOMIC");
	EXPECT_STREQ(t, text_of(GFP_KERNEL | __GFP_ZERO | __GFP_THISNODE),
		     "GFP_KERNEL|__GFP_THISNODE|__GFP_ZERO");
	EXPECT_STREQ(t, text_of(0), "0x0");
	EXPECT_STREQ(t, text_of(__GFP_ZERO | (1u << 31)), "__GFP_ZERO|0x80000000");
}

static void format_is_bounded(struct ktest *t)
{
	char text[8];

	memset(text, 'x', sizeof(text));
	gfp_format(GFP_KERNEL | __GFP_ZERO, text, 5);
	EXPECT_STREQ(t, text, "GFP_");
	EXPECT_EQ(t, text[5], 'x');
}

static void parses_what_it_prints(struct ktest *t)
{
	for (gfp_t gfp = 1; gfp <= __GFP_ALL; gfp++) {
		gfp_t back = 0;

		if (!EXPECT_EQ(t, gfp_parse(text_of(gfp), &back), 0) || !EXPECT_EQ(t, back, gfp))
			return;
	}
}

static void parse_refuses_and_keeps(struct ktest *t)
{
	static const char *const bad[] = {
		"",          "|",           "GFP_KERNEL|",           "gfp_kernel",
		"GFP_KERNE", "GFP_KERNELX", "GFP_KERNEL||__GFP_ZERO"};
	gfp_t gfp = 0x55;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_MSG(t, gfp_parse(bad[i], &gfp) == -EINVAL, "\"%s\" was taken", bad[i]);
	EXPECT_EQ(t, gfp, 0x55);
	EXPECT_EQ(t, gfp_parse("GFP_DMA,__GFP_HIGH+__GFP_ZERO", &gfp), 0);
	EXPECT_EQ(t, gfp, __GFP_DMA | __GFP_HIGH | __GFP_ZERO);
}

static void only_critical_is_layered(struct ktest *t)
{
	for (u32 m = 0; m < NR_MM_MECHANISMS; m++) {
		enum mm_mechanism mechanism = (enum mm_mechanism)m;

		EXPECT_EQ(t, mm_policy_chosen(mechanism), MM_AFTER);
		EXPECT_EQ(t, mm_policy_choose(mechanism, MM_POSTED), 0);
		EXPECT_EQ(t, mm_policy_chosen(mechanism), MM_POSTED);
		EXPECT_EQ(t, mm_policy_choose(mechanism, MM_LAYERED),
			  mechanism == MM_CRITICAL ? 0 : -EINVAL);
		EXPECT_EQ(t, mm_policy_chosen(mechanism),
			  mechanism == MM_CRITICAL ? MM_LAYERED : MM_POSTED);
		EXPECT(t, mm_policy_sentence(mechanism, MM_BEFORE) != NULL);
	}
	EXPECT_EQ(t, mm_policy_choose(NR_MM_MECHANISMS, MM_AFTER), -EINVAL);
}

static void an_installed_policy_stays(struct ktest *t)
{
	EXPECT(t, !mm_policy_installed(MM_CAPTURE));
	EXPECT_EQ(t, mm_policy_choose(MM_CAPTURE, MM_BEFORE), 0);
	EXPECT_EQ(t, mm_policy_install(MM_CAPTURE), MM_BEFORE);
	EXPECT(t, mm_policy_installed(MM_CAPTURE) && !mm_policy_installed(MM_FALLBACK));
	EXPECT_EQ(t, mm_policy_choose(MM_CAPTURE, MM_AFTER), -EINVAL);
	EXPECT_EQ(t, mm_policy_chosen(MM_CAPTURE), MM_BEFORE);
}

static const struct ktest_case cases[] = {
	KTEST(formats_bundles_first),    KTEST(format_is_bounded),
	KTEST(parses_what_it_prints),    KTEST(parse_refuses_and_keeps),
	KTEST(only_critical_is_layered), KTEST(an_installed_policy_stays),
};
KTEST_SUITE(gfp, cases);
