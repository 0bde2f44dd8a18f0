/*
 * Each invariant of the slab layer, broken in several ways. As test_check.c.
 */
#include "host.h"

#include <arch/irq.h>
#include <mm/check.h>
#include <mm/kmalloc.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "mm/slab.h"
#include "mm/zone.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

/*
 * Of node 1, three slabs' worth of objects out, and one more:
 *
 *	full      slab[0], slab[1], slab[2]
 *	partial   slab[3]: one object out, the others on no stack: there are none
 */
#define BYTES 400u
static struct kmem_cache *cache;
static struct kmem_cache_node *home;
static struct page *slab[4];
static void *object[64];

static void boot(struct ktest *t)
{
	u32 nr;

	host_machine_boot(&machine);
	cache = kmem_cache_create("broken", BYTES, 0, 0, NULL);
	if (kmem_cache_tune(cache, 0, 0, 0) != 0)
		ktest_fail(t, __FILE__, __LINE__, "the cache cannot be tuned");
	nr = 3 * cache->nr_objects + 1;
	ASSERT_TRUE(t, nr <= ARRAY_SIZE(object));
	for (u32 i = 0; i < nr; i++)
		object[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, 1);
	home = cache->node[1];
	for (u32 i = 0; i < ARRAY_SIZE(slab); i++)
		slab[i] = slab_of(cache, object[i * cache->nr_objects]);
	ASSERT_EQ(t, home->nr_slabs, 4);
	expect_check_clean(t);
}

/* The same with stacks: this CPU, of node 0, has some of its own node's objects. */
static struct cpu_stack *boot_stacks(struct ktest *t)
{
	struct cpu_stack *stack;

	boot(t);
	kmem_cache_tune(cache, 16, 8, 2);
	kmem_cache_free(cache, kmem_cache_alloc_node(cache, GFP_KERNEL, 0));
	home = cache->node[0];
	stack = home->stack[0];
	EXPECT(t, stack->nr >= 2);
	expect_check_clean(t);
	return stack;
}

/* --- SLAB-1 ------------------------------------------------------------------------------------------ */

static void slab_1(struct ktest *t)
{
	boot(t);
	page_clear_mark(slab[1], PAGE_MARK_SLAB);
	expect_check_finds(t, "SLAB-1");
}

static void slab_1_home(struct ktest *t)
{
	boot(t);
	slab[0]->slab_home = cache->node[0];
	expect_check_finds(t, "SLAB-1");
}

/* The word of a page behind the first: a free of an object in it would go elsewhere. */
static void slab_1_tail(struct ktest *t)
{
	struct kmem_cache *large;
	struct page *page;

	boot(t);
	large = kmem_cache_create("large", 6000, 0, 0, NULL);
	page = virt_to_page(kmem_cache_alloc(large, GFP_KERNEL));
	ASSERT_TRUE(t, large->order > 0);
	page = slab_of(large, page_address(page));
	page[1].slab_home = NULL;
	expect_check_finds(t, "SLAB-1");
}

/* Full, and one of its objects is free. */
static void slab_1_list(struct ktest *t)
{
	boot(t);
	slab[2]->slab_nr_free++;
	slab[2]->slab_bits |= 2;
	home->nr_free_objects++;
	expect_check_finds(t, "SLAB-1");
}

static void slab_1_offset(struct ktest *t)
{
	boot(t);
	slab[2]->slab_offset = 4000;
	expect_check_finds(t, "SLAB-1");
}

/* --- SLAB-2 ------------------------------------------------------------------------------------------ */

static void slab_2(struct ktest *t)
{
	boot(t);
	slab[3]->slab_bits &= slab[3]->slab_bits - 1;
	expect_check_finds(t, "SLAB-2");
}

static void slab_2_beyond(struct ktest *t)
{
	boot(t);
	slab[3]->slab_bits &= slab[3]->slab_bits - 1;
	slab[3]->slab_bits |= (u64)1 << 63;
	expect_check_finds(t, "SLAB-2");
}

/* A map that is nowhere. */
static void slab_2_wild_map(struct ktest *t)
{
	boot(t);
	slab[0]->slab_map = (u64 *)0x1000;
	expect_check_finds(t, "SLAB-2");
}

static void slab_2_wild_map_off_slab(struct ktest *t)
{
	struct kmem_cache *off;
	struct page *page;

	boot(t);
	off = kmem_cache_create("off", 32, 0, SLAB_OFF_SLAB, NULL);
	page = slab_of(off, kmem_cache_alloc(off, GFP_KERNEL));
	ASSERT_TRUE(t, off->map_kind == SLAB_MAP_OFF_SLAB);
	expect_check_clean(t);
	page->slab_map = (u64 *)0x1000;
	expect_check_finds(t, "SLAB-2");
}

