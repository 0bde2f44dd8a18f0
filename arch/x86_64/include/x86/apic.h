/*
 * The local APIC of each CPU: its timer, interrupts to other CPUs. xAPIC mode, ids up to 254.
 */
#ifndef X86_APIC_H
#define X86_APIC_H

#include <base/types.h>
#include <x86/trap.h>

/* Vectors. Above all those of the legacy controllers (32 .. 47). */
enum apic_vector {
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE,
	VECTOR_CALL,
	VECTOR_SHOOTDOWN,
	VECTOR_APIC_ERROR = 0xfe,
	VECTOR_SPURIOUS = 0xff,
};

#define TIMER_HZ 100

void apic_init_boot(void); /* maps it, enables it, calibrates its timer; boot CPU, once */
void apic_init_cpu(void);  /* enables this CPU's */
u32 apic_id(void);
void apic_start_timer(void); /* TIMER_HZ on this CPU from now on */
void apic_eoi(void);

void apic_send_ipi(u32 apic_id, u32 vector);
void apic_send_nmi(u32 apic_id);
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u32 page_number);

#endif
