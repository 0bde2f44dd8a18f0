/*
 * Seam 1, part 4: spinlocks.
 *
 * <asm/spinlock.h> gives struct arch_spinlock, ARCH_SPINLOCK_INIT and, inline,
 * arch_spin_lock(), arch_spin_trylock() and arch_spin_unlock(). The lock is fair
 * (first come, first served), its wait loop calls cpu_relax(), taking it is an acquire
 * and releasing it a release operation.
 *
 * What is added here is what makes mistakes visible: a name and the owner. A lock that
 * is taken in interrupts, or under one that is, is taken with the irqsave variants only.
 */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/assert.h>
#include <base/types.h>

#include <asm/spinlock.h>

#define SPINLOCK_NO_OWNER (~(u32)0)

struct spinlock {
	struct arch_spinlock raw;
	u32 owner_cpu; /* CPU that holds it; written by the holder only */
	const char *name;
};

static inline void spin_lock_init(struct spinlock *lock, const char *name)
{
	lock->raw = (struct arch_spinlock)ARCH_SPINLOCK_INIT;
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
	ASSERT_MSG(!spin_is_held(lock), "lock '%s' taken twice by CPU %u", lock->name,
		   smp_processor_id());
	arch_spin_lock(&lock->raw);
	__atomic_store_n(&lock->owner_cpu, smp_processor_id(), __ATOMIC_RELAXED);
}

static inline bool spin_trylock(struct spinlock *lock)
{
	if (!arch_spin_trylock(&lock->raw))
		return false;
	__atomic_store_n(&lock->owner_cpu, smp_processor_id(), __ATOMIC_RELAXED);
	return true;
}

static inline void spin_unlock(struct spinlock *lock)
{
	ASSERT_MSG(spin_is_held(lock), "lock '%s' released by CPU %u, which does not hold it",
		   lock->name, smp_processor_id());
	__atomic_store_n(&lock->owner_cpu, SPINLOCK_NO_OWNER, __ATOMIC_RELAXED);
	arch_spin_unlock(&lock->raw);
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
