/* Walking the chain of frame pointers. */
#ifndef X86_BACKTRACE_H
#define X86_BACKTRACE_H

#include <base/types.h>

/*
 * Collects the return addresses of the frames from rbp outward, innermost first, at most `max`;
 * returns how many. Safe on any rbp: reads only stacks that are mapped, goes outward only, and
 * ends at the first frame that cannot be one. Any context.
 */
u32 backtrace_walk(u64 rbp, uintptr_t *out, u32 max);

#endif
