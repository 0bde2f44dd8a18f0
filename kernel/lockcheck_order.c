/*
 * What the lock checker has learned: names, which comes before which, and how each is taken.
 *
 * The orders are a graph: an edge from A to B where B was taken under A. It must have no circle, and
 * each new edge is tried before it is let in: if B leads to A already, that path and the new edge
 * are one. With at most 63 names a row of the graph is one word, and everything that a class
 * leads to is found by or-ing rows: each class once, outward, remembering from where it was
 * reached, so that the path can be told.
 *
 *	bit B of inner[A]:  under A, B was taken
 *	refused[A]:         it was, and the report said so; it is not taken to be an order
 *
 * Mostly the edge is known, and one look at a word says so. What is new is done under `guard`, a word
 * of its own: no struct spinlock, which would be checked. It is held for some thousand instructions
 * at most, with interrupts off, by nobody who waits.
 *
 * The irq rule: a class that was taken in an interrupt, and anything that it leads to, must never be
 * held with interrupts on. Were it by way of B: CPU 0 holds B, and an interrupt there wants A; CPU 1
 * holds A and wants B.
 *
 * Memory order: rows and uses are read relaxed. Who reads an old one goes the slow way, under the
 * guard, and looks again. Counts of names and pairs are stored with release and loaded with acquire,
 * since what they count is read without the guard.
 */
#include <base/format.h>
#include <base/string.h>

#include "lockcheck_internal.h"

#define MAX_CLASSES 64 /* number 0 is nobody's */
#define MAX_PAIRS   256
#define BIT(class)  ((u64)1 << (class))

static struct lock_class {
	const char *name;
	bool mutex;
	uintptr_t use[NR_LOCK_USES];                         /* where first taken so; 0: never */
	u64 acquired, contended, longest_wait, longest_hold; /* atomic: figures */
} classes[MAX_CLASSES];
static u32 nr_classes = 1;

static struct pair {
	u32 outer, inner; /* 0: forgotten */
	uintptr_t outer_site, inner_site;
} pairs[MAX_PAIRS];
static u32 nr_pairs;

static u64 inner[MAX_CLASSES], refused[MAX_CLASSES];
static u64 used[NR_LOCK_USES];    /* the classes that have a place in use[] */
static u64 irq_said[MAX_CLASSES]; /* bit B of [A]: that A, taken in interrupts, leads to B */
static u32 nr_unchecked;

static u32 guard;

