/*
 * What the architecture asks about CPUs: their names in the tables, their nodes, memory near them.
 *
 * The boot CPU's area and stacks are early memory, the others' come from the allocator. Both look on
 * the CPU's node first and then outward.
 *
 * Memory is cleared, because under QEMU a page that once held firmware code is slow to write until
 * all of that is overwritten, and a stack never overwrites itself as a whole.
 */
#include <arch/page.h>
#include <base/string.h>
#include <mm/numa.h>
#include <mm/page_alloc.h>

#include "cpus.h"

static bool allocator_ready;

void cpus_memory_ready(void)
{
	allocator_ready = true;
}

static u32 apic_id(u32 cpu)
{
	return numa_topology()->cpus[cpu].apic_id;
}

static void *alloc_early(u32 cpu, u64 size_bytes)
{
	phys_addr_t phys =
		numa_alloc_early(cpu_to_node(cpu), size_bytes, size_bytes, MEMBLOCK_STACKS);

	if (!phys)
		return NULL;
	memset(phys_to_virt(phys), 0, size_bytes);
	return phys_to_virt(phys);
}

static unsigned int order_of(u64 size_bytes)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size_bytes)
		order++;
	return order;
}

static void *alloc(u32 cpu, u64 size_bytes, bool *away)
{
	/* Half of the reserve may be used for it: it is once, and better than a CPU left out. */
	gfp_t gfp = GFP_KERNEL | __GFP_HIGH | __GFP_ZERO | __GFP_NOWARN;
	int nid = cpu_to_node(cpu);
	struct page *page;

	if (!allocator_ready)
		return alloc_early(cpu, size_bytes);
	page = alloc_pages_node(nid, gfp, order_of(size_bytes));
	if (!page)
		return NULL;
	if (node_isset(nid, node_memory_mask()) && page->nid != (u16)nid)
		*away = true;
	return page_address(page);
}

static void give_back(void *memory, u64 size_bytes)
{
	free_pages(memory, order_of(size_bytes));
}

const struct cpu_source cpu_source = {
	.apic_id = apic_id,
	.node = cpu_to_node,
	.alloc = alloc,
	.free = give_back,
};
