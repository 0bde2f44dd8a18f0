/*
 * Counting events, private to mm/: see mm/vmstat.c.
 */
#ifndef MM_VMSTAT_PRIVATE_H
#define MM_VMSTAT_PRIVATE_H

#include <arch/cpu.h>
#include <mm/vmstat.h>

/* Each CPU writes lines of its own. */
struct vmstat_counters {
	u64 count[NR_VMSTAT_ITEMS];
} __attribute__((aligned(64)));

extern struct vmstat_counters vmstat_counters[MAX_CPUS];

/*
 * Any context. Atomic, since an interrupt may come in the middle of it, or the thread move to another
 * CPU before it: then it counts on the CPU that it was on. Relaxed: a figure, it orders nothing.
 */
static inline void vmstat_count_many(enum vmstat_item item, u64 n)
{
	__atomic_fetch_add(&vmstat_counters[smp_processor_id()].count[item], n, __ATOMIC_RELAXED);
}

static inline void vmstat_count(enum vmstat_item item)
{
	vmstat_count_many(item, 1);
}

#endif
