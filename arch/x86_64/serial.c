/*
 * COM1, a 16550 UART: the console.
 *
 * Output is polled: when the transmitter is empty its FIFO takes 16 bytes, which are written with
 * interrupts off so that a handler that prints cannot overfill it. A UART of its own drains in 1.4
 * ms; under QEMU it waits for whoever reads the other end, which may be a pager. So the wait for
 * "empty" is long, and bounded by the clock. Once it has run out the device counts as stuck:
 * further bursts look only once, so that a dead console costs no more time, and their bytes are
 * counted. When it takes bytes again, "[N bytes lost]" comes first; and a run that has lost output
 * does not end in success (machine_exit), because nobody can have read that it was one. A machine
 * without COM1 is found by the scratch register: output is dropped there, and nothing is lost.
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
#include <x86/trap.h>

#include <arch/cpu.h>
#include <arch/irq.h>
#include <base/atomic.h>
#include <base/format.h>

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
#define STATUS_TRANSMIT_FREE 0x20 /* the FIFO is empty */
#define STATUS_TRANSMIT_DONE 0x40 /* and nothing is on its way out of the UART */

#define DIVISOR_115200       1
#define FIFO_BYTES           16

/* For a FIFO to empty: somebody who reads at all has read by then. */
#define TRANSMIT_WAIT_NS 10000000000ull

#define RING_BYTES       256

static bool present;

/* The output; whoever prints holds the console's lock, or is past caring (kernel/printk.c). */
static bool stuck;
static u32 burst_bytes;     /* of the last burst: what may still be in the FIFO */
static u64 unreported_lost; /* since the last "[N bytes lost]" */
static u64 lost;            /* since the boot */

/* The boot CPU's, which has both the interrupt and the reader: guarded by interrupts off there.
 * Free-running indices, modulo RING_BYTES. */
static u8 ring[RING_BYTES];
static u32 ring_head, ring_tail;
static void (*receiver)(void);
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

/* Before time_init() has measured the TSC the limit is shorter on a fast CPU: some seconds. */
static bool wait_transmitter(u8 status)
{
	u64 begin = arch_timestamp();

	for (;;) {
		if (inb(UART_LINE_STATUS) & status) {
			stuck = false;
			return true;
		}
		if (stuck || arch_timestamp_to_ns(arch_timestamp() - begin) >= TRANSMIT_WAIT_NS)
			break;
		cpu_is_alive(); /* as long a wait as it takes to be called hung */
		cpu_relax();
	}
	stuck = true;
	return false;
}

static void count_lost(u64 nr)
{
	unreported_lost += nr;
	lost += nr;
}

/* At most FIFO_BYTES bytes on the wire. Interrupts off. */
static bool try_burst(const char *bytes, u32 nr)
{
	if (!wait_transmitter(STATUS_TRANSMIT_FREE))
		return false;
	for (u32 i = 0; i < nr; i++)
		outb(UART_DATA, (u8)bytes[i]);
	burst_bytes = nr;
	return true;
}

/* False if it is stuck again; then what was lost stays to be said. */
static bool say_what_was_lost(void)
{
	char text[48];
	u32 len = (u32)snprintf(text, sizeof(text), "\r\n[%llu bytes lost]\r\n",
				(unsigned long long)unreported_lost);

	for (u32 at = 0; at < len; at += FIFO_BYTES)
		if (!try_burst(text + at, MIN((u32)FIFO_BYTES, len - at)))
			return false;
	unreported_lost = 0;
	return true;
}

static void send_burst(const char *bytes, u32 nr)
{
	unsigned long flags = irq_save();

	if ((unreported_lost && !say_what_was_lost()) || !try_burst(bytes, nr))
		count_lost(nr);
	irq_restore(flags);
}

void serial_write(const char *bytes, size_t len)
{
	char burst[FIFO_BYTES];
	u32 nr = 0;

	if (!present)
		return;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			burst[nr++] = '\r';
		burst[nr++] = bytes[i];
		if (nr >= FIFO_BYTES - 1) { /* the next byte may be two on the wire */
			send_burst(burst, nr);
			nr = 0;
		}
	}
	if (nr)
		send_burst(burst, nr);
}

u64 serial_flush(void)
{
	unsigned long flags = irq_save();
	u64 nr = lost;

	stuck = false; /* this is the last chance to be heard: worth the whole wait again */
	if (present && !wait_transmitter(STATUS_TRANSMIT_DONE))
		nr += burst_bytes;
	irq_restore(flags);
	return nr;
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

void serial_set_receiver(void (*fn)(void))
{
	/* Relaxed: the boot CPU's interrupt is the only reader, and it may miss one byte or not. */
	store_relaxed(&receiver, fn);
}

void serial_handle_interrupt(void)
{
	void (*fn)(void) = load_relaxed(&receiver);

	drain_receiver();
	if (fn && ring_head != ring_tail)
		fn();
}
