/*
 * Ticket lock: takers draw a number and wait until it is served, so that nobody starves.
 *
 * Memory order: drawing may be relaxed, seeing one's number served is the acquire, serving the
 * next is the release; what the last owner wrote is then visible to the next.
 */
#ifndef ASM_SPINLOCK_H
#define ASM_SPINLOCK_H

#include <arch/cpu.h>
#include <base/types.h>

struct arch_spinlock {
	u32 next;    /* the number that the next taker draws */
	u32 serving; /* the number that holds the lock */
};

#define ARCH_SPINLOCK_INIT {0, 0}

static inline void arch_spin_lock(struct arch_spinlock *lock)
{
	u32 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
}

static inline bool arch_spin_trylock(struct arch_spinlock *lock)
{
	u32 serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);
	u32 expected = serving;

	/* Draw only if the number drawn is the one being served. */
	return __atomic_compare_exchange_n(&lock->next, &expected, serving + 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void arch_spin_unlock(struct arch_spinlock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#endif
