/*
 * Where the check may be asked for: what it waits for with interrupts off, and that an interrupt gets no check.
 */
#include "host.h"

#include <arch/irq.h>
#include <mm/check.h>
#include <mm/os_task.h>

#include "mm/slab.h"

static const struct host_machine machine = {
	.ram = {{0, MiB(64), 0}, {GiB(5), MiB(64), 1}},
	.nr_nodes = 2,
	.nr_cpus = 2,
	.cpu_nid = {0, 1},
};

/*
 * A thread of CPU 1 holds the list's lock, with interrupts on, as threads do. Who checks with interrupts off waits until
 * it lets go.
 */
static bool has_it; /* atomic */

static void hold_until_waited_for(void *arg)
{
	u32 *waiters = arg;

	spin_lock(&slab_caches.lock);
	store_release(&has_it, true);
	while (load_relaxed(&slab_caches.lock.next) - load_relaxed(&slab_caches.lock.serving) < 2)
		cpu_relax();
	(*waiters)++;
	spin_unlock(&slab_caches.lock);
}

static void the_list_is_waited_for_with_interrupts_off(struct ktest *t)
{
	struct os_thread *thread;
	unsigned long flags;
	u32 waiters = 0;

	host_machine_boot(&machine);
	thread = os_thread_start("holder", 1, hold_until_waited_for, &waiters);
	ASSERT_TRUE(t, thread != NULL);
	while (!load_acquire(&has_it))
		cpu_relax();
	flags = irq_save();
	expect_check_clean(t);
	irq_restore(flags);
	os_thread_join(thread);
	EXPECT_EQ(t, waiters, 1);
}

static void check_in_an_interrupt(void *arg)
{
	struct check_report *report = arg;

	mm_check(report);
}

/* An interrupt on the CPU that holds it would wait for ever: it runs nothing, whoever has it, and says so. */
static void an_interrupt_checks_nothing(struct ktest *t)
{
	struct check_report report = {.run = 1};

	host_machine_boot(&machine);
	host_log_clear();
	spin_lock(&slab_caches.lock);
	host_interrupt(0, check_in_an_interrupt, &report);
	spin_unlock(&slab_caches.lock);
	EXPECT(t, report.stopped);
	EXPECT_EQ(t, report.run, 0);
	EXPECT_EQ(t, report.failed, 0);
	EXPECT(t, host_log_contains("nothing is checked in an interrupt"));
	expect_check_clean(t);
}

static const struct ktest_case cases[] = {
	KTEST(the_list_is_waited_for_with_interrupts_off),
	KTEST(an_interrupt_checks_nothing),
};
KTEST_SUITE(check_contexts, cases);
