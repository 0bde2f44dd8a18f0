/*
 * What the page cache must do with a device that loses, delays, and has no memory: see cache_cases.h.
 */
#include "cache_cases.h"

#include <base/errno.h>
#include <mm/fault_inject.h>

#include "../../kernel/cache/cache_internal.h"
#include "../../kernel/cache/content.h"
#include "../../kernel/cache/packet.h"
#include "../stress/pause.h"
#include "evict.h"

#define NR_PAGES 100

/* Three of ten packets are lost, and three of ten acknowledgements. */
void cache_losses_are_made_good(struct ktest *t)
{
	struct netblk_options options = device_options();
	struct cache_file *file = make_file(t, NR_PAGES);
	struct netblk_snapshot before = device_counts(), after;

	ASSERT_TRUE(t, file != NULL);
	options.seed = t->seed;
	options.lost_permille = 300;
	options.max_delay_ns = 30 * MS;
	device_is(t, &options);
	for (u32 i = 0; i < 3; i++) {
		write_all(t, file);
		EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	}
	after = device_counts();
	EXPECT_EQ(t, after.submitted - before.submitted, 3 * NR_PAGES);
	EXPECT_EQ(t, after.completed - before.completed, 3 * NR_PAGES);
	EXPECT_EQ(t, after.failed, before.failed);
	EXPECT(t, after.lost - before.lost > 3 * NR_PAGES / 5);
	EXPECT_EQ(t, after.resent - before.resent, after.lost - before.lost);
	EXPECT_EQ(t, after.sent - before.sent, 3 * NR_PAGES + (after.resent - before.resent));
	EXPECT_EQ(t, cache_counts(file).written, 3 * NR_PAGES);
	EXPECT_EQ(t, evict_file(file), 0);
	read_all(t, file);
	ktest_note(t, "seed %llu: %u writes, %llu packets lost, %llu sent again",
		   (unsigned long long)t->seed, 3 * NR_PAGES,
		   (unsigned long long)(after.lost - before.lost),
		   (unsigned long long)(after.resent - before.resent));
	destroy_file(t, file);
}

/* Every request fails until the rule lets pass: so many acknowledgements, and then re-sends. */
static void wait_without_memory(struct ktest *t, u64 times)
{
	const struct fault_rule rule = {.quiet = true, .times = times, .interval = 1};
	struct fault_rule_state state = {0};
	int id = fault_rule_add(&rule);

	ASSERT_TRUE(t, id > 0);
	netblk_unplug(false);
	for (u32 i = 0; i < PATIENCE && state.failed < times; i++) {
		pause_ns(MS);
		fault_rule_state((u32)id, &state);
	}
	fault_rule_remove((u32)id);
}

/* Writing, and then nothing is left: dropped, sent again when there is, and all arrive in the end. */
void cache_acknowledgements_need_memory(struct ktest *t)
{
	struct cache_file *file = make_file(t, NR_PAGES);
	struct netblk_snapshot before = device_counts(), after;
	struct netblk_options options = device_options();

	ASSERT_TRUE(t, file != NULL);
	options.max_in_flight = 0;
	device_is(t, &options);
	write_all(t, file);
	netblk_unplug(true);
	for (u64 i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(t, evict_index(file, i, true), LRU_WRITING);
	EXPECT_EQ(t, device_counts().in_flight, NR_PAGES);
	EXPECT_EQ(t, device_counts().packet_pages, NR_PAGES);
	EXPECT_EQ(t, cache_findings(4), 0); /* CACHE-5 */
	wait_without_memory(t, NR_PAGES + NR_PAGES / 2);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	after = device_counts();
	EXPECT_EQ(t, after.acks_dropped - before.acks_dropped, NR_PAGES);
	EXPECT_EQ(t, after.resends_without_memory - before.resends_without_memory, NR_PAGES / 2);
	EXPECT_EQ(t, after.resent - before.resent, NR_PAGES);
	EXPECT_EQ(t, after.completed - before.completed, NR_PAGES);
	EXPECT_EQ(t, cache_counts(file).written, NR_PAGES);
	EXPECT_EQ(t, evict_file(file), 0);
	read_all(t, file);
	destroy_file(t, file);
}

/* Nothing ever arrives: the write fails, its page is dirty again, and can be written by a better wire. */
void cache_resends_end(struct ktest *t)
{
	struct netblk_options options = device_options();
	struct cache_file *file = make_file(t, 2);
	struct netblk_snapshot before = device_counts();

	ASSERT_TRUE(t, file != NULL);
	options.lost_permille = 1000;
	options.max_resends = 2;
	device_is(t, &options);
	write_all(t, file);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), -EIO);
	EXPECT_EQ(t, device_counts().failed - before.failed, 2);
	EXPECT_EQ(t, device_counts().sent - before.sent, 6);
	EXPECT_EQ(t, cache_counts(file).write_errors, 2);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, 2);
	EXPECT_EQ(t, cache_counts(file).written, 0);
	options.lost_permille = 0;
	device_is(t, &options);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	EXPECT_EQ(t, cache_counts(file).written, 2);
	destroy_file(t, file);
}

