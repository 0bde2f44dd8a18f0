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
#include <kernel/monitor.h>
#include <kernel/trace_stream.h>
#include <mm/os_task.h>
#include <x86/serial.h>

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

static struct os_wait_queue received;

static void wake_reader(void)
{
	os_wake_all(&received);
}

void monitor_input_init(void)
{
	os_wait_queue_init(&received, "console input");
	serial_set_receiver(wake_reader);
}

static bool take_byte(void *byte)
{
	int c = serial_getc();

	*(int *)byte = c;
	return c >= 0;
}

/* -1: none within the time. The thread sleeps meanwhile: the CPU is others'. */
static int wait_for_byte(u64 timeout_ns)
{
	int c;

	os_wait(&received, take_byte, &c, timeout_ns);
	return c;
}

int monitor_wait_key(u32 timeout_ms)
{
	int c;

	if (ahead_head != ahead_tail)
		return ahead[ahead_tail++ % AHEAD_BYTES];
	c = wait_for_byte(timeout_ms * NS_PER_MS);
	if (c == CTRL_C)
		ctrl_c_came();
	return c;
}

char monitor_next_byte(void)
{
	if (ahead_head != ahead_tail)
		return ahead[ahead_tail++ % AHEAD_BYTES];
	for (;;) {
		int c = wait_for_byte(trace_wants_drain() ? DRAIN_EVERY_NS : OS_WAIT_FOREVER);

		if (c >= 0)
			return (char)c;
		trace_drain();
	}
}
