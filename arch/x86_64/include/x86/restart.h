/*
 * Sections that begin anew when they were interrupted, and loads that may fault: what the way out of a
 * trap does about them. Theory in arch/x86_64/restart.c.
 */
#ifndef X86_RESTART_H
#define X86_RESTART_H

#include <arch/restart.h>
#include <base/types.h>

struct trap_frame;

/* As <asm/restart.h> and the linker make them. In order of the link. */
struct restart_section {
	u64 begin;
	u64 end; /* behind the one store that counts */
};
extern const struct restart_section __start_restart_sections[], __stop_restart_sections[];
/* Where the functions stand that have sections in them. */
extern const char __restart_text_start[], __restart_text_end[];

struct fault_fixup {
	u64 load;    /* the instruction */
	u64 instead; /* where to go on if it faults */
};
extern const struct fault_fixup __start_fault_fixups[], __stop_fault_fixups[];

/* The last thing before a trap returns: if it was in a section, that begins anew. Interrupts off. */
void restart_interrupted(struct trap_frame *frame);
/* A fault: true if it is of a load that may, which goes on where it says. */
bool restart_after_fault(struct trap_frame *frame);

/* How often that CPU has begun a section anew. Any context. */
u64 restarts(u32 cpu);

#endif
