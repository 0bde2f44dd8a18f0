/*
 * Executing the invariants of the kernel around mm/; those of mm/ itself are <mm/check.h>'s.
 */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H

#include <base/types.h>
#include <mm/check.h>

/*
 * Runs every invariant of the kernel and adds to what the report says already. Each failure is also
 * a log line. Returns true if all of them hold. The boot must be over; in a thread, interrupts on: it
 * asks other CPUs.
 */
bool kernel_check(struct check_report *report);

/* The i-th invariant's id and sentence; false past the end. */
bool kernel_check_describe(u32 i, const char **id, const char **sentence);

#endif
