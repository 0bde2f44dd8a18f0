/*
 * The kernel's log and the text for the person at the console.
 *
 * A line is formatted into a buffer on the stack and handed to the serial port in one piece
 * under one lock with interrupts off, so that lines of different CPUs do not mix. What does not
 * fit into the buffer is cut, and "..." stands where it was.
 *
 * A log line quotes what comes from outside: command lines, firmware tables. So whatever is no
 * printable ASCII is written as \xNN there: nothing that is only reported reaches the terminal as a
 * command. Text for the console goes out as it is; screens are made of such commands.
 *
 * Printing must work everywhere, and that is what the lock is built for. Somebody may be
 * printing already and never finish: this CPU, if an exception strikes inside the serial driver,
 * or another one that has died. So the lock is only ever tried, for a bounded time, and then the
 * line goes out without it: mixed output is better than none. The time is many times what all CPUs
 * together take for a line each, and a holder may be one that the host does not run for a while.
 * During a panic (printk_panic_mode) the lock is not even tried.
 *
 * The column of the cursor is known well enough to say whether a log line must start with a
 * newline because the prompt or half a line stands before it.
 *
 * Lock order: the console lock is innermost; nothing is called under it but the serial port.
 */
#include <arch/cpu.h>
#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/printk.h>
#include <x86/serial.h>
#include <x86/time.h>

#define LOG_LINE_BYTES     320
#define CONSOLE_TEXT_BYTES 1024
/* Both must have passed: time alone passes also while the host runs nobody. */
#define CONSOLE_LOCK_NS    2000000000ull
#define CONSOLE_LOCK_TRIES 1000000

static struct spinlock console_lock = SPINLOCK_INIT("console");
static bool at_line_start = true;           /* guarded by console_lock */
static enum log_level max_level = LOG_INFO; /* a word that one option sets at boot */
static bool panicking;
static const struct printk_sink *diverted; /* the monitor's thread */
static struct printk_stats stats;          /* atomic: figures */

static bool console_try_lock(void)
{
	u64 start = arch_timestamp();

	for (u32 tries = 0;; tries++) {
		/* Relaxed: nothing is read by it. Ours already: a trap came in the middle of a line,
		 * and waiting is hopeless. */
		if (load_relaxed(&panicking) || spin_is_held(&console_lock))
			return false;
		if (spin_trylock(&console_lock))
			return true;
		if (tries >= CONSOLE_LOCK_TRIES &&
		    arch_timestamp_to_ns(arch_timestamp() - start) >= CONSOLE_LOCK_NS)
			return false;
		cpu_relax();
	}
}

/* Relaxed: a figure. */
static void count(u64 *figure)
{
	__atomic_fetch_add(figure, 1, __ATOMIC_RELAXED);
}

/* `own_line`: start in column 0, whatever stands on the line now. */
static void console_put(const char *text, size_t len, bool own_line)
{
	unsigned long flags;
	bool locked;

	if (len == 0)
		return;
	flags = irq_save();
	locked = console_try_lock();
	if (own_line && !at_line_start)
		serial_write("\n", 1);
	serial_write(text, len);
	__atomic_fetch_add(&stats.bytes, len, __ATOMIC_RELAXED);
	at_line_start = text[len - 1] == '\n';
	if (locked)
		spin_unlock(&console_lock);
	irq_restore(flags);
}

/* The length of the text in `buf`, whose end is replaced by `mark` if `need` did not fit. */
static size_t mark_cut(char *buf, size_t size, size_t need, const char *mark)
{
	if (need < size)
		return need;
	count(&stats.cut);
	memcpy(buf + size - 1 - strlen(mark), mark, strlen(mark));
	return size - 1;
}

size_t printk_escape(char *buf, size_t size, const char *text, size_t len)
{
	size_t need = 0, end = 0;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		bool printable = text[i] >= ' ' && text[i] <= '~';
		size_t width = printable ? 1 : 4;

		if (need + width < size) {
			if (printable)
				buf[need] = text[i];
			else
				snprintf(buf + need, size - need, "\\x%02x", (u8)text[i]);
			end = need + width;
		} else if (end < size - 1) {
			memset(buf + end, '.', size - 1 - end);
			end = size - 1;
		}
		need += width;
	}
	buf[end] = '\0';
	return need;
}

void vklog(enum log_level level, const char *subsystem, const char *fmt, va_list args)
{
	char text[LOG_LINE_BYTES];
	char line[LOG_LINE_BYTES + 1]; /* and the newline, which is never cut */
	u64 us = time_since_entry_ns() / 1000;
	size_t len;

	if (level > max_level) {
		count(&stats.suppressed);
		return;
	}
	count(&stats.lines);
	len = (size_t)snprintf(line, LOG_LINE_BYTES,
			       "[%5llu.%06llu] %.16s: ", (unsigned long long)(us / 1000000),
			       (unsigned long long)(us % 1000000), subsystem);
	vsnprintf(text, sizeof(text), fmt, args);
	len += printk_escape(line + len, LOG_LINE_BYTES - len, text, strlen(text));
	len = mark_cut(line, LOG_LINE_BYTES, len, "...");
	line[len++] = '\n';
	console_put(line, len, true);
}

void klog(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vklog(level, subsystem, fmt, args);
	va_end(args);
}

void klog_set_level(enum log_level level)
{
	max_level = level;
}

static void print_text(const char *text, size_t len)
{
	/* Relaxed: as for the lock. */
	if (diverted && !load_relaxed(&panicking))
		diverted->write(text, len);
	else
		console_put(text, len, false);
}

void kprint(const char *text)
{
	print_text(text, strlen(text));
}

void vkprintf(const char *fmt, va_list args)
{
	char text[CONSOLE_TEXT_BYTES];
	size_t len = (size_t)vsnprintf(text, sizeof(text), fmt, args);

	print_text(text, mark_cut(text, sizeof(text), len, "...\n"));
}

void kprintf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vkprintf(fmt, args);
	va_end(args);
}

const struct printk_sink *printk_divert(const struct printk_sink *sink)
{
	const struct printk_sink *before = diverted;

	diverted = sink;
	return before;
}

void console_write(const char *text)
{
	console_put(text, strlen(text), false);
}

void console_write_bytes(const char *bytes, size_t len)
{
	console_put(bytes, len, false);
}

struct printk_stats printk_stats(void)
{
	return (struct printk_stats){
		.lines = load_relaxed(&stats.lines),
		.bytes = load_relaxed(&stats.bytes),
		.suppressed = load_relaxed(&stats.suppressed),
		.cut = load_relaxed(&stats.cut),
	};
}

void printk_panic_mode(void)
{
	store_relaxed(&panicking, true);
}
