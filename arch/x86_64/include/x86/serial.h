/* COM1, a 16550 at 115200 8N1: the console. Polled output; nothing waits if there is none. */
#ifndef X86_SERIAL_H
#define X86_SERIAL_H

#include <base/types.h>

void serial_init(void);
/* '\n' goes out as "\r\n". Waits some seconds for a reader, then drops and counts. */
void serial_write(const char *bytes, size_t len);
/*
 * Before the end: waits as long for the last byte to be on its way, also where the console counts
 * as stuck already. Returns how many bytes have been lost since the boot.
 */
u64 serial_flush(void);
int serial_getc(void); /* next byte received, or -1 */

/* Received bytes raise IRQ4 from now on. */
void serial_enable_interrupt(void);
/* Called in that interrupt when there is something to read. */
void serial_set_receiver(void (*fn)(void));
void serial_handle_interrupt(void); /* from the IRQ4 handler, interrupts off */

#endif
