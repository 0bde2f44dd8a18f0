/*
 * The serial line and the way out.
 *
 * COM1, polled; a wait for the transmitter is bounded, so that a machine without COM1 is slow
 * rather than stuck.
 */
#include "minimal.h"

#include <base/format.h>

#define COM1                0x3f8
#define COM1_LINE_STATUS    (COM1 + 5)
#define TRANSMIT_FREE       0x20
#define TRANSMIT_WAIT_LIMIT 100000
#define DEBUG_EXIT          0xf4

static void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

void serial_init(void)
{
	/* Register, value: no interrupts; divisor 1, 115200 8N1; FIFOs on; DTR and RTS. */
	static const u8 setup[][2] = {{1, 0},    {3, 0x80}, {0, 1}, {1, 0},
				      {3, 0x03}, {2, 0x07}, {4, 3}};

	for (u32 i = 0; i < ARRAY_SIZE(setup); i++)
		outb(COM1 + setup[i][0], setup[i][1]);
}

static void serial_put(char c)
{
	for (u32 i = 0; i < TRANSMIT_WAIT_LIMIT && !(inb(COM1_LINE_STATUS) & TRANSMIT_FREE); i++)
		__asm__ volatile("pause");
	outb(COM1, (u8)c);
}

static void serial_write(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			serial_put('\r');
		serial_put(*text);
	}
}

/* One line: the prefix, a colon, the text. */
void vsay(const char *prefix, const char *fmt, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, args);
	serial_write(prefix);
	serial_write(": ");
	serial_write(text);
	serial_write("\n");
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsay("minimal", fmt, args);
	va_end(args);
}

_Noreturn void machine_exit(enum exit_code code)
{
	outb(DEBUG_EXIT, (u8)code);
	for (;;) /* no such device: nothing is left to do */
		__asm__ volatile("cli; hlt");
}
