/*
 * The lock checker: reports what could deadlock, before it does, whether or not it would this time.
 *
 * A deadlock needs two CPUs at the wrong moment, and tests hardly ever meet it. What makes it
 * possible can be seen on one CPU at any time: that A is taken under B here and B under A there. So
 * every lock that is taken tells the checker, which learns and compares:
 *
 *	order     under A, B was taken: A comes before B. B before A, also by way of others, is a
 *	          circle of waiters in the making (lockcheck_order.c)
 *	twice     a lock by who holds it; two locks of one name, since nothing says which comes first
 *	irq       taken in an interrupt, and held somewhere with interrupts on: the interrupt can come
 *	          to the CPU that holds it, and wait for ever. Also by way of a lock that is waited for
 *	          under it: its holder may be interrupted as well
 *	release   by a CPU that does not hold it
 *	sleep     with a spinlock held: whoever waits for it spins until the sleeper is woken
 *
 * Terms. A class is all locks of one name: what holds of one zone's lock holds of every zone's, so
 * each code path needs to be seen once, with any lock. An order is a pair of classes with the places
 * where it was first seen. A site is a return address: the place in the function that takes the lock.
 *
 * Each CPU has a list of the spinlocks that it holds, in the order of taking. What an interrupt takes is
 * compared with what that interrupt holds, not with what was interrupted: between those two it is
 * the irq rule that counts. Mutexes are held by threads: lockcheck_mutex.c.
 *
 * A trylock waits for nobody, so it makes no order from what is held to it, and none of its own in
 * an interrupt. What is taken under it waits, and does. The console's lock is only tried: printing
 * under any lock is fine.
 *
 * On a finding, a panic with one message that has both sites: to go on would be to wait for the
 * deadlock. Nothing is taken to have been learned from it.
 *
 * The checker takes no lock that it would see, and is not checked itself: `busy` lets through
 * whatever its messages need, and what a debug exception or an NMI does in the midst of it. A
 * panic prints without locks, so there is nothing to exempt.
 *
 * It costs 300 instructions a lock and its release, and 6 of them while it is off. lockcheck=1 turns it
 * on, and so does running tests.
 *
 * Limits: 63 names, 256 pairs, 12 spinlocks at once, 128 mutexes at once; names and pairs beyond that
 * are counted as unchecked (`locks`). It knows locks, not what else can be waited for: completions, calls of
 * other CPUs. It learns from what runs: a path that no test takes is not checked.
 *
 * Sources: the idea is that of Linux's lockdep (Molnar, 2006) and of FreeBSD's witness (Baldwin, 2002);
 * Dijkstra's and Havender's ordering of resources before them.
 */
#include <arch/irq.h>
#include <base/format.h>
#include <kernel/lockcheck.h>
#include <mm/os.h>

#include "lockcheck_internal.h"

bool lockcheck_enabled;

/* Relaxed: set and unset by a test, around what it does itself. */
static bool (*handler)(const struct lockcheck_report *report);
static u32 nr_reports; /* atomic: a figure */

void lockcheck_start(void)
{
	store_relaxed(&lockcheck_enabled, true);
}

void lockcheck_set_handler(bool (*fn)(const struct lockcheck_report *report))
{
	store_relaxed(&handler, fn);
}

struct lockcheck_context *lockcheck_enter(unsigned long *flags)
{
	struct lockcheck_context *context;

	*flags = irq_save();
	context = lockcheck_context();
	if (!context->busy) {
		context->busy = true;
		return context;
	}
	irq_restore(*flags);
	return NULL;
}

void lockcheck_leave(struct lockcheck_context *context, unsigned long flags)
{
	context->busy = false;
	irq_restore(flags);
}

void lockcheck_report_it(const struct finding *finding)
{
	bool (*fn)(const struct lockcheck_report *) = load_relaxed(&handler);

	if (finding->report.kind == LOCKCHECK_NOTHING)
		return;
	__atomic_fetch_add(&nr_reports, 1, __ATOMIC_RELAXED);
	if (fn && fn(&finding->report))
		return;
	order_log_steps(finding);
	os_panic("lockcheck: %s", finding->report.text);
}

u32 lockcheck_reports(void)
{
	return load_relaxed(&nr_reports);
}

