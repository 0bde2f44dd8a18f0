/*
 * COM2, a 16550 UART: the way out for trace records.
 *
 * Output only, polled, and bytes as they are: no interrupt, no '\r'. The console's driver (serial.c)
 * waits for whoever reads, because nobody may miss a panic; here whoever sends has a ring in which
 * records can wait, and counts what does not fit. So a UART that does not empty its FIFO within
 * STALL_NS is left alone, and asked again at the next call.
 *
 * Source: National Semiconductor PC16550D data sheet.
 */
#include <x86/com2.h>
#include <x86/io.h>

#include <arch/cpu.h>

#define COM2                 0x2f8

#define UART_DATA            (COM2 + 0) /* with the divisor latch open: divisor, low */
#define UART_IER             (COM2 + 1) /* and high */
#define UART_FIFO_CONTROL    (COM2 + 2)
#define UART_LINE_CONTROL    (COM2 + 3)
#define UART_MODEM           (COM2 + 4)
#define UART_LINE_STATUS     (COM2 + 5)
#define UART_SCRATCH         (COM2 + 7)

#define FIFO_ENABLE_CLEAR    0x07
#define LINE_8N1             0x03
#define LINE_DIVISOR_LATCH   0x80
#define MODEM_DTR_RTS        0x03
#define STATUS_TRANSMIT_FREE 0x20 /* the FIFO is empty */

#define DIVISOR_115200       1
#define FIFO_BYTES           16u

/* A FIFO empties in 1.4 ms. */
#define STALL_NS 200000000ull

static bool set_up, stalled;

bool com2_init(void)
{
	if (set_up)
		return true;
	outb(UART_SCRATCH, 0xa5);
	if (inb(UART_SCRATCH) != 0xa5)
		return false;
	outb(UART_IER, 0);
	outb(UART_LINE_CONTROL, LINE_DIVISOR_LATCH);
	outb(UART_DATA, DIVISOR_115200);
	outb(UART_IER, 0);
	outb(UART_LINE_CONTROL, LINE_8N1);
	outb(UART_FIFO_CONTROL, FIFO_ENABLE_CLEAR);
	outb(UART_MODEM, MODEM_DTR_RTS);
	set_up = true;
	return true;
}

static bool wait_for_room(void)
{
	u64 begin = arch_timestamp();

	do {
		if (inb(UART_LINE_STATUS) & STATUS_TRANSMIT_FREE) {
			stalled = false;
			return true;
		}
		cpu_relax();
	} while (!stalled && arch_timestamp_to_ns(arch_timestamp() - begin) < STALL_NS);
	stalled = true;
	return false;
}

u32 com2_send(const void *bytes, u32 nr)
{
	const u8 *byte = bytes;
	u32 sent = 0;

	while (set_up && sent < nr && wait_for_room()) {
		u32 end = MIN(nr, sent + FIFO_BYTES);

		while (sent < end)
			outb(UART_DATA, byte[sent++]);
	}
	return sent;
}
