/*
 * Bringing the memory manager up, in the one order that works.
 *
 *	1  zones_init()         every node's data, in its own memory; the spans of its zones
 *	   lrus_init()          and their empty LRU lists; nobody reclaims yet
 *	   pcps_init()          each CPU's page lists, on its node; they stay closed
 *	2  memmap_init()        struct page for every frame
 *	   block_types_init()   a type for every 2 MiB
 *	3  memmap_hand_over()   free frames become buddy blocks; memblock closes
 *	4  numa_set_memory_mask a node whose memory is all reserved has none to give
 *	5  zonelists_init()     in which order each node looks; needs 4
 *	6  watermark_setup()    marks; needs the managed pages of 3
 *	7  pcps_start()         the CPUs' lists open
 */
#include <mm/mm.h>

#include <base/assert.h>
#include <mm/memblock.h>
#include <mm/os.h>

#include "block_type.h"
#include "memmap.h"
#include "numa_internal.h"
#include "pcp.h"
#include "watermark.h"
#include "zone.h"

static u64 min_free_kbytes;

static u64 total_managed_pages(void)
{
	const struct zone *zone;
	u64 pages = 0;
	int nid;

	for_each_zone(nid, zone)
		pages += zone->managed_pages;
	return pages;
}

/* More than a quarter of memory kept back would leave a machine that serves nobody. */
void mm_set_min_free_kbytes(u64 kbytes)
{
	u64 most = total_managed_pages() * (PAGE_SIZE / 1024) / 4;

	if (kbytes > most) {
		os_log(OS_LOG_WARN, "mm", "min_free_kbytes %llu is over a quarter of memory: %llu",
		       (unsigned long long)kbytes, (unsigned long long)most);
		kbytes = most;
	}
	min_free_kbytes = kbytes;
	watermark_setup(kbytes);
}

u64 mm_min_free_kbytes(void)
{
	return min_free_kbytes;
}

static void set_memory_mask(void)
{
	const struct zone *zone;
	nodemask_t mask = 0;
	int nid;

	for_each_zone(nid, zone) {
		if (zone->managed_pages)
			mask |= NODE_BIT(nid);
	}
	numa_set_memory_mask(mask);
}

static void lrus_init(void)
{
	int nid;

	for_each_node(nid) {
		lru_node_init(&NODE_DATA(nid)->lru);
		reclaim_node_init(&NODE_DATA(nid)->reclaim);
	}
}

void mm_init(const struct mm_options *options)
{
	u64 pages;

	if (memblock_ram_pages() == 0)
		os_panic("mm: the machine has no memory");

	zones_init();
	lrus_init();
	pcps_init();
	memmap_init();
	block_types_init(!options->one_block_type);
	memmap_hand_over();
	pages = total_managed_pages();
	if (pages == 0)
		os_panic("mm: no page of %llu is left to manage",
			 (unsigned long long)memblock_ram_pages());
	set_memory_mask();
	zonelists_init();
	mm_set_min_free_kbytes(options->min_free_kbytes ? options->min_free_kbytes
							: watermark_default_min_free_kbytes(pages));
	pcps_start();
}
