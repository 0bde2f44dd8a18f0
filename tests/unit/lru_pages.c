/*
 * A machine of two nodes, and pages on the LRUs of it, for the suites about them.
 *
 * Pages have numbers, in the order they were added in; a list is compared as the text of its pages'
 * numbers, head first. Zones are of three classes on node 0, so that a class can matter.
 */
#include "lru_pages.h"

#include <base/string.h>

#include "mm/zone.h"

const struct host_machine lru_machine = {
	.ram = {{0, MiB(32), 0}, {GiB(4), MiB(64), 0}, {GiB(8), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

const struct lru_owner lru_test_owner = {.name = "test"};

struct page *lru_new_page(int nid, gfp_t gfp)
{
	struct page *page = alloc_pages_node(nid, gfp | __GFP_MOVABLE, 0);

	lru_cache_add(page, &lru_test_owner);
	return page;
}

void lru_boot_with(struct page **page, u32 nr)
{
	host_machine_boot(&lru_machine);
	for (u32 i = 0; i < nr; i++)
		page[i] = lru_new_page(0, GFP_KERNEL);
}

u64 lru_on_list(int nid, enum lru_list list)
{
	struct lru_snapshot s;

	lru_snapshot(nid, &s);
	return s.pages[list];
}

void lru_expect_list(struct ktest *t, enum lru_list list, struct page **page, u32 nr,
		     const char *expected)
{
	const struct list_head *head = &NODE_DATA(0)->lru.list[list];
	char text[64];
	u32 length = 0;

	for (const struct list_head *at = head->next; at != head && length < 63; at = at->next) {
		text[length] = '?';
		for (u32 i = 0; i < nr; i++) {
			if (at == &page[i]->lru_link)
				text[length] = (char)('0' + i);
		}
		length++;
	}
	text[length] = '\0';
	EXPECT_STREQ(t, text, expected);
	EXPECT_EQ(t, lru_on_list(0, list), strlen(expected));
}
