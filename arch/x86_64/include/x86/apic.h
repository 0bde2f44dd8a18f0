/*
 * The local APIC of each CPU: its timer, interrupts to other CPUs. xAPIC mode, ids up to 254.
 */
#ifndef X86_APIC_H
#define X86_APIC_H

#include <base/types.h>

/* Vectors. Above all those of the legacy controllers (32 .. 47). */
enum apic_vector {
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE,
	VECTOR_CALL,
	VECTOR_SHOOTDOWN,
	VECTOR_APIC_ERROR = 0xfe,
	VECTOR_SPURIOUS = 0xff,
};

/* 255 stands for all. */
#define APIC_MAX_ID 254

#define TIMER_HZ    100

/*
 * Maps it, enables it, calibrates its timer; boot CPU, once, after time_init() and paging_init().
 * False, and a log line: there is none that can be used. Then this CPU is the only one, the PIT
 * ticks, and nothing else below does anything.
 */
bool apic_init_boot(void);
bool apic_usable(void);
void apic_init_cpu(void); /* enables this CPU's */
u32 apic_id(void);
void apic_start_timer(void);  /* TIMER_HZ on this CPU from now on */
u64 apic_timer_hz(void);      /* what the timer counts with, as measured */
u32 apic_timer_initial(void); /* this CPU's: where it begins, at each tick, */
u32 apic_timer_left(void);    /* and what of that is left */
void apic_eoi(void);

/* Any context, NMI excepted. */
void apic_send_ipi(u32 apic_id, u32 vector);
void apic_send_nmi(u32 apic_id);
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u32 page_number);

#endif
