/*
 * The hit paths of object caches, and what lies behind them, interrupted at every instruction by who wants the same
 * cache.
 *
 * A request is stepped (<x86/single_step.h>). Before its k-th instruction at which interrupts are on, the handler does
 * what an interrupt might: takes, gives back, both, many. Then stepping ends, as the return from it may send the
 * request back to the beginning of a section, and it runs on. For every k, every plan, and a stack that is half full,
 * empty (the request refills it) or full (it flushes).
 *
 * Each object holds a word of its own while it is out, so two owners of one are seen; and none is lost if the cache
 * can be destroyed in the end.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/preempt.h>
#include <kernel/test.h>
#include <mm/check.h>
#include <mm/kmalloc.h>
#include <mm/slab.h>
#include <mm/vmstat.h>
#include <x86/restart.h>
#include <x86/single_step.h>
#include <x86/trap.h>

#include "../../mm/slab.h"

#define SIZE              72u
#define LIMIT             12u
#define BATCH             6u
#define MAX_OUT           64u
#define MAX_STEPS         4000u
#define RFLAGS_INTERRUPTS 0x200u

enum plan { TAKE_AND_GIVE, TAKE, GIVE, GIVE_AND_TAKE, TAKE_MANY, GIVE_MANY, NR_PLANS };
enum state { HALF_FULL, EMPTY, FULL, NR_STATES };

static struct {
	struct kmem_cache *cache;
	/* What is out: the stepped request's, and the interrupts'. */
	u64 *out[MAX_OUT];
	u32 nr_out;
	u64 next_word, words[MAX_OUT];
	u32 bad;
	/* This run. */
	enum plan plan;
	u32 at, step;
	bool acted;
	u64 *object;
	u64 times_acted;
} stage;

/* --- Objects that are out ----------------------------------------------------------------------------- */

static void add(u64 *object)
{
	if (!object || stage.nr_out == MAX_OUT) {
		stage.bad++;
		return;
	}
	*object = stage.next_word;
	stage.out[stage.nr_out] = object;
	stage.words[stage.nr_out++] = stage.next_word++;
}

static u64 *take_out(void)
{
	u64 *object;

	if (stage.nr_out == 0)
		return NULL;
	object = stage.out[--stage.nr_out];
	stage.bad += *object != stage.words[stage.nr_out];
	*object = 0;
	return object;
}

static void check_all(void)
{
	for (u32 i = 0; i < stage.nr_out; i++)
		stage.bad += *stage.out[i] != stage.words[i];
}

/* --- What comes in between ---------------------------------------------------------------------------- */

static void take(u32 nr)
{
	while (nr-- > 0)
		add(kmem_cache_alloc(stage.cache, GFP_ATOMIC));
}

static void give(u32 nr)
{
	while (nr-- > 0 && stage.nr_out > 0)
		kmem_cache_free(stage.cache, take_out());
}

static void act(void)
{
	switch (stage.plan) {
	case TAKE_AND_GIVE:
		take(1);
		give(1);
		break;
	case TAKE:
		take(1);
		break;
	case GIVE:
		give(1);
		break;
	case GIVE_AND_TAKE:
		give(1);
		take(1);
		break;
	case TAKE_MANY:
		take(LIMIT + 2);
		break;
	default:
		give(LIMIT + 2);
		break;
	}
}

static bool between(const struct trap_frame *frame, void *arg)
{
	(void)arg;
	if (!(frame->rflags & RFLAGS_INTERRUPTS) || stage.step++ != stage.at)
		return true;
	act();
	stage.acted = true;
	return false;
}

/* --- What is stepped ---------------------------------------------------------------------------------- */

static void step_alloc(void *arg)
{
	(void)arg;
	stage.object = kmem_cache_alloc(stage.cache, GFP_NOWAIT);
}

static void step_alloc_node(void *arg)
{
	(void)arg;
	stage.object =
		kmem_cache_alloc_node(stage.cache, GFP_NOWAIT, slab_cpu_node(smp_processor_id()));
}

static void step_kmalloc(void *arg)
{
	(void)arg;
	stage.object = kmalloc(SIZE, GFP_NOWAIT);
}

static void step_free(void *arg)
{
	(void)arg;
	kmem_cache_free(stage.cache, stage.object);
}

static void step_kfree(void *arg)
{
	(void)arg;
	kfree(stage.object);
}

struct request {
	void (*run)(void *arg);
	bool gives;
};

static struct cpu_stack *my_stack(void)
{
	return stage.cache->local[smp_processor_id()];
}

