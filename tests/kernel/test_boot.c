/*
 * What the boot leaves behind: a clock, interrupts, a log, symbols, a stack with a guard.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/options.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <mm/policy.h>
#include <x86/backtrace.h>
#include <x86/image.h>
#include <x86/machine.h>
#include <x86/time.h>

static void time_goes_on(struct ktest *t)
{
	u64 last_ns = time_since_entry_ns(), first_ns = last_ns, last_ticks = arch_timestamp();
	u64 back = 0;

	for (u32 i = 0; i < 10000; i++) {
		u64 now_ns = time_since_entry_ns(), now_ticks = arch_timestamp();

		back += now_ns < last_ns;
		back += now_ticks < last_ticks;
		last_ns = now_ns;
		last_ticks = now_ticks;
	}
	EXPECT_EQ(t, back, 0);
	EXPECT(t, last_ns > first_ns);
	EXPECT(t, time_tsc_khz() >= 1000);
}

/* The tick is PIT_HZ; each halt ends with it or sooner. */
static void interrupts_come(struct ktest *t)
{
	u64 start_ns = time_since_entry_ns();

	EXPECT(t, !irqs_disabled());
	for (u32 i = 0; i < 3; i++)
		machine_idle();
	EXPECT(t, time_since_entry_ns() > start_ns);
	EXPECT(t, !irqs_disabled());
}

/* Looking for work with interrupts off and then halting: what came in between ends the halt. */
static void idle_is_entered_with_interrupts_off(struct ktest *t)
{
	unsigned long flags = irq_save();

	machine_idle();
	EXPECT(t, irqs_disabled());
	irq_restore(flags);
}

static void irq_state_nests(struct ktest *t)
{
	unsigned long outer = irq_save(), inner;

	EXPECT(t, irqs_disabled());
	inner = irq_save();
	irq_restore(inner);
	EXPECT(t, irqs_disabled());
	irq_restore(outer);
	EXPECT(t, !irqs_disabled());
}

static void spinlocks_know_their_owner(struct ktest *t)
{
	struct spinlock lock;
	unsigned long flags;

	spin_lock_init(&lock, "test");
	EXPECT(t, !spin_is_held(&lock));
	flags = spin_lock_irqsave(&lock);
	EXPECT(t, spin_is_held(&lock) && irqs_disabled());
	EXPECT(t, !spin_trylock(&lock));
	spin_unlock_irqrestore(&lock, flags);
	EXPECT(t, !spin_is_held(&lock) && !irqs_disabled());
	EXPECT(t, spin_trylock(&lock));
	spin_unlock(&lock);
}

static void log_counts_lines(struct ktest *t)
{
	struct printk_stats before = printk_stats(), after;

	klog_set_level(LOG_WARN);
	klog(LOG_ERR, "test", "a line of the suite 'boot'");
	after = printk_stats();
	EXPECT_EQ(t, after.lines, before.lines + 1);
	EXPECT_EQ(t, after.cut, before.cut);

	klog(LOG_INFO, "test", "not to be seen");
	klog_set_level((enum log_level)options.loglevel);
	after = printk_stats();
	EXPECT_EQ(t, after.lines, before.lines + 1);
	EXPECT_EQ(t, after.suppressed, before.suppressed + 1);
}

/* loglevel=0 hides errors; what a panic says it does not hide. */
static void the_lowest_level_is_always_printed(struct ktest *t)
{
	struct printk_stats before = printk_stats(), after;

	klog_set_level((enum log_level)0);
	klog(LOG_ERR, "test", "not to be seen");
	klog(LOG_EMERG, "test", "seen at any level");
	klog_set_level((enum log_level)options.loglevel);
	after = printk_stats();
	EXPECT_EQ(t, after.lines, before.lines + 1);
	EXPECT_EQ(t, after.suppressed, before.suppressed + 1);
}

static void log_cuts_long_lines(struct ktest *t)
{
	static char text[4096];
	struct printk_stats before = printk_stats();

	memset(text, 'x', sizeof(text) - 1);
	klog(LOG_EMERG, "test", "long: %s", text);
	EXPECT_EQ(t, printk_stats().lines, before.lines + 1);
	EXPECT_EQ(t, printk_stats().cut, before.cut + 1);
}

static void symbols_name_functions(struct ktest *t)
{
	uintptr_t addr = (uintptr_t)symbols_name_functions;
	char text[96];

	symbol_format(addr, text, sizeof(text));
	EXPECT_MSG(t, strncmp(text, "symbols_name_functions+0x0/0x", 29) == 0, "it is \"%s\"",
		   text);
	symbol_format(addr + 5, text, sizeof(text));
	EXPECT_MSG(t, strncmp(text, "symbols_name_functions+0x5/0x", 29) == 0, "it is \"%s\"",
		   text);
	/* A return address right at a function's start belongs to the one before it. */
	symbol_format_return(addr, text, sizeof(text));
	EXPECT_MSG(t, strncmp(text, "symbols_name_functions", 22) != 0, "it is \"%s\"", text);

	symbol_format(0x1234, text, sizeof(text));
	EXPECT_STREQ(t, text, "0x1234");
	symbol_format(UINT64_MAX, text, sizeof(text));
	EXPECT_STREQ(t, text, "0xffffffffffffffff");
	symbol_format((uintptr_t)__data_start, text, sizeof(text));
	EXPECT_MSG(t, strncmp(text, "0x", 2) == 0, "data is \"%s\"", text);
}

static __noinline u32 walk_from_here(uintptr_t *out, u32 max)
{
	return backtrace_walk((u64)__builtin_frame_address(0), out, max);
}

static void backtrace_names_callers(struct ktest *t)
{
	uintptr_t address[16];
	char text[96];
	u32 nr = walk_from_here(address, ARRAY_SIZE(address));

	/* This case, the runner's environment, the runner's functions, kernel. */
	ASSERT_TRUE(t, nr >= 4);
	symbol_format_return(address[0], text, sizeof(text));
	EXPECT_MSG(t, strncmp(text, "backtrace_names_callers+", 24) == 0, "it is \"%s\"", text);
	EXPECT_EQ(t, walk_from_here(address, 2), 2);
	EXPECT_EQ(t, backtrace_walk(0, address, 16), 0);
	EXPECT_EQ(t, backtrace_walk(0x1000, address, 16), 0);
	EXPECT_EQ(t, backtrace_walk((u64)__builtin_frame_address(0) + 1, address, 16), 0);
}

static void stack_is_in_the_window(struct ktest *t)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	EXPECT(t, here >= STACK_WINDOW_BASE + STACK_SLOT_BYTES - STACK_BYTES);
	EXPECT(t, here < STACK_WINDOW_BASE + STACK_SLOT_BYTES);
}

static void policy_is_what_the_options_say(struct ktest *t)
{
	for (int i = 0; i < NR_MM_MECHANISMS; i++)
		EXPECT_EQ(t, mm_policy_chosen((enum mm_mechanism)i),
			  options.behaviour[i] >= 0 ? options.behaviour[i] : options.profile);
}

static const struct ktest_case cases[] = {
	KTEST(time_goes_on),
	KTEST(interrupts_come),
	KTEST(idle_is_entered_with_interrupts_off),
	KTEST(the_lowest_level_is_always_printed),
	KTEST(irq_state_nests),
	KTEST(spinlocks_know_their_owner),
	KTEST(log_counts_lines),
	KTEST(log_cuts_long_lines),
	KTEST(symbols_name_functions),
	KTEST(backtrace_names_callers),
	KTEST(stack_is_in_the_window),
	KTEST(policy_is_what_the_options_say),
};
KTEST_SUITE(boot, cases);
