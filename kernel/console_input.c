/*
 * What is typed while a command runs.
 *
 * At the prompt every byte is the line editor's. While a command runs, somebody may want it to
 * end: Ctrl-C is looked for whenever the command prints or asks, and what else is typed is kept for
 * the next prompt, as a terminal does. Ctrl-C drops that, too: who types it has changed his mind.
 *
 * One thread uses this, the monitor's. The bytes come from the serial port's ring, which the
 * receive interrupt fills; a byte that does not fit here stays there. While it waits at the prompt it
 * sends trace records on their way.
 */
#include <arch/irq.h>
#include <kernel/monitor.h>
#include <kernel/trace_stream.h>
#include <x86/machine.h>
#include <x86/serial.h>
#include <x86/time.h>

#define CTRL_C      0x03
#define AHEAD_BYTES 4096 /* a paste; behind more than that, Ctrl-C is not found */
#define NS_PER_MS   1000000ull

/* How long trace records lie about while nobody types. */
#define DRAIN_EVERY_NS (50 * NS_PER_MS)

static char ahead[AHEAD_BYTES];
static u32 ahead_head, ahead_tail; /* put at head, taken at tail; their difference is the count */
static bool interrupted, by_ctrl_c;

void monitor_input_begin(void)
{
	interrupted = by_ctrl_c = false;
}

void monitor_interrupt(void)
{
	interrupted = true;
	ahead_tail = ahead_head;
}

static void ctrl_c_came(void)
{
	by_ctrl_c = true;
	monitor_interrupt();
}

bool monitor_ctrl_c_typed(void)
{
	return by_ctrl_c;
}

static void keep(char c)
{
	ahead[ahead_head++ % AHEAD_BYTES] = c;
}

bool monitor_interrupted(void)
{
	int c;

	while (!interrupted && ahead_head - ahead_tail < AHEAD_BYTES && (c = serial_getc()) >= 0) {
		if (c == CTRL_C)
			ctrl_c_came();
		else
			keep((char)c);
	}
	return interrupted;
}

/*
 * Looking and going to sleep are one step with interrupts off: a byte that comes between them would
 * otherwise wait for the next tick. The tick bounds each sleep.
 */
static int wait_for_byte(u64 deadline_ns)
{
	unsigned long flags = irq_save();
	int c;

	while ((c = serial_getc()) < 0 && time_since_entry_ns() < deadline_ns)
		machine_idle();
	irq_restore(flags);
	return c;
}

int monitor_wait_key(u32 timeout_ms)
{
	int c;

	if (ahead_head != ahead_tail)
		return ahead[ahead_tail++ % AHEAD_BYTES];
	c = wait_for_byte(time_since_entry_ns() + timeout_ms * NS_PER_MS);
	if (c == CTRL_C)
		ctrl_c_came();
	return c;
}

char monitor_next_byte(void)
{
	if (ahead_head != ahead_tail)
		return ahead[ahead_tail++ % AHEAD_BYTES];
	for (;;) {
		bool tracing = trace_wants_drain();
		int c = wait_for_byte(tracing ? time_since_entry_ns() + DRAIN_EVERY_NS : ~0ull);

		if (c >= 0)
			return (char)c;
		trace_drain();
	}
}