const char *lockcheck_site(struct site_text *text, uintptr_t site)
{
	if (!site)
		return "an unknown place";
	os_describe_caller(site, text->text, sizeof(text->text));
	return text->text;
}

struct lockcheck_report *lockcheck_found(struct finding *finding, enum lockcheck_kind kind)
{
	if (finding->report.kind != LOCKCHECK_NOTHING)
		return NULL;
	finding->report.kind = kind;
	finding->report.other = NULL;
	return &finding->report;
}

/* --- Spinlocks ----------------------------------------------------------------------------------- */

static u32 class_of(struct spinlock *lock)
{
	/* Relaxed: whoever writes it writes the same. */
	u32 class = load_relaxed(&lock->lock_class);

	if (!class) {
		class = order_class(lock->name, false);
		store_relaxed(&lock->lock_class, class);
	}
	return class;
}

static struct held *find_held(struct lockcheck_context *context, const struct spinlock *lock)
{
	for (u32 i = context->nr_held; i > 0; i--)
		if (context->held[i - 1].lock == lock)
			return &context->held[i - 1];
	return NULL;
}

static void find_twice(const struct held *held, const struct spinlock *lock, uintptr_t site,
		       struct finding *finding)
{
	struct site_text here, there;
	struct lockcheck_report *r;

	if (held->lock != lock && !order_first_pair(held->class))
		return;
	r = lockcheck_found(finding, LOCKCHECK_TWICE);
	if (!r)
		return;
	r->lock = lock->name;
	r->site = site;
	r->other_site = held->site;
	snprintf(r->text, sizeof(r->text),
		 held->lock == lock ? "lock '%s' taken twice: at %s, and held since %s"
				    : "two locks '%s' at once, and nothing says which comes first: "
				      "at %s, and another since %s",
		 lock->name, lockcheck_site(&here, site), lockcheck_site(&there, held->site));
}

/* What may go wrong because this lock is taken here and now. False: it must not even be tried. */
static bool check_taking(struct lockcheck_context *context, const struct spinlock *lock, u32 class,
			 uintptr_t site, struct finding *finding)
{
	bool in_irq = lockcheck_in_interrupt(), possible = true;

	for (u32 i = 0; i < context->nr_held; i++) {
		const struct held *held = &context->held[i];

		if (held->lock == lock)
			possible = false;
		if (held->lock == lock || (held->class == class && held->in_irq == in_irq && class))
			find_twice(held, lock, site, finding);
		else if (held->in_irq == in_irq && held->class && class)
			order_see(held->class, held->site, class, site, finding);
	}
	if (!class)
		return possible;
	if (in_irq)
		order_see_use(class, USE_IN_IRQ, site, finding);
	else
		mutexes_come_before(class, site, finding);
	return possible;
}

static struct held *push(struct lockcheck_context *context, const struct spinlock *lock, u32 class,
			 uintptr_t site)
{
	struct held *held = &context->held[context->nr_held];

	if (context->nr_held == MAX_HELD)
		os_panic("lockcheck: more than %d spinlocks held at once", MAX_HELD);
	context->nr_held++;
	*held = (struct held){lock, site, arch_timestamp(), class, lockcheck_in_interrupt()};
	if (class)
		order_count(class);
	return held;
}

void lockcheck_spin_lock(struct spinlock *lock)
{
	uintptr_t site = os_call_site();
	struct finding finding;
	bool irqs_on = !irqs_disabled(), possible;
	struct lockcheck_context *context;
	struct held *held = NULL;
	unsigned long flags;
	u32 class;

	finding_init(&finding);
	context = lockcheck_enter(&flags);
	if (!context) {
		raw_spin_lock(lock, site);
		return;
	}
	class = class_of(lock);
	possible = check_taking(context, lock, class, site, &finding);
	if (irqs_on && class)
		order_see_use(class, USE_IRQS_ON, site, &finding);
	lockcheck_report_it(&finding);
	if (possible)
		held = push(context, lock, class, site);
	lockcheck_leave(context, flags);
	if (!possible)
		return;
	raw_spin_lock(lock, site);
	/* Relaxed: for messages. The entry is this CPU's, and interrupts put it back. */
	store_relaxed(&lock->site, site);
	held->since = arch_timestamp();
}