/* Acquire and release: what the last holder learned. Interrupts are off. */
static void lock_graph(void)
{
	while (__atomic_exchange_n(&guard, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void unlock_graph(void)
{
	store_release(&guard, 0);
}

/* --- Names ---------------------------------------------------------------------------------------- */

static u32 find_class(const char *name, bool mutex)
{
	u32 nr = load_acquire(&nr_classes);

	for (u32 class = 1; class < nr; class ++)
		if (classes[class].mutex == mutex && strcmp(classes[class].name, name) == 0)
			return class;
	return 0;
}

u32 order_class(const char *name, bool mutex)
{
	u32 class = find_class(name, mutex);

	if (class)
		return class;
	lock_graph();
	class = find_class(name, mutex); /* somebody may have been faster */
	if (!class && nr_classes < MAX_CLASSES) {
		class = nr_classes;
		classes[class].name = name;
		classes[class].mutex = mutex;
		store_release(&nr_classes, class + 1);
	}
	unlock_graph();
	if (!class)
		__atomic_fetch_add(&nr_unchecked, 1, __ATOMIC_RELAXED);
	return class;
}

void order_count(u32 class)
{
	__atomic_fetch_add(&classes[class].acquired, 1, __ATOMIC_RELAXED);
}

/* Two at the same moment may lose the smaller or the larger: a figure. */
static void raise(u64 *longest, u64 ticks)
{
	if (ticks > load_relaxed(longest))
		store_relaxed(longest, ticks);
}

void order_count_wait(u32 class, u64 ticks)
{
	__atomic_fetch_add(&classes[class].contended, 1, __ATOMIC_RELAXED);
	raise(&classes[class].longest_wait, ticks);
}

void order_count_hold(u32 class, u64 ticks)
{
	raise(&classes[class].longest_hold, ticks);
}

/* --- The graph, under the guard ------------------------------------------------------------------ */

/* All that a class leads to, itself included; from[x] is how x was reached. */
static u64 reach(u32 class, u8 *from)
{
	u64 seen = BIT(class), todo = BIT(class);

	while (todo) {
		u32 at = (u32)__builtin_ctzll(todo);
		u64 new = inner[at] & ~seen;

		todo &= todo - 1;
		todo |= new;
		seen |= new;
		for (; new; new &= new - 1)
			from[__builtin_ctzll(new)] = (u8)at;
	}
	return seen;
}

static const struct pair *find_pair(u32 outer, u32 inner_class, u32 *index)
{
	for (*index = 0; *index < nr_pairs; ++*index)
		if (pairs[*index].outer == outer && pairs[*index].inner == inner_class)
			return &pairs[*index];
	return NULL;
}

/* The pairs from `start` to `end`, as from[] says. One of many steps loses those at the start. */
static void tell_path(struct finding *finding, u32 start, u32 end, const u8 *from)
{
	u32 step[MAX_CLASSES], nr = 0;

	for (u32 at = end; at != start; at = from[at])
		if (find_pair(from[at], at, &step[nr]))
			nr++;
	for (; nr > 0 && finding->nr_steps < MAX_STEPS; nr--)
		finding->step[finding->nr_steps++] = step[nr - 1];
}

/* `outer` leads to `end`, which is used with interrupts on, and was itself taken in one. */
static void find_irq(struct finding *finding, u32 class, u32 end, const u8 *from)
{
	uintptr_t in_irq = classes[class].use[USE_IN_IRQ], on = classes[end].use[USE_IRQS_ON];
	struct lockcheck_report *r =
		lockcheck_found(finding, class == end ? LOCKCHECK_IRQ : LOCKCHECK_IRQ_ORDER);
	struct site_text here, there;

	if (!r)
		return;
	r->lock = classes[class].name;
	r->other = class == end ? NULL : classes[end].name;
	r->site = in_irq;
	r->other_site = on;
	if (class == end) {
		snprintf(r->text, sizeof(r->text),
			 "lock '%s' is taken in an interrupt at %s, and held with interrupts on at "
			 "%s",
			 r->lock, lockcheck_site(&here, in_irq), lockcheck_site(&there, on));
		return;
	}
	tell_path(finding, class, end, from);
	snprintf(r->text, sizeof(r->text),
		 "lock '%s' is taken in an interrupt at %s; '%s', which is waited for under it, is "
		 "held with interrupts on at %s",
		 r->lock, lockcheck_site(&here, in_irq), r->other, lockcheck_site(&there, on));
}

/* After any change: is there a class that is taken in interrupts and leads to one that must not be? */
static void check_irq_rule(struct finding *finding)
{
	for (u64 left = used[USE_IN_IRQ]; left; left &= left - 1) {
		u32 class = (u32)__builtin_ctzll(left);
		u8 from[MAX_CLASSES];
		u64 bad = reach(class, from) & used[USE_IRQS_ON] & ~irq_said[class];

		if (!bad)
			continue;
		irq_said[class] |= bad;
		find_irq(finding, class, (u32)__builtin_ctzll(bad), from);
	}
}

static void find_inversion(struct finding *finding, const struct pair *new, const u8 *from)
{
	struct lockcheck_report *r = lockcheck_found(finding, LOCKCHECK_ORDER);
	const char *before = classes[new->outer].name, *after = classes[new->inner].name;
	struct site_text here, there, other_here, other_there;
	const struct pair *other;

	if (!r)
		return;
	tell_path(finding, new->inner, new->outer, from);
	r->lock = after;
	r->other = before;
	r->site = new->inner_site;
	other = &pairs[finding->step[0]];
	r->other_site = other->inner_site;
	lockcheck_site(&here, new->inner_site);
	lockcheck_site(&there, new->outer_site);
	if (finding->nr_steps == 1)
		snprintf(r->text, sizeof(r->text),
			 "lock order: '%s' taken at %s under '%s' (%s); the other way round, '%s' "
			 "at %s under '%s' (%s)",
			 after, here.text, before, there.text, before,
			 lockcheck_site(&other_here, other->inner_site), after,
			 lockcheck_site(&other_there, other->outer_site));
	else
		snprintf(r->text, sizeof(r->text),
			 "lock order: '%s' taken at %s under '%s' (%s); the other way round in %u "
			 "steps, the first at %s",
			 after, here.text, before, there.text, finding->nr_steps,
			 lockcheck_site(&other_here, other->inner_site));
}

static void learn_pair(const struct pair *new, struct finding *finding)
{
	u8 from[MAX_CLASSES];
	u32 slot;

	if ((inner[new->outer] | refused[new->outer]) & BIT(new->inner))
		return;
	if (reach(new->inner, from) & BIT(new->outer)) {
		refused[new->outer] |= BIT(new->inner);
		find_inversion(finding, new, from);
		return;
	}
	find_pair(0, 0, &slot); /* one that was forgotten, or behind all */
	if (slot < MAX_PAIRS) {
		pairs[slot] = *new;
		store_release(&nr_pairs, MAX(nr_pairs, slot + 1));
		store_relaxed(&inner[new->outer], inner[new->outer] | BIT(new->inner));
		check_irq_rule(finding);
	} else {
		refused[new->outer] |= BIT(new->inner);
		__atomic_fetch_add(&nr_unchecked, 1, __ATOMIC_RELAXED);
	}
}

/* --- What the checker sees ------------------------------------------------------------------------ */

void order_see(u32 outer, uintptr_t outer_site, u32 inner_class, uintptr_t inner_site,
	       struct finding *finding)
{
	struct pair new = {outer, inner_class, outer_site, inner_site};

	if (load_relaxed(&inner[outer]) & BIT(inner_class))
		return;
	lock_graph();
	learn_pair(&new, finding);
	unlock_graph();
}

void order_see_use(u32 class, enum lock_use use, uintptr_t site, struct finding *finding)
{
	if (load_relaxed(&used[use]) & BIT(class))
		return;
	lock_graph();
	if (!(used[use] & BIT(class))) {
		store_relaxed(&classes[class].use[use], site);
		store_relaxed(&used[use], used[use] | BIT(class));
		check_irq_rule(finding);
	}
	unlock_graph();
}

bool order_first_pair(u32 class)
{
	bool first;

	lock_graph();
	first = !(refused[class] & BIT(class));
	refused[class] |= BIT(class);
	unlock_graph();
	return first;
}

void order_log_steps(const struct finding *finding)
{
	struct site_text here, there;

	/* An inversion of one step has both places in its text. */
	if (finding->report.kind == LOCKCHECK_ORDER && finding->nr_steps == 1)
		return;
	for (u32 i = 0; i < finding->nr_steps; i++) {
		const struct pair *pair = &pairs[finding->step[i]];

		os_log(OS_LOG_ERR, "lockcheck", "step %u: '%s' taken at %s under '%s' (%s)", i + 1,
		       classes[pair->inner].name, lockcheck_site(&here, pair->inner_site),
		       classes[pair->outer].name, lockcheck_site(&there, pair->outer_site));
	}
}

/* --- For who looks -------------------------------------------------------------------------------- */

void lockcheck_forget(const char *name)
{
	unsigned long flags = irq_save();

	lock_graph();
	for (u32 class = 1; class < nr_classes; class ++) {
		if (strcmp(classes[class].name, name) != 0)
			continue;
		for (u32 i = 0; i < MAX_CLASSES; i++) {
			store_relaxed(&inner[i], inner[i] & ~BIT(class));
			refused[i] &= ~BIT(class);
			irq_said[i] &= ~BIT(class);
		}
		store_relaxed(&inner[class], 0);
		refused[class] = irq_said[class] = 0;
		for (u32 use = 0; use < NR_LOCK_USES; use++) {
			store_relaxed(&classes[class].use[use], 0);
			store_relaxed(&used[use], used[use] & ~BIT(class));
		}
		for (u32 i = 0; i < nr_pairs; i++)
			if (pairs[i].outer == class || pairs[i].inner == class)
				pairs[i] = (struct pair){0};
	}
	unlock_graph();
	irq_restore(flags);
}

bool lockcheck_class(u32 i, struct lock_class_info *out)
{
	const struct lock_class *class = &classes[i + 1];

	if (i + 1 >= load_acquire(&nr_classes))
		return false;
	*out = (struct lock_class_info){
		.name = class->name,
		.mutex = class->mutex,
		.acquired = load_relaxed(&class->acquired),
		.contended = load_relaxed(&class->contended),
		.longest_wait_ns = arch_timestamp_to_ns(load_relaxed(&class->longest_wait)),
		.longest_hold_ns = arch_timestamp_to_ns(load_relaxed(&class->longest_hold)),
		.in_irq = load_relaxed(&class->use[USE_IN_IRQ]),
		.irqs_on = load_relaxed(&class->use[USE_IRQS_ON]),
	};
	return true;
}

bool lockcheck_order(u32 i, struct lock_order *out)
{
	const struct pair *pair = &pairs[i];

	if (i >= load_acquire(&nr_pairs))
		return false;
	*out = (struct lock_order){
		.outer = classes[pair->outer].name,
		.inner = classes[pair->inner].name,
		.outer_site = pair->outer_site,
		.inner_site = pair->inner_site,
	};
	return true;
}

struct lockcheck_stats lockcheck_stats(void)
{
	struct lockcheck_stats stats = {
		.classes = load_acquire(&nr_classes) - 1,
		.unchecked = load_relaxed(&nr_unchecked),
		.reports = lockcheck_reports(),
	};
	u32 nr = load_acquire(&nr_pairs);

	for (u32 i = 0; i < nr; i++)
		stats.orders += pairs[i].outer != 0;
	return stats;
}
