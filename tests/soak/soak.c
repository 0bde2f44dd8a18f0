/*
 * The soak: a mix of all that asks for memory, gives it back and takes it away, at once and for long, with
 * memory short all the time.
 *
 *	every CPU        cache    reads, writes and scans files half as large again as what is free
 *	                 bound    blocks of orders 0 to 3, in a cpuset that moves
 *	                 slabs    objects of many sizes, freed where others want them
 *	some CPUs        hog      takes all it gets until the OOM killer chooses it; or a part, and lets go
 *	                 objects  fills a cache of its own, which a shrinker empties
 *	                 stress   the page stress of tests/stress/, run after run: all orders, claims, drains
 *	timer            interrupts that allocate, on every CPU
 *	who runs it      moves the cpusets, lets requests fail in bursts, prints figures, watches
 *	the device       loses packets and is slow; drops acknowledgements when there is no memory
 *
 * So that this does not take long on a large machine, most of its memory is taken away first, and held:
 * what is left above the marks, the mix fights for. The marks stay those of the machine.
 *
 * Nothing here is new but the mix: each part has tests of its own. What only a mix shows is how the parts
 * get into each other's way: a write that needs the page whose reclaim waits for it, a victim that
 * waits for memory, a claim that takes what a reclaimer has freed, an acknowledgement dropped in a burst.
 *
 * A round is some minutes of load, then an end: the actors stop, read the files back and give back what they
 * hold. Then as many pages must be free as before, in blocks of the same sizes, and every
 * invariant must hold. Each page read was compared with what the ledger says it must be (page_cache.h), each
 * block with what its holder wrote, each node with the cpuset. So a mistake shows in the round that it was
 * made in, whose seed is printed.
 *
 * An actor does a step at a time. One whose step takes longer than STUCK_NS hangs: that ends the run with
 * a panic, which shows where everybody is. Requests that fail are no mistake, under such a load: they
 * are counted.
 *
 * The seed fixes what each actor draws, not how that interleaves.
 *
 * Memory order: what actors count is theirs, read by others as figures. Words that tell somebody to stop are
 * relaxed; what they did is seen by who has joined them.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/netblk.h>
#include <mm/fault_inject.h>
#include <mm/inspect.h>
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>
#include <mm/vmstat.h>

#include "../stress/pages_back.h"
#include "soak_internal.h"

#define TURN_NS        (10 * NS_PER_MS) /* of who runs it */
#define STUCK_NS       (300 * NS_PER_SECOND)
#define BURST_NS       (100 * NS_PER_MS)
#define BURST_EVERY_NS (3 * NS_PER_SECOND)
#define SOAK_ORDER     3

_Static_assert(sizeof(struct soak) <= PAGE_SIZE << SOAK_ORDER &&
		       sizeof(struct soak_actor) <= PAGE_SIZE,
	       "what they are allocated with");

/* --- Actors --------------------------------------------------------------------------------- */

static bool ending(void *arg)
{
	return soak_is_ending(arg);
}

void soak_rest(struct soak_actor *a, u64 ns)
{
	os_wait(&a->soak->queue, ending, a->soak, ns);
}

void soak_took(struct soak_actor *a, u64 since_ns)
{
	u64 ns = soak_now_ns() - since_ns;

	if (ns > a->longest_ns)
		store_relaxed(&a->longest_ns, ns); /* a figure */
}

/*
 * By whoever comes first: while there is a rule, all requests of all CPUs wait for one lock, and where the
 * host runs two of eight CPUs at a time, who began the burst may come late.
 */
static void end_burst(struct soak *s, bool at_once)
{
	u32 rule;

	if (load_relaxed(&s->fault_rule) == 0 ||
	    (!at_once && soak_now_ns() < load_relaxed(&s->fault_until_ns)))
		return;
	/* Relaxed: one of them gets it; what it says is a number. */
	rule = __atomic_exchange_n(&s->fault_rule, 0, __ATOMIC_RELAXED);
	if (rule)
		fault_rule_remove(rule);
}

static void act(void *arg)
{
	struct soak_actor *a = arg;

	/* Release: with the task as it began. */
	store_release(&a->task, os_current());
	/* Once at least: so that a round without load has had as many threads as others. */
	do {
		a->step(a);
		store_relaxed(&a->steps, a->steps + 1);
		end_burst(a->soak, false);
	} while (!soak_is_ending(a->soak));
	if (a->finish)
		a->finish(a);
}

