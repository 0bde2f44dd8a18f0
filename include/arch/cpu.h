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
 *   bool this_task_is_limited(void)
 *                                 os_task.limited of the task that runs, or was interrupted, here: asked
 *                                 on the hit path, so a word of the CPU. False, where there are no tasks
 *   MAX_CPUS                      CPU numbers are 0 .. MAX_CPUS - 1
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <base/types.h>

#include <asm/cpu.h>

#endif
