/*
 * A timing wheel of writes: when which is due. Theory in wheel.c.
 */
#ifndef KERNEL_CACHE_WHEEL_H
#define KERNEL_CACHE_WHEEL_H

#include <kernel/netblk.h>

#define WHEEL_SLOTS 256u

/* Its writes, by their `next`, the first to come first. */
struct wheel_slot {
	struct netblk_write *first, *last;
	u32 nr;
};

/* All of it is guarded by its user's lock. */
struct wheel {
	struct wheel_slot slots[WHEEL_SLOTS];
	u64 cursor;     /* number of the slot that is being walked, not modulo WHEEL_SLOTS */
	u32 to_look_at; /* how many of its writes are left */
};

/* By its due_ns; what is overdue comes where the walk looks next. */
void wheel_add(struct wheel *wheel, struct netblk_write *write);
/* A walk up to now begins, where the last one has stopped. */
void wheel_begin(struct wheel *wheel, u64 now_ns);
/*
 * The next write that is due, off the wheel. NULL: no more, or the walk has looked at as many as it may: *budget,
 * which goes down by each.
 */
struct netblk_write *wheel_next(struct wheel *wheel, u64 now_ns, u32 *budget);

#endif
