/*
 * The page cache under a load that only writes, and more than there is room for, on a slow device that loses packets:
 * all that reclaim finds is dirty or being written, so who wants a page waits for writes to end, and goes on.
 *
 *	room |xxxxxxxxxxxxxxxxxxxxx|
 *	file |xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|  written, from left to right; then some of it read
 */
#include <kernel/netblk.h>
#include <x86/smp.h>

#include "room.h"

/* A device is waited for, which does not depend on memory. */
#define SLOW_PAGES (MiB(4) >> PAGE_SHIFT)

/* A third of the packets is lost, and one that arrives takes a tick at least. */
static const struct netblk_options slow_and_lossy = {
	.seed = 6,
	.min_delay_ns = 5000000,
	.max_delay_ns = 20000000,
	.resend_after_ns = 40000000,
	.lost_permille = 333,
	.max_in_flight = 128,
};

/* `more` pages are written than there is room for: it goes on, or says that it cannot; and it ends. */
static void write_too_much(struct ktest *t, struct cache_file *file, u64 more, u32 nr_threads)
{
	struct netblk_snapshot before, device;
	u64 ops = cache_file_pages(file);
	struct workload_result r;

	netblk_snapshot(&before);
	room_run(t,
		 &(struct workload){.kind = WORKLOAD_FILL,
				    .file = file,
				    .dirty = true,
				    .nr_ops = ops,
				    .nr_threads = nr_threads,
				    .gfp = GFP_KERNEL,
				    .timeout_ns = LIMIT_NS},
		 &r);
	netblk_snapshot(&device);
	ktest_note(t, "%llu pages written by %u in %llu ms, %llu got none; %llu packets again",
		   ULL(r.writes), r.nr_threads, ULL(r.ran_ns / 1000000), ULL(r.no_memory),
		   ULL(device.resent - before.resent));
	EXPECT_EQ(t, r.writes + r.no_memory, ops);
	EXPECT(t, r.writes >= ops / 2);
	EXPECT(t, device.completed - before.completed >= more / 2);
	EXPECT(t, device.resent > before.resent);
	EXPECT(t, device.lost > before.lost);
}

/* More than there is room for by the share-th part of it. */
static void all_dirty_by(struct ktest *t, u32 nr_threads, u32 share)
{
	struct netblk_options normal;
	struct workload_result r;
	struct cache_file *file;
	struct room room;

	netblk_options_now(&normal);
	room_begin(t, &room, SLOW_PAGES);
	EXPECT_EQ(t, netblk_configure(&slow_and_lossy), 0);
	file = cache_file_create("dirty", room.pages + room.slack + room.pages / share, t->seed);
	if (EXPECT(t, file != NULL)) {
		write_too_much(t, file, room.pages / share, nr_threads);
		room_run(t,
			 &(struct workload){.kind = WORKLOAD_READ,
					    .file = file,
					    .nr_ops = room.pages,
					    .seed = t->seed,
					    .nr_threads = 1,
					    .gfp = GFP_KERNEL,
					    .timeout_ns = LIMIT_NS},
			 &r);
		EXPECT(t, r.reads > 0);
	}
	room_drop_file(t, file);
	EXPECT_EQ(t, netblk_configure(&normal), 0);
	room_end(t, &room);
}

static void all_dirty_on_a_slow_device(struct ktest *t)
{
	all_dirty_by(t, 1, 1);
}

/*
 * By all CPUs, or eight of them. Less than by one: where the host has fewer CPUs each turn at the LRU's lock may
 * take as long as the host lets another run.
 */
static void all_dirty_by_all_cpus(struct ktest *t)
{
	all_dirty_by(t, MIN(nr_cpus_online(), 8u), 4);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(all_dirty_on_a_slow_device, 180),
	KTEST_SLOW(all_dirty_by_all_cpus, 180),
};
KTEST_SUITE(workload_dirty, cases);
