/*
 * Objects under detection, in the kernel: what is done right is left alone, by all CPUs and in interrupts. What is
 * said of misuse is tested on the host (tests/unit/test_slab_debug.c) and by crashes (tests/qemu/test_launcher.py).
 */
#include <base/errno.h>
#include <base/string.h>
#include <kernel/test.h>
#include <mm/kmalloc.h>
#include <mm/os_task.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#define THING_BYTES 100u
#define NR_THINGS   200u

struct hand_over {
	struct kmem_cache *cache;
	void *thing[NR_THINGS];
	u32 got;
};

/* In an interrupt of the CPU: gives back what another has taken, and takes as many. */
static void exchange(void *arg)
{
	struct hand_over *h = arg;

	for (u32 i = 0; i < h->got; i++)
		kmem_cache_free(h->cache, h->thing[i]);
	for (h->got = 0; h->got < NR_THINGS; h->got++) {
		h->thing[h->got] = kmem_cache_alloc(h->cache, GFP_ATOMIC);
		if (!h->thing[h->got])
			break;
		memset(h->thing[h->got], (int)h->got, THING_BYTES);
	}
}

static void from_cpu_to_cpu(struct ktest *t)
{
	static struct hand_over h;
	u64 out = vmstat_read(VMSTAT_SLAB_DEBUG_ALLOC), in = vmstat_read(VMSTAT_SLAB_DEBUG_FREE);
	u32 cpu, nr_cpus = 0;

	h = (struct hand_over){
		.cache = kmem_cache_create("kt.debugged", THING_BYTES, 0, SLAB_DEBUG_ALL, NULL)};
	ASSERT_TRUE(t, h.cache != NULL);
	for_each_online_cpu(cpu) {
		EXPECT_EQ(t, os_run_on_cpu(cpu, exchange, &h), 0);
		EXPECT_EQ(t, h.got, NR_THINGS);
		nr_cpus++;
	}
	kmem_cache_free_bulk(h.cache, h.got, h.thing);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_DEBUG_ALLOC) - out >= (u64)nr_cpus * NR_THINGS);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_DEBUG_FREE) - in >= (u64)nr_cpus * NR_THINGS);
	EXPECT_EQ(t, kmem_cache_destroy(h.cache), 0);
}

/* The log names them; that it does is tested on the host. */
static void leaks_keep_their_cache(struct ktest *t)
{
	struct kmem_cache *cache =
		kmem_cache_create("kt.leaky", THING_BYTES, 0, SLAB_STORE_USER, NULL);
	void *thing[2];

	ASSERT_TRUE(t, cache != NULL);
	thing[0] = kmem_cache_alloc(cache, GFP_KERNEL);
	thing[1] = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT_EQ(t, kmem_cache_destroy(cache), -EBUSY);
	for (u32 i = 0; i < ARRAY_SIZE(thing); i++)
		kmem_cache_free(cache, thing[i]);
	EXPECT_EQ(t, kmem_cache_destroy(cache), 0);
}

static const struct ktest_case cases[] = {
	KTEST(from_cpu_to_cpu),
	KTEST(leaks_keep_their_cache),
};
KTEST_SUITE(slab_debug, cases);
