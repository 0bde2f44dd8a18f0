/*
 * `check` itself: each invariant broken on purpose must be found under its id. Here those of memory, its nodes,
 * zones and pages; the other test_check_*.c have the others, and test_check_tested.c asks whether those are all.
 */
#include "host.h"

#include <arch/page.h>
#include <mm/check.h>
#include <mm/memblock.h>
#include <mm/page_alloc.h>

#include "mm/claim.h"
#include "mm/memblock_internal.h"
#include "mm/pcp.h"
#include "mm/zone.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(4), MiB(32), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

static struct zone *boot_zone(struct ktest *t)
{
	host_machine_boot(&machine);
	expect_check_clean(t);
	return &NODE_DATA(1)->zones[ZONE_NORMAL];
}

static struct page *first_free(struct zone *zone, u32 order)
{
	return list_first_entry(&zone->free[BLOCK_MOVABLE].area[order].list, struct page,
				free_link);
}

/* The invariants' data is constant to everyone else. */
static struct region_list *regions(bool of_reserved)
{
	return (struct region_list *)(uintptr_t)memblock_region_list(of_reserved);
}

static struct numa_topology *topology(void)
{
	return (struct numa_topology *)(uintptr_t)numa_topology();
}

static void memblock_1(struct ktest *t)
{
	boot_zone(t);
	regions(false)->region[1].base = MiB(63);
	expect_check_finds(t, "MEMBLOCK-1");
}

static void memblock_2(struct ktest *t)
{
	struct region_list *list = regions(true);
	struct region half;

	boot_zone(t);
	half = list->region[list->nr - 1];
	half.base = half.end - PAGE_SIZE;
	list->region[list->nr - 1].end = half.base;
	list->region[list->nr++] = half;
	expect_check_finds(t, "MEMBLOCK-2");
}

static void acct_1(struct ktest *t)
{
	boot_zone(t)->managed_pages--;
	expect_check_finds(t, "ACCT-1");
}

static void numa_1(struct ktest *t)
{
	boot_zone(t);
	topology()->cpus[1].nid = 2;
	expect_check_finds(t, "NUMA-1");
}

static void numa_2(struct ktest *t)
{
	boot_zone(t);
	topology()->ranges[0].end = topology()->ranges[1].base + 1;
	expect_check_finds(t, "NUMA-2");
}

static void numa_3(struct ktest *t)
{
	boot_zone(t);
	topology()->distance[0][1] = 10;
	expect_check_finds(t, "NUMA-3");
}

static void numa_4(struct ktest *t)
{
	boot_zone(t);
	regions(false)->region[0].attr = NUMA_NO_NODE;
	expect_check_finds(t, "NUMA-4");
}

static void zonelist_1(struct ktest *t)
{
	struct zonelist *list;

	boot_zone(t);
	list = &NODE_DATA(0)->zonelist[ZONELIST_FALLBACK];
	list->ref[list->nr++] = list->ref[0];
	expect_check_finds(t, "ZONELIST-1");
}

static void zonelist_2(struct ktest *t)
{
	struct zoneref *ref;
	struct zone *zone;

	boot_zone(t);
	ref = NODE_DATA(0)->zonelist[ZONELIST_FALLBACK].ref;
	zone = ref[0].zone;
	ref[0].zone = ref[1].zone;
	ref[1].zone = zone;
	expect_check_finds(t, "ZONELIST-2");
}

static void zonelist_3(struct ktest *t)
{
	boot_zone(t);
	NODE_DATA(1)->zonelist[ZONELIST_FALLBACK].nr--;
	expect_check_finds(t, "ZONELIST-3");
}

/* A zone that claims to have no memory at all, and yet has free pages. */
static void zone_1_empty(struct ktest *t)
{
	struct zone *zone;

	boot_zone(t);
	zone = &NODE_DATA(1)->zones[ZONE_DMA];
	zone->nr_free_pages = 7;
	expect_check_finds(t, "ZONE-1");
}

static void zone_1(struct ktest *t)
{
	struct zone *zone = boot_zone(t);

	zone->spanned_pages = zone->present_pages - 1;
	expect_check_finds(t, "ZONE-1");
}

static void buddy_1(struct ktest *t)
{
	first_free(boot_zone(t), MAX_ORDER)->order = 3;
	expect_check_finds(t, "BUDDY-1");
}

static void buddy_2(struct ktest *t)
{
	boot_zone(t)->free[BLOCK_MOVABLE].area[MAX_ORDER].nr_free--;
	expect_check_finds(t, "BUDDY-2");
}

