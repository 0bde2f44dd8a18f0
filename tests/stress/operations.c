/*
 * The operations of the stress, one at a time: by a thread, or in an interrupt of its CPU.
 *
 * What an actor writes down is its own, and is added up when all are over: a lock or an atomic count
 * beside each operation would order the CPUs, and hide what is looked for.
 */
#include <base/atomic.h>
#include <base/format.h>
#include <mm/page_alloc.h>

#include "pause.h"
#include "stress_internal.h"

#define MAX_SLEEP_NS   200000u
#define RARE_EVERY     20
#define RARE_KINDS     6
#define SOMEBODY_ELSES 0xdead0000dead0000ull

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
	block->serial = ((u64)a->id << STRESS_OWNER_SHIFT) + ++a->nr_serials;
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

static int random_node(struct random_state *r)
{
	u32 nr = numa_topology()->nr_nodes, choice = random_below(r, nr + 1);

	return choice == nr ? NUMA_NO_NODE : (int)choice;
}

/* False: there was no room. */
static bool leave_for_another(struct actor *a, const struct stress_block *block)
{
	const struct stress *s = a->stress;
	u32 cpu = s->cpu[random_below(&a->random, s->nr_cpus)];

	if (!stress_post(&s->side[cpu]->mailbox, random_below(&a->random, STRESS_SLOTS), block))
		return false;
	a->count[STRESS_HANDED]++;
	return true;
}

/* --- Interrupts ----------------------------------------------------------------------------- */

static void interrupt_step(struct cpu_side *side)
{
	struct actor *a = &side->actor;
	struct random_state *r = &a->random;
	struct stress_block *last = &side->held[side->nr_held];

	if (side->nr_held < STRESS_MAX_IRQ_HELD && random_below(r, 2) == 0) {
		u32 order = random_below(r, 4);

		if (!allocate(a, random_node(r), GFP_ATOMIC, order, last))
			return;
		side->nr_held++;
		a->count[STRESS_IRQ_ALLOCS]++;
	} else if (side->nr_held > 0) {
		last--;
		side->nr_held--;
		if (random_below(r, 4) != 0 || !leave_for_another(a, last))
			release(a, last, STRESS_IRQ_FREES);
	}
}

void stress_from_interrupt(struct stress *s)
{
	struct cpu_side *side = s->side[smp_processor_id()];

	/* Bounded: on a busy host time, and with it ticks, may be much for few operations. */
	if (!side || !load_acquire(&s->running) ||
	    side->actor.count[STRESS_IRQS] * 4 >= s->plan.operations)
		return;
	side->actor.count[STRESS_IRQS]++;
	for (u32 steps = 1 + random_below(&side->actor.random, 4); steps > 0; steps--)
		interrupt_step(side);
}

static void interrupt_from(void *arg)
{
	stress_from_interrupt(arg);
}

/* On the CPU, after the last stress_from_interrupt() there. */
void stress_end_interrupts_here(void *arg)
{
	struct stress *s = arg;
	struct cpu_side *side = s->side[smp_processor_id()];

	while (side->nr_held > 0)
		release(&side->actor, &side->held[--side->nr_held], STRESS_IRQ_FREES);
}

/* --- Threads -------------------------------------------------------------------------------- */

static u32 random_order(struct random_state *r, u32 max_order)
{
	u32 kind = random_below(r, 64), order;

	if (kind < 32)
		order = 0;
	else if (kind < 56)
		order = 1 + random_below(r, 3);
	else if (kind < 63)
		order = 4 + random_below(r, 3);
	else
		order = max_order;
	return MIN(order, max_order);
}

static gfp_t random_gfp(struct random_state *r, u32 order)
{
	static const gfp_t kind[16] = {
		[8] = GFP_ATOMIC,  [9] = GFP_ATOMIC,
		[10] = GFP_NOWAIT, [11] = GFP_NOWAIT,
		[12] = GFP_DMA32,  [13] = GFP_DMA32 | GFP_KERNEL,
		[14] = GFP_DMA,    [15] = __GFP_HIGH | GFP_KERNEL,
	};
	u32 i = random_below(r, ARRAY_SIZE(kind));
	gfp_t gfp = kind[i] ? kind[i] : GFP_KERNEL;

	if (random_below(r, 8) == 0)
		gfp |= __GFP_THISNODE;
	if (random_below(r, 2) == 0)
		gfp |= __GFP_MOVABLE;
	if (order <= 3 && random_below(r, 8) == 0)
		gfp |= __GFP_ZERO;
	return gfp;
}