/* With preemption off: nobody else on this CPU knows the cache, or uses this class much. */
static void prepare(enum state state)
{
	u32 want = state == HALF_FULL ? LIMIT / 2 : state == EMPTY ? 0 : my_stack()->limit;

	while (my_stack()->nr > want && stage.nr_out < MAX_OUT)
		take(1);
	while (my_stack()->nr < want && stage.nr_out > 0)
		give(1);
}

static void run_once(const struct request *request)
{
	stage.step = 0;
	stage.acted = false;
	stage.object = request->gives ? take_out() : NULL;
	if (!request->gives || stage.object)
		single_step(request->run, NULL, between, NULL);
	if (!request->gives)
		add(stage.object);
	check_all();
	stage.times_acted += stage.acted;
}

/* For each k until the request is over before. How many. */
static u32 sweep(const struct request *request, enum state state)
{
	u32 at = 0;

	do {
		preempt_disable();
		while (stage.nr_out > MAX_OUT / 2)
			give(1);
		while (stage.nr_out < LIMIT + 4)
			take(1);
		prepare(state);
		stage.at = at;
		run_once(request);
		preempt_enable();
	} while (stage.acted && ++at < MAX_STEPS && !stage.bad);
	return at;
}

static void sweep_all(struct ktest *t, const char *name, const struct request *request)
{
	u64 before = restarts(smp_processor_id());
	u32 steps = 0;

	for (u32 state = 0; state < NR_STATES; state++) {
		for (u32 plan = 0; plan < NR_PLANS; plan++) {
			stage.plan = (enum plan)plan;
			steps += sweep(request, (enum state)state);
		}
	}
	ktest_note(t, "%s: interrupted at %u instructions, %llu times begun anew", name, steps,
		   (unsigned long long)(restarts(smp_processor_id()) - before));
	EXPECT_EQ(t, stage.bad, 0);
	EXPECT(t, steps > 10 * NR_STATES * NR_PLANS);
	EXPECT(t, restarts(smp_processor_id()) > before);
}

static void end(struct ktest *t, bool is_own)
{
	struct check_report report;

	give(MAX_OUT);
	EXPECT_EQ(t, stage.nr_out, 0);
	EXPECT_EQ(t, stage.bad, 0);
	if (is_own)
		EXPECT_EQ(t, kmem_cache_destroy(stage.cache), 0);
	EXPECT_MSG(t, mm_check(&report), "%s", report.first);
}

static void of_a_cache(struct ktest *t)
{
	static const struct request alloc = {step_alloc, false}, free = {step_free, true},
				    alloc_node = {step_alloc_node, false};
	u64 refills = vmstat_read(VMSTAT_SLAB_REFILL), flushes = vmstat_read(VMSTAT_SLAB_FLUSH);

	if (slab_debug_flags)
		SKIP(t, "with mm.debug no request takes a hit path");
	stage.cache = kmem_cache_create("step", SIZE, 0, 0, NULL);
	ASSERT_TRUE(t, stage.cache != NULL);
	ASSERT_EQ(t, kmem_cache_tune(stage.cache, LIMIT, BATCH, 1), 0);
	sweep_all(t, "kmem_cache_alloc", &alloc);
	sweep_all(t, "kmem_cache_alloc_node", &alloc_node);
	sweep_all(t, "kmem_cache_free", &free);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_REFILL) > refills);
	EXPECT(t, vmstat_read(VMSTAT_SLAB_FLUSH) > flushes);
	end(t, true);
}

static void by_size(struct ktest *t)
{
	static const struct request alloc = {step_kmalloc, false}, free = {step_kfree, true};
	void *object = kmalloc(SIZE, GFP_KERNEL);
	u32 limit, batch, shared;

	if (slab_debug_flags)
		SKIP(t, "with mm.debug no request takes a hit path");
	ASSERT_TRUE(t, object != NULL);
	stage.cache = virt_to_page(object)->slab_home->cache;
	limit = stage.cache->limit;
	batch = stage.cache->batch;
	shared = stage.cache->shared;
	kfree(object);
	ASSERT_EQ(t, kmem_cache_tune(stage.cache, LIMIT, BATCH, 1), 0);
	sweep_all(t, "kmalloc", &alloc);
	sweep_all(t, "kfree", &free);
	end(t, false);
	EXPECT_EQ(t, kmem_cache_tune(stage.cache, limit, batch, shared), 0);
}

static const struct ktest_case cases[] = {
	KTEST(of_a_cache),
	KTEST(by_size),
};
KTEST_SUITE(slab_step, cases);
