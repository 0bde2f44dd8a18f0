/*
 * The lock checker: what it is told, what it has learned, what it reports. Theory in kernel/lockcheck.c.
 *
 * Spinlocks tell it themselves (<arch/lockcheck.h>); mutexes and whoever sleeps by the functions here.
 */
#ifndef KERNEL_LOCKCHECK_H
#define KERNEL_LOCKCHECK_H

#include <arch/lockcheck.h>
#include <base/types.h>

/* From now on; there is no way back. Any CPU, at any time, also with locks held. */
void lockcheck_start(void);

/* --- What it is told: nothing happens while it is off ------------------------------------------- */

/*
 * `site`: who asked, for people. Before waiting for a mutex; after one was taken without waiting; and
 * before giving one back. In a thread.
 */
void lockcheck_mutex_lock(const void *mutex, const char *name, uintptr_t site);
void lockcheck_mutex_trylocked(const void *mutex, const char *name, uintptr_t site);
void lockcheck_mutex_unlock(const void *mutex);

/* From everything that may sleep, also when it does not need to this time. */
void lockcheck_may_sleep(uintptr_t site);

/* --- What it reports ---------------------------------------------------------------------------- */

enum lockcheck_kind {
	LOCKCHECK_NOTHING,
	LOCKCHECK_ORDER,     /* the other order was seen before, perhaps by way of others */
	LOCKCHECK_TWICE,     /* taken by who holds it, or two of one name at once */
	LOCKCHECK_IRQ,       /* taken in an interrupt, and held where one could come */
	LOCKCHECK_IRQ_ORDER, /* the same by way of locks that are waited for under it */
	LOCKCHECK_RELEASE,   /* by who does not hold it */
	LOCKCHECK_SLEEP,     /* with a spinlock held */
	NR_LOCKCHECK_KINDS
};

#define LOCKCHECK_TEXT_BYTES 400

struct lockcheck_report {
	enum lockcheck_kind kind;
	const char *lock, *other;   /* names; `other` is what it clashes with, NULL: itself */
	uintptr_t site, other_site; /* where this was noticed, and what it clashes with */
	char text[LOCKCHECK_TEXT_BYTES];
};

/*
 * For tests: called instead of the panic, with interrupts off and locks held; may not take one.
 * True: dealt with. Then a lock that was taken twice is not taken, one that is not held not released.
 * NULL: panics again.
 */
void lockcheck_set_handler(bool (*fn)(const struct lockcheck_report *report));
/* For tests: what was learned of locks of that name is forgotten. None of them may be held. */
void lockcheck_forget(const char *name);

/* --- What it has learned ------------------------------------------------------------------------ */

struct lock_class_info {
	const char *name;
	bool mutex;
	u64 acquired;        /* while checking */
	u64 contended;       /* of them, or all if not checking, that had to wait; spinlocks */
	u64 longest_wait_ns; /* spinlocks */
	u64 longest_hold_ns; /* spinlocks, while checking */
	uintptr_t in_irq, irqs_on; /* where first taken so; 0: never */
};
/* The i-th name, in the order of being seen; false past the end. */
bool lockcheck_class(u32 i, struct lock_class_info *out);

struct lock_order {
	const char *outer, *inner;
	uintptr_t outer_site, inner_site; /* where first taken so */
};
/* The i-th pair; false past the end. Of a forgotten name: NULLs. */
bool lockcheck_order(u32 i, struct lock_order *out);

struct lockcheck_stats {
	u32 classes, orders;
	u32 unchecked; /* names and pairs that found no room */
	u32 reports;
};
struct lockcheck_stats lockcheck_stats(void);

#endif
