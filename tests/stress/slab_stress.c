/*
 * The stress of object caches.
 *
 *	CPU 0: threads, interrupts                  CPU 1: threads, interrupts
 *	  alloc  -> [held] -> free                    alloc  -> [held] -> free
 *	              |                                            ^
 *	              +--------> mailbox of CPU 1 -----------------+     freed there: another node's objects
 *
 * Each thread holds some objects and does a fixed number of operations, drawn: it takes an object of a random cache, near
 * this CPU, near a node, or of a node alone, one or many at once; verifies and frees one; leaves one in
 * another CPU's mailbox; frees what is in its own. Now and then it shrinks or tunes a cache, reaps, or looks up all of them. Interrupts
 * take and free a few themselves, and empty mailboxes.
 *
 * Content: each object is filled by a word that is its own, at every eighth byte, so one that two hold, that overlaps, or
 * was given out in a wrong length is seen in what it holds. In the end everything is freed, each cache destroyed, which
 * succeeds only when every object is home, and pages are counted.
 *
 * The seed fixes what each thread draws, not how that interleaves.
 */
#include "slab_stress.h"

#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/random.h>
#include <mm/check.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/vmstat.h>

#include "gate.h"
#include "pages_back.h"

#define ULL(x)      ((unsigned long long)(x))
#define MAX_HELD    48
#define MAX_BULK    24
#define MAILBOX     32
#define NR_KINDS    6
#define MAX_THREADS 128

static const struct {
	const char *name;
	u32 size, flags;
} kinds[NR_KINDS] = {
	{"stress-8", 8, 0},       {"stress-56", 56, SLAB_OFF_SLAB},
	{"stress-200", 200, 0},   {"stress-640", 640, SLAB_HWCACHE_ALIGN},
	{"stress-2048", 2048, 0}, {"stress-6000", 6000, 0},
};

struct item {
	u64 *object; /* NULL: none */
	u32 kind;
	u64 word;
};

struct mailbox {
	struct spinlock lock; /* interrupts off */
	struct item item[MAILBOX];
	u32 nr;
};

/* A thread, or the interrupts of a CPU: touched by it alone. A page of its own, as what is static a machine has not. */
struct slab_actor {
	struct random_state random;
	struct item held[MAX_HELD];
	u32 nr_held, cpu;
	u64 allocs, frees, refused, handed, collected, bad;
	struct os_thread *thread;
};

/* A page as well. */
struct slab_cpu {
	struct slab_actor interrupt;
	struct mailbox mailbox;
};

_Static_assert(sizeof(struct slab_cpu) <= PAGE_SIZE, "a page of its own");

static struct slab_stress {
	const struct slab_stress_plan *plan;
	struct kmem_cache *cache[NR_KINDS];
	struct slab_cpu *cpu[MAX_CPUS]; /* NULL: takes no part */
	struct slab_actor *worker[MAX_THREADS];
	u32 nr_workers;
	struct gate gate;
	bool running; /* atomic: interrupts may join */
} s;

static u32 below(struct slab_actor *a, u32 n)
{
	return random_below(&a->random, n);
}

/* --- Objects ------------------------------------------------------------------------------------------ */

static void fill(const struct item *item)
{
	for (u32 i = 0; i < kinds[item->kind].size / 8; i++)
		item->object[i] = item->word + i;
}

static bool is_intact(const struct item *item)
{
	for (u32 i = 0; i < kinds[item->kind].size / 8; i++) {
		if (item->object[i] != item->word + i)
			return false;
	}
	return true;
}

static struct item made(struct slab_actor *a, void *object, u32 kind)
{
	struct item item = {object, kind, random_next(&a->random)};

	a->allocs++;
	fill(&item);
	return item;
}

static void verify(struct slab_actor *a, const struct item *item)
{
	a->bad += !is_intact(item);
	a->frees++;
}

static void free_item(struct slab_actor *a, struct item item)
{
	verify(a, &item);
	kmem_cache_free(s.cache[item.kind], item.object);
}

/* --- Operations --------------------------------------------------------------------------------------- */

static struct item drop(struct slab_actor *a)
{
	u32 i = below(a, a->nr_held);
	struct item item = a->held[i];

	a->held[i] = a->held[--a->nr_held];
	return item;
}

static void alloc_one(struct slab_actor *a, gfp_t gfp)
{
	u32 kind = below(a, NR_KINDS), nodes = numa_topology()->nr_nodes;
	int nid = below(a, 2) ? NUMA_NO_NODE : (int)below(a, nodes);
	void *object;

	if (a->nr_held == MAX_HELD) {
		free_item(a, drop(a));
		return;
	}
	if (nid != NUMA_NO_NODE && below(a, 4) == 0)
		gfp |= __GFP_THISNODE;
	object = kmem_cache_alloc_node(s.cache[kind], gfp | __GFP_NOWARN, nid);
	if (object)
		a->held[a->nr_held++] = made(a, object, kind);
	else
		a->refused++;
}

