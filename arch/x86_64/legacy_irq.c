/*
 * The legacy interrupt controllers: two cascaded 8259s, and the PIT's tick.
 *
 * They are there on every PC and need no tables to find. IRQ0 is the tick as long as the local
 * APIC's timer does not run, and for good where there is none; IRQ4 says that a byte came in on COM1.
 * All other lines stay masked. Their interrupts reach the boot CPU only: directly, or through its
 * APIC's LINT0 (apic.c). After reset the vectors of IRQ 0 to 7 are those of exceptions 8 to 15, so
 * the controllers are always remapped, even to be left alone.
 *
 * A line that drops before the CPU acknowledges it is delivered as IRQ 7 (or 15) without its bit in
 * service: a spurious interrupt, which must not be acknowledged - except to the first controller
 * when the second one was spurious, since the cascade was real.
 *
 * The acknowledgement goes out before the handler runs: the handler runs with interrupts off
 * anyway, and one that does not come back (a watchdog) must not leave the controller waiting.
 *
 * Source: Intel 8259A and 8254 data sheets.
 */
#include <x86/cpu_area.h>
#include <x86/io.h>
#include <x86/serial.h>

#include <arch/irq.h>

#include "legacy_irq.h"
#include "pit.h"
#include "tick.h"

#define PIC1_COMMAND        0x20
#define PIC1_DATA           0x21
#define PIC2_COMMAND        0xa0
#define PIC2_DATA           0xa1

#define ICW1_INIT_WITH_ICW4 0x11
#define ICW3_CASCADE_LINE   2
#define ICW4_8086           0x01
#define OCW2_EOI            0x20
#define OCW3_READ_SERVICE   0x0b

#define IRQ_TICK            0
#define IRQ_CASCADE         2
#define IRQ_COM1            4

static void pic_init(u16 enabled_irqs)
{
	outb(PIC1_COMMAND, ICW1_INIT_WITH_ICW4);
	outb(PIC2_COMMAND, ICW1_INIT_WITH_ICW4);
	outb(PIC1_DATA, LEGACY_IRQ_VECTOR);
	outb(PIC2_DATA, LEGACY_IRQ_VECTOR + 8);
	outb(PIC1_DATA, 1 << ICW3_CASCADE_LINE);
	outb(PIC2_DATA, ICW3_CASCADE_LINE);
	outb(PIC1_DATA, ICW4_8086);
	outb(PIC2_DATA, ICW4_8086);
	outb(PIC1_DATA, (u8)~enabled_irqs);
	outb(PIC2_DATA, (u8)(~enabled_irqs >> 8));
}

static void pit_start_tick(void)
{
	u32 count = PIT_INPUT_HZ / PIT_HZ;

	outb(PIT_COMMAND, PIT_CHANNEL0_RATE);
	outb(PIT_CHANNEL0, (u8)count);
	outb(PIT_CHANNEL0, (u8)(count >> 8));
}

void legacy_irqs_init(void)
{
	unsigned long flags = irq_save();

	pit_start_tick();
	pic_init(1 << IRQ_TICK | 1 << IRQ_CASCADE | 1 << IRQ_COM1);
	serial_enable_interrupt();
	irq_restore(flags);
}

void legacy_tick_stop(void)
{
	unsigned long flags = irq_save();

	outb(PIC1_DATA, (u8) ~(1 << IRQ_CASCADE | 1 << IRQ_COM1));
	outb(PIT_COMMAND, PIT_CHANNEL0_STOP);
	irq_restore(flags);
}

/* Is the last line of this controller really in service? */
static bool last_line_in_service(u16 command_port)
{
	outb(command_port, OCW3_READ_SERVICE);
	return inb(command_port) & 0x80;
}

/* Acknowledges the interrupt; false if it was spurious. */
static bool acknowledge(u32 irq)
{
	if (irq == 7 && !last_line_in_service(PIC1_COMMAND))
		return false;
	if (irq >= 8) {
		bool real = irq != 15 || last_line_in_service(PIC2_COMMAND);

		if (real)
			outb(PIC2_COMMAND, OCW2_EOI);
		outb(PIC1_COMMAND, OCW2_EOI);
		return real;
	}
	outb(PIC1_COMMAND, OCW2_EOI);
	return true;
}

void legacy_irq_handle(const struct trap_frame *frame)
{
	u32 irq = (u32)frame->vector - LEGACY_IRQ_VECTOR;

	if (!acknowledge(irq)) {
		cpu_count_irq(CPU_IRQ_SPURIOUS);
	} else if (irq == IRQ_COM1) {
		cpu_count_irq(CPU_IRQ_SERIAL);
		serial_handle_interrupt();
	} else if (irq == IRQ_TICK) {
		cpu_count_irq(CPU_IRQ_TIMER);
		tick(frame);
	} else {
		cpu_count_irq(CPU_IRQ_UNKNOWN);
	}
}