void cache_waits_are_bounded(struct ktest *t)
{
	struct netblk_options options = device_options();
	struct cache_file *file = make_file(t, 2);

	ASSERT_TRUE(t, file != NULL);
	write_all(t, file);
	netblk_unplug(true);
	EXPECT_EQ(t, cache_sync(file, 20 * MS), -ETIMEDOUT);
	EXPECT_EQ(t, cache_sync(file, 0), -ETIMEDOUT);
	EXPECT_EQ(t, cache_file_destroy(file, 20 * MS), -EBUSY);
	EXPECT_EQ(t, netblk_configure(&options), -EBUSY);
	EXPECT_EQ(t, cache_counts(file).pages, 2); /* nothing is lost */
	netblk_unplug(false);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	EXPECT_EQ(t, cache_counts(file).written, 2);
	write_all(t, file);
	destroy_file(t, file); /* dirty as it is */
}

/* As many as it takes; the others are dirty still, and sync waits for its turn. */
void cache_device_is_bounded(struct ktest *t)
{
	struct netblk_options options = device_options();
	struct cache_file *file = make_file(t, NR_PAGES);
	struct netblk_snapshot before = device_counts();

	ASSERT_TRUE(t, file != NULL);
	options.max_in_flight = 10;
	device_is(t, &options);
	write_all(t, file);
	netblk_unplug(true);
	for (u64 i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(t, evict_index(file, i, true), i < 10 ? LRU_WRITING : LRU_KEPT);
	EXPECT_EQ(t, device_counts().in_flight, 10);
	EXPECT_EQ(t, device_counts().refused - before.refused, NR_PAGES - 10);
	EXPECT_EQ(t, cache_counts(file).dirty_pages, NR_PAGES - 10);
	netblk_unplug(false);
	EXPECT_EQ(t, cache_sync(file, WRITE_NS), 0);
	EXPECT_EQ(t, cache_counts(file).written, NR_PAGES);
	destroy_file(t, file);
}

/* A write of the test's own. */
struct sent {
	struct netblk_write write;
	u32 nr_done; /* atomic */
	int err;
};

static void is_done(struct netblk_write *write, int err)
{
	struct sent *sent = container_of(write, struct sent, write);

	sent->err = err;
	/* Release: with the error. */
	__atomic_fetch_add(&sent->nr_done, 1, __ATOMIC_RELEASE);
}

static void wait_until_done(struct ktest *t, struct sent *sent)
{
	for (u32 i = 0; i < PATIENCE && load_acquire(&sent->nr_done) == 0; i++)
		pause_ns(MS);
	EXPECT_EQ(t, sent->nr_done, 1);
	EXPECT_EQ(t, sent->err, 0);
}

/* Somebody writes into a packet: it is not what was sent, so it is sent again. */
void cache_packets_are_checked(struct ktest *t)
{
	struct sent sent = {.write = {.done = is_done, .block = 7, .version = 3, .checksum = 9}};
	struct netblk_snapshot before = device_counts();

	netblk_unplug(true);
	ASSERT_EQ(t, netblk_submit(&sent.write, GFP_KERNEL), 0);
	EXPECT_EQ(t, netblk_findings(1), 0);
	sent.write.packet->words.version ^= 4;
	EXPECT_EQ(t, netblk_findings(1), 1); /* NETBLK-2 */
	netblk_unplug(false);
	wait_until_done(t, &sent);
	EXPECT_EQ(t, sent.write.checksum, 9);
	EXPECT_EQ(t, device_counts().corrupt - before.corrupt, 1);
	EXPECT_EQ(t, device_counts().resent - before.resent, 1);
	EXPECT_EQ(t, device_counts().completed - before.completed, 1);
	EXPECT_EQ(t, device_counts().packet_pages, 0);
}

/*
 * What is under way is what was sent, whatever becomes of the page: also of a packet that has to be sent again. And
 * what somebody has made of it on its way is what arrives.
 */
void cache_payloads_are_copied(struct ktest *t)
{
	static u64 page[PAGE_SIZE / sizeof(u64)];
	struct sent good = {.write = {.done = is_done, .block = 1, .payload = page}};
	struct sent bad = {.write = {.done = is_done, .block = 2, .payload = page}};
	struct netblk_snapshot before = device_counts();
	u64 sum;

	page[100] = t->seed;
	sum = content_sum(page);
	good.write.checksum = bad.write.checksum = sum;
	netblk_unplug(true);
	ASSERT_EQ(t, netblk_submit(&good.write, GFP_KERNEL), 0);
	ASSERT_EQ(t, netblk_submit(&bad.write, GFP_KERNEL), 0);
	page[100]++;
	good.write.packet->words.version ^= 4;
	((u64 *)bad.write.packet->payload)[511] ^= 1;
	netblk_unplug(false);
	wait_until_done(t, &good);
	wait_until_done(t, &bad);
	EXPECT_EQ(t, device_counts().resent - before.resent, 1);
	EXPECT_EQ(t, good.write.checksum, sum);
	EXPECT(t, bad.write.checksum != sum);
	EXPECT_EQ(t, device_counts().packet_pages, 0);
}

void cache_device_refuses_nonsense(struct ktest *t)
{
	struct netblk_options options = device_options();

	options.lost_permille = 1001;
	EXPECT_EQ(t, netblk_configure(&options), -EINVAL);
	options = device_options();
	options.min_delay_ns = options.max_delay_ns + 1;
	EXPECT_EQ(t, netblk_configure(&options), -EINVAL);
	options = device_options();
	options.resend_after_ns = 0;
	EXPECT_EQ(t, netblk_configure(&options), -EINVAL);
	options = device_options();
	options.lost_permille = 1000;
	options.max_resends = 0; /* no write would ever end */
	EXPECT_EQ(t, netblk_configure(&options), -EINVAL);
	netblk_options_now(&options);
	EXPECT_EQ(t, options.lost_permille, 0);
}
