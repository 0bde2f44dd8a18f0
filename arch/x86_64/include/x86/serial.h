/* COM1, a 16550 at 115200 8N1: the console. Polled output; bounded if the device is absent. */
#ifndef X86_SERIAL_H
#define X86_SERIAL_H

#include <base/types.h>

void serial_init(void);
void serial_write(const char *bytes, size_t len); /* '\n' goes out as "\r\n" */
int serial_getc(void);                            /* next byte received, or -1 */

/* Received bytes raise IRQ4 from now on, which ends machine_idle(). */
void serial_enable_interrupt(void);
void serial_handle_interrupt(void); /* from the IRQ4 handler, interrupts off */

#endif
