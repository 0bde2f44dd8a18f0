/*
 * Each invariant of LRU lists, broken in several ways. As test_check.c.
 */
#include "host.h"

#include <mm/lru.h>
#include <mm/page_alloc.h>

#include "mm/lru.h"
#include "mm/zone.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

/* Pages of node 1 that are on its LRU. */
static const struct lru_owner lru_owner = {.name = "check"};
static struct page *lru_page[4];

static struct lru_node *boot_lru(struct ktest *t)
{
	host_machine_boot(&machine);
	for (u32 i = 0; i < ARRAY_SIZE(lru_page); i++) {
		lru_page[i] = alloc_pages_node(1, GFP_KERNEL | __GFP_MOVABLE, 0);
		lru_cache_add(lru_page[i], &lru_owner);
	}
	expect_check_clean(t);
	return &NODE_DATA(1)->lru;
}

static void lru_1(struct ktest *t)
{
	boot_lru(t);
	lru_page[2]->order = 1;
	expect_check_finds(t, "LRU-1");
}

/* A reference too many was put: its count is below 0. */
static void lru_1_references(struct ktest *t)
{
	boot_lru(t);
	lru_page[0]->lru_refs = 0xffffffff;
	expect_check_finds(t, "LRU-1");
}

static void lru_2(struct ktest *t)
{
	struct lru_node *lru = boot_lru(t);

	lru->nr[LRU_INACTIVE]++;
	lru->nr_zone[ZONE_NORMAL][LRU_INACTIVE]++;
	expect_check_finds(t, "LRU-2");
}

static void lru_2_zones(struct ktest *t)
{
	boot_lru(t)->nr_zone[ZONE_DMA][LRU_ACTIVE]++;
	expect_check_finds(t, "LRU-2");
}

static void lru_2_isolated(struct ktest *t)
{
	struct lru_node *lru = boot_lru(t);

	lru->nr[LRU_ISOLATED]++;
	lru->nr_zone[ZONE_NORMAL][LRU_ISOLATED]++;
	expect_check_finds(t, "LRU-2");
}

/* The list runs in a circle past its head, and one link leads nowhere. */
static void lru_2_circle(struct ktest *t)
{
	boot_lru(t);
	lru_page[0]->lru_link.next = &lru_page[3]->lru_link;
	expect_check_finds(t, "LRU-2");
}

static void lru_2_wild_link(struct ktest *t)
{
	boot_lru(t);
	lru_page[1]->lru_link.next = (struct list_head *)0x1000;
	expect_check_finds(t, "LRU-2");
}

static void lru_3(struct ktest *t)
{
	boot_lru(t)->nr_dirty++;
	expect_check_finds(t, "LRU-3");
}

static void lru_3_writeback(struct ktest *t)
{
	boot_lru(t);
	set_page_dirty(lru_page[0]);
	lru_page[1]->lru_flags |= LRU_WRITEBACK;
	expect_check_finds(t, "LRU-3");
}

/* A page that somebody else has says that it is on a list. */
static void lru_4(struct ktest *t)
{
	boot_lru(t);
	alloc_pages_node(1, GFP_KERNEL, 0)->lru = LRU_ACTIVE;
	expect_check_finds(t, "LRU-4");
}

/* A page that is marked is on none. */
static void lru_4_marked(struct ktest *t)
{
	boot_lru(t);
	page_set_mark(alloc_pages_node(1, GFP_KERNEL, 0), PAGE_MARK_LRU);
	expect_check_finds(t, "LRU-4");
}

static const struct ktest_case cases[] = {
	KTEST(lru_1),           KTEST(lru_1_references),
	KTEST(lru_2),           KTEST(lru_2_zones),
	KTEST(lru_2_isolated),  KTEST(lru_2_circle),
	KTEST(lru_2_wild_link), KTEST(lru_3),
	KTEST(lru_3_writeback), KTEST(lru_4),
	KTEST(lru_4_marked),
};
KTEST_SUITE(check_lru, cases);
