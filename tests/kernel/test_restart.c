/*
 * Restartable sections, interrupted everywhere: arch/x86_64/restart.c.
 *
 * Pop and push are stepped (<x86/single_step.h>). Before the k-th instruction somebody else is at the same
 * stack, as an interrupt might be, and stepping ends: that is the return from the interrupt. What must
 * come of it a model says, which does one thing after the other:
 *
 *	k outside, before the section, or at its first instruction   the interrupt first, no restart
 *	k inside                                                     the interrupt first, one restart
 *	k behind the section                                         the interrupt last, no restart
 *
 * for every k, every plan of the interrupt, and every state that the stack may be in before. Then the same
 * without knowing where: real interrupts, and threads that are preempted.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/preempt.h>
#include <base/atomic.h>
#include <base/string.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <mm/os_task.h>
#include <x86/cpu_area.h>
#include <x86/restart.h>
#include <x86/single_step.h>
#include <x86/smp.h>
#include <x86/time.h>
#include <x86/trap.h>

#include "tick_hook.h"

#define CAPACITY 4
/* The instructions of each that are inside: all but the first. */
#define POP_INSIDE  6
#define PUSH_INSIDE 8

/* --- A stack and its model ---------------------------------------------------------------------- */

struct model {
	u32 nr, limit;
	void *entry[CAPACITY];
};

static void *model_pop(struct model *m)
{
	return m->nr ? m->entry[--m->nr] : NULL;
}

static bool model_push(struct model *m, void *entry)
{
	if (m->nr >= m->limit || (m->nr && m->entry[m->nr - 1] == entry))
		return false;
	m->entry[m->nr++] = entry;
	return true;
}

static union {
	struct cpu_stack stack;
	u64 words[sizeof(struct cpu_stack) / 8 + CAPACITY + 1];
} memory;
static struct cpu_stack *stacks[MAX_CPUS]; /* all the same one */
static u64 things[8];

#define MINE   (&things[0]) /* what is pushed by who is interrupted */
#define THEIRS (&things[1])

static void stack_begin(const struct model *m)
{
	memset(&memory, 0, sizeof(memory));
	memory.stack.nr = m->nr;
	memory.stack.limit = m->limit;
	memory.stack.capacity = CAPACITY;
	memory.stack.batch = 0x11223344;
	memory.stack.moves = ~0u;
	memory.words[sizeof(struct cpu_stack) / 8 + CAPACITY] = 0x5a5a5a5a;
	for (u32 i = 0; i < m->nr; i++)
		memory.stack.entry[i] = m->entry[i];
	for (u32 i = 0; i < MAX_CPUS; i++)
		stacks[i] = &memory.stack;
}

static bool stack_is(const struct model *m)
{
	const struct cpu_stack *s = &memory.stack;

	return s->nr == m->nr && s->limit == m->limit && s->capacity == CAPACITY &&
	       s->batch == 0x11223344 && s->moves == ~0u && s->never_an_entry == 0 &&
	       memcmp(s->entry, m->entry, m->nr * sizeof(void *)) == 0 &&
	       memory.words[sizeof(struct cpu_stack) / 8 + CAPACITY] == 0x5a5a5a5a;
}

/* --- What comes in between ---------------------------------------------------------------------- */

enum plan {
	LOOK,
	POP,
	PUSH,
	POP_AND_PUSH,
	PUSH_AND_POP,
	TURN_ROUND,
	FILL,
	EMPTY,
	PUSH_MINE,
	NR_PLANS
};

static __restart_text void *pop(void)
{
	return cpu_stack_pop(stacks);
}

static __restart_text bool push(void *entry)
{
	return cpu_stack_push(stacks, entry);
}

static void *do_pop(struct model *m)
{
	return m ? model_pop(m) : pop();
}

static bool do_push(struct model *m, void *entry)
{
	return m ? model_push(m, entry) : push(entry);
}

/* The two at the top change places. */
static void turn_round(struct model *m)
{
	void *first = do_pop(m), *second = do_pop(m);

	if (first)
		do_push(m, first);
	if (second)
		do_push(m, second);
}

/* To the model; NULL: to the stack. */
static void act(enum plan plan, struct model *m)
{
	void *top;

	switch (plan) {
	case POP:
		do_pop(m);
		break;
	case PUSH:
		do_push(m, THEIRS);
		break;
	case POP_AND_PUSH:
		top = do_pop(m);
		if (top)
			do_push(m, top);
		break;
	case PUSH_AND_POP:
		if (do_push(m, THEIRS))
			do_pop(m);
		break;
	case TURN_ROUND:
		turn_round(m);
		break;
	case FILL:
		for (u32 i = 0; do_push(m, THEIRS + i % 2); i++)
			;
		break;
	case EMPTY:
		while (do_pop(m))
			;
		break;
	case PUSH_MINE:
		do_push(m, MINE);
		break;
	default:
		break;
	}
}

/* --- At every instruction ----------------------------------------------------------------------- */

