/*
 * Seam 1, part 3: this CPU.
 *
 * <asm/cpu.h> gives:
 *
 *   u32 smp_processor_id(void)    the number of the CPU this runs on
 *   void cpu_relax(void)          belongs into every wait loop: lets the other
 *                                 hardware thread, or under QEMU's -icount the other
 *                                 CPU, go on
 *   u64 arch_timestamp(void)      a counter that never goes back on one CPU, in ticks
 *   u64 arch_timestamp_to_ns(u64 ticks)
 *                                 for limits of waits: an estimate will do
 *   bool this_task_may_hit(u32 flags)
 *                                 may a request with these gfp flags take a hit path? Not if the task
 *                                 that runs, or was interrupted, here has limits (os_task.limited), nor
 *                                 if the flags are GFP_HIT_END (<mm/gfp.h>) or more. Asked on the hit
 *                                 path: where there are tasks, of a word of the CPU, which the
 *                                 kernel makes GFP_HIT_END or 0. False is never wrong
 *   MAX_CPUS                      CPU numbers are 0 .. MAX_CPUS - 1
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <base/types.h>

#include <asm/cpu.h>

#endif
