/* Leaving the machine, and waiting in it. */
#ifndef X86_MACHINE_H
#define X86_MACHINE_H

#include <base/types.h>

/* Written to isa-debug-exit; QEMU then ends with value * 2 + 1: 33, 35, 37. */
enum machine_exit_code {
	EXIT_SUCCESS_CODE = 0x10,
	EXIT_FAILURE_CODE = 0x11,
	EXIT_PANIC_CODE = 0x12
};

/*
 * isa-debug-exit; where there is none: a line that says what it was, ACPI power-off, then halt.
 * Success becomes failure if output was lost: whoever reads cannot know what it was of.
 */
_Noreturn void machine_exit(enum machine_exit_code code);
_Noreturn void machine_reboot(void);
/* Enables interrupts, halts until the next one (serial or tick), then restores their state. */
void machine_idle(void);

#endif