static struct stage {
	bool pushes; /* else it pops */
	enum plan plan;
	u32 at, step;
	bool acted, inside, entered; /* `inside`: there it was done */
	void *popped;
	bool pushed;
} stage;

/* With interrupts off: what is counted is this test's own doing. */
static void one_pop(void *arg)
{
	unsigned long flags = irq_save();

	(void)arg;
	stage.popped = pop();
	irq_restore(flags);
}

static void one_push(void *arg)
{
	unsigned long flags = irq_save();

	(void)arg;
	stage.pushed = push(MINE);
	irq_restore(flags);
}

static bool before_instruction(const struct trap_frame *frame, void *arg)
{
	const struct restart_section *s = __start_restart_sections;

	(void)arg;
	if (frame->rip < (u64)__restart_text_start || frame->rip >= (u64)__restart_text_end)
		return true;
	while (s < __stop_restart_sections && (frame->rip < s->begin || frame->rip >= s->end))
		s++;
	stage.inside = s < __stop_restart_sections && frame->rip > s->begin;
	if (stage.step++ == stage.at) {
		act(stage.plan, NULL);
		stage.acted = true;
		return false;
	}
	stage.entered |= s < __stop_restart_sections;
	return true;
}

static bool op_on_model(struct model *m, void **popped)
{
	if (stage.pushes)
		return model_push(m, MINE);
	*popped = model_pop(m);
	return false;
}

/* One run; false: it has no such instruction any more. */
static bool run(struct ktest *t, const struct model *before, u32 at, enum plan plan, bool pushes)
{
	u64 count = restarts(smp_processor_id());
	struct model m = *before;
	void *popped = NULL;
	bool pushed, last;

	stage = (struct stage){.pushes = pushes, .plan = plan, .at = at};
	stack_begin(before);
	single_step(pushes ? one_push : one_pop, NULL, before_instruction, NULL);
	if (!stage.acted)
		return false;
	last = stage.entered && !stage.inside;
	if (!last)
		act(plan, &m);
	pushed = op_on_model(&m, &popped);
	if (last)
		act(plan, &m);
	EXPECT_MSG(t,
		   stack_is(&m) && stage.pushed == pushed && stage.popped == popped &&
			   restarts(smp_processor_id()) - count == stage.inside,
		   "%s of %u, instruction %u, plan %d: got %p/%d and %u entries, not %p/%d and %u; "
		   "%llu restarts",
		   pushes ? "push" : "pop", before->nr, at, (int)plan, stage.popped, stage.pushed,
		   memory.stack.nr, popped, pushed, m.nr,
		   (unsigned long long)(restarts(smp_processor_id()) - count));
	return true;
}

/* From every state, with every plan; the threads of this CPU are kept away, so the count is our own. */
static void at_every_instruction(struct ktest *t, bool pushes, u32 inside_wanted)
{
	static const struct model states[] = {
		{0, CAPACITY, {NULL}},
		{1, CAPACITY, {&things[2]}},
		{2, CAPACITY, {&things[2], &things[3]}},
		{3, CAPACITY, {&things[2], &things[3], MINE}},
		{CAPACITY, CAPACITY, {&things[2], &things[3], &things[4], &things[5]}},
		{2, 2, {&things[2], &things[3]}},
		{2, 0, {&things[2], &things[3]}}, /* closed, and not yet emptied */
		{0, 0, {NULL}},
	};

	preempt_disable();
	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		for (int plan = 0; plan < NR_PLANS; plan++) {
			u32 inside = 0;

			for (u32 at = 0; run(t, &states[i], at, (enum plan)plan, pushes); at++)
				inside += stage.inside;
			if (i == 1) /* where it does all it can */
				EXPECT_EQ(t, inside, inside_wanted);
		}
	}
	preempt_enable();
}

static void pop_is_interrupted_everywhere(struct ktest *t)
{
	at_every_instruction(t, false, POP_INSIDE);
}

static void push_is_interrupted_everywhere(struct ktest *t)
{
	at_every_instruction(t, true, PUSH_INSIDE);
}

/* --- By real interrupts --------------------------------------------------------------------------- */

#define NR_THREADS 3
#define NR_THINGS  8
#define LIMIT_NS   15000000000ull

/*
 * Things that go from hand to hand by a stack of one CPU. Who has one writes itself down as its holder, so
 * that two who have the same one notice.
 */
static union {
	struct cpu_stack stack;
	u64 words[sizeof(struct cpu_stack) / 8 + NR_THINGS];
} storm_memory;
static struct storm {
	struct cpu_stack *stacks[MAX_CPUS];
	u64 holder[NR_THINGS]; /* atomic; 0: nobody */
	u64 wrong, turns;      /* atomic */
	u64 interrupts;        /* that CPU's own */
	bool ends;             /* atomic */
	u64 *in_interrupt;     /* what the tick has taken and not given back */
	u32 cpu;
} storm;

static __restart_text u64 *take(void)
{
	return cpu_stack_pop(storm.stacks);
}

static __restart_text bool give(u64 *thing)
{
	return cpu_stack_push(storm.stacks, thing);
}