/* --- SLAB-3 ------------------------------------------------------------------------------------------ */

static void slab_3(struct ktest *t)
{
	boot(t);
	home->nr_slabs++;
	expect_check_finds(t, "SLAB-3");
}

static void slab_3_objects(struct ktest *t)
{
	boot(t);
	home->nr_free_objects--;
	expect_check_finds(t, "SLAB-3");
}

static void slab_3_free_slabs(struct ktest *t)
{
	boot(t);
	home->nr_free_slabs++;
	expect_check_finds(t, "SLAB-3");
}

/* The list runs in a circle past its head; a link leads nowhere; one leads to something that is no page. */
static void slab_3_circle(struct ktest *t)
{
	boot(t);
	slab[0]->slab_link.next = &slab[2]->slab_link;
	expect_check_finds(t, "SLAB-3");
}

static void slab_3_wild_link(struct ktest *t)
{
	boot(t);
	slab[1]->slab_link.next = (struct list_head *)0x1000;
	expect_check_finds(t, "SLAB-3");
}

static void slab_3_no_page(struct ktest *t)
{
	boot(t);
	slab[1]->slab_link.next = (struct list_head *)object[0];
	expect_check_finds(t, "SLAB-3");
}

/* --- SLAB-4 ------------------------------------------------------------------------------------------ */

static void slab_4(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);

	stack->entry[0] = object[0]; /* of node 1 */
	expect_check_finds(t, "SLAB-4");
}

static void slab_4_twice(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);

	stack->entry[0] = stack->entry[1];
	expect_check_finds(t, "SLAB-4");
}

static void slab_4_inside(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);

	stack->entry[0] = (char *)stack->entry[0] + 8;
	expect_check_finds(t, "SLAB-4");
}

static void slab_4_free_as_well(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);
	struct page *page = slab_of(cache, stack->entry[0]);

	page->slab_bits |= (u64)1 << slab_index(cache, page, stack->entry[0]);
	expect_check_finds(t, "SLAB-4");
}

static void slab_4_nowhere(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);

	stack->entry[0] = (void *)0x1238;
	expect_check_finds(t, "SLAB-4");
}

/* On the stack of a CPU that is another: it is asked. */
static void put_twice(void *arg)
{
	struct kmem_cache *of = arg;
	struct cpu_stack *stack = of->local[smp_processor_id()];

	kmem_cache_free(of, kmem_cache_alloc(of, GFP_NOWAIT));
	stack->entry[0] = stack->entry[stack->nr - 1];
}

static void slab_4_another_cpu(struct ktest *t)
{
	boot(t);
	slab_all_cpus_run();
	ASSERT_EQ(t, kmem_cache_tune(cache, 16, 8, 2), 0);
	kmem_cache_free(cache, kmem_cache_alloc_node(cache, GFP_KERNEL, 1));
	EXPECT_EQ(t, os_run_on_cpu(1, put_twice, cache), 0);
	EXPECT(t, cache->local[1] != &slab_no_stack && cache->local[1]->nr > 1);
	expect_check_finds(t, "SLAB-4");
}

static void slab_4_shared(struct ktest *t)
{
	boot_stacks(t);
	home->shared->entry[home->shared->nr++] = object[0];
	expect_check_finds(t, "SLAB-4");
}

/* With interrupts off nobody else can be asked: this CPU is looked at, and what is left out is said. */
static void others_are_left_out(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);
	unsigned long flags = irq_save();

	host_log_clear();
	expect_check_clean(t);
	EXPECT(t, host_log_contains("SLAB-4: interrupts are off: other CPUs are left out"));
	stack->entry[0] = stack->entry[1];
	expect_check_finds(t, "SLAB-4");
	irq_restore(flags);
}

/* --- SLAB-5 ------------------------------------------------------------------------------------------ */

static void slab_5(struct ktest *t)
{
	struct cpu_stack *stack = boot_stacks(t);

	stack->nr = stack->capacity + 1;
	expect_check_finds(t, "SLAB-5");
}

static void slab_5_limit(struct ktest *t)
{
	boot_stacks(t)->limit++;
	expect_check_finds(t, "SLAB-5");
}

static void slab_5_wild(struct ktest *t)
{
	boot_stacks(t);
	home->stack[0] = (struct cpu_stack *)0x1000;
	expect_check_finds(t, "SLAB-5");
}

