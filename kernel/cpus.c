/*
 * What the architecture asks about CPUs: their names in the tables, their nodes, memory near them.
 *
 * The boot CPU's area and stacks are early memory, the others' come from kmalloc(): an area is a piece of a page, a stack
 * a block of pages. Both look on the CPU's node first and then outward.
 *
 * Memory is cleared, because under QEMU a page that once held firmware code is slow to write until
 * all of that is overwritten, and a stack never overwrites itself as a whole.
 */
#include <arch/page.h>
#include <base/string.h>
#include <mm/kmalloc.h>
#include <mm/numa.h>
#include <mm/page.h>

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

static void *alloc(u32 cpu, u64 size_bytes, bool *away)
{
	/* Half of the reserve may be used for it: it is once, and better than a CPU left out. */
	gfp_t gfp = GFP_KERNEL | __GFP_HIGH | __GFP_ZERO | __GFP_NOWARN;
	int nid = cpu_to_node(cpu);
	void *memory;

	if (!allocator_ready)
		return alloc_early(cpu, size_bytes);
	memory = kmalloc_node(size_bytes, gfp, nid);
	if (!memory)
		return NULL;
	if (node_isset(nid, node_memory_mask()) && virt_to_page(memory)->nid != (u16)nid)
		*away = true;
	return memory;
}

static void give_back(void *memory, u64 size_bytes)
{
	(void)size_bytes;
	kfree(memory);
}

const struct cpu_source cpu_source = {
	.apic_id = apic_id,
	.node = cpu_to_node,
	.alloc = alloc,
	.free = give_back,
};
