/*
 * The lock checker: each kind of finding, and as often what is right and must not be one.
 *
 * Runs in the kernel and on the host. A handler takes the reports about the names of this file, which
 * begin with "lct."; any other is a panic, here as everywhere. Each case starts with nothing known
 * of its names.
 */
#include <arch/irq.h>
#include <arch/spinlock.h>
#include <base/string.h>
#include <kernel/lockcheck.h>
#include <kernel/test.h>

#include "lockcheck_test.h"

#define PREFIX "lct."

static struct spinlock a, b, c, a_too;
static const int first_mutex, second_mutex; /* any address is a mutex's */

static struct lockcheck_report last; /* of this case */
static u32 nr_reports;

static bool record(const struct lockcheck_report *report)
{
	if (strncmp(report->lock, PREFIX, strlen(PREFIX)) != 0)
		return false;
	last = *report;
	nr_reports++;
	return true;
}

static void begin(struct ktest *t)
{
	static const char *const names[] = {"lct.a", "lct.b", "lct.c", "lct.m1", "lct.m2"};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		lockcheck_forget(names[i]);
	spin_lock_init(&a, "lct.a");
	spin_lock_init(&b, "lct.b");
	spin_lock_init(&c, "lct.c");
	spin_lock_init(&a_too, "lct.a");
	memset(&last, 0, sizeof(last));
	nr_reports = 0;
	lockcheck_set_handler(record);
	EXPECT(t, !irqs_disabled());
}

static void end(struct ktest *t)
{
	lockcheck_set_handler(NULL);
	EXPECT(t, !spin_is_held(&a) && !spin_is_held(&b) && !spin_is_held(&c));
	EXPECT(t, !irqs_disabled());
}

static void take_both(struct spinlock *outer, struct spinlock *inner)
{
	spin_lock(outer);
	spin_lock(inner);
	spin_unlock(inner);
	spin_unlock(outer);
}

static void take(void *lock)
{
	spin_lock(lock);
	spin_unlock(lock);
}

static void try(void *lock)
{
	if (spin_trylock(lock))
		spin_unlock(lock);
}

static void take_irqsave(struct spinlock *lock)
{
	unsigned long flags = spin_lock_irqsave(lock);

	spin_unlock_irqrestore(lock, flags);
}

/* One report so far, of that kind, about these, with two places. */
static void expect_report(struct ktest *t, enum lockcheck_kind kind, const char *lock,
			  const char *other)
{
	EXPECT_EQ(t, nr_reports, 1);
	EXPECT_EQ(t, last.kind, kind);
	EXPECT_STREQ(t, last.lock ? last.lock : "", lock);
	EXPECT_STREQ(t, last.other ? last.other : "", other);
	EXPECT(t, last.site != 0 && last.other_site != 0);
	EXPECT(t, last.text[0] != '\0');
}

#define BEGIN(t)                                          \
	do {                                              \
		if (!lockcheck_is_on())                   \
			SKIP(t, "asked for lockcheck=0"); \
		begin(t);                                 \
	} while (0)

/* ---- Order ----------------------------------------------------------------------------------- */

static void one_order_is_right(struct ktest *t)
{
	u32 orders;

	BEGIN(t);
	orders = lockcheck_stats().orders;
	take_both(&a, &b);
	take_both(&a, &b);
	take_both(&b, &c);
	take_both(&a, &c);
	EXPECT_EQ(t, lockcheck_stats().orders - orders, 3);
	EXPECT_EQ(t, nr_reports, 0);
	end(t);
}

static void the_other_order_is_found(struct ktest *t)
{
	BEGIN(t);
	take_both(&a, &b);
	EXPECT_EQ(t, nr_reports, 0);
	take_both(&b, &a);
	expect_report(t, LOCKCHECK_ORDER, "lct.a", "lct.b");
	/* Said once. And it was no order: the first one still is. */
	take_both(&b, &a);
	take_both(&a, &b);
	EXPECT_EQ(t, nr_reports, 1);
	end(t);
}

/* a before b, b before c: then c before a closes the circle, though no two were ever inverted. */
static void the_other_order_by_a_chain_is_found(struct ktest *t)
{
	BEGIN(t);
	take_both(&a, &b);
	take_both(&b, &c);
	EXPECT_EQ(t, nr_reports, 0);
	take_both(&c, &a);
	expect_report(t, LOCKCHECK_ORDER, "lct.a", "lct.c");
	end(t);
}

/* Nobody waits in a trylock, so none of this can deadlock; under one that succeeded others wait. */
static void trylock_waits_for_nobody(struct ktest *t)
{
	u32 orders;

	BEGIN(t);
	take_both(&a, &b);
	orders = lockcheck_stats().orders;
	spin_lock(&b);
	try(&a);
	spin_unlock(&b);
	EXPECT_EQ(t, nr_reports, 0);
	EXPECT_EQ(t, lockcheck_stats().orders, orders);

	EXPECT(t, spin_trylock(&b));
	take(&c);
	spin_unlock(&b);
	EXPECT_EQ(t, lockcheck_stats().orders, orders + 1);
	take_both(&c, &b);
	expect_report(t, LOCKCHECK_ORDER, "lct.b", "lct.c");
	end(t);
}