/* A list that runs in a circle without its head must not be followed for ever. */
static void buddy_2_circle(struct ktest *t)
{
	struct list_head *first = &first_free(boot_zone(t), MAX_ORDER)->free_link;

	first->next = first;
	expect_check_finds(t, "BUDDY-2");
}

/* Links that lead out of the memory map, and a node that is none, must not be followed at all. */
static void buddy_2_wild_link(struct ktest *t)
{
	first_free(boot_zone(t), MAX_ORDER)->free_link.next = LIST_POISON_NEXT;
	expect_check_finds(t, "BUDDY-2");
}

static void page_1_wild_node(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 3);
	page[5].nid = 40;
	expect_check_finds(t, "PAGE-1");
	expect_check_finds(t, "PAGE-2");
}

/* RAM that memblock has given to the allocator is neither reserved nor a hole. */
static void page_1_of_nobody(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 3);
	page[5].state = PAGE_RESERVED;
	expect_check_finds(t, "PAGE-1");
	page[5].state = PAGE_HOLE;
	expect_check_finds(t, "PAGE-1");
}

static void page_2_wild_order(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	page->order = 15;
	expect_check_finds(t, "PAGE-2");
}

static void buddy_3(struct ktest *t)
{
	struct zone *zone = boot_zone(t);
	struct page *page = first_free(zone, MAX_ORDER);

	/* Two halves listed instead of the whole. */
	list_del(&page->free_link);
	zone->free[BLOCK_MOVABLE].area[MAX_ORDER].nr_free--;
	for (u32 half = 0; half < 2; half++) {
		page[half * 512].state = PAGE_FREE;
		page[half * 512].order = 9;
		list_add(&page[half * 512].free_link, &zone->free[BLOCK_MOVABLE].area[9].list);
		zone->free[BLOCK_MOVABLE].area[9].nr_free++;
	}
	zone->free[BLOCK_MOVABLE].orders |= 1u << 9;
	expect_check_finds(t, "BUDDY-3");
}

static void buddy_4(struct ktest *t)
{
	boot_zone(t)->nr_free_pages++;
	expect_check_finds(t, "BUDDY-4");
}

static void buddy_5(struct ktest *t)
{
	boot_zone(t)->free[BLOCK_MOVABLE].orders &= ~(1u << MAX_ORDER);
	expect_check_finds(t, "BUDDY-5");
}

static void buddy_6(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	/* A block that nobody knows any more: neither free nor allocated. */
	page = alloc_pages_node(1, GFP_KERNEL, 2);
	page->state = PAGE_TAIL;
	expect_check_finds(t, "BUDDY-6");
}

static void page_1(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	page->zone = ZONE_DMA32;
	expect_check_finds(t, "PAGE-1");
}

static void page_2(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 3);
	page[5].state = PAGE_ALLOCATED;
	expect_check_finds(t, "PAGE-2");
}

static struct pcp_list *list_with_a_page(struct ktest *t)
{
	struct zone *zone = boot_zone(t);

	__free_pages(alloc_pages_node(zone->nid, GFP_KERNEL, 0), 0);
	return &zone->pcp[0]->list[0];
}

static void pcp_1(struct ktest *t)
{
	struct pcp_list *list = list_with_a_page(t);

	ASSERT_TRUE(t, list->hot != NULL);
	list->nr_hot++;
	expect_check_finds(t, "PCP-1");
}

static void pcp_1_wild_page(struct ktest *t)
{
	struct pcp_list *list = list_with_a_page(t);

	ASSERT_TRUE(t, list->hot != NULL);
	list->hot->pcp_next = (struct page *)(void *)&list->cold; /* no page, but readable */
	list->nr_hot = 2;
	expect_check_finds(t, "PCP-1");
}

/* A cold stack that is not there, and one that is too short. */
static void pcp_1_cold(struct ktest *t)
{
	struct pcp_list *list = list_with_a_page(t);
	struct page *page[256];
	u32 nr = list->capacity + 1u;
	int nid = list->hot->nid;

	ASSERT_TRUE(t, nr > 2 && nr <= ARRAY_SIZE(page));
	for (u32 i = 0; i < nr; i++)
		page[i] = alloc_pages_node(nid, GFP_KERNEL, 0);
	for (u32 i = 0; i < nr; i++)
		__free_pages(page[i], 0);
	ASSERT_TRUE(t, list->nr_cold > 0);
	expect_check_clean(t);
	list->nr_cold++;
	expect_check_finds(t, "PCP-1");
	list->nr_cold--;
	page[0]->pcp_next = NULL; /* its top */
	expect_check_finds(t, "PCP-1");
}

