/*
 * Who may take memory where, on the machine that booted: policies and cpusets, the CPU's word of limits,
 * and a cpuset that changes 10,000 times while its tasks ask for memory on every CPU.
 */
#include <arch/cpu.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <base/string.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/check.h>
#include <mm/explain.h>
#include <mm/mempolicy.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>
#include <x86/smp.h>

#define ALL_NODES (~(nodemask_t)0)
#define LIMIT_NS  20000000000ull /* whoever waits so long waits for ever */

/* The node that a request of this task, or of this policy, gets a page from; NUMA_NO_NODE: none. */
static int node_of_page(const struct mempolicy *policy, int nid, gfp_t gfp)
{
	struct page *page = policy ? alloc_pages_policy(policy, gfp | __GFP_NOWARN, 0)
				   : alloc_pages_node(nid, gfp | __GFP_NOWARN, 0);
	int from = page ? page->nid : NUMA_NO_NODE;

	if (page)
		__free_pages(page, 0);
	return from;
}

static int nr_of(nodemask_t mask)
{
	int nr = 0;

	for (; mask; mask &= mask - 1)
		nr++;
	return nr;
}

static void policies_choose_the_node(struct ktest *t)
{
	nodemask_t memory = node_memory_mask();
	struct mempolicy all = {MPOL_INTERLEAVE, memory};
	nodemask_t seen = 0;
	int nid;

	for_each_node_mask(nid, memory) {
		struct mempolicy preferred = {MPOL_PREFERRED, NODE_BIT(nid)};
		struct mempolicy bind = {MPOL_BIND, NODE_BIT(nid)};

		EXPECT_EQ(t, node_of_page(&preferred, 0, GFP_KERNEL), nid);
		EXPECT_EQ(t, node_of_page(&bind, 0, GFP_KERNEL), nid);
	}
	/* A round is each node once, in order from wherever it stood. */
	for (int i = 0; i < nr_of(memory); i++)
		seen |= NODE_BIT(node_of_page(&all, 0, GFP_KERNEL));
	EXPECT_EQ(t, seen, memory);
}

static void a_cpuset_holds_until_it_is_gone(struct ktest *t)
{
	nodemask_t memory = node_memory_mask();
	int nid, from;

	for_each_node_mask(nid, memory) {
		EXPECT_EQ(t, task_set_mems_allowed(os_current(), NODE_BIT(nid)), 0);
		EXPECT_EQ(t, !this_task_may_hit(0), nr_of(memory) > 1);
		for_each_node(from)
			EXPECT_EQ(t, node_of_page(NULL, from, GFP_KERNEL), nid);
		/* Entitled: out, to where it asked. */
		for_each_node_mask(from, memory)
			EXPECT_EQ(t, node_of_page(NULL, from, GFP_KERNEL | __GFP_MEMALLOC), from);
	}
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), 0), -EINVAL);
	EXPECT_EQ(t, task_set_mems_allowed(os_current(), ALL_NODES), 0);
	EXPECT(t, this_task_may_hit(0));
	for_each_node_mask(nid, memory)
		EXPECT_EQ(t, node_of_page(NULL, nid, GFP_KERNEL), nid);
}

static enum hit_verdict hit_verdict(void)
{
	struct alloc_recorder nobody = {.step = NULL};
	struct explanation out;

	explain_request(NUMA_NO_NODE, GFP_KERNEL, 0, &nobody, &out);
	return out.hit;
}

/* The hit path is for who has no limits, and again for who has them no longer. */
static void limits_close_the_hit_path(struct ktest *t)
{
	static const struct mempolicy local = {MPOL_LOCAL, 0};
	u32 saved;

	node_of_page(NULL, cpu_to_node(smp_processor_id()), GFP_KERNEL); /* now the list has one */
	EXPECT(t, hit_verdict() != HIT_LIMITED);
	EXPECT_EQ(t, task_set_mempolicy(&local), 0);
	EXPECT_EQ(t, hit_verdict(), HIT_LIMITED);
	EXPECT_EQ(t, task_set_mempolicy(NULL), 0);
	EXPECT(t, hit_verdict() != HIT_LIMITED);
	saved = memalloc_noreclaim_save();
	EXPECT_EQ(t, hit_verdict(), HIT_LIMITED);
	memalloc_noreclaim_restore(saved);
	EXPECT(t, hit_verdict() != HIT_LIMITED);
}