void lockcheck_spin_trylocked(struct spinlock *lock)
{
	uintptr_t site = os_call_site();
	struct finding finding;
	bool irqs_on = !irqs_disabled();
	struct lockcheck_context *context;
	unsigned long flags;
	u32 class;

	finding_init(&finding);
	context = lockcheck_enter(&flags);
	if (!context)
		return;
	store_relaxed(&lock->site, site);
	class = class_of(lock);
	if (irqs_on && class)
		order_see_use(class, USE_IRQS_ON, site, &finding);
	push(context, lock, class, site);
	lockcheck_report_it(&finding);
	lockcheck_leave(context, flags);
}

static void find_release(const struct spinlock *lock, uintptr_t site, struct finding *finding)
{
	uintptr_t other_site = load_relaxed(&lock->site);
	u32 owner = load_relaxed(&lock->owner_cpu);
	struct lockcheck_report *r = lockcheck_found(finding, LOCKCHECK_RELEASE);
	struct site_text here, there;

	r->lock = lock->name;
	r->site = site;
	r->other_site = other_site;
	if (owner == SPINLOCK_NO_OWNER)
		snprintf(r->text, sizeof(r->text), "lock '%s' released at %s, but nobody holds it",
			 lock->name, lockcheck_site(&here, site));
	else
		snprintf(r->text, sizeof(r->text),
			 "lock '%s' released at %s by CPU %u, but CPU %u holds it, since %s",
			 lock->name, lockcheck_site(&here, site), smp_processor_id(), owner,
			 lockcheck_site(&there, other_site));
}

/* Is it this CPU's to release? A lock that it took before there was a checker has no entry. */
static bool check_releasing(struct lockcheck_context *context, struct spinlock *lock,
			    uintptr_t site, bool irqs_on, struct finding *finding)
{
	struct held *held = find_held(context, lock);

	if (!held) {
		if (spin_is_held(lock) && load_relaxed(&lock->site) == 0)
			return true;
		find_release(lock, site, finding);
		return false;
	}
	if (held->class) {
		if (irqs_on)
			order_see_use(held->class, USE_IRQS_ON, site, finding);
		order_count_hold(held->class, arch_timestamp() - held->since);
	}
	context->nr_held--;
	for (; held < &context->held[context->nr_held]; held++)
		held[0] = held[1];
	store_relaxed(&lock->site, 0);
	return true;
}

void lockcheck_spin_unlock(struct spinlock *lock)
{
	uintptr_t site = os_call_site();
	struct finding finding;
	bool irqs_on = !irqs_disabled(), possible;
	struct lockcheck_context *context;
	unsigned long flags;

	finding_init(&finding);
	context = lockcheck_enter(&flags);
	if (!context) {
		raw_spin_unlock(lock);
		return;
	}
	possible = check_releasing(context, lock, site, irqs_on, &finding);
	lockcheck_report_it(&finding);
	lockcheck_leave(context, flags);
	if (possible)
		raw_spin_unlock(lock);
}

/* --- Waiting for one ----------------------------------------------------------------------------- */

void lockcheck_spin_waits(void)
{
	if (irqs_disabled())
		lockcheck_show_life();
}

void lockcheck_spin_waited(struct spinlock *lock, u64 ticks)
{
	struct lockcheck_context *context;
	unsigned long flags;

	context = lockcheck_enter(&flags);
	if (!context)
		return;
	if (class_of(lock))
		order_count_wait(class_of(lock), ticks);
	lockcheck_leave(context, flags);
}

_Noreturn void lockcheck_spin_stuck(const struct spinlock *lock, uintptr_t site, u64 ns)
{
	u32 owner = load_relaxed(&lock->owner_cpu);
	struct site_text here, there;

	lockcheck_site(&here, site);
	if (owner == SPINLOCK_NO_OWNER)
		os_panic(
			"CPU %u waits for lock '%s' for %llu s, at %s; nobody has it: number %u is "
			"served, %u is the next to be drawn",
			smp_processor_id(), lock->name, (unsigned long long)(ns / 1000000000),
			here.text, load_relaxed(&lock->serving), load_relaxed(&lock->next));
	os_panic("CPU %u waits for lock '%s' for %llu s, at %s; CPU %u has it, since %s",
		 smp_processor_id(), lock->name, (unsigned long long)(ns / 1000000000), here.text,
		 owner, lockcheck_site(&there, load_relaxed(&lock->site)));
}
