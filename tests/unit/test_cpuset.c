/*
 * A cpuset that changes while its tasks ask for memory on every CPU: 10,000 times, and together with where
 * the memory is. Also under ThreadSanitizer.
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <mm/mempolicy.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#define NR_CPUS    8
#define NR_CHANGES 10000

/*
 *	4G     +64M   8G     +64M   12G    +64M   16G    +64M
 *	| node 0 |    | node 1 |    | node 2 |    | node 3 |      2 CPUs each
 */
static const struct host_machine eight_cpus = {
	.ram = {{GiB(4), MiB(64), 0},
		{GiB(8), MiB(64), 1},
		{GiB(12), MiB(64), 2},
		{GiB(16), MiB(64), 3}},
	.nr_nodes = 4,
	.nr_cpus = NR_CPUS,
	.cpu_nid = {0, 0, 1, 1, 2, 2, 3, 3},
};

/* Which mask a task has in each generation, known beforehand to all. */
static nodemask_t mask_of[NR_CHANGES + 2];

struct worker {
	u64 seed;
	struct os_task *task; /* atomic: once it runs */
	u64 requests;         /* atomic */
	u64 failures, outside;
	bool stale_word;
	bool done; /* atomic */
};
static bool changing; /* atomic */
static u32 nr_ready;  /* atomic */

/* Was the node allowed at any moment between the two generations? The mask comes before its number. */
static bool was_allowed(int nid, u32 first, u32 last)
{
	for (u32 g = first; g <= MIN(last + 1, (u32)NR_CHANGES); g++) {
		if (node_isset(nid, mask_of[g]))
			return true;
	}
	return false;
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct random_state r = {w->seed};

	store_release(&w->task, os_current());
	__atomic_fetch_add(&nr_ready, 1, __ATOMIC_RELEASE);
	while (!load_acquire(&changing))
		cpu_relax();
	while (load_acquire(&changing)) {
		u32 first = load_acquire(&os_current()->mems_generation), last;
		unsigned int order = (unsigned int)host_random_below(&r, 5);
		struct page *page = alloc_pages_node((int)host_random_below(&r, 5) - 1,
						     GFP_KERNEL | __GFP_NOWARN, order);

		last = load_acquire(&os_current()->mems_generation);
		store_relaxed(&w->requests, w->requests + 1); /* this thread's own count */
		if (!page) {
			w->failures++;
			continue;
		}
		w->outside += !was_allowed(page->nid, first, last);
		__free_pages(page, order);
		/* Entitled for a moment: the word is set from both sides. */
		if (w->requests % 16 == 0) {
			u32 saved = memalloc_noreclaim_save();

			memalloc_noreclaim_restore(saved);
		}
	}
	/* Whoever of the two wrote it last. */
	w->stale_word = this_task_may_hit(0) == task_is_limited(os_current());
}

static void begin_masks(u64 seed)
{
	struct random_state r = {seed | 1};

	mask_of[0] = ~(nodemask_t)0;
	for (u32 g = 1; g <= NR_CHANGES; g++)
		mask_of[g] = 1 + host_random_below(&r, 15);
}

/*
 * While it changes: a host that has other things to do may not have run each of them yet, and one that comes to
 * look when it is over would wait for ever.
 */
static void wait_for_requests(struct worker w[], u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		while (load_relaxed(&w[i].requests) == 0)
			cpu_relax();
	}
}

static void a_changing_cpuset_is_never_left(struct ktest *t)
{
	struct os_thread *thread[NR_CPUS];
	struct worker w[NR_CPUS] = {{0}};

	host_machine_boot(&eight_cpus);
	begin_masks(t->seed);
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++) {
		w[cpu].seed = t->seed + cpu + 1;
		thread[cpu] = os_thread_start("bound", cpu, work, &w[cpu]);
		ASSERT_TRUE(t, thread[cpu] != NULL);
	}
	while (load_acquire(&nr_ready) < NR_CPUS)
		cpu_relax();
	store_release(&changing, true);
	for (u32 g = 1; g <= NR_CHANGES; g++) {
		if (g == NR_CHANGES / 2)
			wait_for_requests(w, NR_CPUS);
		for (u32 cpu = 0; cpu < NR_CPUS; cpu++)
			task_set_mems_allowed(load_acquire(&w[cpu].task), mask_of[g]);
		if (g % 64 == 0)
			cpu_relax();
	}
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++)
		EXPECT_EQ(t, load_relaxed(&w[cpu].task->mems_generation), NR_CHANGES);
	store_release(&changing, false);
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++) {
		os_thread_join(thread[cpu]);
		EXPECT(t, w[cpu].requests > 0);
		EXPECT_EQ(t, w[cpu].outside, 0);
		EXPECT_EQ(t, w[cpu].failures, 0);
		EXPECT(t, !w[cpu].stale_word);
	}
	expect_check_clean(t);
}

