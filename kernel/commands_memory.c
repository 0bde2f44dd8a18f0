/*
 * Allocating and freeing by hand, and running the invariants.
 *
 * What `alloc` takes is kept in a table of handles, so that `free` can name it and no page number
 * is ever typed in: a wrong one would be a panic, and the monitor does not fault on bad input.
 * The gfp default is GFP_KERNEL.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/check.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>

#include "commands.h"

#define MAX_HANDLES 256
#define GFP_BYTES   128

struct handle {
	struct page *page; /* NULL: not in use */
	u32 order;
};

/* The index is the id. Only the monitor uses it, and there is one. */
static struct handle handles[MAX_HANDLES];

struct alloc_arguments {
	u64 order;
	int nid;
	gfp_t gfp;
};

int command_parse_node(const char *text, int *nid)
{
	u64 value;

	if (!parse_u64(text, &value) || value >= MAX_NUMNODES ||
	    !node_isset((int)value, node_possible_mask()))
		return command_bad(text, "there is no node '%.32s'", text);
	*nid = (int)value;
	return 0;
}

/* Points at the flag of the list that is none. */
int command_parse_gfp(const char *text, gfp_t *gfp)
{
	char flag[GFP_BYTES];

	if (gfp_parse(text, gfp) == 0)
		return 0;
	for (const char *bar = text;;) {
		const char *end = strchr(bar, '|');
		size_t len = end ? (size_t)(end - bar) : strlen(bar);
		gfp_t one;

		snprintf(flag, sizeof(flag), "%.*s", (int)len, bar);
		if (gfp_parse(flag, &one) != 0 || !end)
			return command_bad(bar, "'%.32s' is no gfp flag: Tab shows them", flag);
		bar = end + 1;
	}
}

int command_parse_order(const char *text, u64 *order)
{
	if (!parse_u64(text, order) || *order > MAX_ORDER)
		return command_bad(text, "'%.32s' is no order: allowed is 0..%d", text, MAX_ORDER);
	return 0;
}

/* Each argument once, in any order; the first that is wrong is named. */
static int parse_alloc(int argc, char **argv, struct alloc_arguments *out)
{
	enum { ORDER = 1, NODE = 2, GFP = 4 };
	u32 given = 0;

	*out = (struct alloc_arguments){.nid = NUMA_NO_NODE, .gfp = GFP_KERNEL};
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		u32 what = strncmp(word, "node=", 5) == 0  ? NODE
			   : strncmp(word, "gfp=", 4) == 0 ? GFP
							   : ORDER;
		int err;

		if (what == ORDER && strchr(word, '='))
			return command_bad(word, "'%.32s': there is node=N and gfp=NAME|NAME",
					   word);
		if (given & what)
			return command_bad(word, "'%.32s': %s was given already", word,
					   what == NODE  ? "a node"
					   : what == GFP ? "gfp"
							 : "an order");
		given |= what;
		err = what == NODE  ? command_parse_node(word + 5, &out->nid)
		      : what == GFP ? command_parse_gfp(word + 4, &out->gfp)
				    : command_parse_order(word, &out->order);
		if (err)
			return err;
	}
	return 0;
}

int lowest_free_handle(void)
{
	for (int id = 0; id < MAX_HANDLES; id++)
		if (!handles[id].page)
			return id;
	return -ENOSPC;
}

int command_alloc(int argc, char **argv)
{
	struct alloc_arguments request;
	struct page *page;
	char gfp[GFP_BYTES];
	int id = lowest_free_handle();

	if (parse_alloc(argc, argv, &request) != 0)
		return -EINVAL;
	if (id < 0) {
		kprintf("all %d handles are in use: `free` some\n", MAX_HANDLES);
		return id;
	}
	page = request.nid == NUMA_NO_NODE
		       ? alloc_pages(request.gfp, (unsigned int)request.order)
		       : alloc_pages_node(request.nid, request.gfp, (unsigned int)request.order);
	if (!page) {
		gfp_format(request.gfp, gfp, sizeof(gfp));
		kprintf("no memory: order %llu, gfp %s\n", (unsigned long long)request.order, gfp);
		return -ENOMEM;
	}
	handles[id] = (struct handle){.page = page, .order = (u32)request.order};
	kprintf("id %d: pfn 0x%llx, addr 0x%llx, order %llu, node %u, zone %s%s\n", id,
		(unsigned long long)page_to_pfn(page), (unsigned long long)page_to_phys(page),
		(unsigned long long)request.order, page->nid,
		zone_type_name((enum zone_type)page->zone),
		page->marks & PAGE_MARK_RESERVE ? ", of the reserve" : "");
	return 0;
}