static void *zeroed_page(u32 cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

static void draw_from(struct random_state *r, u64 seed, u32 stream)
{
	/* Neighbouring seeds must not give neighbouring numbers; and zero is none. */
	r->state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (u64)(stream + 1) << 32;
	if (r->state == 0)
		r->state = 1;
	for (u32 i = 0; i < 8; i++)
		random_next(r);
}

struct part {
	const char *name;
	void (*step)(struct soak_actor *a);
	void (*finish)(struct soak_actor *a);
	u32 every_cpus; /* one on each so manieth CPU; 0: one in all */
};

static const struct part parts[] = {
	{"cache", soak_cache_step, soak_files_read_back, 1},
	{"bound", soak_bound_step, soak_bound_finish, 2},
	{"hog", soak_hog_step, NULL, 2},
	{"slabs", soak_slab_step, soak_slab_finish, 1},
	{"objects", soak_objects_step, NULL, 0},
	{"pages", soak_stress_step, NULL, 0},
};

static bool add_actor(struct soak *s, const struct part *part, u32 number)
{
	struct soak_actor *a;

	if (s->nr_actors == SOAK_MAX_ACTORS)
		return false;
	a = zeroed_page(s->cpu[number % s->nr_cpus]);
	if (!a)
		return false;
	a->soak = s;
	a->name = part->name;
	a->step = part->step;
	a->finish = part->finish;
	a->cpu = s->cpu[number % s->nr_cpus];
	a->id = s->nr_actors;
	a->nth = number;
	draw_from(&a->random, s->plan.seed, a->id);
	s->actor[s->nr_actors++] = a;
	return true;
}

static bool add_actors(struct soak *s)
{
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		u32 every = parts[i].every_cpus;
		u32 nr = every ? DIV_ROUND_UP(s->nr_cpus, every) : 1;

		for (u32 k = 0; k < nr; k++)
			if (!add_actor(s, &parts[i], k))
				return false;
	}
	return true;
}

static void destroy(struct soak *s)
{
	for (u32 i = 0; i < s->nr_actors; i++)
		free_pages(s->actor[i], 0);
	free_pages(s, SOAK_ORDER);
}

static struct soak *create(const struct soak_plan *plan)
{
	struct soak *s = get_free_pages(GFP_KERNEL | __GFP_ZERO, SOAK_ORDER);

	if (!s)
		return NULL;
	s->plan = *plan;
	if (s->plan.stuck_ns == 0)
		s->plan.stuck_ns = STUCK_NS;
	os_wait_queue_init(&s->queue, "soak");
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		if (plan->cpus >> cpu & 1)
			s->cpu[s->nr_cpus++] = cpu;
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		struct node_snapshot node;

		if (node_snapshot(nid, &node) && node.managed_pages > 0)
			s->memory_nodes |= NODE_BIT(nid);
	}
	if (add_actors(s))
		return s;
	destroy(s);
	return NULL;
}

/* So that memory is short from the first second, however much the machine has. */
static void take_ballast(struct soak *s)
{
	struct vm_totals totals;

	if (s->plan.leave_pages)
		hoard_all_but(&s->ballast, s->plan.leave_pages);
	vm_totals(&totals);
	s->nr_pages = totals.free_pages;
}

/* --- Who runs it ---------------------------------------------------------------------------- */

/* A turn of its own that was late counts as a second: who was not let on cannot say that others hang. */
static void watch(struct soak *s, u64 now_ns)
{
	u64 since_ns = MIN(now_ns - s->watched_ns, (u64)NS_PER_SECOND);

	s->watched_ns = now_ns;
	for (u32 i = 0; i < s->nr_actors; i++) {
		u64 steps = load_relaxed(&s->actor[i]->steps);

		s->still_ns[i] += since_ns;
		if (steps != s->seen_steps[i]) {
			s->seen_steps[i] = steps;
			s->still_ns[i] = 0;
		} else if (s->still_ns[i] > s->plan.stuck_ns) {
			os_panic("soak: '%s' of CPU %u has not got on for %llu ms (seed %llu)",
				 s->actor[i]->name, s->actor[i]->cpu,
				 (unsigned long long)(s->plan.stuck_ns / NS_PER_MS),
				 (unsigned long long)s->plan.seed);
		}
	}
}

/* In turn few and many: of requests of any kind, in interrupts, too, where acknowledgements are dropped. */
static void begin_burst(struct soak *s, u64 now_ns)
{
	const struct fault_rule rule = {.probability = s->count[SOAK_BURSTS] % 2 ? 40 : 10,
					.seed = s->plan.seed + now_ns,
					.quiet = true};
	int id;

	id = fault_rule_add(&rule);
	if (id < 0)
		return;
	store_relaxed(&s->fault_until_ns, soak_now_ns() + BURST_NS);
	store_relaxed(&s->fault_rule, (u32)id); /* an older end: it ends at once */
	s->fault_next_ns = now_ns + BURST_EVERY_NS;
	s->count[SOAK_BURSTS]++;
}

