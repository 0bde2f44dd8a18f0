/*
 * What the test runner needs of the kernel: output, and a watchdog over each case.
 *
 * The watchdog is the tick: it compares the time with the running case's deadline and panics over
 * the interrupted code, so that the backtrace shows where the case hangs. A case that hangs
 * with interrupts off is not seen by it; for that one the launcher has a time limit, and sends an NMI
 * when it is over. Either way the panic names the case: it is told which one runs.
 *
 * What a case prints by kprintf(), mostly by running commands, becomes diagnostics of KTAP: whoever
 * reads the plan must not take it for results.
 */
#include <base/string.h>
#include <kernel/lockcheck.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <x86/time.h>
#include <x86/trap.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS     1000000ull
#define SLOW_CASE_NS  NS_PER_SECOND

#define DIAGNOSTIC    "  # "
#define SAID_BYTES    512
#define SHOWN_BYTES   1024

/* The running case; written with no tick handler set, read by the handler. */
static struct {
	const struct ktest *t;
	u64 limit_seconds;
	u64 deadline_ns;
} watched;

static void watch(const struct trap_frame *frame)
{
	if (time_since_entry_ns() < watched.deadline_ns)
		return;
	panic_trap(frame, "watchdog: test %s.%s ran over its limit of %llu s", watched.t->suite,
		   watched.t->name, (unsigned long long)watched.limit_seconds);
}

/* Names come from whoever typed them, so control characters in them are shown, not obeyed. */
void ktest_write(const char *text)
{
	char shown[SHOWN_BYTES];
	size_t len = strlen(text);
	bool whole_line = len > 0 && text[len - 1] == '\n';

	printk_escape(shown, sizeof(shown) - 1, text, len - whole_line);
	if (whole_line)
		memcpy(shown + strlen(shown), "\n", 2);
	console_write(shown);
}

/* A line of what is printed, until it is complete. */
static char said[SAID_BYTES] = DIAGNOSTIC;
static size_t said_len = sizeof(DIAGNOSTIC) - 1;

static void end_diagnostic(void)
{
	memcpy(said + said_len, "\n", 2);
	ktest_write(said);
	said_len = sizeof(DIAGNOSTIC) - 1;
}

static void as_diagnostics(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n')
			said[said_len++] = bytes[i];
		if (bytes[i] == '\n' || said_len == sizeof(said) - 2)
			end_diagnostic();
	}
}

static void run_diverted(const struct ktest_case *c, struct ktest *t)
{
	static const struct printk_sink diagnostics = {as_diagnostics};
	const struct printk_sink *before = printk_divert(&diagnostics);

	c->run(t);
	if (said_len > sizeof(DIAGNOSTIC) - 1)
		end_diagnostic();
	printk_divert(before);
}

bool ktest_env_interrupted(void)
{
	return monitor_interrupted();
}

void ktest_env_run(const struct ktest_case *c, struct ktest *t)
{
	u64 limit = c->limit_seconds ? c->limit_seconds : KTEST_DEFAULT_LIMIT_SECONDS;
	u64 start_ns = time_since_entry_ns(), took_ns;

	if (options.lockcheck != 0)
		lockcheck_start();
	/* Stacks that earlier cases left: reclaim would give them back in the midst of what this one counts. */
	threads_release_spares();
	watched.t = t;
	watched.limit_seconds = limit;
	watched.deadline_ns = start_ns + limit * NS_PER_SECOND;
	panic_set_test(t->suite, t->name);
	tick_set_handler(watch);
	run_diverted(c, t);
	tick_set_handler(NULL);
	panic_set_test(NULL, NULL);

	took_ns = time_since_entry_ns() - start_ns;
	if (took_ns > SLOW_CASE_NS)
		ktest_note(t, "took %llu ms", (unsigned long long)(took_ns / NS_PER_MS));
}
