/*
 * The monitor: commands do what they say, and bad input is refused and changes nothing. The
 * commands print; what counts here are the counters behind them.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/printk.h>
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
	static const char *const alloc[] = {"alloc", "alloc 3",
					    "alloc gfp=GFP_KERNEL|__GFP_ZERO 0"};
	static const u32 order[] = {0, 3, 0};
	u64 before = free_pages(), pages = 0;
	char line[32];
	int id[3];

	if (!pages_to_spare(1024)) {
		EXPECT(t, options.min_free_kbytes > 0 || options.mem_bytes > 0);
		return;
	}
	/* Who sits at the monitor may hold blocks of his own: ours are named by id. */
	for (u32 i = 0; i < 3; i++) {
		id[i] = lowest_free_handle();
		ASSERT_TRUE(t, id[i] >= 0);
		EXPECT_EQ(t, monitor_run(alloc[i]), 0);
		pages += (u64)1 << order[i];
		EXPECT_EQ(t, free_pages(), before - pages);
	}
	for (u32 i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "free %d", id[i]);
		EXPECT_EQ(t, monitor_run(line), 0);
		EXPECT_EQ(t, monitor_run(line), 1); /* once */
	}
	EXPECT_EQ(t, free_pages(), before);
	EXPECT_EQ(t, monitor_run("; ;; "), 0);
	if (lowest_free_handle() == 0)
		EXPECT_EQ(t, monitor_run("alloc; alloc 2; free all; free all"), 0);
	EXPECT_EQ(t, free_pages(), before);
}

static void bad_input_is_refused(struct ktest *t)
{
	static const char *const bad[] = {
		"nmua",
		"numa 1",
		"alloc 11",
		"alloc -1",
		"alloc x",
		"alloc 0x",
		"alloc node=64",
		"alloc node=-1",
		"alloc node=",
		"alloc gfp=",
		"alloc gfp=X",
		"free",
		"free 255",
		"free 256",
		"free -1",
		"free a b",
		"check all",
		"help nothing",
		"help a b",
		"crash nothing",
		"test a b",
		"buddyinfo all",
		"pagetypeinfo all",
		"options x",
		"policy x",
		"alloc 1 2 3",
		"alloc node=0 node=0",
		"alloc 0 gfp=GFP_KERNEL gfp=GFP_KERNEL",
		"alloc nod=1",
		"poweroff now",
		"reboot now",
		"a b c d e f g h i j k l m n o p q",
	};
	u64 before = free_pages();

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_MSG(t, monitor_run(bad[i]) == 1, "'%s' was accepted", bad[i]);
	EXPECT_EQ(t, free_pages(), before);
	/* Each command of a line is on its own. */
	EXPECT_EQ(t, monitor_run("nmua; free 255; check"), 2);
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
	u64 before = printk_stats().bytes;

	EXPECT_EQ(t,
		  monitor_run("numa; meminfo; buddyinfo; pagetypeinfo; zoneinfo; memblock; policy; "
			      "options"),
		  0);
	EXPECT(t, printk_stats().bytes > before + 1000);
}

/* Under a word that is wrong stands a mark; what cannot be shown is escaped. */
static char said[512];

static void keep_what_is_said(const char *bytes, size_t len)
{
	size_t used = strlen(said);

	if (used + len < sizeof(said)) {
		memcpy(said + used, bytes, len);
		said[used + len] = '\0';
	}
}

static void expect_said(struct ktest *t, const char *line, const char *expected)
{
	static const struct printk_sink keep = {keep_what_is_said};
	const struct printk_sink *before = printk_divert(&keep);

	said[0] = '\0';
	EXPECT_EQ(t, monitor_run(line), 1);
	printk_divert(before);
	EXPECT_STREQ(t, said, expected);
}

static void the_bad_word_is_marked(struct ktest *t)
{
	expect_said(t, "alloc 3 nod=1",
		    "in 'alloc 3 >nod=1<': 'nod=1': there is node=N and gfp=NAME|NAME\n");
	expect_said(
		t, "alloc gfp=GFP_KERNEL|GFP_X 3",
		"in 'alloc gfp=GFP_KERNEL|>GFP_X< 3': 'GFP_X' is no gfp flag: Tab shows them\n");
	expect_said(t, "alloc 1 2", "in 'alloc 1 >2<': '2': an order was given already\n");
	expect_said(t, "nuna", "in '>nuna<': unknown command 'nuna': did you mean 'numa'?\n");
	expect_said(t, "x\x1b[2J",
		    "in '>x\\x1b[2J<': unknown command 'x\\x1b[2J': `help` lists all\n");
	expect_said(t, "numa twice", "in 'numa >twice<': 'twice' is too much: usage: numa\n");
	expect_said(t, "free", "usage: free ID|all\n");
	expect_said(t, " ;  free 3 4", "in 'free 3 >4<': '4' is too much: usage: free ID|all\n");
	expect_said(t, "numa a b c d e f g h i j k l m n o  p q",
		    "in 'numa a b c d e f g h i j k l m n o  >p q<': a command has at most 16 "
		    "words\n");
	expect_said(t,
		    "alloc                                                          nod=1 "
		    "gfp=GFP_KERNEL|__GFP_ZERO",
		    "in '...                                                >nod=1< "
		    "gfp=GFP_KERNEL|...': 'nod=1': there is node=N and gfp=NAME|NAME\n");
}

static u32 candidates(const char *text, const char *first)
{
	char out[64];
	size_t from;
	u32 nr = 0;

	while (monitor_candidate(text, strlen(text), nr, out, sizeof(out), &from)) {
		if (nr == 0 && strcmp(out, first) != 0)
			return 0;
		nr++;
	}
	return nr;
}

static void tab_knows_the_arguments(struct ktest *t)
{
	u32 nodes = numa_topology()->nr_nodes;

	EXPECT_EQ(t, candidates("", monitor_commands[0].name), nr_monitor_commands);
	EXPECT_EQ(t, candidates("pow", "poweroff"), 1);
	EXPECT_EQ(t, candidates("numa; pow", "poweroff"), 1);
	EXPECT_EQ(t, candidates("alloc ", "node="), 2);
	EXPECT_EQ(t, candidates("alloc 3 g", "gfp="), 1);
	EXPECT_EQ(t, candidates("alloc node=", "0"), nodes);
	EXPECT(t, candidates("alloc gfp=", "GFP_KERNEL") > 5);
	EXPECT_EQ(t, candidates("alloc gfp=__GFP_ZERO|GFP_KER", "GFP_KERNEL"), 1);
	EXPECT(t, candidates("test ", ktest_suite_name(0)) > 5);
	EXPECT_EQ(t, candidates("test list,line_e", "line_editor"), 1);
	EXPECT_EQ(t, candidates("help zonei", "zoneinfo"), 1);
	EXPECT_EQ(t, candidates("free a", "all"), 1);
	EXPECT_EQ(t, candidates("nonsense ", ""), 0);
	EXPECT_EQ(t, candidates("numa ", ""), 0);
}

static const struct ktest_case cases[] = {
	KTEST(alloc_and_free_by_hand),  KTEST(bad_input_is_refused), KTEST(failures_are_remembered),
	KTEST(every_command_has_help),  KTEST(reports_run),          KTEST(the_bad_word_is_marked),
	KTEST(tab_knows_the_arguments),
};
KTEST_SUITE(monitor, cases);
