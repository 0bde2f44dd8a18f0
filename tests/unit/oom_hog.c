/*
 * Hogs: threads that have pages and end when they are told, for the suites about out of memory.
 */
#include "oom_hog.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#define LONG_NS 60000000000ull

/*
 *	0        16M        48M       |4G         4G+32M|
 *	|  DMA   |  DMA32   |         |  Normal         |
 *	|  node 0           |         |  node 1         |     four CPUs
 */
const struct host_machine oom_two_nodes = {
	.ram = {{0, MiB(48), 0}, {GiB(4), MiB(32), 1}},
	.nr_nodes = 2,
	.nr_cpus = 4,
	.cpu_nid = {0, 0, 1, 1},
};

u64 oom_now_ns(void)
{
	return arch_timestamp_to_ns(arch_timestamp());
}

u64 oom_flood(int nid, gfp_t gfp, struct page **list)
{
	struct page *page;
	u64 nr = 0;

	while ((page = alloc_pages_node(nid, gfp | __GFP_NORETRY | __GFP_NOWARN, 0))) {
		page->arm_words[0] = (u64)(uintptr_t)*list;
		*list = page;
		nr++;
	}
	return nr;
}

void oom_give_back(struct page **list)
{
	while (*list) {
		struct page *page = *list;

		*list = (struct page *)(uintptr_t)page->arm_words[0];
		__free_pages(page, 0);
	}
}

static u64 hog_badness(struct oom_victim *victim, nodemask_t nodes)
{
	const struct hog *hog = container_of(victim, struct hog, victim);

	return nodes & hog->nodes ? hog->badness : 0;
}

/* Nobody is told twice: who was told and is not gone would be told for ever. */
static void hog_kill(struct oom_victim *victim)
{
	struct hog *hog = container_of(victim, struct hog, victim);

	if (__atomic_exchange_n(&hog->told, true, __ATOMIC_ACQ_REL))
		os_panic("%s is told twice", victim->name);
	os_wake_all(&hog->queue);
}

static bool hog_is_told(void *arg)
{
	return load_acquire(&((struct hog *)arg)->told);
}

static void hog_live(void *arg)
{
	struct hog *hog = arg;

	os_wait(&hog->queue, hog_is_told, hog, LONG_NS);
	while (vmstat_read(VMSTAT_OOM_TURN_WAIT) < hog->wait_for_turn)
		cpu_relax();
	if (hog->deaf)
		return;
	oom_give_back(&hog->list);
	oom_victim_unregister(&hog->victim);
}

static void prepare(struct hog *hog, const char *name, u64 badness)
{
	hog->victim = (struct oom_victim){.name = name, .badness = hog_badness, .kill = hog_kill};
	hog->badness = badness;
	hog->nodes = hog->nodes ? hog->nodes : 3;
	os_wait_queue_init(&hog->queue, "hog");
}

void hog_add(struct hog *hog, const char *name, u64 badness)
{
	prepare(hog, name, badness);
	hog->thread = os_thread_start(name, 3, hog_live, hog);
	oom_victim_register(&hog->victim);
}

void hog_add_without_thread(struct hog *hog, const char *name, u64 badness)
{
	prepare(hog, name, badness);
	oom_victim_register(&hog->victim);
}

void hog_end(struct hog *hog)
{
	hog_kill(&hog->victim);
	os_thread_join(hog->thread);
}

u64 oom_kills(void)
{
	return vmstat_read(VMSTAT_OOM_KILL);
}

void oom_ask(void *arg)
{
	((struct oom_asker *)arg)->page = alloc_pages_node(1, GFP_KERNEL | __GFP_NOWARN, 0);
}
