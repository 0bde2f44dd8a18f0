/* What this CPU can do, as far as the kernel uses it. */
#ifndef X86_CPU_FEATURES_H
#define X86_CPU_FEATURES_H

#include <base/types.h>

struct cpu_features {
	bool pages_1g; /* 1 GiB pages */
	bool apic;     /* local APIC, switched on */
	bool mce;      /* machine check exception */
	bool pge;      /* global pages */
	bool smep;     /* no execution of user pages by the kernel */
	bool smap;     /* no access to user pages by the kernel */
	bool umip;     /* no sgdt, sidt, ... by users */
	u32 phys_bits; /* width of a physical address */
};

/* Asks CPUID each time: for set-up, not for hot paths. */
struct cpu_features cpu_features(void);

/* Switches on what the CPU has of the above; after the final page tables are in use. */
void cpu_enable_features(void);

#endif