/*
 * The memory goes with the mask: what the new one allows is free before it is set, what the old one
 * allowed is taken afterwards. There is always a page, but not for who still has the old mask.
 *
 *	mask       {0}                 {1}                 {0}
 *	node 0     free ............................| taken    ....
 *	node 1     taken    | free ...................................
 */
#define NR_ASKING     2
#define ANEW_ENOUGH   10
#define MANY_MOVES    100
#define MANY_REQUESTS 1000
#define MOVES_MAX_NS  20000000000ull

/* So little that a move is over while who asks has not got on. */
static const struct host_machine two_small = {
	.ram = {{GiB(4), MiB(6), 0}, {GiB(8), MiB(6), 1}, {GiB(12), MiB(64), 2}},
	.nr_nodes = 3,
	.nr_cpus = 3,
	.cpu_nid = {2, 2, 2},
	.min_free_kbytes = 128,
};

static struct page *whole_node[2][512];
static u32 nr_whole[2], nr_blocks[2];

/* All of it: blocks that are held come back, since nobody gets another. */
static void empty_node(int nid)
{
	gfp_t gfp = __GFP_MEMALLOC | __GFP_THISNODE | __GFP_NOWARN;

	do {
		struct page *page = alloc_pages_node(nid, gfp, 4);

		if (page)
			whole_node[nid][nr_whole[nid]++] = page;
		else if (nr_whole[nid] < nr_blocks[nid])
			cpu_relax();
		else
			break;
	} while (true);
}

static void fill_node(int nid)
{
	while (nr_whole[nid] > 0)
		__free_pages(whole_node[nid][--nr_whole[nid]], 4);
}

static void ask_for_one(void *arg)
{
	struct worker *w = arg;

	task_set_mems_allowed(os_current(), NODE_BIT(0));
	store_release(&w->task, os_current());
	__atomic_fetch_add(&nr_ready, 1, __ATOMIC_RELEASE);
	while (!load_acquire(&changing))
		cpu_relax();
	while (load_acquire(&changing)) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 4);

		store_relaxed(&w->requests, w->requests + 1); /* this thread's own count */
		w->failures += page == NULL;
		if (page)
			__free_pages(page, 4);
	}
}

static u64 requests_of(const struct worker w[], u32 nr)
{
	u64 sum = 0;

	for (u32 i = 0; i < nr; i++)
		sum += load_relaxed(&w[i].requests); /* a figure */
	return sum;
}

/* Until it has come to that, and to all of the rest, often enough for a mistake to show. */
static void no_failure_while_either_mask_would_do(struct ktest *t)
{
	struct os_thread *thread[NR_ASKING];
	struct worker w[NR_ASKING] = {{0}};
	u64 start, moves = 0;

	host_machine_boot(&two_small);
	for (int nid = 0; nid < 2; nid++) {
		empty_node(nid);
		nr_blocks[nid] = nr_whole[nid];
	}
	fill_node(0);
	for (u32 i = 0; i < NR_ASKING; i++) {
		thread[i] = os_thread_start("asks", 1 + i, ask_for_one, &w[i]);
		ASSERT_TRUE(t, thread[i] != NULL);
	}
	while (load_acquire(&nr_ready) < NR_ASKING)
		cpu_relax();
	store_release(&changing, true);
	for (start = arch_timestamp();
	     (vmstat_read(VMSTAT_ALLOC_MEMS_MOVED) < ANEW_ENOUGH || moves <= MANY_MOVES ||
	      requests_of(w, NR_ASKING) <= MANY_REQUESTS) &&
	     arch_timestamp() - start < MOVES_MAX_NS;) {
		int to = (int)(++moves % 2);

		fill_node(to);
		for (u32 i = 0; i < NR_ASKING; i++)
			task_set_mems_allowed(w[i].task, NODE_BIT(to));
		empty_node(!to);
	}
	wait_for_requests(w, NR_ASKING);
	store_release(&changing, false);
	for (u32 i = 0; i < NR_ASKING; i++) {
		os_thread_join(thread[i]);
		EXPECT_EQ(t, w[i].failures, 0);
	}
	ktest_note(t, "%llu requests, %llu moves, %llu begun anew",
		   (unsigned long long)requests_of(w, NR_ASKING), (unsigned long long)moves,
		   (unsigned long long)vmstat_read(VMSTAT_ALLOC_MEMS_MOVED));
	/* How many came between is the host's luck; test_mempolicy.c moves the mask at the very place. */
	EXPECT(t, moves > MANY_MOVES && requests_of(w, NR_ASKING) > MANY_REQUESTS);
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST_SLOW(a_changing_cpuset_is_never_left, 240),
	KTEST_SLOW(no_failure_while_either_mask_would_do, 240),
};
KTEST_SUITE(cpuset, cases);
