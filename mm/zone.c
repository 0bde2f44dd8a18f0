/*
 * Nodes and zones: laying them out over the machine's memory.
 *
 * A zone is the part of one node's memory below a limit that some device has: DMA below 16 MiB,
 * DMA32 below 4 GiB, NORMAL above. Most nodes have only one; the node at the bottom of memory has
 * all three:
 *
 *	0    16M               4G
 *	|DMA |------DMA32------|--NORMAL--|          node 0
 *	                                  |--NORMAL--|  node 1
 *
 * A zone's span is from its first to its last frame of RAM. Spans of different nodes overlap where
 * firmware interleaves nodes, so a frame's zone is what its struct page says, never what a span
 * says.
 */
#include "zone.h"

#include <base/assert.h>
#include <base/string.h>
#include <mm/memblock.h>
#include <mm/os.h>

struct pglist_data *node_data[MAX_NUMNODES];
struct zone *zone_table[NR_PLACES];

static void zone_set_up(struct zone *zone, int nid, enum zone_type type)
{
	zone->nid = nid;
	zone->type = type;
	zone_table[PAGE_PLACE(type, (u32)nid)] = zone;
	spin_lock_init(&zone->lock, "zone");
	for (u32 i = 0; i < NR_BLOCK_TYPES * NR_ORDERS; i++)
		list_init(&zone->free[i / NR_ORDERS].area[i % NR_ORDERS].list);
}

/* Adds the RAM frames [start, end), all of one zone type. Ranges come in address order. */
static void zone_add_ram(struct zone *zone, pfn_t start, pfn_t end)
{
	if (zone->present_pages == 0)
		zone->start_pfn = start;
	zone->spanned_pages = end - zone->start_pfn;
	zone->present_pages += end - start;
}

static void zones_measure(void)
{
	struct memblock_range range;
	phys_addr_t cursor = 0;

	while (memblock_next_ram(&cursor, &range)) {
		pfn_t start = pfn_down(range.base), end = pfn_down(range.end);

		while (start < end) {
			enum zone_type type = pfn_zone_type(start);
			pfn_t limit = type == ZONE_DMA     ? ZONE_DMA_END_PFN
				      : type == ZONE_DMA32 ? ZONE_DMA32_END_PFN
							   : end;
			pfn_t stop = MIN(end, limit);

			zone_add_ram(&NODE_DATA(range.nid)->zones[type], start, stop);
			start = stop;
		}
	}
}

void zones_init(void)
{
	int nid;

	for_each_node(nid) {
		phys_addr_t at = numa_alloc_early(nid, sizeof(struct pglist_data), PAGE_SIZE,
						  MEMBLOCK_NODE_DATA);

		if (at == 0)
			os_panic("mm: no memory for the data of node %d (%zu bytes)", nid,
				 sizeof(struct pglist_data));
		node_data[nid] = phys_to_virt(at);
		memset(node_data[nid], 0, sizeof(struct pglist_data));
		node_data[nid]->nid = nid;
		for (u32 type = 0; type < MAX_NR_ZONES; type++)
			zone_set_up(&node_data[nid]->zones[type], nid, (enum zone_type)type);
	}
	zones_measure();
}

const char *zone_type_name(enum zone_type zone)
{
	static const char *const names[MAX_NR_ZONES] = {"DMA", "DMA32", "Normal"};

	return zone < MAX_NR_ZONES ? names[zone] : "?";
}