static void bulk(struct slab_actor *a)
{
	u32 kind = below(a, NR_KINDS), nr = 1 + below(a, MAX_BULK);
	void *objects[MAX_BULK];
	struct item item[MAX_BULK];

	nr = kmem_cache_alloc_bulk(s.cache[kind], GFP_NOWAIT | __GFP_NOWARN, nr, objects);
	a->refused += nr == 0;
	for (u32 i = 0; i < nr; i++)
		item[i] = made(a, objects[i], kind);
	for (u32 i = 0; i < nr; i++)
		verify(a, &item[i]);
	kmem_cache_free_bulk(s.cache[kind], nr, objects);
}

/* Any CPU that takes part. */
static u32 some_cpu(struct slab_actor *a)
{
	u32 cpu = below(a, MAX_CPUS);

	while (!s.cpu[cpu])
		cpu = (cpu + 1) % MAX_CPUS;
	return cpu;
}

static void hand_over(struct slab_actor *a)
{
	struct mailbox *box = &s.cpu[some_cpu(a)]->mailbox;
	unsigned long flags;

	if (a->nr_held == 0)
		return;
	flags = spin_lock_irqsave(&box->lock);
	if (box->nr < MAILBOX) {
		box->item[box->nr++] = drop(a);
		a->handed++;
	}
	spin_unlock_irqrestore(&box->lock, flags);
}

static struct item from_mailbox(struct mailbox *box)
{
	unsigned long flags = spin_lock_irqsave(&box->lock);
	struct item item = {.object = NULL};

	if (box->nr > 0)
		item = box->item[--box->nr];
	spin_unlock_irqrestore(&box->lock, flags);
	return item;
}

static void collect(struct slab_actor *a, u32 most)
{
	struct item item;

	while (most-- > 0 && (item = from_mailbox(&s.cpu[a->cpu]->mailbox)).object) {
		a->collected++;
		free_item(a, item);
	}
}

/* What only a thread may, and seldom. */
static void disturb(struct slab_actor *a)
{
	struct kmem_cache *cache = s.cache[below(a, NR_KINDS)];
	u32 limit;

	switch (below(a, 4)) {
	case 0:
		kmem_cache_shrink(cache);
		break;
	case 1:
		limit = 1 + below(a, 60);
		/* Another may be at it: then it waits; memory may be short: then it stays as it was. */
		(void)kmem_cache_tune(cache, limit, 1 + below(a, limit), below(a, 4));
		break;
	default:
		slab_reap();
		break;
	}
}

static void operate(struct slab_actor *a)
{
	switch (below(a, 100)) {
	case 0 ... 39:
		alloc_one(a, below(a, 2) ? GFP_NOWAIT : GFP_KERNEL | __GFP_NORETRY);
		break;
	case 40 ... 59:
		if (a->nr_held > 0)
			free_item(a, drop(a));
		break;
	case 60 ... 79:
		hand_over(a);
		break;
	case 80 ... 91:
		collect(a, 8);
		break;
	case 92 ... 98:
		bulk(a);
		break;
	default:
		if (below(a, 8) == 0)
			disturb(a);
		break;
	}
}

void slab_stress_interrupt(void)
{
	struct slab_cpu *cpu;
	struct slab_actor *a;

	/* Acquire: with all of s. */
	if (!load_acquire(&s.running) || !(cpu = s.cpu[smp_processor_id()]))
		return;
	a = &cpu->interrupt;
	for (u32 i = 0; i < 3; i++)
		alloc_one(a, GFP_ATOMIC);
	if (a->nr_held > 4)
		free_item(a, drop(a));
	collect(a, 2);
	bulk(a);
}

/* --- A run -------------------------------------------------------------------------------------------- */

static void actor_init(struct slab_actor *a, u32 cpu, u32 id)
{
	*a = (struct slab_actor){.cpu = cpu};
	a->random.state = ((s.plan->seed + 1) * 0x9e3779b97f4a7c15ull ^ (u64)(id + 1) << 32) | 1;
}

static void work(void *arg)
{
	struct slab_actor *a = arg;

	if (!gate_pass(&s.gate))
		return;
	for (u32 i = 0; i < s.plan->operations; i++)
		operate(a);
	while (a->nr_held > 0)
		free_item(a, drop(a));
}

static void nothing(void *arg)
{
	(void)arg;
}

static void free_rest(struct slab_actor *a)
{
	while (a->nr_held > 0)
		free_item(a, drop(a));
	collect(a, MAILBOX);
}

static void start_workers(struct ktest *t)
{
	u32 nr = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!s.cpu[cpu])
			continue;
		actor_init(&s.cpu[cpu]->interrupt, cpu, 0x1000 + cpu);
		s.cpu[cpu]->mailbox.nr = 0;
		spin_lock_init(&s.cpu[cpu]->mailbox.lock, "slab stress mailbox");
	}
	for (u32 i = 0; i < s.nr_workers; i++) {
		struct slab_actor *a = s.worker[i];

		actor_init(a, a->cpu, i);
		a->thread = os_thread_start("slab stress", a->cpu, work, a);
		nr += EXPECT(t, a->thread != NULL);
	}
	EXPECT(t, gate_await(&s.gate, nr));
}

