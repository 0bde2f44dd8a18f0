/*
 * Ending the kernel on purpose by what a thread must not do: sleeping where nobody may, a mutex in wrong
 * hands, a stack that is used up. See kernel/crash.c.
 */
#include <arch/irq.h>
#include <arch/preempt.h>
#include <kernel/crash.h>
#include <kernel/panic.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <x86/smp.h>

#include "crash_internal.h"
#include "sched_internal.h"

#define NS_PER_MS 1000000ull

static struct mutex mutex;

void crash_sleep_irqs_off(void)
{
	irq_save();
	thread_sleep_ns(NS_PER_MS);
}

void crash_sleep_no_preempt(void)
{
	preempt_disable();
	mutex_init(&mutex, "slept for");
	mutex_lock(&mutex);
}

static void sleep_here(void)
{
	struct completion completion;

	completion_init(&completion, "never");
	wait_for_completion(&completion, NS_PER_MS);
}

void crash_sleep_interrupt(void)
{
	crash_in_interrupt(sleep_here);
}

void crash_mutex_twice(void)
{
	mutex_init(&mutex, "had already");
	mutex_lock(&mutex);
	mutex_lock(&mutex);
}

static void unlock_mutex(void *arg)
{
	mutex_unlock(arg);
}

/* In another thread, which this one waits for. */
static void do_in_thread(void (*fn)(void *arg), void *arg)
{
	struct thread *thread = thread_start("culprit", smp_processor_id(), fn, arg);

	if (thread)
		thread_join(thread);
}

void crash_mutex_foreign(void)
{
	mutex_init(&mutex, "another's");
	mutex_lock(&mutex);
	do_in_thread(unlock_mutex, &mutex);
}

static void lock_and_leave(void *arg)
{
	mutex_lock(arg);
}

void crash_exit_mutex(void)
{
	mutex_init(&mutex, "kept");
	do_in_thread(lock_and_leave, &mutex);
}

void crash_join_self(void)
{
	thread_join(thread_current());
}

static void overflow(void *arg)
{
	(void)arg;
	crash("stack");
}

void crash_stack_thread(void)
{
	do_in_thread(overflow, NULL);
}

/* As a frame larger than the hole would. Seen when the thread leaves the CPU. */
static void write_over_canary(void *arg)
{
	(void)arg;
	*thread_current()->canary = 0;
	thread_yield();
}

void crash_canary(void)
{
	do_in_thread(write_over_canary, NULL);
}
