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

static bool parse_node(const char *text, int *nid)
{
	u64 value;

	if (!parse_u64(text, &value) || value >= MAX_NUMNODES ||
	    !node_isset((int)value, node_possible_mask())) {
		kprintf("node %.16s: there is no such node\n", text);
		return false;
	}
	*nid = (int)value;
	return true;
}

/* Each argument has its own line for what is wrong with it. */
static bool parse_alloc(int argc, char **argv, struct alloc_arguments *out)
{
	*out = (struct alloc_arguments){.nid = NUMA_NO_NODE, .gfp = GFP_KERNEL};
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "node=", 5) == 0) {
			if (!parse_node(argv[i] + 5, &out->nid))
				return false;
		} else if (strncmp(argv[i], "gfp=", 4) == 0) {
			if (gfp_parse(argv[i] + 4, &out->gfp) != 0) {
				kprintf("gfp %.64s: not a gfp flag; known are:", argv[i] + 4);
				for (u32 name = 0; name < nr_gfp_names; name++)
					kprintf(" %s", gfp_names[name].name);
				kprintf("\n");
				return false;
			}
		} else if (!parse_u64(argv[i], &out->order) || out->order > MAX_ORDER) {
			kprintf("order %.16s: allowed is 0..%d\n", argv[i], MAX_ORDER);
			return false;
		}
	}
	return true;
}

static int free_handle_id(void)
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
	int id = free_handle_id();

	if (!parse_alloc(argc, argv, &request))
		return -EINVAL;
	if (id < 0) {
		kprintf("all %d handles are in use: `free` some\n", MAX_HANDLES);
		return id;
	}
	page = alloc_pages_node(request.nid, request.gfp, (unsigned int)request.order);
	if (!page) {
		gfp_format(request.gfp, gfp, sizeof(gfp));
		kprintf("no memory: order %llu, gfp %s\n", (unsigned long long)request.order, gfp);
		return -ENOMEM;
	}
	handles[id] = (struct handle){.page = page, .order = (u32)request.order};
	kprintf("id %d: pfn 0x%llx, addr 0x%llx, order %llu, node %u, zone %s\n", id,
		(unsigned long long)page_to_pfn(page), (unsigned long long)page_to_phys(page),
		(unsigned long long)request.order, page->nid,
		zone_type_name((enum zone_type)page->zone));
	return 0;
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
		return command_usage(argv[0]);
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
	if (!parse_u64(argv[1], &id) || id >= MAX_HANDLES || !handles[id].page) {
		kprintf("id %.16s: `alloc` gave no such id, or it is free\n", argv[1]);
		return -EINVAL;
	}
	free_handle(&handles[id]);
	return 0;
}

int command_check(int argc, char **argv)
{
	struct check_report report;
	const char *id, *sentence;
	bool hold;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (u32 i = 0; mm_check_describe(i, &id, &sentence); i++)
			kprintf("%-10s %s\n", id, sentence);
		for (u32 i = 0; kernel_check_describe(i, &id, &sentence); i++)
			kprintf("%-10s %s\n", id, sentence);
		return 0;
	}
	if (argc != 1)
		return command_usage(argv[0]);

	hold = mm_check(&report);
	hold &= kernel_check(&report);
	if (hold) {
		kprintf("check: all %u invariants hold, %llu items\n", report.run,
			(unsigned long long)report.items);
		return 0;
	}
	kprintf("check: %u of %u invariants broken, the first: %s\n", report.failed, report.run,
		report.first);
	return -EINVAL;
}