static void take_turn(struct soak *s, u64 now_ns)
{
	end_burst(s, false);
	if (load_relaxed(&s->fault_rule) == 0 && now_ns >= s->fault_next_ns)
		begin_burst(s, now_ns);
	soak_move_cpusets(s);
	/* Again and again: one whose page is written anew before it is evicted has never been missed. */
	if (s->plan.lose_write_ns &&
	    now_ns - s->began_ns >= s->plan.lose_write_ns * (s->count[SOAK_LOST] + 1)) {
		cache_lose_next_write(s->file[0]);
		s->count[SOAK_LOST]++;
	}
	watch(s, now_ns);
}

static void load(struct ktest *t, struct soak *s, const struct soak_figures *before,
		 const struct soak_figures *sum)
{
	u64 now_ns = s->began_ns, figures_ns = s->began_ns + s->plan.figures_ns;

	while (now_ns - s->began_ns < s->plan.load_ns) {
		os_wait(&s->queue, ending, s, TURN_NS);
		now_ns = soak_now_ns();
		take_turn(s, now_ns);
		if (now_ns >= figures_ns) {
			struct soak_figures figures;

			soak_figures_since(s, before, &figures);
			soak_add(&figures, sum);
			soak_print(t, &figures, "load",
				   s->plan.before_s + (now_ns - s->began_ns) / NS_PER_SECOND);
			figures_ns += s->plan.figures_ns;
		}
	}
	end_burst(s, true);
}

static bool start_all(struct soak *s)
{
	for (u32 i = 0; i < s->nr_actors; i++) {
		struct soak_actor *a = s->actor[i];

		a->thread = os_thread_start(a->name, a->cpu, act, a);
		if (!a->thread)
			return false;
	}
	return true;
}

static void stop_all(struct soak *s)
{
	store_relaxed(&s->ending, true);
	os_wake_all(&s->queue);
	for (u32 i = 0; i < s->nr_actors; i++)
		if (s->actor[i]->thread)
			os_thread_join(s->actor[i]->thread);
}

void soak_from_interrupt(struct soak *s)
{
	/* Acquire: with what it points to. */
	struct stress *stress = load_acquire(&s->stress);

	if (stress)
		stress_from_interrupt(stress);
}

/* --- A round -------------------------------------------------------------------------------- */

/* Slow enough to be waited for; of what it loses in odd rounds, some writes fail. */
static bool configure_device(const struct soak_plan *plan)
{
	bool odd = plan->seed % 2;
	struct netblk_options options;

	netblk_options_now(&options);
	options.seed = plan->seed;
	options.min_delay_ns = NS_PER_MS;
	options.max_delay_ns = 20 * NS_PER_MS;
	options.resend_after_ns = 50 * NS_PER_MS;
	options.lost_permille = odd ? 150 : 50;
	options.max_resends = odd ? 3 : 0;
	return netblk_configure(&options) == 0;
}

static void expect_clean(struct ktest *t, const struct soak_plan *plan)
{
	struct check_report report;

	EXPECT_MSG(t, mm_check(&report) && report.run > 0, "%s", report.first);
	if (plan->check)
		EXPECT_MSG(t, plan->check(&report), "%s", report.first);
}

static void settle(const struct soak_plan *plan)
{
	if (plan->settle)
		plan->settle();
	pages_settle();
}

/* False: it could not be done. */
static bool run(struct ktest *t, const struct soak_plan *plan, struct soak_figures *sum)
{
	struct soak_figures before, figures;
	struct soak *s = create(plan);
	bool complete;

	if (!s)
		return false;
	take_ballast(s);
	soak_figures_now(&before);
	complete = configure_device(plan) && soak_files_create(s) && soak_slabs_start(s);
	soak_objects_start(s);
	s->began_ns = s->watched_ns = soak_now_ns();
	if (plan->begin)
		plan->begin(s);
	complete = complete && start_all(s);
	if (complete)
		load(t, s, &before, sum);
	stop_all(s);
	soak_objects_end(s);
	complete &= soak_slabs_end(s);
	/* While there are interrupts: writes under way end in one. */
	complete &= soak_files_destroy(s);
	if (plan->end)
		plan->end(s);
	hoard_release(&s->ballast);
	soak_figures_since(s, &before, &figures);
	soak_add(sum, &figures);
	destroy(s);
	return complete;
}

void soak_round(struct ktest *t, const struct soak_plan *plan, struct soak_figures *sum)
{
	struct soak_plan nothing = *plan;
	struct soak_figures ignored;
	struct netblk_options device;

	/* What a kernel keeps of threads that have ended, of files and of a device is kept by then. */
	nothing.load_ns = 0;
	nothing.read_back_percent = 0;
	memset(&ignored, 0, sizeof(ignored));
	netblk_options_now(&device);
	if (!EXPECT(t, run(t, &nothing, &ignored)))
		return;
	settle(plan);
	pages_before();
	EXPECT(t, run(t, plan, sum));
	settle(plan);
	pages_after();
	expect_counts_as_before(t);
	expect_blocks_as_before(t);
	expect_clean(t, plan);
	EXPECT_EQ(t, netblk_configure(&device), 0);
}
