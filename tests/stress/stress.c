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
 * The seed fixes each thread's operations; how they interleave it does not.
 *
 * What a thread or an interrupt writes down is its own, and is added up when they are over: a lock
 * or an atomic count beside each operation would order the CPUs, and hide what is looked for.
 *
 * The number of blocks at a time is bounded, so that small machines are pressed and not emptied.
 */
#include <arch/irq.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/format.h>
#include <base/string.h>
#include <mm/inspect.h>
#include <mm/os_task.h>
#include <mm/page_alloc.h>

#include "stress_internal.h"

#define MAX_HELD     64
#define MAX_IRQ_HELD 6
#define LIMIT_NS     30000000000ull
#define MAX_SLEEP_NS 200000u
/* Serials: which thread or interrupt, then its how-manieth. */
#define OWNER_SHIFT    40
#define IRQ_OWNER      0x1000u
#define SOMEBODY_ELSES 0xdead0000dead0000ull

/* Of a thread or of a CPU's interrupts; alone its owner's until all is over. */
struct actor {
	struct stress *stress;
	u32 cpu, id;
	struct stress_random random;
	u64 nr_serials;
	u64 count[NR_STRESS_COUNTS];
};

struct worker {
	struct actor actor;
	struct os_thread *thread;
	u32 nr_held;
	struct stress_block held[MAX_HELD];
};

struct cpu_side {
	struct actor actor; /* of its interrupts */
	u32 nr_held;
	struct stress_block held[MAX_IRQ_HELD];
	struct stress_mailbox mailbox;
};

_Static_assert(sizeof(struct worker) <= PAGE_SIZE && sizeof(struct cpu_side) <= PAGE_SIZE,
	       "each is a page of its own");

struct stress {
	struct stress_plan plan;
	u32 nr_cpus, nr_workers;
	u32 cpu[MAX_CPUS]; /* those that take part */
	struct cpu_side *side[MAX_CPUS];
	struct worker *worker[STRESS_MAX_THREADS];

	struct os_wait_queue queue; /* the beginning, and sleeping */
	u32 nr_ready;               /* atomic */
	u32 nr_late;                /* atomic */
	bool open;                  /* the threads may begin; release, acquire */
	bool running;               /* so may interrupts; release, acquire */

	bool found; /* atomic: somebody writes `finding`, or has */
	char finding[160];
};

