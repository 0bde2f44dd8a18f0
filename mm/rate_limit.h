/*
 * So many reports in so long, and a count of the others: a loop of failures must not fill the log.
 */
#ifndef MM_RATE_LIMIT_H
#define MM_RATE_LIMIT_H

#include <arch/cpu.h>
#include <base/atomic.h>

/* In static memory, the first two words set. The others are atomic. */
struct rate_limit {
	u32 burst;       /* reports ... */
	u64 interval_ns; /* ... in such a time */
	u64 began_ns;    /* when the time began that runs now */
	u32 asked;       /* in it */
	u64 held_back;   /* since one was last let through */
};

/*
 * May this report be made? *held_back: how many were not, since the last that was. Any context. Relaxed
 * throughout: of two that begin a new time at once one does, and the other may be counted in the old one; a
 * report more or less is nothing to wait for.
 */
static inline bool rate_limit_pass(struct rate_limit *limit, u64 *held_back)
{
	u64 now = arch_timestamp_to_ns(arch_timestamp()), began = load_relaxed(&limit->began_ns);

	if (now - began >= limit->interval_ns &&
	    __atomic_compare_exchange_n(&limit->began_ns, &began, now, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		store_relaxed(&limit->asked, 0);
	if (__atomic_fetch_add(&limit->asked, 1, __ATOMIC_RELAXED) >= limit->burst) {
		__atomic_fetch_add(&limit->held_back, 1, __ATOMIC_RELAXED);
		return false;
	}
	*held_back = __atomic_exchange_n(&limit->held_back, 0, __ATOMIC_RELAXED);
	return true;
}

#endif
