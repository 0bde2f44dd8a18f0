/* CPUs, as the boot sees them. Private to kernel/. */
#ifndef KERNEL_CPUS_H
#define KERNEL_CPUS_H

#include <x86/cpu_area.h>

extern const struct cpu_source cpu_source;

/* What is asked of the source from now on comes from the allocator. */
void cpus_memory_ready(void);

#endif
