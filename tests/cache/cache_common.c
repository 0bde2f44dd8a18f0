/*
 * What the cases of the page cache share: see cache_cases.h.
 */
#include "cache_cases.h"

#include <mm/os_task.h>
#include <mm/vmstat.h>

#include "../stress/pages_back.h"

struct cache_snapshot cache_counts(const struct cache_file *file)
{
	struct cache_snapshot s;

	cache_snapshot(file, &s);
	return s;
}

struct netblk_snapshot device_counts(void)
{
	struct netblk_snapshot s;

	netblk_snapshot(&s);
	return s;
}

struct netblk_options device_options(void)
{
	struct netblk_options options;

	netblk_options_default(&options);
	return options;
}

void device_is(struct ktest *t, const struct netblk_options *options)
{
	EXPECT_EQ(t, netblk_configure(options), 0);
}

struct cache_file *make_file(struct ktest *t, u64 nr_pages)
{
	struct cache_file *file = cache_file_create("a file", nr_pages, t->seed);

	EXPECT(t, file != NULL);
	return file;
}

static void count_finding(void *arg, const char *text)
{
	u32 *nr = arg;

	(void)text;
	++*nr;
}

u32 cache_findings(u32 i)
{
	u32 nr = 0;

	cache_check(i, count_finding, &nr);
	return nr;
}

u32 netblk_findings(u32 i)
{
	u32 nr = 0;

	netblk_check(i, count_finding, &nr);
	return nr;
}

static void expect_no_findings(struct ktest *t)
{
	for (u32 i = 0; i < NR_CACHE_INVARIANTS; i++)
		EXPECT_MSG(t, cache_findings(i) == 0, "CACHE-%u is broken", i + 1);
	for (u32 i = 0; i < NR_NETBLK_INVARIANTS; i++)
		EXPECT_MSG(t, netblk_findings(i) == 0, "NETBLK-%u is broken", i + 1);
}

void destroy_file(struct ktest *t, struct cache_file *file)
{
	struct netblk_options options = device_options();

	EXPECT_EQ(t, cache_file_destroy(file, WRITE_NS), 0);
	EXPECT_EQ(t, device_counts().in_flight, 0);
	EXPECT_EQ(t, device_counts().packet_pages, 0);
	device_is(t, &options);
	expect_no_findings(t);
}

void read_all(struct ktest *t, struct cache_file *file)
{
	for (u64 i = 0; i < cache_file_pages(file); i++)
		if (!EXPECT_EQ(t, cache_read(file, i, GFP_KERNEL), 0))
			return;
}

void write_all(struct ktest *t, struct cache_file *file)
{
	for (u64 i = 0; i < cache_file_pages(file); i++)
		if (!EXPECT_EQ(t, cache_write(file, i, GFP_KERNEL), 0))
			return;
}

u64 cache_free_pages(void)
{
	struct vm_totals totals;

	pages_settle();
	vm_totals(&totals);
	return totals.free_pages + totals.pcp_pages;
}
