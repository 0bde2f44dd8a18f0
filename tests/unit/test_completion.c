/*
 * What Tab offers, with a table of commands of the test's own:
 *
 *	show                    no arguments
 *	shape node=0 node=1 node=10 by=state by=zone, and after them flag=A flag=AB flag=B
 *	hush quiet              in the first word only
 */
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/test.h>

static const char *complete_shape(u32 word, u32 i)
{
	static const char *const all[] = {"node=0",  "node=1", "node=10", "by=state",
					  "by=zone", "flag=A", "flag=AB", "flag=B"};

	(void)word;
	return i < ARRAY_SIZE(all) ? all[i] : NULL;
}

static const char *complete_hush(u32 word, u32 i)
{
	return word == 1 && i == 0 ? "quiet" : NULL;
}

const struct monitor_command monitor_commands[] = {
	{.name = "show"},
	{.name = "shape", .complete = complete_shape},
	{.name = "hush", .complete = complete_hush},
};
const u32 nr_monitor_commands = ARRAY_SIZE(monitor_commands);

const struct monitor_command *monitor_find(const char *name)
{
	for (u32 i = 0; i < nr_monitor_commands; i++)
		if (strcmp(monitor_commands[i].name, name) == 0)
			return &monitor_commands[i];
	return NULL;
}

/* All candidates with blanks between, and how much of what is typed they take the place of. */
static void expect_offered(struct ktest *t, const char *text, const char *expected, size_t typed)
{
	char offered[256] = "", out[64];
	size_t len = 0, from = 0;

	for (u32 i = 0; monitor_candidate(text, strlen(text), i, out, sizeof(out), &from); i++) {
		EXPECT_MSG(t, strlen(text) - from == typed, "'%s': from %zu", text, from);
		ASSERT_TRUE(t, len + strlen(out) + 2 < sizeof(offered));
		if (i > 0)
			offered[len++] = ' ';
		memcpy(offered + len, out, strlen(out) + 1);
		len += strlen(out);
	}
	EXPECT_MSG(t, strcmp(offered, expected) == 0, "'%s': offered '%s', expected '%s'", text,
		   offered, expected);
}

static void commands_are_offered(struct ktest *t)
{
	expect_offered(t, "", "show shape hush", 0);
	expect_offered(t, "  ", "show shape hush", 0);
	expect_offered(t, "sh", "show shape", 2);
	expect_offered(t, "sho", "show", 3);
	expect_offered(t, "shops", "", 5);
	expect_offered(t, "show; h", "hush", 1);
	expect_offered(t, "show;", "show shape hush", 0);
}

static void arguments_are_offered(struct ktest *t)
{
	expect_offered(t, "shape ", "node= by= flag=", 0);
	expect_offered(t, "shape x n", "node=", 1);
	expect_offered(t, "shape node=", "0 1 10", 0);
	expect_offered(t, "shape node=1", "1 10", 1);
	expect_offered(t, "shape by=", "state zone", 0);
	expect_offered(t, "shape bye=", "", 0);
	expect_offered(t, "shape flag=B|A", "A AB", 1);
	expect_offered(t, "show ; shape by=z", "zone", 1);
	expect_offered(t, "hush ", "quiet", 0);
	expect_offered(t, "hush quiet ", "", 0);
	expect_offered(t, "show ", "", 0);
	expect_offered(t, "a-name-that-is-far-too-long x", "", 0);
}

/* Any text, cut anywhere: what is offered begins as it was typed, and nothing outside is read. */
static void any_text_is_survived(struct ktest *t)
{
	static const char letters[] = "shapenodeby=|,; 01fAB";
	u64 state = t->seed, offered = 0;
	char text[32], out[64];
	u32 bad = 0;

	for (u32 i = 0; i < 50000; i++) {
		size_t len, from = 0;

		state = state * 6364136223846793005u + 1442695040888963407u;
		len = (state >> 33) % sizeof(text);
		memcpy(text, "shape ", 6);
		for (size_t at = state >> 60 & 1 ? 0 : 6; at < len; at++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			text[at] = letters[(state >> 33) % (sizeof(letters) - 1)];
		}
		for (u32 k = 0; monitor_candidate(text, len, k, out, sizeof(out), &from); k++) {
			offered++;
			bad += from > len || strncmp(out, text + from, len - from) != 0;
		}
	}
	EXPECT_EQ(t, bad, 0);
	EXPECT(t, offered > 1000);
}

static const struct ktest_case cases[] = {
	KTEST(commands_are_offered),
	KTEST(arguments_are_offered),
	KTEST(any_text_is_survived),
};
KTEST_SUITE(completion, cases);
