/*
 * The stress: threads on every CPU, and interrupts, allocate and free at the same time.
 *
 *	CPU 0: thread thread interrupt          CPU 1: thread thread interrupt
 *	        |  held blocks  |                       |  held blocks  |
 *	        +------ frees --+---> mailbox of 1 ---> frees           |
 *	                        <-------- mailbox of 0 <----------------+
 *
 * Each thread holds some blocks and does a fixed number of operations, drawn at random: it takes a
 * block of a random order from a random node with random flags and writes a pattern into all its pages;
 * verifies and frees one that it holds; leaves one in another CPU's mailbox, or frees what is in its
 * own; now and then it drains all CPUs' lists, sleeps, interrupts another CPU, and one thread closes
 * and opens the lists. Interrupts do a little of the same with GFP_ATOMIC: those, and timers. Memory that two own shows a pattern of the other
 * (pattern.c). In the end everything is given back, and stress_case() counts.
 *
 * The seed fixes what each thread draws; how that interleaves, and so what is refused, it does not.
 *
 * The number of blocks at a time is bounded, so that small machines are pressed and not emptied.
 */
#include <base/atomic.h>
#include <mm/page_alloc.h>

#include "stress_internal.h"

#define IRQ_OWNER 0x1000u

static const char *const count_names[NR_STRESS_COUNTS] = {
	[STRESS_ALLOCS] = "allocs",
	[STRESS_FREES] = "frees",
	[STRESS_REFUSED] = "refused",
	[STRESS_HANDED] = "handed over",
	[STRESS_COLLECTED] = "collected",
	[STRESS_DRAINS] = "drains",
	[STRESS_CLOSES] = "closes",
	[STRESS_SLEEPS] = "sleeps",
	[STRESS_CLAIMS] = "claims",
	[STRESS_GATHERED] = "gathered",
	[STRESS_VERIFIED] = "verified",
	[STRESS_READ] = "read whole",
	[STRESS_IRQS] = "interrupts",
	[STRESS_IRQ_ALLOCS] = "their allocs",
	[STRESS_IRQ_FREES] = "their frees",
	[STRESS_FAULTS] = "faults",
	[STRESS_BAD] = "bad",
	[STRESS_STRAYED] = "strayed",
};

const char *stress_count_name(enum stress_count count)
{
	return count_names[count];
}

/* --- A thread ------------------------------------------------------------------------------- */

static void work(void *arg)
{
	struct worker *w = arg;
	struct stress *s = w->actor.stress;
	bool harm = s->plan.fault_at > 0 && w->actor.id == 0;

	if (!gate_pass(&s->gate))
		return;
	for (u32 i = 0; i < s->plan.operations; i++) {
		if (harm && i >= s->plan.fault_at && w->actor.count[STRESS_FAULTS] == 0)
			stress_do_harm(w);
		stress_operate(w, i);
	}
	stress_free_all(w);
}

/* --- All of it ------------------------------------------------------------------------------ */

static void actor_init(struct actor *a, struct stress *s, u32 cpu, u32 id)
{
	a->stress = s;
	a->cpu = cpu;
	a->id = id;
	/* Neighbouring seeds must not give neighbouring numbers; and zero is none. */
	a->random.state = (s->plan.seed + 1) * 0x9e3779b97f4a7c15ull ^ (u64)(id + 1) << 32;
	if (a->random.state == 0)
		a->random.state = 1;
	for (u32 i = 0; i < 8; i++)
		random_next(&a->random);
}

static void *zeroed_page(u32 cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

#define STRESS_ORDER 1

_Static_assert(sizeof(struct stress) <= PAGE_SIZE << STRESS_ORDER, "what it is allocated with");

static bool add_cpu(struct stress *s, u32 cpu)
{
	struct cpu_side *side = zeroed_page(cpu);

	if (!side)
		return false;
	s->side[cpu] = side;
	s->cpu[s->nr_cpus++] = cpu;
	actor_init(&side->actor, s, cpu, IRQ_OWNER + cpu);
	return true;
}

static bool add_worker(struct stress *s, u32 cpu)
{
	struct worker *w = zeroed_page(cpu);

	if (!w)
		return false;
	actor_init(&w->actor, s, cpu, s->nr_workers);
	s->worker[s->nr_workers++] = w;
	return true;
}

struct stress *stress_create(const struct stress_plan *plan)
{
	struct stress *s = get_free_pages(GFP_KERNEL | __GFP_ZERO, STRESS_ORDER);
	bool complete = s != NULL;

	if (!s)
		return NULL;
	s->plan = *plan;
	gate_init(&s->gate);
	for (u32 cpu = 0; cpu < MAX_CPUS && complete; cpu++)
		if (plan->cpus >> cpu & 1)
			complete = add_cpu(s, cpu);
	for (u32 i = 0; complete && i < s->nr_cpus * plan->threads_per_cpu; i++)
		complete = i < STRESS_MAX_THREADS && add_worker(s, s->cpu[i % s->nr_cpus]);
	if (complete)
		return s;
	stress_destroy(s);
	return NULL;
}

void stress_destroy(struct stress *s)
{
	for (u32 i = 0; i < s->nr_workers; i++)
		free_pages(s->worker[i], 0);
	for (u32 i = 0; i < s->nr_cpus; i++)
		free_pages(s->side[s->cpu[i]], 0);
	free_pages(s, STRESS_ORDER);
}

static bool start_all(struct stress *s)
{
	for (u32 i = 0; i < s->nr_workers; i++) {
		struct worker *w = s->worker[i];

		w->thread = os_thread_start("stress", w->actor.cpu, work, w);
		if (!w->thread)
			return false;
	}
	return gate_await(&s->gate, s->nr_workers);
}

bool stress_run(struct stress *s)
{
	bool complete = start_all(s);

	store_release(&s->running, true);
	gate_open(&s->gate);
	for (u32 i = 0; i < s->nr_workers; i++)
		if (s->worker[i]->thread)
			os_thread_join(s->worker[i]->thread);
	store_release(&s->running, false);
	/* What runs there in its turn comes after an interrupt that had seen it running. */
	for (u32 i = 0; i < s->nr_cpus; i++)
		complete &= os_run_on_cpu(s->cpu[i], stress_end_interrupts_here, s) == 0;
	for (u32 i = 0; i < s->nr_cpus; i++)
		stress_collect_all(&s->worker[0]->actor, s->cpu[i]);
	return complete && gate_nr_late(&s->gate) == 0;
}

u64 stress_counted(const struct stress *s, enum stress_count count)
{
	u64 sum = 0;

	for (u32 i = 0; i < s->nr_workers; i++)
		sum += s->worker[i]->actor.count[count];
	for (u32 i = 0; i < s->nr_cpus; i++)
		sum += s->side[s->cpu[i]]->actor.count[count];
	return sum;
}

const char *stress_first_finding(const struct stress *s)
{
	return s->finding;
}
