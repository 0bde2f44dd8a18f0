/*
 * A room for loads on the page cache: so little memory that on any machine ten times as much passes in seconds. The
 * rest is held.
 *
 *	[ held                                   | M pages: the cache's | high marks | taken before ]
 *
 * At its end every page must be back.
 */
#include "room.h"

#include <kernel/thread.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#include "../stress/pages_back.h"

#define DROP_NS 10000000000ull

/* Where the loads take pages from. The cache's own memory is taken before, from anywhere: its index is large. */
static struct mempolicy place;

void room_settle(void)
{
	threads_release_spares();
	pages_settle();
}

/*
 * Once with a thread on each CPU, before anything is counted: the tables that map their stacks are kept for the threads
 * that follow.
 */
static void let_threads_begin(void)
{
	static bool done;
	struct cache_file *file = done ? NULL : cache_file_create("first of all", MAX_CPUS, 0);
	struct workload_result r;

	if (!file)
		return;
	workload_run(&(struct workload){.kind = WORKLOAD_READ,
					.file = file,
					.nr_ops = MAX_CPUS,
					.gfp = GFP_KERNEL,
					.timeout_ns = LIMIT_NS},
		     &r);
	done = cache_file_destroy(file, DROP_NS) == 0;
}

/*
 * The first file makes the cache's index: 8 MiB on a machine of 16 GiB, half of what is left as room. Were it made
 * after that is measured, it would be of the room.
 */
static void begin_with_index(struct room *room)
{
	let_threads_begin();
	room_settle();
	pages_before();
	*room = (struct room){.first = cache_file_create("first", 1, 0)};
}

static u64 node_marks(int nid, enum zone_watermark mark)
{
	struct zone_snapshot zone;
	u64 pages = 0;

	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		if (zone_snapshot(nid, (enum zone_type)type, &zone))
			pages += zone.watermark[mark];
	return pages;
}

static u64 node_slack(int nid)
{
	return node_marks(nid, WMARK_HIGH) - node_marks(nid, WMARK_MIN);
}

/* What the node's cache may have. */
static u64 node_room(int nid)
{
	u64 pages = 0, high = node_marks(nid, WMARK_HIGH);
	struct zone_snapshot zone;
	struct lru_snapshot lru;

	if (lru_snapshot(nid, &lru))
		pages = lru.pages[LRU_INACTIVE] + lru.pages[LRU_ACTIVE];
	for (u32 type = 0; type < MAX_NR_ZONES; type++)
		if (zone_snapshot(nid, (enum zone_type)type, &zone))
			pages += zone.free_pages + zone.pcp_pages;
	return pages > high ? pages - high : 0;
}

/*
 * All loads from the largest node, until room_end(). Which page goes first is decided by each node for itself: of several,
 * one may hold nothing but pages that are hot, and must give some of them all the same.
 */
void room_begin_on_one_node(struct ktest *t, struct room *room, u64 pages)
{
	struct node_snapshot node, largest = {0};
	struct vm_totals totals;
	int nid;

	begin_with_index(room);
	for_each_node_mask(nid, node_memory_mask()) {
		if (node_snapshot(nid, &node) && node.managed_pages > largest.managed_pages)
			largest = node;
	}
	vm_totals(&totals);
	if (!EXPECT(t, room->first && largest.managed_pages > 0))
		return;
	/* Shared out by size, and this node's share shall be all that is small. */
	hoard_all_but(&room->held, pages * totals.managed_pages / largest.managed_pages);
	room->pages = MIN(node_room(largest.nid), pages);
	room->slack = node_slack(largest.nid);
	place = (struct mempolicy){.mode = MPOL_BIND, .nodes = NODE_BIT(largest.nid)};
}

/* From all nodes, unless their marks are more than the room: then nothing would ever be short. */
void room_begin(struct ktest *t, struct room *room, u64 pages)
{
	u64 high = 0, slack = 0;
	int nid;

	for_each_node(nid) {
		high += node_marks(nid, WMARK_HIGH);
		slack += node_slack(nid);
	}
	if (high > pages / 2) {
		room_begin_on_one_node(t, room, pages);
		return;
	}
	begin_with_index(room);
	EXPECT(t, room->first != NULL);
	room->slack = slack;
	hoard_all_but(&room->held, pages);
	room->pages = MIN(workload_cache_pages(), pages);
}

void room_drop_file(struct ktest *t, struct cache_file *file)
{
	if (file)
		EXPECT_EQ(t, cache_file_destroy(file, DROP_NS), 0);
}

void room_end(struct ktest *t, struct room *room)
{
	place = (struct mempolicy){.mode = MPOL_LOCAL};
	room_drop_file(t, room->first);
	hoard_release(&room->held);
	room_settle();
	pages_after();
	expect_counts_as_before(t);
}

void room_run(struct ktest *t, const struct workload *w, struct workload_result *r)
{
	EXPECT_EQ(t, task_set_mempolicy(&place), 0);
	EXPECT_EQ(t, workload_run(w, r), 0);
	EXPECT_EQ(t, task_set_mempolicy(NULL), 0);
	EXPECT_EQ(t, r->wrong, 0);
	EXPECT(t, !r->timed_out && !r->stopped);
}
