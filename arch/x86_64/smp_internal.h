/* Between the files of SMP, and the interrupt code that calls into them. */
#ifndef ARCH_X86_64_SMP_INTERNAL_H
#define ARCH_X86_64_SMP_INTERNAL_H

#include <base/types.h>
#include <x86/trap.h>

/* This CPU takes interrupts and threads from now on. */
void smp_set_online(u32 cpu);

/* From the interrupts 0xf2 and 0xf3: what other CPUs want done here. */
void smp_handle_calls(void);

/* An NMI: does not return if it was another CPU's; false if nobody here has sent it. */
bool smp_handle_nmi(const struct trap_frame *frame);

/*
 * A wait for another CPU is over when both have passed: time, and ticks of this CPU. Time alone
 * may have passed while the host ran neither of the two; in a tick at least this one ran.
 */
struct patience {
	u64 start;     /* arch_timestamp() */
	u64 heartbeat; /* this CPU's */
};
void patience_begin(struct patience *patience);
bool patience_is_over(const struct patience *patience, u64 ns, u64 ticks);

/* What it takes to be called hung. */
#define SILENCE_NS    10000000000ull
#define SILENCE_TICKS 100

/* Asks that CPU by NMI where it is, and panics with the answer. `what` has not happened for `ns`. */
_Noreturn void smp_panic_silent(u32 cpu, const char *what, u64 ns);

#endif