static const char *const count_names[NR_STRESS_COUNTS] = {
	[STRESS_ALLOCS] = "allocs",
	[STRESS_FREES] = "frees",
	[STRESS_REFUSED] = "refused",
	[STRESS_HANDED] = "handed over",
	[STRESS_COLLECTED] = "collected",
	[STRESS_DRAINS] = "drains",
	[STRESS_CLOSES] = "closes",
	[STRESS_SLEEPS] = "sleeps",
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

/* --- One block ------------------------------------------------------------------------------ */

/* Is this the first finding, which is told? */
static bool is_first(struct stress *s)
{
	/* Relaxed: the text is read when all threads are over. */
	return !__atomic_exchange_n(&s->found, true, __ATOMIC_RELAXED);
}

/* A block that shows something else is written anew, so that it counts once. */
static void verify(struct actor *a, const struct stress_block *block)
{
	struct stress *s = a->stress;
	struct stress_difference d;

	a->count[STRESS_VERIFIED] += (u64)1 << block->order;
	if (stress_writes_whole_pages(block))
		a->count[STRESS_READ] += (u64)1 << block->order;
	if (stress_verify(block, &d))
		return;
	a->count[STRESS_BAD]++;
	if (is_first(s))
		snprintf(s->finding, sizeof(s->finding),
			 "pfn 0x%llx (order %u) word %u is 0x%llx, written was 0x%llx by serial "
			 "0x%llx; seen on CPU %u",
			 (unsigned long long)d.pfn, block->order, d.word,
			 (unsigned long long)d.found, (unsigned long long)d.expected,
			 (unsigned long long)block->serial, smp_processor_id());
	stress_write(block);
}

/* Is the block where the request wanted it? */
static void check_place(struct actor *a, const struct stress_block *block, int nid, gfp_t gfp)
{
	const struct page *page = block->page;
	enum zone_type highest = gfp & __GFP_DMA     ? ZONE_DMA
				 : gfp & __GFP_DMA32 ? ZONE_DMA32
						     : ZONE_NORMAL;
	bool wrong = page->zone > highest || page->head != PAGE_HEAD(PAGE_ALLOCATED, block->order);

	wrong |= gfp & __GFP_THISNODE && nid != NUMA_NO_NODE && page->nid != nid;
	wrong |= gfp & __GFP_ZERO && !stress_is_zero(block);
	if (!wrong)
		return;
	a->count[STRESS_STRAYED]++;
	if (is_first(a->stress))
		snprintf(a->stress->finding, sizeof(a->stress->finding),
			 "asked for order %u of node %d with gfp 0x%x, got pfn 0x%llx of node %u, "
			 "zone %u, head 0x%x",
			 block->order, nid, gfp, (unsigned long long)page_to_pfn(page), page->nid,
			 page->zone, page->head);
}

static bool allocate(struct actor *a, int nid, gfp_t gfp, u32 order, struct stress_block *block)
{
	block->page = alloc_pages_node(nid, gfp | __GFP_NOWARN, order);
	if (!block->page) {
		a->count[STRESS_REFUSED]++;
		return false;
	}
	block->order = order;
	block->serial = ((u64)a->id << OWNER_SHIFT) + ++a->nr_serials;
	check_place(a, block, nid, gfp);
	stress_write(block);
	return true;
}

static void release(struct actor *a, const struct stress_block *block, enum stress_count count)
{
	verify(a, block);
	__free_pages(block->page, block->order);
	a->count[count]++;
}

static int random_node(struct stress_random *r)
{
	u32 nr = numa_topology()->nr_nodes, choice = stress_below(r, nr + 1);

	return choice == nr ? NUMA_NO_NODE : (int)choice;
}

/* False: there was no room. */
static bool leave_for_another(struct actor *a, const struct stress_block *block)
{
	const struct stress *s = a->stress;
	u32 cpu = s->cpu[stress_below(&a->random, s->nr_cpus)];

	if (!stress_post(&s->side[cpu]->mailbox, stress_below(&a->random, STRESS_SLOTS), block))
		return false;
	a->count[STRESS_HANDED]++;
	return true;
}

/* --- Interrupts ----------------------------------------------------------------------------- */

static void interrupt_step(struct cpu_side *side)
{
	struct actor *a = &side->actor;
	struct stress_random *r = &a->random;
	struct stress_block *last = &side->held[side->nr_held];

	if (side->nr_held < MAX_IRQ_HELD && stress_below(r, 2) == 0) {
		u32 order = stress_below(r, 4);

		if (!allocate(a, random_node(r), GFP_ATOMIC, order, last))
			return;
		side->nr_held++;
		a->count[STRESS_IRQ_ALLOCS]++;
	} else if (side->nr_held > 0) {
		last--;
		side->nr_held--;
		if (stress_below(r, 4) != 0 || !leave_for_another(a, last))
			release(a, last, STRESS_IRQ_FREES);
	}
}

void stress_from_interrupt(struct stress *s)
{
	struct cpu_side *side = s->side[smp_processor_id()];

	if (!side || !load_acquire(&s->running))
		return;
	side->actor.count[STRESS_IRQS]++;
	for (u32 steps = 1 + stress_below(&side->actor.random, 4); steps > 0; steps--)
		interrupt_step(side);
}

static void interrupt_from(void *arg)
{
	stress_from_interrupt(arg);
}

/* On the CPU, after the last stress_from_interrupt() there. */
static void end_interrupts_here(void *arg)
{
	struct stress *s = arg;
	struct cpu_side *side = s->side[smp_processor_id()];

	while (side->nr_held > 0)
		release(&side->actor, &side->held[--side->nr_held], STRESS_IRQ_FREES);
}

/* --- Threads -------------------------------------------------------------------------------- */

static u32 random_order(struct stress_random *r, u32 max_order)
{
	u32 kind = stress_below(r, 64), order;

	if (kind < 32)
		order = 0;
	else if (kind < 56)
		order = 1 + stress_below(r, 3);
	else if (kind < 63)
		order = 4 + stress_below(r, 3);
	else
		order = max_order;
	return MIN(order, max_order);
}

static gfp_t random_gfp(struct stress_random *r, u32 order)
{
	static const gfp_t kind[16] = {
		[8] = GFP_ATOMIC,  [9] = GFP_ATOMIC,
		[10] = GFP_NOWAIT, [11] = GFP_NOWAIT,
		[12] = GFP_DMA32,  [13] = GFP_DMA32 | GFP_KERNEL,
		[14] = GFP_DMA,    [15] = __GFP_HIGH | GFP_KERNEL,
	};
	u32 i = stress_below(r, ARRAY_SIZE(kind));
	gfp_t gfp = kind[i] ? kind[i] : GFP_KERNEL;

	if (stress_below(r, 8) == 0)
		gfp |= __GFP_THISNODE;
	if (order <= 3 && stress_below(r, 8) == 0)
		gfp |= __GFP_ZERO;
	return gfp;
}

static struct stress_block take_held(struct worker *w)
{
	u32 i = stress_below(&w->actor.random, w->nr_held);
	struct stress_block block = w->held[i];

	w->held[i] = w->held[--w->nr_held];
	return block;
}

static void take_one(struct worker *w)
{
	struct actor *a = &w->actor;
	u32 order = random_order(&a->random, a->stress->plan.max_order);
	gfp_t gfp = random_gfp(&a->random, order);
	int nid = random_node(&a->random);

	if (w->nr_held < MAX_HELD && allocate(a, nid, gfp, order, &w->held[w->nr_held])) {
		w->nr_held++;
		a->count[STRESS_ALLOCS]++;
	}
}

static void free_one(struct worker *w)
{
	struct stress_block block;

	if (w->nr_held == 0)
		return;
	block = take_held(w);
	release(&w->actor, &block, STRESS_FREES);
}

static void hand_over(struct worker *w)
{
	struct actor *a = &w->actor;
	struct stress_block block;

	if (w->nr_held == 0)
		return;
	block = take_held(w);
	if (!leave_for_another(a, &block))
		release(a, &block, STRESS_FREES);
}

static void collect(struct actor *a, u32 cpu)
{
	struct stress_block block;

	while (stress_collect(&a->stress->side[cpu]->mailbox, &block))
		release(a, &block, STRESS_COLLECTED);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void do_something_rare(struct worker *w)
{
	struct actor *a = &w->actor;

	switch (stress_below(&a->random, 8)) {
	case 0:
		drain_all_pages();
		a->count[STRESS_DRAINS]++;
		break;
	case 1:
		os_wait(&a->stress->queue, never, NULL, 1 + stress_below(&a->random, MAX_SLEEP_NS));
		a->count[STRESS_SLEEPS]++;
		break;
	case 2:
		if (a->id != 0)
			break;
		pcp_close();
		for (u32 i = 0; i < 8; i++) {
			take_one(w);
			free_one(w);
		}
		pcp_open();
		a->count[STRESS_CLOSES]++;
		break;
	case 3:
		os_run_on_cpu(a->stress->cpu[stress_below(&a->random, a->stress->nr_cpus)],
			      interrupt_from, a->stress);
		break;
	default:
		if (w->nr_held > 0)
			verify(a, &w->held[stress_below(&a->random, w->nr_held)]);
	}
}

/* As another owner of one of the blocks would. */
static void do_harm(struct worker *w)
{
	struct stress_block other;

	if (w->nr_held == 0)
		return;
	other = w->held[stress_below(&w->actor.random, w->nr_held)];
	other.serial = SOMEBODY_ELSES;
	stress_write(&other);
	w->actor.count[STRESS_FAULTS]++;
}

static void operate(struct worker *w)
{
	u32 kind = stress_below(&w->actor.random, 64);

	if (kind < 28)
		take_one(w);
	else if (kind < 46)
		free_one(w);
	else if (kind < 54)
		hand_over(w);
	else if (kind < 61)
		collect(&w->actor, w->actor.cpu);
	else
		do_something_rare(w);
}

static bool is_open(void *arg)
{
	return load_acquire(&((struct stress *)arg)->open);
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct stress *s = w->actor.stress;
	bool harm = s->plan.fault_at > 0 && w->actor.id == 0;

	/* Relaxed: counts heads. */
	__atomic_fetch_add(&s->nr_ready, 1, __ATOMIC_RELAXED);
	os_wake_all(&s->queue);
	if (!os_wait(&s->queue, is_open, s, LIMIT_NS)) {
		__atomic_fetch_add(&s->nr_late, 1, __ATOMIC_RELAXED);
		return;
	}
	for (u32 i = 0; i < s->plan.operations; i++) {
		if (harm && i >= s->plan.fault_at && w->actor.count[STRESS_FAULTS] == 0)
			do_harm(w);
		operate(w);
	}
	while (w->nr_held > 0)
		free_one(w);
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
		stress_random(&a->random);
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
	os_wait_queue_init(&s->queue, "stress");
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

static bool all_ready(void *arg)
{
	const struct stress *s = arg;

	return load_relaxed(&s->nr_ready) == s->nr_workers;
}

static bool start_all(struct stress *s)
{
	for (u32 i = 0; i < s->nr_workers; i++) {
		struct worker *w = s->worker[i];

		w->thread = os_thread_start("stress", w->actor.cpu, work, w);
		if (!w->thread)
			return false;
	}
	return os_wait(&s->queue, all_ready, s, LIMIT_NS);
}

bool stress_run(struct stress *s)
{
	bool complete = start_all(s);

	store_release(&s->running, true);
	store_release(&s->open, true);
	os_wake_all(&s->queue);
	for (u32 i = 0; i < s->nr_workers; i++)
		if (s->worker[i]->thread)
			os_thread_join(s->worker[i]->thread);
	store_release(&s->running, false);
	/* What runs there in its turn comes after an interrupt that had seen it running. */
	for (u32 i = 0; i < s->nr_cpus; i++)
		complete &= os_run_on_cpu(s->cpu[i], end_interrupts_here, s) == 0;
	for (u32 i = 0; i < s->nr_cpus; i++)
		collect(&s->worker[0]->actor, s->cpu[i]);
	return complete && s->nr_late == 0;
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
