/*
 * The monitor: commands do what they say, and bad input is refused and changes nothing. The
 * commands print; what counts here are the counters behind them.
 */
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/test.h>
#include <mm/inspect.h>
#include <mm/numa.h>

static u64 free_pages(void)
{
	struct node_snapshot node;
	u64 free = 0;
	int nid;

	for_each_node(nid)
		if (node_snapshot(nid, &node))
			free += node.free_pages;
	return free;
}

/* min_free_kbytes= may hold back so much that no ordinary request is served. */
static bool pages_to_spare(u64 pages)
{
	struct zone_snapshot zone;
	int nid;

	for_each_node(nid)
		for (int type = 0; type < MAX_NR_ZONES; type++)
			if (zone_snapshot(nid, (enum zone_type)type, &zone) &&
			    zone.free_pages > zone.watermark[WMARK_HIGH] +
						      zone.lowmem_reserve[ZONE_NORMAL] + pages)
				return true;
	return false;
}

static void alloc_and_free_by_hand(struct ktest *t)
{
	u64 before = free_pages();

	if (!pages_to_spare(1024)) {
		EXPECT(t, options.min_free_kbytes > 0 || options.mem_bytes > 0);
		EXPECT(t, monitor_run("alloc") <= 1);
		EXPECT_EQ(t, monitor_run("free all"), 0);
		EXPECT_EQ(t, free_pages(), before);
		return;
	}
	EXPECT_EQ(t, monitor_run("alloc"), 0);
	EXPECT_EQ(t, free_pages(), before - 1);
	EXPECT_EQ(t, monitor_run("alloc 3; alloc 0 gfp=GFP_KERNEL|__GFP_ZERO"), 0);
	EXPECT_EQ(t, free_pages(), before - 10);
	EXPECT_EQ(t, monitor_run("free all"), 0);
	EXPECT_EQ(t, free_pages(), before);
	EXPECT_EQ(t, monitor_run("free all; ;; "), 0);
}

static void bad_input_is_refused(struct ktest *t)
{
	static const char *const bad[] = {
		"nmua",          "numa 1",        "alloc 11",
		"alloc -1",      "alloc x",       "alloc 0x",
		"alloc node=64", "alloc node=-1", "alloc node=",
		"alloc gfp=",    "alloc gfp=X",   "free",
		"free 0",        "free 256",      "free -1",
		"free a b",      "check all",     "help nothing",
		"help a b",      "crash nothing", "test a b",
		"buddyinfo all", "options x",     "policy x",
		"poweroff now",  "reboot now",    "a b c d e f g h i j k l m n o p q",
	};
	u64 before = free_pages();

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_MSG(t, monitor_run(bad[i]) == 1, "'%s' was accepted", bad[i]);
	EXPECT_EQ(t, free_pages(), before);
	/* Each command of a line is on its own. */
	EXPECT_EQ(t, monitor_run("nmua; free 0; check"), 2);
}

/* For poweroff: a failure counts while its text runs, and a text inside does not count outside. */
static void failures_are_remembered(struct ktest *t)
{
	bool before = monitor_has_failed();

	EXPECT_EQ(t, monitor_run("nmua; numa"), 1);
	EXPECT_EQ(t, monitor_has_failed(), before);
}

static void every_command_has_help(struct ktest *t)
{
	for (u32 i = 0; i < nr_monitor_commands; i++) {
		const struct monitor_command *command = &monitor_commands[i];

		EXPECT(t, command->sentence[0] != '\0' && command->arguments != NULL);
		EXPECT(t, monitor_find(command->name) == command);
	}
	EXPECT_EQ(t, monitor_run("help; help alloc; help options; crash; check list"), 0);
}

static void reports_run(struct ktest *t)
{
	EXPECT_EQ(t, monitor_run("numa; meminfo; buddyinfo; zoneinfo; memblock; policy; options"),
		  0);
}

static const struct ktest_case cases[] = {
	KTEST(alloc_and_free_by_hand), KTEST(bad_input_is_refused), KTEST(failures_are_remembered),
	KTEST(every_command_has_help), KTEST(reports_run),
};
KTEST_SUITE(monitor, cases);