/* Relaxed, here and below: figures, and words of one CPU. */
static void wrong(void)
{
	__atomic_fetch_add(&storm.wrong, 1, __ATOMIC_RELAXED);
}

static u64 *take_as(u64 me)
{
	u64 *thing = take();

	if (thing && __atomic_exchange_n(thing, me, __ATOMIC_RELAXED) != 0)
		wrong();
	return thing;
}

static void give_as(u64 *thing, u64 me)
{
	if (__atomic_exchange_n(thing, 0, __ATOMIC_RELAXED) != me)
		wrong();
	if (!give(thing))
		wrong(); /* there is room for all of them */
}

static void take_and_give(void *arg)
{
	u64 me = (u64)arg;

	while (!load_relaxed(&storm.ends)) {
		u64 *first = take_as(me), *second = take_as(me);

		if (first)
			give_as(first, me);
		if (second)
			give_as(second, me);
		__atomic_fetch_add(&storm.turns, 1, __ATOMIC_RELAXED);
	}
}

#define INTERRUPT 99

/* A tick takes one, the next gives it back, and both do the other, too: the order is never the same. */
static void in_the_tick(void)
{
	u64 *thing;

	if (smp_processor_id() != storm.cpu)
		return;
	storm.interrupts++;
	thing = take_as(INTERRUPT);
	if (storm.in_interrupt)
		give_as(storm.in_interrupt, INTERRUPT);
	storm.in_interrupt = thing;
}

static void storm_begin(void)
{
	memset(&storm, 0, sizeof(storm));
	memset(&storm_memory, 0, sizeof(storm_memory));
	storm.cpu = smp_processor_id();
	storm_memory.stack.limit = storm_memory.stack.capacity = NR_THINGS;
	for (u32 i = 0; i < NR_THINGS; i++)
		storm_memory.stack.entry[storm_memory.stack.nr++] = &storm.holder[i];
	for (u32 i = 0; i < MAX_CPUS; i++)
		storm.stacks[i] = &storm_memory.stack;
}

static void each_is_there_once(struct ktest *t)
{
	u32 seen = 0;

	EXPECT_EQ(t, storm_memory.stack.nr, NR_THINGS);
	for (u32 i = 0; i < storm_memory.stack.nr; i++)
		seen |= 1u << ((u64 *)storm_memory.stack.entry[i] - storm.holder);
	EXPECT_EQ(t, seen, (1u << NR_THINGS) - 1);
}

/*
 * About every third tick finds a section half done, and then somebody else is at the stack, in the tick
 * and after it, when the next thread runs. Until some did; the limit is hundreds of ticks away.
 */
static void interrupts_and_preemption(struct ktest *t)
{
	u64 ends_at = time_since_entry_ns() + LIMIT_NS, count;
	struct thread *threads[NR_THREADS];

	storm_begin();
	count = restarts(storm.cpu);
	tick_set_hook(in_the_tick);
	for (u64 i = 0; i < NR_THREADS; i++)
		threads[i] = thread_start("storm", storm.cpu, take_and_give, (void *)(i + 1));
	while (restarts(storm.cpu) - count < 10 && time_since_entry_ns() < ends_at)
		thread_sleep_ns(50000000);
	store_relaxed(&storm.ends, true);
	for (u32 i = 0; i < NR_THREADS; i++)
		if (EXPECT(t, threads[i] != NULL))
			thread_join(threads[i]);
	tick_hook_end();
	if (storm.in_interrupt)
		give_as(storm.in_interrupt, INTERRUPT);
	count = restarts(storm.cpu) - count;
	EXPECT_EQ(t, load_relaxed(&storm.wrong), 0);
	EXPECT_MSG(t, count >= 10 && storm.interrupts > 0 && load_relaxed(&storm.turns) > 10,
		   "%llu restarts, %llu interrupts, %llu turns", (unsigned long long)count,
		   (unsigned long long)storm.interrupts,
		   (unsigned long long)load_relaxed(&storm.turns));
	each_is_there_once(t);
}

/* --- The table ----------------------------------------------------------------------------------- */

static void the_table_is_sound(struct ktest *t)
{
	const struct restart_section *s, *other;

	EXPECT(t, __stop_restart_sections - __start_restart_sections >= 4);
	for (s = __start_restart_sections; s < __stop_restart_sections; s++) {
		EXPECT_MSG(t,
			   s->begin >= (u64)__restart_text_start && s->begin < s->end &&
				   s->end < (u64)__restart_text_end,
			   "a section at 0x%llx, in a function without __restart_text",
			   (unsigned long long)s->begin);
		for (other = __start_restart_sections; other < s; other++)
			EXPECT(t, other->end <= s->begin || s->end <= other->begin);
	}
}

static const struct ktest_case cases[] = {
	KTEST(the_table_is_sound),
	KTEST(pop_is_interrupted_everywhere),
	KTEST(push_is_interrupted_everywhere),
	KTEST(interrupts_and_preemption),
};
KTEST_SUITE(restart, cases);