static void pcp_1_other_zone(struct ktest *t)
{
	struct pcp_list *list = list_with_a_page(t);

	ASSERT_TRUE(t, list->hot != NULL);
	list->hot->zone = ZONE_DMA;
	expect_check_finds(t, "PCP-1");
}

static void pcp_2(struct ktest *t)
{
	struct pcp_list *list = list_with_a_page(t);

	list->capacity = 0;
	expect_check_finds(t, "PCP-2");
}

static void wmark_1(struct ktest *t)
{
	struct zone *zone = boot_zone(t);

	/* In order and evenly spaced, but not the zone's share. */
	for (u32 mark = 0; mark < NR_WMARK; mark++)
		zone->watermark[mark]++;
	expect_check_finds(t, "WMARK-1");
}

static void wmark_2(struct ktest *t)
{
	boot_zone(t)->lowmem_reserve[ZONE_NORMAL] = 1;
	expect_check_finds(t, "WMARK-2");
}

static void btype_1(struct ktest *t)
{
	struct page *page = first_free(boot_zone(t), MAX_ORDER);

	page[PAGEBLOCK_PAGES].pageblock_type = BLOCK_UNMOVABLE;
	expect_check_finds(t, "BTYPE-1");
}

static void btype_2(struct ktest *t)
{
	struct page *page = first_free(boot_zone(t), MAX_ORDER);

	page->pageblock_shared = true;
	expect_check_finds(t, "BTYPE-2");
}

static void btype_3(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 3);
	page->list = PAGE_LIST(2, BLOCK_UNMOVABLE);
	expect_check_finds(t, "BTYPE-3");
	page->list = PAGE_LIST(3, NR_BLOCK_TYPES);
	expect_check_finds(t, "BTYPE-3");
}

static void claim_1(struct ktest *t)
{
	struct zone *zone = boot_zone(t);
	u64 word = claim_word(zone->start_pfn + 1024, 9);

	zone->claim[2].word = word;
	expect_check_finds(t, "CLAIM-1"); /* not counted */
	zone->nr_claims = 1;
	zone->claim[2].word = word + (1 << 8);
	expect_check_finds(t, "CLAIM-1"); /* not aligned */
	zone->claim[2].word = claim_word(zone->start_pfn + 1024, PCP_MAX_ORDER);
	expect_check_finds(t, "CLAIM-1");
	zone->nr_claims = 2;
	zone->claim[2].word = word;
	zone->claim[0].word = claim_word(zone->start_pfn + 1024, 10);
	expect_check_finds(t, "CLAIM-1"); /* not apart */
}

static void claim_2(struct ktest *t)
{
	struct zone *zone = boot_zone(t);

	/* All of it is free, and stays so. */
	zone->claim[0].word = claim_word(page_to_pfn(first_free(zone, MAX_ORDER)), MAX_ORDER);
	zone->nr_claims = 1;
	expect_check_finds(t, "CLAIM-2");
}

static void claim_3(struct ktest *t)
{
	struct page *page;

	boot_zone(t);
	page = alloc_pages_node(1, GFP_KERNEL, 3);
	page->state = PAGE_CAPTURED;
	expect_check_finds(t, "CLAIM-3");
}

static const struct ktest_case cases[] = {
	KTEST(memblock_1),
	KTEST(memblock_2),
	KTEST(acct_1),
	KTEST(numa_1),
	KTEST(numa_2),
	KTEST(numa_3),
	KTEST(numa_4),
	KTEST(zonelist_1),
	KTEST(zonelist_2),
	KTEST(zonelist_3),
	KTEST(zone_1),
	KTEST(zone_1_empty),
	KTEST(buddy_1),
	KTEST(buddy_2),
	KTEST_SLOW(buddy_2_circle, 10),
	KTEST(buddy_2_wild_link),
	KTEST(buddy_3),
	KTEST(buddy_4),
	KTEST(buddy_5),
	KTEST(buddy_6),
	KTEST(page_1),
	KTEST(page_1_wild_node),
	KTEST(page_1_of_nobody),
	KTEST(page_2_wild_order),
	KTEST(page_2),
	KTEST(pcp_1),
	KTEST(pcp_1_wild_page),
	KTEST(pcp_1_cold),
	KTEST(pcp_1_other_zone),
	KTEST(pcp_2),
	KTEST(wmark_1),
	KTEST(wmark_2),
	KTEST(btype_1),
	KTEST(btype_2),
	KTEST(btype_3),
	KTEST(claim_1),
	KTEST(claim_2),
	KTEST(claim_3),
};
KTEST_SUITE(check, cases);
