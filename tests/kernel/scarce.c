/*
 * The stage for tests of fallback: see scarce.h.
 */
#include "scarce.h"

#include <kernel/thread.h>
#include <mm/kmalloc.h>
#include <x86/smp.h>

#include "../stress/pages_back.h"

struct scarce scarce;

static u64 before[NR_VMSTAT_ITEMS];

bool scarce_under(enum mm_behaviour behaviour)
{
	return mm_policy_chosen(MM_FALLBACK) == behaviour;
}

void scarce_mark(void)
{
	for (u32 i = 0; i < NR_VMSTAT_ITEMS; i++)
		before[i] = vmstat_read((enum vmstat_item)i);
}

u64 since(enum vmstat_item item)
{
	return vmstat_read(item) - before[item];
}

bool scarce_find_nodes(void)
{
	enum zone_type type;
	int nid;

	scarce.b = NUMA_NO_NODE;
	if (!zonelist_entry(cpu_to_node(smp_processor_id()), false, 0, &scarce.p, &type))
		return false;
	for (u32 i = 0; zonelist_entry(scarce.p, false, i, &nid, &type); i++) {
		if (nid != scarce.p && scarce.b == NUMA_NO_NODE)
			scarce.b = nid;
	}
	return scarce.b != NUMA_NO_NODE;
}

/* What CPUs keep is no matter here: all that is free is back where it is counted. */
static void settle(void)
{
	threads_release_spares();
	pages_settle();
}

void scarce_begin(struct ktest *t, u32 size)
{
	struct slab_cache_snapshot shape;

	settle();
	pages_before();
	scarce.held = (struct hoard){0};
	scarce.out = NULL;
	scarce.cache = kmem_cache_create("scarce", size, 0, 0, NULL);
	ASSERT_TRUE(t, scarce.cache != NULL);
	slab_cache_snapshot(scarce.cache, &shape);
	scarce.nr_objects = shape.nr_objects;
}

void give_back_all(struct out **list)
{
	while (*list) {
		struct out *object = *list;

		*list = object->next;
		kfree(object);
	}
}

void scarce_end(struct ktest *t)
{
	give_back_all(&scarce.out);
	hoard_release(&scarce.held);
	EXPECT_EQ(t, kmem_cache_destroy(scarce.cache), 0);
	settle();
	pages_after();
	expect_counts_as_before(t);
}

int scarce_keep(void *object)
{
	struct out *out = object;

	if (!out)
		return NUMA_NO_NODE;
	out->next = scarce.out;
	scarce.out = out;
	return virt_to_page(object)->nid;
}

void scarce_exhaust(int nid, gfp_t gfp)
{
	drain_all_pages();
	for (unsigned int order = NR_ORDERS; order-- > 0;) {
		struct page *page;

		while ((page = alloc_pages_node(nid, gfp | __GFP_THISNODE | __GFP_NOWARN, order)))
			hoard_add(&scarce.held, page, order);
	}
}