static void run(struct ktest *t)
{
	u32 cpu;

	gate_init(&s.gate);
	start_workers(t);
	store_release(&s.running, true);
	if (s.plan->begin)
		s.plan->begin();
	gate_open(&s.gate);
	for (u32 i = 0; i < s.nr_workers; i++) {
		if (s.worker[i]->thread)
			os_thread_join(s.worker[i]->thread);
	}
	EXPECT_EQ(t, gate_nr_late(&s.gate), 0);
	if (s.plan->end)
		s.plan->end();
	store_release(&s.running, false);
	/* What runs there in its turn comes after an interrupt that had seen it running. */
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (s.cpu[cpu])
			EXPECT_EQ(t, os_run_on_cpu(cpu, nothing, NULL), 0);
	}
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (s.cpu[cpu])
			free_rest(&s.cpu[cpu]->interrupt);
	}
}

static void add(struct slab_actor *sum, const struct slab_actor *a)
{
	sum->allocs += a->allocs;
	sum->frees += a->frees;
	sum->refused += a->refused;
	sum->handed += a->handed;
	sum->collected += a->collected;
	sum->bad += a->bad;
}

static void expect_figures(struct ktest *t)
{
	struct slab_actor sum = {.allocs = 0};

	for (u32 i = 0; i < s.nr_workers; i++)
		add(&sum, s.worker[i]);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (s.cpu[cpu])
			add(&sum, &s.cpu[cpu]->interrupt);
	}
	ktest_note(t, "%llu objects, %llu refused, %llu handed over, %llu collected",
		   ULL(sum.allocs), ULL(sum.refused), ULL(sum.handed), ULL(sum.collected));
	EXPECT(t, sum.allocs > 0);
	EXPECT_EQ(t, sum.frees, sum.allocs);
	EXPECT_EQ(t, sum.collected, sum.handed);
	EXPECT_EQ(t, sum.bad, 0);
}

static void *page_near(u32 cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL, 0);

	return page ? page_address(page) : NULL;
}

/* False: what there is, is for free_actors(). */
static bool make_actors(const struct slab_stress_plan *plan)
{
	bool complete = true;

	s = (struct slab_stress){.plan = plan};
	for (u32 cpu = 0; complete && cpu < MAX_CPUS; cpu++) {
		if (!(plan->cpus >> cpu & 1))
			continue;
		s.cpu[cpu] = page_near(cpu);
		complete = s.cpu[cpu] != NULL;
		for (u32 i = 0; complete && i < plan->threads_per_cpu; i++) {
			struct slab_actor *a = s.nr_workers < MAX_THREADS ? page_near(cpu) : NULL;

			complete = a != NULL;
			if (!complete)
				break;
			a->cpu = cpu;
			s.worker[s.nr_workers++] = a;
		}
	}
	return complete;
}

static void free_actors(void)
{
	for (u32 i = 0; i < s.nr_workers; i++)
		free_pages(s.worker[i], 0);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (s.cpu[cpu])
			free_pages(s.cpu[cpu], 0);
	}
}

static bool make_caches(struct ktest *t)
{
	for (u32 i = 0; i < NR_KINDS; i++) {
		s.cache[i] =
			kmem_cache_create(kinds[i].name, kinds[i].size, 0, kinds[i].flags, NULL);
		if (!EXPECT(t, s.cache[i] != NULL))
			return false;
	}
	return true;
}

static void rest(void)
{
	if (s.plan->settle)
		s.plan->settle();
	kmem_cache_shrink_all();
	drain_all_pages();
}

/* All of it once; the first time nothing is measured, as the kernel keeps something of everything it does first. */
static void once(struct ktest *t, const struct slab_stress_plan *plan)
{
	s.plan = plan;
	if (!make_caches(t))
		return;
	run(t);
	for (u32 i = 0; i < NR_KINDS; i++)
		EXPECT_EQ(t, kmem_cache_destroy(s.cache[i]), 0);
	rest();
}

void slab_stress_case(struct ktest *t, const struct slab_stress_plan *plan)
{
	static const enum vmstat_item moved[] = {VMSTAT_SLAB_REFILL, VMSTAT_SLAB_FLUSH,
						 VMSTAT_SLAB_GROW, VMSTAT_SLAB_GIVE_BACK,
						 VMSTAT_SLAB_ALIEN_FLUSH};
	struct slab_stress_plan rehearsal = *plan;
	struct check_report report;
	u64 before[ARRAY_SIZE(moved)];

	if (!EXPECT(t, make_actors(plan))) {
		free_actors();
		return;
	}
	rehearsal.operations = 0;
	once(t, &rehearsal);
	pages_before();
	for (u32 i = 0; i < ARRAY_SIZE(moved); i++)
		before[i] = vmstat_read(moved[i]);
	once(t, plan);
	pages_after();
	expect_figures(t);
	for (u32 i = 0; i < ARRAY_SIZE(moved) - !plan->many_nodes; i++)
		EXPECT_MSG(t, vmstat_read(moved[i]) > before[i], "%s has not moved",
			   vmstat_name(moved[i]));
	expect_counts_as_before(t);
	expect_blocks_as_before(t);
	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
	free_actors();
}