/* Not the last that was taken, but all that are held. */
static void releasing_needs_no_order(struct ktest *t)
{
	u32 orders;

	BEGIN(t);
	orders = lockcheck_stats().orders;
	spin_lock(&a);
	spin_lock(&b);
	spin_unlock(&a);
	take(&c); /* under b only */
	spin_unlock(&b);
	EXPECT_EQ(t, lockcheck_stats().orders - orders, 2);
	EXPECT_EQ(t, nr_reports, 0);
	end(t);
}

/* ---- Twice ----------------------------------------------------------------------------------- */

static void taken_twice_is_found(struct ktest *t)
{
	BEGIN(t);
	spin_lock(&a);
	spin_lock(&a);
	expect_report(t, LOCKCHECK_TWICE, "lct.a", "");
	spin_unlock(&a);
	nr_reports = 0;
	spin_unlock(&a); /* the second was never taken */
	EXPECT_EQ(t, nr_reports, 1);
	EXPECT_EQ(t, last.kind, LOCKCHECK_RELEASE);
	end(t);
}

static void two_of_a_name_are_found(struct ktest *t)
{
	BEGIN(t);
	take_both(&a, &a_too);
	expect_report(t, LOCKCHECK_TWICE, "lct.a", "");
	take_both(&a, &a_too);
	EXPECT_EQ(t, nr_reports, 1);
	take(&a);
	take(&a_too); /* one after the other is fine */
	EXPECT_EQ(t, nr_reports, 1);
	end(t);
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

static void irq_then_with_interrupts_on(struct ktest *t)
{
	BEGIN(t);
	run_in_interrupt(t, take, &a);
	EXPECT_EQ(t, nr_reports, 0);
	take(&a);
	expect_report(t, LOCKCHECK_IRQ, "lct.a", "");
	end(t);
}

static void with_interrupts_on_then_irq(struct ktest *t)
{
	BEGIN(t);
	take(&a);
	EXPECT_EQ(t, nr_reports, 0);
	run_in_interrupt(t, take, &a);
	expect_report(t, LOCKCHECK_IRQ, "lct.a", "");
	end(t);
}

static void irqsave_is_right(struct ktest *t)
{
	BEGIN(t);
	run_in_interrupt(t, take, &a);
	take_irqsave(&a);
	run_in_interrupt(t, take, &a);
	take_irqsave(&a);
	EXPECT_EQ(t, nr_reports, 0);
	end(t);
}

/* Taken as it should be, and then the interrupts come back too early. */
static void interrupts_on_while_held(struct ktest *t)
{
	unsigned long flags;

	BEGIN(t);
	run_in_interrupt(t, take, &a);
	flags = spin_lock_irqsave(&a);
	irq_restore(flags);
	spin_unlock(&a);
	expect_report(t, LOCKCHECK_IRQ, "lct.a", "");
	end(t);
}

/* In an interrupt a trylock gives up instead of waiting for who was interrupted. */
static void trylock_in_an_interrupt_is_right(struct ktest *t)
{
	BEGIN(t);
	take(&a);
	run_in_interrupt(t, try, &a);
	EXPECT_EQ(t, nr_reports, 0);
	end(t);
}

/*
 *	CPU 0                     CPU 1
 *	spin_lock(&b)             spin_lock_irqsave(&a)
 *	interrupt: wants a        wants b
 */
static void irq_by_way_of_another(struct ktest *t)
{
	unsigned long flags;

	BEGIN(t);
	run_in_interrupt(t, take, &a);
	flags = spin_lock_irqsave(&a);
	take(&b);
	spin_unlock_irqrestore(&a, flags);
	EXPECT_EQ(t, nr_reports, 0);
	take(&b);
	expect_report(t, LOCKCHECK_IRQ_ORDER, "lct.a", "lct.b");
	end(t);
}

/* What an interrupt takes is not under what the interrupted code holds. */
static void an_interrupt_holds_nothing(struct ktest *t)
{
	u32 orders;

	BEGIN(t);
	orders = lockcheck_stats().orders;
	spin_lock(&a);
	run_in_interrupt(t, take, &b);
	spin_unlock(&a);
	EXPECT_EQ(t, lockcheck_stats().orders, orders);
	EXPECT_EQ(t, nr_reports, 0);
	end(t);
}

/* ---- Release and sleep ----------------------------------------------------------------------- */

static void released_by_nobody(struct ktest *t)
{
	BEGIN(t);
	preempt_disable();
	spin_unlock(&a);
	EXPECT_EQ(t, nr_reports, 1);
	EXPECT_EQ(t, last.kind, LOCKCHECK_RELEASE);
	EXPECT_STREQ(t, last.lock, "lct.a");
	end(t);
}

static void sleeping_with_a_spinlock(struct ktest *t)
{
	BEGIN(t);
	lockcheck_may_sleep(1);
	lockcheck_mutex_lock(&first_mutex, "lct.m1", 1);
	lockcheck_may_sleep(1);
	lockcheck_mutex_unlock(&first_mutex);
	EXPECT_EQ(t, nr_reports, 0);

	spin_lock(&a);
	lockcheck_may_sleep(1);
	expect_report(t, LOCKCHECK_SLEEP, "lct.a", "");
	spin_unlock(&a);
	lockcheck_may_sleep(1);
	EXPECT_EQ(t, nr_reports, 1);
	end(t);
}

/* ---- Mutexes --------------------------------------------------------------------------------- */

static void mutexes_have_an_order(struct ktest *t)
{
	BEGIN(t);
	lockcheck_mutex_lock(&first_mutex, "lct.m1", 1);
	lockcheck_mutex_lock(&second_mutex, "lct.m2", 2);
	take(&a);
	lockcheck_mutex_unlock(&first_mutex); /* in any order */
	lockcheck_mutex_unlock(&second_mutex);
	EXPECT_EQ(t, nr_reports, 0);

	lockcheck_mutex_lock(&second_mutex, "lct.m2", 3);
	lockcheck_mutex_trylocked(&first_mutex, "lct.m1", 4);
	lockcheck_mutex_unlock(&first_mutex);
	EXPECT_EQ(t, nr_reports, 0);
	lockcheck_mutex_lock(&first_mutex, "lct.m1", 5);
	lockcheck_mutex_unlock(&first_mutex);
	lockcheck_mutex_unlock(&second_mutex);
	expect_report(t, LOCKCHECK_ORDER, "lct.m1", "lct.m2");
	EXPECT_EQ(t, last.site, 5);
	EXPECT_EQ(t, last.other_site, 2);
	end(t);
}

static void a_mutex_under_a_spinlock(struct ktest *t)
{
	BEGIN(t);
	spin_lock(&a);
	lockcheck_mutex_trylocked(&first_mutex, "lct.m1", 1);
	lockcheck_mutex_unlock(&first_mutex);
	EXPECT_EQ(t, nr_reports, 0);
	lockcheck_mutex_lock(&first_mutex, "lct.m1", 2);
	lockcheck_mutex_unlock(&first_mutex);
	spin_unlock(&a);
	expect_report(t, LOCKCHECK_SLEEP, "lct.a", "");
	end(t);
}

/* ---- Figures --------------------------------------------------------------------------------- */

static void figures_are_kept(struct ktest *t)
{
	struct lock_class_info info = {0};
	struct lock_order order;
	u32 i, orders = 0;
	u64 before = 0;

	BEGIN(t);
	take(&a);
	for (i = 0; lockcheck_class(i, &info) && strcmp(info.name, "lct.a") != 0; i++)
		;
	before = info.acquired;
	take_both(&a, &b);
	ASSERT_TRUE(t, lockcheck_class(i, &info));
	EXPECT_STREQ(t, info.name, "lct.a");
	EXPECT(t, !info.mutex && info.irqs_on != 0 && info.in_irq == 0);
	EXPECT_EQ(t, info.acquired - before, 1);
	for (i = 0; lockcheck_order(i, &order); i++)
		orders += order.outer && strcmp(order.outer, "lct.a") == 0 &&
			  strcmp(order.inner, "lct.b") == 0;
	EXPECT_EQ(t, orders, 1);
	EXPECT_EQ(t, lockcheck_stats().unchecked, 0);
	end(t);
}

static const struct ktest_case cases[] = {
	KTEST(one_order_is_right),
	KTEST(the_other_order_is_found),
	KTEST(the_other_order_by_a_chain_is_found),
	KTEST(trylock_waits_for_nobody),
	KTEST(releasing_needs_no_order),
	KTEST(taken_twice_is_found),
	KTEST(two_of_a_name_are_found),
	KTEST(irq_then_with_interrupts_on),
	KTEST(with_interrupts_on_then_irq),
	KTEST(irqsave_is_right),
	KTEST(interrupts_on_while_held),
	KTEST(trylock_in_an_interrupt_is_right),
	KTEST(irq_by_way_of_another),
	KTEST(an_interrupt_holds_nothing),
	KTEST(released_by_nobody),
	KTEST(sleeping_with_a_spinlock),
	KTEST(mutexes_have_an_order),
	KTEST(a_mutex_under_a_spinlock),
	KTEST(figures_are_kept),
};
KTEST_SUITE(lockcheck, cases);