/* --- The CPU's word ----------------------------------------------------------------------------- */

#define NR_TURNS 500

struct sharer {
	bool limited;
	u64 wrong, turns;
};

static void share_a_cpu(void *arg)
{
	static const struct mempolicy local = {MPOL_LOCAL, 0};
	struct sharer *s = arg;

	if (s->limited)
		task_set_mempolicy(&local);
	for (u32 i = 0; i < NR_TURNS; i++) {
		s->wrong += this_task_may_hit(0) == s->limited;
		s->wrong += (hit_verdict() == HIT_LIMITED) != s->limited;
		s->turns++;
		thread_yield();
	}
}

/* One with limits and one without, in turn on one CPU. */
static void each_thread_finds_its_own_word(struct ktest *t)
{
	struct sharer s[2] = {{.limited = true}, {.limited = false}};
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct thread *thread[2];

		for (u32 i = 0; i < 2; i++) {
			thread[i] = thread_start("sharer", cpu, share_a_cpu, &s[i]);
			ASSERT_TRUE(t, thread[i] != NULL);
		}
		for (u32 i = 0; i < 2; i++)
			thread_join(thread[i]);
		if (cpu >= 3)
			break;
	}
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(t, s[i].wrong, 0);
		EXPECT(t, s[i].turns >= NR_TURNS);
	}
}

struct watcher {
	struct os_task *task; /* atomic: once it runs */
	u32 seen;             /* atomic: changes of its word */
	bool ends;            /* atomic */
};

/* Never calls anything that would set the word for it. */
static void watch_the_word(void *arg)
{
	struct watcher *w = arg;
	bool before = false;

	store_release(&w->task, os_current());
	while (!load_acquire(&w->ends)) {
		bool now = !this_task_may_hit(0);

		if (now != before)
			store_release(&w->seen, w->seen + 1);
		before = now;
		cpu_relax();
	}
}

static bool saw(struct watcher *w, u32 changes)
{
	u64 start = arch_timestamp();

	while (load_acquire(&w->seen) < changes) {
		if (arch_timestamp_to_ns(arch_timestamp() - start) > LIMIT_NS)
			return false;
		thread_yield();
	}
	return true;
}

/* Set for a thread that runs on another CPU, or, where there is one only, that waits on this. */
static void another_cpu_sets_the_word(struct ktest *t)
{
	nodemask_t memory = node_memory_mask(), one = memory & -memory;
	bool differs = one != memory;
	struct watcher w = {.task = NULL};
	struct thread *thread = thread_start("watcher", nr_cpus_online() - 1, watch_the_word, &w);

	ASSERT_TRUE(t, thread != NULL);
	while (!load_acquire(&w.task))
		thread_yield();
	for (u32 i = 0; i < 6; i += 2) {
		EXPECT_EQ(t, task_set_mems_allowed(w.task, one), 0);
		EXPECT_EQ(t, load_relaxed(&w.task->limited), differs);
		EXPECT(t, saw(&w, differs ? i + 1 : 0));
		EXPECT_EQ(t, task_set_mems_allowed(w.task, ALL_NODES), 0);
		EXPECT(t, saw(&w, differs ? i + 2 : 0));
	}
	EXPECT_EQ(t, load_relaxed(&w.task->mems_generation), 6);
	store_release(&w.ends, true);
	thread_join(thread);
}

/* --- Changes under load -------------------------------------------------------------------------- */

#define NR_CHANGES 10000
#define FEWER      1000 /* where more virtual CPUs than that wait for the host's */
#define MANY_CPUS  8
#define MAX_BOUND  8

/* Which mask all have in each generation, known beforehand. */
static nodemask_t mask_of[NR_CHANGES + 1];

struct bound {
	u64 state;
	struct os_task *task; /* atomic */
	u64 requests;         /* atomic */
	u64 failures, outside;
	bool stale_word;
};
static bool changing; /* atomic */
static bool over;     /* atomic */

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* At any moment between the two? The mask is there before its number. */
static bool was_allowed(int nid, u32 first, u32 last)
{
	for (u32 g = first; g <= MIN(last + 1, (u32)NR_CHANGES); g++) {
		if (node_isset(nid, mask_of[g]))
			return true;
	}
	return false;
}

