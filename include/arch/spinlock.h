/*
 * Seam 1, part 4: spinlocks. The same on every architecture that has the compiler's atomics.
 *
 * A ticket lock: takers draw a number and wait until it is served, so nobody starves. On top
 * of it what makes mistakes visible: a name and the owner. A lock that is taken in interrupts,
 * or under one that is, is taken with the irqsave variants only.
 *
 * Memory order: drawing may be relaxed, since it decides only who comes next; seeing one's
 * number served is the acquire, serving the next the release: what the last owner wrote is
 * then visible to the next. owner_cpu is relaxed: a CPU compares it with its own number only,
 * and that is a value it alone writes.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/assert.h>
#include <base/types.h>

#define SPINLOCK_NO_OWNER (~(u32)0)

/* Nobody holds a lock for seconds: a wait of this many turns is a dead owner, and is said. */
#define SPINLOCK_MAX_TURNS ((u64)1 << 30)

struct spinlock {
	u32 next;      /* the number that the next taker draws */
	u32 serving;   /* the number that holds the lock */
	u32 owner_cpu; /* CPU that holds it, or SPINLOCK_NO_OWNER; written by the holder only */
	const char *name;
};

static inline void spin_lock_init(struct spinlock *lock, const char *name)
{
	lock->next = 0;
	lock->serving = 0;
	lock->name = name;
	__atomic_store_n(&lock->owner_cpu, SPINLOCK_NO_OWNER, __ATOMIC_RELAXED);
}

/* Does this CPU hold the lock? Exact: nobody else ever writes our number into it. */
static inline bool spin_is_held(const struct spinlock *lock)
{
	return __atomic_load_n(&lock->owner_cpu, __ATOMIC_RELAXED) == smp_processor_id();
}

static inline void spin_lock(struct spinlock *lock)
{
	u64 turns = 0;
	u32 ticket;

	ASSERT_MSG(!spin_is_held(lock), "lock '%s' taken twice by CPU %u", lock->name,
		   smp_processor_id());
	ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
		cpu_relax();
		ASSERT_MSG(++turns < SPINLOCK_MAX_TURNS, "CPU %u waits for lock '%s' of CPU %u",
			   smp_processor_id(), lock->name,
			   __atomic_load_n(&lock->owner_cpu, __ATOMIC_RELAXED));
	}
	__atomic_store_n(&lock->owner_cpu, smp_processor_id(), __ATOMIC_RELAXED);
}

static inline bool spin_trylock(struct spinlock *lock)
{
	u32 serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);
	u32 expected = serving;

	/* Draw a number only if it is the one being served. */
	if (!__atomic_compare_exchange_n(&lock->next, &expected, serving + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&lock->owner_cpu, smp_processor_id(), __ATOMIC_RELAXED);
	return true;
}

static inline void spin_unlock(struct spinlock *lock)
{
	ASSERT_MSG(spin_is_held(lock), "lock '%s' released by CPU %u, which does not hold it",
		   lock->name, smp_processor_id());
	__atomic_store_n(&lock->owner_cpu, SPINLOCK_NO_OWNER, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

static inline unsigned long spin_lock_irqsave(struct spinlock *lock)
{
	unsigned long flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags)
{
	spin_unlock(lock);
	irq_restore(flags);
}

#endif
