/*
 * Seam 1, part 6: who looks over the shoulder of every lock.
 *
 * <asm/lockcheck.h> defines HAVE_LOCKCHECK: 1 where the functions below exist (kernel/lockcheck.c,
 * which has the theory; Highwater and the host's tests), 0 where a port does without. Then they
 * are empty here, and a lock costs no more for it.
 *
 * Where they exist, a lock asks one flag on its way, and goes through them while that is set.
 */
#ifndef ARCH_LOCKCHECK_H
#define ARCH_LOCKCHECK_H

#include <base/assert.h>
#include <base/atomic.h>
#include <base/types.h>

#include <asm/lockcheck.h>

struct spinlock;

#if HAVE_LOCKCHECK

extern bool lockcheck_enabled; /* false to true, once */

/*
 * Relaxed: a lock that was taken before the change and is released after it is told apart by its
 * `site`, so nobody depends on the moment.
 */
static inline bool lockcheck_is_on(void)
{
	return load_relaxed(&lockcheck_enabled);
}

/* Check, then do, with preemption disabled: the raw functions of <arch/spinlock.h> inside. */
void lockcheck_spin_lock(struct spinlock *lock);
void lockcheck_spin_unlock(struct spinlock *lock);
/* After a trylock that has succeeded. */
void lockcheck_spin_trylocked(struct spinlock *lock);

/* On or off. By who waits: now and then, and that it has the lock now, after so many ticks. */
void lockcheck_spin_waits(void);
void lockcheck_spin_waited(struct spinlock *lock, u64 ticks);
/* The wait of `site` has been too long: says who has the lock, and panics. */
_Noreturn void lockcheck_spin_stuck(const struct spinlock *lock, uintptr_t site, u64 ns);

#else

static inline bool lockcheck_is_on(void)
{
	return false;
}

static inline void lockcheck_spin_lock(struct spinlock *lock)
{
	(void)lock;
}

static inline void lockcheck_spin_unlock(struct spinlock *lock)
{
	(void)lock;
}

static inline void lockcheck_spin_trylocked(struct spinlock *lock)
{
	(void)lock;
}

static inline void lockcheck_spin_waits(void)
{
}

static inline void lockcheck_spin_waited(struct spinlock *lock, u64 ticks)
{
	(void)lock;
	(void)ticks;
}

static inline _Noreturn void lockcheck_spin_stuck(const struct spinlock *lock, uintptr_t site,
						  u64 ns)
{
	assert_failed(__FILE__, __LINE__, "spinlock %p: 0x%lx has waited for it for %llu ns",
		      (const void *)lock, (unsigned long)site, (unsigned long long)ns);
}

#endif

#endif
