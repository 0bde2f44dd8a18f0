/*
 * Seam 1, part 4: spinlocks. The same on every architecture that has the compiler's atomics.
 *
 * A ticket lock: takers draw a number and wait until it is served, so nobody starves.
 *
 *	next 7                  the next to come draws 7
 *	serving 4               4 has the lock; 5 and 6 wait, in this order
 *
 * On top of it what makes mistakes visible: a name, the owner, and lockcheck (kernel/lockcheck.c).
 *
 * Who holds a spinlock keeps its CPU: preemption is disabled from before the number is drawn, since a
 * drawn number that does not run stops all behind it, until the lock is given up. A lock that is
 * taken in interrupts, or under one that is, is taken with the irqsave variants only. When
 * such a lock is released, interrupts come back before preemption does: that may switch threads,
 * and a switch with interrupts off would be refused and then be late.
 *
 * Memory order: drawing may be relaxed, since it decides only who comes next; seeing one's
 * number served is the acquire, serving the next the release: what the last owner wrote is
 * then visible to the next. spin_trylock() sees a number served, which is the acquire, and draws
 * it if nobody has: then the lock was free from the one to the other, and drawing is relaxed here, too.
 * owner_cpu is relaxed: a CPU compares it with its own number only, and that is a value it alone
 * writes. `serving` is written by the holder alone, so it reads it plainly.
 *
 * Waiting is bounded by progress, not in all: 64 virtual CPUs on two of the host's hand a lock over
 * slowly, but they do. If one number is served for STUCK_NS and STUCK_TURNS, it will be for ever,
 * and the panic names lock, owner and both places.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/lockcheck.h>
#include <arch/preempt.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/types.h>

#define SPINLOCK_NO_OWNER (~(u32)0)

/* Both must have passed: time alone passes also while the host runs nobody. */
#define SPINLOCK_STUCK_NS    5000000000ull
#define SPINLOCK_STUCK_TURNS (1u << 18)
/* A look at the clock every so many turns. */
#define SPINLOCK_LOOK_TURNS (1u << 10)

struct spinlock {
	u32 next;       /* the number that the next taker draws */
	u32 serving;    /* the number that holds the lock */
	u32 owner_cpu;  /* CPU that holds it, or SPINLOCK_NO_OWNER; written by the holder only */
	u32 lock_class; /* lockcheck's number for the name; 0: it has not seen the lock yet */
	const char *name;
	uintptr_t site; /* lockcheck's: where the holder took it; 0: taken unchecked, or free */
};

/* For one that stands in static memory: struct spinlock lock = SPINLOCK_INIT("its name"); */
#define SPINLOCK_INIT(its_name)                                    \
	{                                                          \
		.owner_cpu = SPINLOCK_NO_OWNER, .name = (its_name) \
	}

static inline void spin_lock_init(struct spinlock *lock, const char *name)
{
	lock->next = 0;
	lock->serving = 0;
	lock->lock_class = 0;
	lock->name = name;
	lock->site = 0;
	store_relaxed(&lock->owner_cpu, SPINLOCK_NO_OWNER);
}

/* Does this CPU hold the lock? Exact: nobody else ever writes our number into it. */
static inline bool spin_is_held(const struct spinlock *lock)
{
	return load_relaxed(&lock->owner_cpu) == smp_processor_id();
}

/* --- Without preemption and checks ------------------------------------------------------------ */

/* Until the number is served. `site` is who wants the lock; 0: who called this. */
static __noinline __maybe_unused void raw_spin_wait(struct spinlock *lock, u32 ticket,
						    uintptr_t site)
{
	u64 began = arch_timestamp(), since = began;
	u32 turns = 0, seen = ticket, serving;

	if (!site)
		site = (uintptr_t)__builtin_return_address(0);
	ASSERT_MSG(!spin_is_held(lock), "lock '%s' taken twice by CPU %u", lock->name,
		   smp_processor_id());
	while ((serving = load_acquire(&lock->serving)) != ticket) {
		if (serving != seen) {
			seen = serving;
			since = arch_timestamp();
			turns = 0;
		} else if (++turns % SPINLOCK_LOOK_TURNS == 0) {
			u64 ns = arch_timestamp_to_ns(arch_timestamp() - since);

			if (turns >= SPINLOCK_STUCK_TURNS && ns >= SPINLOCK_STUCK_NS)
				lockcheck_spin_stuck(lock, site, ns);
			lockcheck_spin_waits();
		}
		cpu_relax();
	}
	lockcheck_spin_waited(lock, arch_timestamp() - began);
}

static inline void raw_spin_lock(struct spinlock *lock, uintptr_t site)
{
	u32 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	if (unlikely(load_acquire(&lock->serving) != ticket))
		raw_spin_wait(lock, ticket, site);
	store_relaxed(&lock->owner_cpu, smp_processor_id());
}

static inline bool raw_spin_trylock(struct spinlock *lock)
{
	u32 serving = load_acquire(&lock->serving);
	u32 expected = serving;

	/* Draw a number only if it is the one being served. */
	if (!__atomic_compare_exchange_n(&lock->next, &expected, serving + 1, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	store_relaxed(&lock->owner_cpu, smp_processor_id());
	return true;
}

static inline void raw_spin_unlock(struct spinlock *lock)
{
	ASSERT_MSG(spin_is_held(lock), "lock '%s' released by CPU %u, which does not hold it",
		   lock->name, smp_processor_id());
	store_relaxed(&lock->owner_cpu, SPINLOCK_NO_OWNER);
	store_release(&lock->serving, lock->serving + 1);
}

/* --- What everybody uses ----------------------------------------------------------------------- */

static inline void spin_lock(struct spinlock *lock)
{
	preempt_disable();
	if (unlikely(lockcheck_is_on()))
		lockcheck_spin_lock(lock);
	else
		raw_spin_lock(lock, 0);
}

static inline bool spin_trylock(struct spinlock *lock)
{
	preempt_disable();
	if (!raw_spin_trylock(lock)) {
		preempt_enable();
		return false;
	}
	if (unlikely(lockcheck_is_on()))
		lockcheck_spin_trylocked(lock);
	return true;
}

/* The lock alone; what came with it is the caller's to undo. */
static inline void spin_release(struct spinlock *lock)
{
	if (unlikely(lockcheck_is_on()))
		lockcheck_spin_unlock(lock);
	else
		raw_spin_unlock(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
	spin_release(lock);
	preempt_enable();
}

static inline unsigned long spin_lock_irqsave(struct spinlock *lock)
{
	unsigned long flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags)
{
	spin_release(lock);
	irq_restore(flags);
	preempt_enable();
}

#endif
