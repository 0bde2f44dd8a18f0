/*
 * The lock checker's view of mutexes, and of sleeping. Theory in lockcheck.c.
 *
 * Who holds a mutex is a thread, which may sleep and wake on another CPU meanwhile. So what is held stands in one
 * table for all, an entry for each mutex, and not in a CPU's list. A mutex comes before what is taken under it,
 * spinlocks and other mutexes; interrupts hold none and see none.
 *
 * Who may sleep must hold no spinlock, whether or not it will sleep this time.
 */
#include <arch/irq.h>
#include <base/format.h>
#include <kernel/lockcheck.h>
#include <mm/os.h>

#include "lockcheck_internal.h"

#define MAX_MUTEXES 128

/*
 * Mutexes that are held. A thread fills and empties entries of its own only; `thread` is taken by
 * compare-and-exchange, and the rest is read by nobody else.
 */
static struct held_mutex {
	const void *thread; /* NULL: free */
	const void *mutex;
	uintptr_t site;
	u32 class;
} mutexes[MAX_MUTEXES];
static u32 nr_mutexes_used; /* entries beyond this were never used; grows only */

void mutexes_come_before(u32 class, uintptr_t site, struct finding *finding)
{
	const void *thread = lockcheck_thread();
	/* Acquire: with the entry that it counts. The thread's own entries it has seen before. */
	u32 nr = load_acquire(&nr_mutexes_used);

	for (u32 i = 0; i < nr; i++) {
		const struct held_mutex *held = &mutexes[i];

		/* Relaxed: the own value was written by this thread, any other does not matter. */
		if (load_relaxed(&held->thread) == thread && held->class && held->class != class)
			order_see(held->class, held->site, class, site, finding);
	}
}

/* --- Sleeping ------------------------------------------------------------------------------------ */

static void find_sleep(const struct lockcheck_context *context, uintptr_t site,
		       struct finding *finding)
{
	const struct held *held = &context->held[context->nr_held - 1];
	struct lockcheck_report *r;
	struct site_text here, there;

	r = context->nr_held ? lockcheck_found(finding, LOCKCHECK_SLEEP) : NULL;
	if (!r)
		return;
	r->lock = held->lock->name;
	r->site = site;
	r->other_site = held->site;
	snprintf(r->text, sizeof(r->text), "may sleep at %s with spinlock '%s' held since %s",
		 lockcheck_site(&here, site), held->lock->name, lockcheck_site(&there, held->site));
}

void lockcheck_may_sleep(uintptr_t site)
{
	struct lockcheck_context *context;
	struct finding finding;
	unsigned long flags;

	if (!lockcheck_is_on())
		return;
	finding_init(&finding);
	context = lockcheck_enter(&flags);
	if (!context)
		return;
	find_sleep(context, site, &finding);
	lockcheck_report_it(&finding);
	lockcheck_leave(context, flags);
}

/* --- Mutexes ------------------------------------------------------------------------------------- */

/* An entry of its own for the running thread. */
static void hold_mutex(const void *mutex, u32 class, uintptr_t site)
{
	for (u32 i = 0; i < MAX_MUTEXES; i++) {
		struct held_mutex *held = &mutexes[i];
		const void *nobody = NULL;
		u32 used = load_relaxed(&nr_mutexes_used);

		/* Acquire: the last user's reads of the entry are over. */
		if (!__atomic_compare_exchange_n(&held->thread, &nobody, lockcheck_thread(), false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		held->mutex = mutex;
		held->class = class;
		held->site = site;
		/* Release: pairs with mutexes_come_before(), though only its own entries matter. */
		while (used <= i &&
		       !__atomic_compare_exchange_n(&nr_mutexes_used, &used, i + 1, false,
						    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			;
		return;
	}
	os_panic("lockcheck: more than %d mutexes held at once", MAX_MUTEXES);
}

static void take_mutex(const void *mutex, const char *name, uintptr_t site, bool waits)
{
	struct lockcheck_context *context;
	struct finding finding;
	unsigned long flags;
	u32 class;

	if (!lockcheck_is_on())
		return;
	finding_init(&finding);
	context = lockcheck_enter(&flags);
	if (!context)
		return;
	class = order_class(name, true);
	if (waits)
		find_sleep(context, site, &finding);
	if (waits && class)
		mutexes_come_before(class, site, &finding);
	if (class)
		order_count(class);
	hold_mutex(mutex, class, site);
	lockcheck_report_it(&finding);
	lockcheck_leave(context, flags);
}

void lockcheck_mutex_lock(const void *mutex, const char *name, uintptr_t site)
{
	take_mutex(mutex, name, site, true);
}

void lockcheck_mutex_trylocked(const void *mutex, const char *name, uintptr_t site)
{
	take_mutex(mutex, name, site, false);
}

/* One that was taken before there was a checker has no entry; that it is held its owner says. */
void lockcheck_mutex_unlock(const void *mutex)
{
	for (u32 i = 0; lockcheck_is_on() && i < load_acquire(&nr_mutexes_used); i++) {
		struct held_mutex *held = &mutexes[i];

		if (load_relaxed(&held->thread) != lockcheck_thread() || held->mutex != mutex)
			continue;
		/* Release: whoever has the entry next finds it no longer read. */
		store_release(&held->thread, NULL);
		return;
	}
}
