/*
 * Lists of nodes, read and written.
 */
#include "host.h"

#include <base/errno.h>
#include <base/string.h>
#include <kernel/node_list.h>

static void what_is_read(struct ktest *t)
{
	static const struct {
		const char *text;
		nodemask_t nodes;
	} good[] = {
		{"0", 1},
		{"3", 8},
		{"0,2", 5},
		{"0-3", 15},
		{"0-1,3", 11},
		{"5,1", 34},
		{"2-2", 4},
		{"1,1", 2},
		{"007", 128},
		{"63", (nodemask_t)1 << 63},
		{"0-63", ~(nodemask_t)0},
	};
	/* and at which character. */
	static const struct {
		const char *text;
		u32 at;
	} bad[] = {{"", 0},   {"x", 0},    {"0,", 2},  {",0", 0}, {"0-", 0}, {"1,3-2", 2},
		   {"64", 0}, {"0-64", 0}, {"1 2", 1}, {"1x", 1}, {"-1", 0}, {"99999999999", 0}};

	for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
		nodemask_t nodes = 0;
		const char *where;

		EXPECT_EQ(t, node_list_parse(good[i].text, &nodes, &where), 0);
		EXPECT_EQ(t, nodes, good[i].nodes);
	}
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		nodemask_t nodes = 77;
		const char *where = NULL;

		EXPECT_EQ(t, node_list_parse(bad[i].text, &nodes, &where), -EINVAL);
		EXPECT_EQ(t, nodes, 77);
		EXPECT_EQ(t, where - bad[i].text, bad[i].at);
	}
}

static void what_is_written(struct ktest *t)
{
	char buf[64], small[8];

	node_list_format(0, buf, sizeof(buf));
	EXPECT_STREQ(t, buf, "");
	node_list_format(0x8000000000000027, buf, sizeof(buf));
	EXPECT_STREQ(t, buf, "0-2,5,63");
	node_list_format(~(nodemask_t)0, buf, sizeof(buf));
	EXPECT_STREQ(t, buf, "0-63");
	node_list_format(0x5555, small, sizeof(small));
	EXPECT_STREQ(t, small, "0,2,...");
}

static const struct ktest_case cases[] = {
	KTEST(what_is_read),
	KTEST(what_is_written),
};
KTEST_SUITE(node_list, cases);
