/* The clock: the TSC, calibrated against the PIT. */
#ifndef X86_TIME_H
#define X86_TIME_H

#include <base/types.h>

/* TSC at the first instruction of the kernel's entry; set by boot/entry.asm. */
extern u64 boot_entry_tsc;

void time_init(void); /* calibrates; until then arch_timestamp_to_ns() assumes 1 GHz */
u64 time_tsc_khz(void);
u64 time_since_entry_ns(void);

#endif