/* --- SLAB-6 ------------------------------------------------------------------------------------------ */

/* Off its list, and counts say so: nobody will ever find it again. */
static void slab_6(struct ktest *t)
{
	boot(t);
	list_del(&slab[1]->slab_link);
	home->nr_slabs--;
	expect_check_finds(t, "SLAB-6");
}

static void slab_6_marked(struct ktest *t)
{
	struct page *page;

	boot(t);
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	page_set_mark(page, PAGE_MARK_SLAB);
	page->slab_home = NULL;
	expect_check_finds(t, "SLAB-6");
}

/* So many that there is no room to remember them all. */
static void slab_6_many(struct ktest *t)
{
	boot(t);
	for (u32 i = 0; i < 40; i++)
		page_set_mark(alloc_pages_node(1, GFP_KERNEL, 0), PAGE_MARK_SLAB);
	expect_check_finds(t, "SLAB-6");
}

/* A large block of kmalloc() is marked, and on no list by right. */
static void slab_6_large(struct ktest *t)
{
	void *large;

	boot(t);
	large = kmalloc(KMALLOC_MAX_CACHE_SIZE + 1, GFP_KERNEL);
	EXPECT(t, virt_to_page(large)->marks & PAGE_MARK_SLAB);
	expect_check_clean(t);
	kfree(large);
}

/* --- CACHES-* ---------------------------------------------------------------------------------------- */

static void caches_1(struct ktest *t)
{
	boot(t);
	cache->colours = 100;
	expect_check_finds(t, "CACHES-1");
}

static void caches_1_size(struct ktest *t)
{
	boot(t);
	cache->object_size = cache->size + 1;
	expect_check_finds(t, "CACHES-1");
}

static void caches_1_reciprocal(struct ktest *t)
{
	boot(t);
	cache->reciprocal--;
	expect_check_finds(t, "CACHES-1");
}

static void caches_2(struct ktest *t)
{
	boot(t);
	cache->node[1] = (struct kmem_cache_node *)0x1000;
	expect_check_finds(t, "CACHES-2");
}

static void caches_2_missing(struct ktest *t)
{
	boot(t);
	cache->node[1] = &slab_no_home;
	expect_check_finds(t, "CACHES-2");
}

static void caches_2_local(struct ktest *t)
{
	boot_stacks(t);
	cache->local[0] = cache->node[1]->stack[0];
	expect_check_finds(t, "CACHES-2");
}

static void caches_3(struct ktest *t)
{
	boot_stacks(t);
	cache->batch = cache->limit + 1;
	expect_check_finds(t, "CACHES-3");
}

static void caches_3_none(struct ktest *t)
{
	boot(t);
	cache->shared = 8;
	expect_check_finds(t, "CACHES-3");
}

/* Before there are caches, and with a machine that never has any. */
static void without_caches(struct ktest *t)
{
	static struct host_machine bare;

	bare = machine;
	bare.no_slab = true;
	host_machine_boot(&bare);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(slab_1),
	KTEST(slab_1_home),
	KTEST(slab_1_tail),
	KTEST(slab_1_list),
	KTEST(slab_1_offset),
	KTEST(slab_2),
	KTEST(slab_2_beyond),
	KTEST(slab_2_wild_map),
	KTEST(slab_2_wild_map_off_slab),
	KTEST(slab_3),
	KTEST(slab_3_objects),
	KTEST(slab_3_free_slabs),
	KTEST(slab_3_circle),
	KTEST(slab_3_wild_link),
	KTEST(slab_3_no_page),
	KTEST(slab_4),
	KTEST(slab_4_twice),
	KTEST(slab_4_inside),
	KTEST(slab_4_free_as_well),
	KTEST(slab_4_nowhere),
	KTEST(slab_4_another_cpu),
	KTEST(slab_4_shared),
	KTEST(others_are_left_out),
	KTEST(slab_5),
	KTEST(slab_5_limit),
	KTEST(slab_5_wild),
	KTEST(slab_6),
	KTEST(slab_6_marked),
	KTEST(slab_6_many),
	KTEST(slab_6_large),
	KTEST(caches_1),
	KTEST(caches_1_size),
	KTEST(caches_1_reciprocal),
	KTEST(caches_2),
	KTEST(caches_2_missing),
	KTEST(caches_2_local),
	KTEST(caches_3),
	KTEST(caches_3_none),
	KTEST(without_caches),
};
KTEST_SUITE(check_slab, cases);
