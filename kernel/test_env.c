/*
 * What the test runner needs of the kernel: output, and a watchdog over each case.
 *
 * The watchdog is the tick: it compares the time with the running case's deadline and panics over
 * the interrupted code, so that the backtrace shows where the case hangs. A case that hangs
 * with interrupts off is not seen by it; for that one the launcher has a time limit, and sends an NMI
 * when it is over. Either way the panic names the case: it is told which one runs.
 */
#include <kernel/lockcheck.h>
#include <kernel/monitor.h>
#include <kernel/options.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <x86/time.h>
#include <x86/trap.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS     1000000ull
#define SLOW_CASE_NS  NS_PER_SECOND

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

void ktest_write(const char *text)
{
	console_write(text);
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
	watched.t = t;
	watched.limit_seconds = limit;
	watched.deadline_ns = start_ns + limit * NS_PER_SECOND;
	panic_set_test(t->suite, t->name);
	tick_set_handler(watch);
	c->run(t);
	tick_set_handler(NULL);
	panic_set_test(NULL, NULL);

	took_ns = time_since_entry_ns() - start_ns;
	if (took_ns > SLOW_CASE_NS)
		ktest_note(t, "took %llu ms", (unsigned long long)(took_ns / NS_PER_MS));
}
