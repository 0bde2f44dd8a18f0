/*
 * The soak's load on the page allocator: the page stress run after run, and tasks whose cpuset moves.
 *
 * A bound task knows which nodes it may use: by the number of the change, which the task itself can read
 * before and after a request. A block must be from one that was allowed at some moment between.
 *
 *	who runs the soak   mask(5)               mask(6)         (of actor, change and seed)
 *	                       v                     v
 *	generation      4      |          5          |    6
 *	bound task          [ request ]    allowed: mask(4) or mask(5)
 *
 * The word of the mask is written before the number: so the one that follows the last number seen counts, too.
 */
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>

#include "soak_internal.h"

#define STRESS_MAX_ORDER 9

/* --- Page stress ---------------------------------------------------------------------------- */

static void nothing(void *arg)
{
	(void)arg;
}

/* No interrupt is in it any more when this returns. */
static void detach_interrupts(struct soak *s)
{
	store_release(&s->stress, NULL);
	for (u32 i = 0; i < s->nr_cpus; i++)
		os_run_on_cpu(s->cpu[i], nothing, NULL);
}

static void add_up(struct soak_actor *a, const struct stress *stress)
{
	static const struct {
		enum soak_count to;
		enum stress_count from;
	} sums[] = {
		{SOAK_BLOCKS, STRESS_ALLOCS},     {SOAK_BLOCKS, STRESS_IRQ_ALLOCS},
		{SOAK_REFUSED, STRESS_REFUSED},   {SOAK_CLAIMS, STRESS_CLAIMS},
		{SOAK_GATHERED, STRESS_GATHERED}, {SOAK_TICKS, STRESS_IRQS},
		{SOAK_BAD, STRESS_BAD},           {SOAK_BAD, STRESS_STRAYED},
	};

	for (u32 i = 0; i < ARRAY_SIZE(sums); i++)
		soak_counted(a, sums[i].to, stress_counted(stress, sums[i].from));
	if (stress_first_finding(stress)[0])
		os_log(OS_LOG_ERR, "soak", "%s", stress_first_finding(stress));
}

void soak_stress_step(struct soak_actor *a)
{
	struct soak *s = a->soak;
	const struct stress_plan plan = {.seed = random_next(&a->random),
					 .cpus = s->plan.cpus,
					 .threads_per_cpu = 1,
					 .operations = s->plan.stress_operations,
					 .max_order = STRESS_MAX_ORDER};
	struct stress *stress = stress_create(&plan);

	soak_counted(a, SOAK_STRESSES, 1);
	if (!stress) {
		soak_counted(a, SOAK_UNSTARTED, 1);
		soak_rest(a, 10 * NS_PER_MS);
		return;
	}
	store_release(&s->stress, stress);
	if (!stress_run(stress))
		soak_counted(a, SOAK_UNSTARTED, 1);
	detach_interrupts(s);
	add_up(a, stress);
	stress_destroy(stress);
}

/* --- Tasks with a cpuset -------------------------------------------------------------------- */

/* Pure: of the actor, and the how-manieth change of its cpuset. Never without memory. */
static nodemask_t mask_of(const struct soak_actor *a, u32 generation)
{
	struct random_state r = {(a->soak->plan.seed + 1) * 0x9e3779b97f4a7c15ull ^
				 ((u64)a->id << 32 | generation)};
	nodemask_t mask = a->soak->memory_nodes;

	if (generation == 0 || r.state == 0)
		return mask;
	random_next(&r);
	mask &= (nodemask_t)random_next(&r);
	return mask ? mask : a->soak->memory_nodes;
}

void soak_move_cpusets(struct soak *s)
{
	for (u32 i = 0; i < s->nr_actors; i++) {
		struct soak_actor *a = s->actor[i];
		struct os_task *task = load_acquire(&a->task);
		u32 generation;

		if (a->step != soak_bound_step || !task)
			continue;
		/* Relaxed: nobody else changes it. */
		generation = load_relaxed(&task->mems_generation);
		if (task_set_mems_allowed(task, mask_of(a, generation + 1)) == 0)
			s->count[SOAK_MOVES]++;
	}
}

static bool was_allowed(const struct soak_actor *a, int nid, u32 first, u32 last)
{
	for (u32 g = first; g <= last + 1; g++)
		if (node_isset(nid, mask_of(a, g)))
			return true;
	return false;
}

static void take_bound(struct soak_actor *a)
{
	struct os_task *task = os_current();
	u32 first = load_acquire(&task->mems_generation), last;
	unsigned int order = random_below(&a->random, 4);
	u64 since_ns = soak_now_ns();
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);

	soak_took(a, since_ns);
	last = load_acquire(&task->mems_generation);
	if (!page) {
		soak_counted(a, SOAK_UNBOUND, 1);
		soak_rest(a, NS_PER_MS);
		return;
	}
	soak_counted(a, SOAK_BOUND, 1);
	if (!was_allowed(a, page->nid, first, last)) {
		soak_counted(a, SOAK_OUTSIDE, 1);
		os_log(OS_LOG_ERR, "soak", "a block of node %u, by changes %u to %u of the cpuset",
		       page->nid, first, last);
	}
	a->held[a->nr_held++] = (struct soak_block){page, order};
}

void soak_bound_step(struct soak_actor *a)
{
	u32 kind = random_below(&a->random, 256);

	if (kind == 0)
		soak_rest(a, random_below(&a->random, 2 * NS_PER_MS));
	else if (a->nr_held < SOAK_BOUND_HELD && kind < 140) {
		take_bound(a);
	} else if (a->nr_held > 0) {
		a->nr_held--;
		__free_pages(a->held[a->nr_held].page, a->held[a->nr_held].order);
	}
}

void soak_bound_finish(struct soak_actor *a)
{
	while (a->nr_held > 0) {
		a->nr_held--;
		__free_pages(a->held[a->nr_held].page, a->held[a->nr_held].order);
	}
}