const char *complete_node(u32 i)
{
	static char text[16];
	int nid;

	for_each_node(nid) {
		if (i-- > 0)
			continue;
		snprintf(text, sizeof(text), "node=%d", nid);
		return text;
	}
	return NULL;
}

/* Nodes, then flags. */
const char *complete_alloc(u32 word, u32 i)
{
	static char text[64];
	const char *node = complete_node(i);
	u32 nr_nodes = numa_topology()->nr_nodes;

	(void)word;
	if (node)
		return node;
	if (i - nr_nodes >= nr_gfp_names)
		return NULL;
	snprintf(text, sizeof(text), "gfp=%s", gfp_names[i - nr_nodes].name);
	return text;
}

/* "all", then the ids in use. */
const char *complete_free(u32 word, u32 i)
{
	static char text[16];

	if (word != 1)
		return NULL;
	if (i-- == 0)
		return "all";
	for (int id = 0; id < MAX_HANDLES; id++) {
		if (!handles[id].page || i-- > 0)
			continue;
		snprintf(text, sizeof(text), "%d", id);
		return text;
	}
	return NULL;
}

const char *complete_check(u32 word, u32 i)
{
	return word == 1 && i == 0 ? "list" : NULL;
}

static void free_handle(struct handle *handle)
{
	struct page *page = handle->page;

	handle->page = NULL;
	__free_pages(page, handle->order);
}

int command_free(int argc, char **argv)
{
	u64 id;

	if (argc != 2)
		return command_usage(argc, argv, MIN(argc, 2));
	if (strcmp(argv[1], "all") == 0) {
		u32 freed = 0;

		for (id = 0; id < MAX_HANDLES; id++) {
			if (!handles[id].page)
				continue;
			free_handle(&handles[id]);
			freed++;
		}
		kprintf("%u blocks freed\n", freed);
		return 0;
	}
	if (!parse_u64(argv[1], &id) || id >= MAX_HANDLES || !handles[id].page)
		return command_bad(argv[1], "'%.32s': `alloc` gave no such id, or it is free",
				   argv[1]);
	free_handle(&handles[id]);
	return 0;
}

int command_check(int argc, char **argv)
{
	struct check_report report;
	const char *id, *sentence;
	bool list = argc > 1 && strcmp(argv[1], "list") == 0;
	bool hold;

	if (argc > 1 + list)
		return command_usage(argc, argv, 1 + list);
	if (list) {
		for (u32 i = 0; mm_check_describe(i, &id, &sentence); i++)
			kprintf("%-10s %s\n", id, sentence);
		for (u32 i = 0; kernel_check_describe(i, &id, &sentence); i++)
			kprintf("%-10s %s\n", id, sentence);
		return 0;
	}
	/* Which would find pages on their way from one place to another. */
	if (pressure_is_on())
		return command_bad(argv[0], "memory is under pressure: `pressure off` first");
	hold = mm_check_until(&report, monitor_interrupted);
	hold &= !report.stopped && kernel_check(&report);
	if (report.stopped) {
		kprintf("check: interrupted after %u invariants\n", report.run);
		return -EINVAL;
	}
	if (hold) {
		kprintf("check: all %u invariants hold, %llu items\n", report.run,
			(unsigned long long)report.items);
		return 0;
	}
	kprintf("check: %u of %u invariants broken, the first: %s\n", report.failed, report.run,
		report.first);
	return -EINVAL;
}
