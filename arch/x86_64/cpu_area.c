/*
 * Each CPU's own area, found through its GS base.
 *
 * The boot CPU needs one before there is any memory to take, since the first lock that is taken
 * asks for the CPU's number: so its first area is static.
 *
 * Source: Intel SDM volume 3A, "IA32_GS_BASE".
 */
#include <x86/cpu_area.h>

#include <arch/preempt.h>
#include <base/atomic.h>
#include <x86/regs.h>

static struct cpu_area boot_area = {
	.self = &boot_area,
	.preempt_count = PREEMPT_NOT_WANTED,
};

/* Set once by the boot CPU, before that CPU starts. */
static struct cpu_area *areas[MAX_CPUS];

void cpu_area_init_boot(void)
{
	areas[0] = &boot_area;
	write_msr(MSR_GS_BASE, (u64)&boot_area);
}

struct cpu_area *cpu_area(u32 cpu)
{
	return cpu < MAX_CPUS ? load_relaxed(&areas[cpu]) : NULL;
}
