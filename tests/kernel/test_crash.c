/*
 * The ways to end, as suites that run only when asked for by name: what is tested is who notices,
 * and that is outside (tests/qemu/test_launcher.py). A case that comes back has failed.
 */
#include <kernel/crash.h>
#include <kernel/test.h>

#define WATCHDOG_SECONDS 2

static void does_not_return(struct ktest *t, const char *kind)
{
	EXPECT_MSG(t, crash(kind), "there is no crash '%s'", kind);
	EXPECT_MSG(t, false, "crash '%s' came back", kind);
}

#define CRASH_SUITE(kind)                                              \
	static void kind(struct ktest *t)                              \
	{                                                              \
		does_not_return(t, #kind);                             \
	}                                                              \
	static const struct ktest_case kind##_cases[] = {KTEST(kind)}; \
	KTEST_SUITE_BY_NAME(crash_##kind, kind##_cases)

CRASH_SUITE(panic);
CRASH_SUITE(nested_panic);
CRASH_SUITE(debug);
CRASH_SUITE(summary);
CRASH_SUITE(mute);
CRASH_SUITE(triple_fault);
CRASH_SUITE(hang);
CRASH_SUITE(stack);
CRASH_SUITE(wx);
CRASH_SUITE(wx_alias);
CRASH_SUITE(null);
CRASH_SUITE(exec);
CRASH_SUITE(double_free);
CRASH_SUITE(wrong_order);
CRASH_SUITE(free_reserved);
CRASH_SUITE(out_of_memory);
CRASH_SUITE(assert_lock);
CRASH_SUITE(lock_inversion);
CRASH_SUITE(lock_chain);
CRASH_SUITE(lock_irq);
CRASH_SUITE(sleep_atomic);
CRASH_SUITE(sleep_irqs_off);
CRASH_SUITE(sleep_no_preempt);
CRASH_SUITE(sleep_interrupt);
CRASH_SUITE(mutex_twice);
CRASH_SUITE(mutex_foreign);
CRASH_SUITE(exit_mutex);
CRASH_SUITE(join_self);
CRASH_SUITE(stack_thread);
CRASH_SUITE(canary);
CRASH_SUITE(spin_forever);
CRASH_SUITE(slab_double_free);
CRASH_SUITE(slab_wrong_cache);
CRASH_SUITE(slab_inside);
CRASH_SUITE(slab_no_object);
CRASH_SUITE(slab_overrun);
CRASH_SUITE(slab_underrun);
CRASH_SUITE(slab_use_after_free);
CRASH_SUITE(accounting);

static void watchdog(struct ktest *t)
{
	does_not_return(t, "watchdog");
}
static const struct ktest_case watchdog_cases[] = {KTEST_SLOW(watchdog, WATCHDOG_SECONDS)};
KTEST_SUITE_BY_NAME(crash_watchdog, watchdog_cases);

static void passes(struct ktest *t)
{
	EXPECT(t, true);
}

/* The plan says two, and the second leaves with success. */
static void short_plan(struct ktest *t)
{
	does_not_return(t, "short_plan");
}
static const struct ktest_case short_plan_cases[] = {KTEST(passes), KTEST(short_plan)};
KTEST_SUITE_BY_NAME(crash_short_plan, short_plan_cases);

/* Everything passes, and then the way out does not work. */
static void after_plan(struct ktest *t)
{
	EXPECT(t, crash("after_plan"));
}
static const struct ktest_case after_plan_cases[] = {KTEST(passes), KTEST(after_plan)};
KTEST_SUITE_BY_NAME(crash_after_plan, after_plan_cases);