static void ask_once(struct bound *b)
{
	u64 r = next_random(&b->state);
	u32 nr_nodes = numa_topology()->nr_nodes;
	int nid = r % 3 == 0 ? NUMA_NO_NODE : (int)((r >> 8) % nr_nodes);
	u32 first = load_acquire(&os_current()->mems_generation), last;
	unsigned int order = (unsigned int)(r >> 24) % 5;
	struct page *page = alloc_pages_node(nid, GFP_KERNEL | __GFP_NOWARN, order);

	last = load_acquire(&os_current()->mems_generation);
	store_relaxed(&b->requests, b->requests + 1); /* this thread's own count */
	b->failures += page == NULL;
	if (!page)
		return;
	b->outside += !was_allowed(page->nid, first, last);
	__free_pages(page, order);
}

static void ask_while_it_changes(void *arg)
{
	struct bound *b = arg;

	store_release(&b->task, os_current());
	while (!load_acquire(&changing))
		thread_yield();
	while (!load_acquire(&over)) {
		ask_once(b);
		/* Entitled for a moment: the word is set from both sides. */
		if (b->requests % 16 == 0)
			memalloc_noreclaim_restore(memalloc_noreclaim_save());
	}
	b->stale_word = this_task_may_hit(0) == task_is_limited(os_current());
}

/* Nodes that have more than enough: a full one must not be all that a mask allows. */
static nodemask_t roomy_nodes(void)
{
	nodemask_t roomy = 0;
	int nid;

	for_each_node_mask(nid, node_memory_mask()) {
		struct node_snapshot node;

		node_snapshot(nid, &node);
		if (node.free_pages > MiB(32) / PAGE_SIZE)
			roomy |= NODE_BIT(nid);
	}
	return roomy;
}

static void make_masks(u64 seed)
{
	nodemask_t roomy = roomy_nodes();
	u64 state = seed | 1;

	mask_of[0] = ALL_NODES;
	for (u32 g = 1; g <= NR_CHANGES; g++) {
		do
			mask_of[g] = next_random(&state) & node_memory_mask();
		while (!(mask_of[g] & roomy));
	}
}

static void a_changing_cpuset_is_never_left(struct ktest *t)
{
	static struct bound bound[MAX_BOUND];
	struct thread *thread[MAX_BOUND];
	struct check_report report;
	u64 requests = 0;
	u32 nr_changes = nr_cpus_online() > MANY_CPUS ? FEWER : NR_CHANGES;
	u32 nr = 0, cpu;

	if (!roomy_nodes())
		SKIP(t, "no node has 32 MiB free");
	make_masks(t->seed);
	changing = over = false;
	for_each_online_cpu(cpu) {
		if (nr == MAX_BOUND)
			break;
		bound[nr] = (struct bound){.state = t->seed + cpu + 1};
		thread[nr] = thread_start("bound", cpu, ask_while_it_changes, &bound[nr]);
		ASSERT_TRUE(t, thread[nr] != NULL);
		while (!load_acquire(&bound[nr].task))
			thread_yield();
		nr++;
	}
	store_release(&changing, true);
	for (u32 g = 1; g <= nr_changes; g++) {
		for (u32 i = 0; i < nr; i++)
			task_set_mems_allowed(bound[i].task, mask_of[g]);
		/* A host that has other things to do may not have run each of them yet. */
		for (u32 i = 0; g == nr_changes / 2 && i < nr; i++)
			while (load_relaxed(&bound[i].requests) == 0)
				thread_yield();
		if (g % 256 == 0)
			thread_yield();
	}
	for (u32 i = 0; i < nr; i++)
		EXPECT_EQ(t, load_relaxed(&bound[i].task->mems_generation), nr_changes);
	store_release(&over, true);
	for (u32 i = 0; i < nr; i++) {
		thread_join(thread[i]);
		EXPECT(t, bound[i].requests > 0);
		EXPECT_EQ(t, bound[i].outside, 0);
		EXPECT_EQ(t, bound[i].failures, 0);
		EXPECT(t, !bound[i].stale_word);
		requests += bound[i].requests;
	}
	ktest_note(t, "%u threads, %llu requests", nr, (unsigned long long)requests);
	threads_release_spares();
	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

static const struct ktest_case cases[] = {
	KTEST(policies_choose_the_node),  KTEST(a_cpuset_holds_until_it_is_gone),
	KTEST(limits_close_the_hit_path), KTEST(each_thread_finds_its_own_word),
	KTEST(another_cpu_sets_the_word), KTEST_SLOW(a_changing_cpuset_is_never_left, 180),
};
KTEST_SUITE(mempolicy, cases);
