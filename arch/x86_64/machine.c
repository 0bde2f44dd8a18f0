/*
 * Leaving the machine, and waiting in it.
 *
 * Under QEMU the isa-debug-exit device ends the process with a code of ours. Without that device
 * a line says how the run ended, and the power is switched off: a machine that nobody looks at must
 * not run for ever because it failed. Properly that takes the DSDT's \_S5 object, which needs an
 * AML interpreter, so only the fixed port of QEMU's chipsets is tried. What is left is to halt.
 *
 * Reboot tries what PCs understand, oldest first: the keyboard controller's reset line, the
 * chipset's reset control, and at last a triple fault.
 */
#include <x86/io.h>
#include <x86/machine.h>
#include <x86/serial.h>

#include <arch/cpu.h>
#include <arch/irq.h>
#include <kernel/printk.h>

#define DEBUG_EXIT_PORT 0xf4

/* PM1a control of PIIX4 and ICH9 as QEMU's firmware sets them up: SLP_EN with S5's SLP_TYP 0. */
#define QEMU_PM1A_CONTROL   0x604
#define PM1_SLEEP_S5        0x2000
#define POWER_OFF_POLLS     1000000 /* until the power really is off */

#define KEYBOARD_STATUS     0x64
#define KEYBOARD_COMMAND    0x64
#define KEYBOARD_INPUT_FULL 0x02
#define KEYBOARD_RESET      0xfe
#define KEYBOARD_WAIT_LIMIT 100000

#define RESET_CONTROL       0xcf9
#define RESET_CONTROL_HARD  0x02
#define RESET_CONTROL_GO    0x04

static _Noreturn void halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

_Noreturn void machine_exit(enum machine_exit_code code)
{
	irq_save();
	if (serial_flush() > 0 && code == EXIT_SUCCESS_CODE) {
		kprintf("machine: output was lost: this is no success\n");
		serial_flush();
		code = EXIT_FAILURE_CODE;
	}
	outb(DEBUG_EXIT_PORT, (u8)code);
	kprintf("machine: %s; switching off\n", code == EXIT_SUCCESS_CODE   ? "success"
						: code == EXIT_FAILURE_CODE ? "FAILURE"
									    : "PANIC");
	serial_flush();
	outw(QEMU_PM1A_CONTROL, PM1_SLEEP_S5);
	for (u32 i = 0; i < POWER_OFF_POLLS; i++)
		cpu_relax();
	kprintf("machine halted: it may be switched off now\n");
	halt_forever();
}

_Noreturn void machine_reboot(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed no_idt = {0, 0};

	irq_save();
	serial_flush();
	for (u32 i = 0; i < KEYBOARD_WAIT_LIMIT; i++) {
		if (!(inb(KEYBOARD_STATUS) & KEYBOARD_INPUT_FULL))
			break;
		cpu_relax();
	}
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	outb(RESET_CONTROL, RESET_CONTROL_HARD);
	outb(RESET_CONTROL, RESET_CONTROL_HARD | RESET_CONTROL_GO);
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
	halt_forever();
}

/*
 * sti takes effect after the next instruction, so nothing can come between it and hlt: a caller
 * that looked for work with interrupts off cannot miss the interrupt that brings it.
 */
void machine_idle(void)
{
	unsigned long flags = irq_save();

	__asm__ volatile("sti; hlt; cli" : : : "memory");
	irq_restore(flags);
}