static struct stress_block take_held(struct worker *w)
{
	u32 i = random_below(&w->actor.random, w->nr_held);
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

	if (w->nr_held < STRESS_MAX_HELD && allocate(a, nid, gfp, order, &w->held[w->nr_held])) {
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

void stress_collect_all(struct actor *a, u32 cpu)
{
	struct stress_block block;

	while (stress_collect(&a->stress->side[cpu]->mailbox, &block))
		release(a, &block, STRESS_COLLECTED);
}

/* Only one may: while they are closed nobody else sees them open. */
static void close_for_a_while(struct worker *w)
{
	pcp_close();
	for (u32 i = 0; i < 8; i++) {
		take_one(w);
		free_one(w);
	}
	pcp_open();
	w->actor.count[STRESS_CLOSES]++;
}

/* Around a block that somebody has: what is free of it now, and what is freed until it ends. */
static void begin_claim(struct worker *w)
{
	struct actor *a = &w->actor;
	const struct page *page;
	pfn_t pfn;

	if (w->nr_held == 0)
		return;
	page = w->held[random_below(&a->random, w->nr_held)].page;
	w->claim_order = 4 + random_below(&a->random, 6);
	pfn = ALIGN_DOWN(page_to_pfn(page), (pfn_t)1 << w->claim_order);
	if (claim_begin(page_zone(page), pfn, w->claim_order, &w->claim) == 0)
		a->count[STRESS_CLAIMS]++;
}

static void end_claim(struct worker *w)
{
	struct actor *a = &w->actor;
	struct stress_block block = {.order = w->claim_order};

	if (!w->claim.zone)
		return;
	block.page = claim_take(&w->claim, BLOCK_UNMOVABLE);
	if (!block.page) {
		claim_end(&w->claim);
		return;
	}
	block.serial = ((u64)a->id << STRESS_OWNER_SHIFT) + ++a->nr_serials;
	check_place(a, &block, NUMA_NO_NODE, 0);
	stress_write(&block);
	release(a, &block, STRESS_GATHERED);
}

/* In turn, and not drawn, so that a short run has them all. */
static void do_something_rare(struct worker *w, u32 kind)
{
	struct actor *a = &w->actor;
	struct stress *s = a->stress;

	switch (kind) {
	case 0:
		drain_all_pages();
		a->count[STRESS_DRAINS]++;
		break;
	case 1:
		pause_ns(1 + random_below(&a->random, MAX_SLEEP_NS));
		a->count[STRESS_SLEEPS]++;
		break;
	case 2:
		os_run_on_cpu(s->cpu[random_below(&a->random, s->nr_cpus)], interrupt_from, s);
		break;
	case 3:
		if (a->id == 0)
			close_for_a_while(w);
		break;
	case 4:
		end_claim(w);
		begin_claim(w);
		break;
	default:
		if (w->nr_held > 0)
			verify(a, &w->held[random_below(&a->random, w->nr_held)]);
	}
}

/* As another owner of one of the blocks would. */
void stress_do_harm(struct worker *w)
{
	struct stress_block other;

	if (w->nr_held == 0)
		return;
	other = w->held[random_below(&w->actor.random, w->nr_held)];
	other.serial = SOMEBODY_ELSES;
	stress_write(&other);
	w->actor.count[STRESS_FAULTS]++;
}

void stress_operate(struct worker *w, u32 number)
{
	u32 kind = random_below(&w->actor.random, 32);

	if (number % RARE_EVERY == RARE_EVERY - 1)
		do_something_rare(w, number / RARE_EVERY % RARE_KINDS);
	else if (kind < 15)
		take_one(w);
	else if (kind < 24)
		free_one(w);
	else if (kind < 28)
		hand_over(w);
	else
		stress_collect_all(&w->actor, w->actor.cpu);
}

void stress_free_all(struct worker *w)
{
	end_claim(w);
	while (w->nr_held > 0)
		free_one(w);
}
