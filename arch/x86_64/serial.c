/*
 * COM1, a 16550 UART: the console.
 *
 * Output is polled: when the transmitter is empty its FIFO takes 16 bytes, which are written with
 * interrupts off so that a handler that prints cannot overfill it. The wait for "empty" is bounded;
 * once it has run out, the device counts as stuck and each further burst looks only once, so that a
 * dead console costs nothing. A machine without COM1 is found by the scratch register, and output
 * is dropped.
 *
 * Input goes into a ring of our own, filled by the receive interrupt, or by serial_getc() as long
 * as interrupts are not in use. A full ring is not drained further: the interrupt is masked until
 * the reader has made room, and the sender sees a full FIFO (QEMU then holds bytes back, so pasted
 * text is not lost).
 *
 * Source: National Semiconductor PC16550D data sheet.
 */
#include <x86/io.h>
#include <x86/serial.h>

#include <arch/cpu.h>
#include <arch/irq.h>

#define COM1                 0x3f8

#define UART_DATA            (COM1 + 0) /* with the divisor latch open: divisor, low */
#define UART_IER             (COM1 + 1) /* and high */
#define UART_FIFO_CONTROL    (COM1 + 2)
#define UART_LINE_CONTROL    (COM1 + 3)
#define UART_MODEM           (COM1 + 4)
#define UART_LINE_STATUS     (COM1 + 5)
#define UART_SCRATCH         (COM1 + 7)

#define IER_RECEIVED         0x01
#define FIFO_ENABLE_CLEAR    0x07
#define LINE_8N1             0x03
#define LINE_DIVISOR_LATCH   0x80
#define MODEM_DTR_RTS_OUT2   0x0b /* OUT2 lets the interrupt through to the controller */
#define STATUS_DATA_READY    0x01
#define STATUS_TRANSMIT_FREE 0x20

#define DIVISOR_115200       1
#define FIFO_BYTES           16

/* Polls of the status register: a FIFO takes 1.4 ms to drain, a read of a port at most about 1 us.
 */
#define TRANSMIT_WAIT_LIMIT 100000

#define RING_BYTES          256

static bool present, stuck;

/* Guarded by interrupts off: the handler fills it, too. Free-running indices, modulo RING_BYTES. */
static u8 ring[RING_BYTES];
static u32 ring_head, ring_tail;
static bool interrupt_wanted; /* receive interrupts have been enabled */

void serial_init(void)
{
	outb(UART_SCRATCH, 0x5a);
	present = inb(UART_SCRATCH) == 0x5a;
	if (!present)
		return;
	outb(UART_IER, 0);
	outb(UART_LINE_CONTROL, LINE_DIVISOR_LATCH);
	outb(UART_DATA, DIVISOR_115200);
	outb(UART_IER, 0);
	outb(UART_LINE_CONTROL, LINE_8N1);
	outb(UART_FIFO_CONTROL, FIFO_ENABLE_CLEAR);
	outb(UART_MODEM, MODEM_DTR_RTS_OUT2);
}

static bool wait_transmitter(void)
{
	u32 limit = stuck ? 1 : TRANSMIT_WAIT_LIMIT;

	for (u32 i = 0; i < limit; i++) {
		if (inb(UART_LINE_STATUS) & STATUS_TRANSMIT_FREE) {
			stuck = false;
			return true;
		}
		cpu_relax();
	}
	stuck = true;
	return false;
}

/* At most FIFO_BYTES bytes on the wire. */
static void send_burst(const u8 *bytes, u32 nr)
{
	unsigned long flags = irq_save();

	if (wait_transmitter()) {
		for (u32 i = 0; i < nr; i++)
			outb(UART_DATA, bytes[i]);
	}
	irq_restore(flags);
}

void serial_write(const char *bytes, size_t len)
{
	u8 burst[FIFO_BYTES];
	u32 nr = 0;

	if (!present)
		return;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			burst[nr++] = '\r';
		burst[nr++] = (u8)bytes[i];
		if (nr >= FIFO_BYTES - 1) { /* the next byte may be two on the wire */
			send_burst(burst, nr);
			nr = 0;
		}
	}
	if (nr)
		send_burst(burst, nr);
}

/* Moves received bytes into the ring while there is room. Interrupts off. Bounded by the ring. */
static void drain_receiver(void)
{
	while (ring_head - ring_tail < RING_BYTES && (inb(UART_LINE_STATUS) & STATUS_DATA_READY))
		ring[ring_head++ % RING_BYTES] = inb(UART_DATA);
	if (interrupt_wanted)
		outb(UART_IER, ring_head - ring_tail < RING_BYTES ? IER_RECEIVED : 0);
}

int serial_getc(void)
{
	unsigned long flags;
	int byte = -1;

	if (!present)
		return -1;
	flags = irq_save();
	drain_receiver();
	if (ring_head != ring_tail)
		byte = ring[ring_tail++ % RING_BYTES];
	irq_restore(flags);
	return byte;
}

void serial_enable_interrupt(void)
{
	unsigned long flags = irq_save();

	if (present) {
		interrupt_wanted = true;
		drain_receiver();
	}
	irq_restore(flags);
}

void serial_handle_interrupt(void)
{
	drain_receiver();
}
