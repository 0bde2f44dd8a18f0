/*
 * Seam 2, second part, on the host: threads, sleeping and waking with pthreads.
 *
 * What a thread of one CPU is, and when it is preempted, is in cpus.c. Here are its ends: it starts
 * by asking for its CPU, gives it away while it sleeps, and for good when its function returns.
 *
 * A waiter is on the queue before it looks, and what wakes it is a flag of its own, so a wake that
 * comes between the look and the sleep is not lost:
 *
 *	waiter                                       waker
 *	queue lock: on the queue, woken = false      makes ready() true
 *	ready()? no                                  queue lock: off the queue, woken = true, signal
 *	sleeps unless woken                          ...
 *	queue lock: off the queue, if still on it
 *
 * The last step also keeps the waiter, which stands on a stack, until the waker is done with it.
 *
 * The thread that the test began with, and any pthread that a test starts by itself, become threads of
 * the CPU whose number they play when they first sleep or start one.
 *
 * Lock order: wait queue (a spinlock of the code under test), then a thread's mutex.
 */
#define _GNU_SOURCE
#include "host_cpus.h"

#include <arch/preempt.h>
#include <base/assert.h>
#include <base/errno.h>
#include <kernel/lockcheck.h>
#include <mm/gfp.h>
#include <mm/os.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ull

struct os_thread {
	struct os_task task;
	const char *name;
	u32 cpu;
	void (*fn)(void *arg);
	void *arg;
	pthread_t pthread;

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool woken; /* guarded by mutex */
};

/* Stands on the waiter's stack. */
struct waiter {
	struct os_thread *thread;
	struct list_head link; /* this and queued: guarded by the queue's lock */
	bool queued;
};

static _Thread_local struct os_thread *self;
static _Thread_local struct os_thread unstarted; /* of one that os_thread_start() did not start */
static struct os_task idle_task = {.mems_allowed = ~(nodemask_t)0};

/* --- Who is running ------------------------------------------------------------------------- */

static void thread_init(struct os_thread *thread, const char *name, u32 cpu)
{
	pthread_condattr_t attr;

	thread->name = name;
	thread->cpu = cpu;
	thread->task.mems_allowed = ~(nodemask_t)0;
	pthread_mutex_init(&thread->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static struct os_thread *me(void)
{
	if (!self) {
		self = &unstarted;
		thread_init(self, "unstarted", host_cpu);
	}
	return self;
}

/* Sleeping gives a CPU away, so there must be one. */
static struct os_thread *me_on_a_cpu(void)
{
	struct os_thread *thread = me();

	if (!host_cpu_taken()) {
		thread->cpu = host_cpu;
		host_cpu_take(&thread->task);
	}
	return thread;
}

/* Asked of the task itself, so there is no word to be kept. */
void os_limits_changed(struct os_task *task)
{
	(void)task;
}

bool this_task_may_hit(u32 flags)
{
	return flags < GFP_HIT_END && !load_relaxed(&os_current()->limited);
}

struct os_task *os_current(void)
{
	struct os_task *interrupted;

	if (!host_in_interrupt)
		return &me()->task;
	interrupted = host_cpu_current(host_cpu);
	return interrupted ? interrupted : &idle_task;
}

const char *os_current_name(void)
{
	return me()->name;
}

bool os_in_interrupt(void)
{
	return host_in_interrupt;
}

/* A spinlock that is held counts as preemption disabled. */
bool os_may_sleep(void)
{
	return preemptible();
}

static void check_may_sleep(uintptr_t site)
{
	char caller[OS_CALLER_BYTES];

	lockcheck_may_sleep(site); /* knows which lock it is, if it is one */
	if (os_may_sleep())
		return;
	os_describe_caller(site, caller, sizeof(caller));
	os_panic("may not sleep: %s on CPU %u (preemption disabled %u times, interrupts %s%s)",
		 caller, host_cpu, host_preempt_count, irqs_disabled() ? "off" : "on",
		 host_in_interrupt ? ", in an interrupt" : "");
}

/* --- Sleeping and waking -------------------------------------------------------------------- */

void os_wait_queue_init(struct os_wait_queue *queue, const char *name)
{
	spin_lock_init(&queue->lock, name);
	list_init(&queue->waiters);
}

static void enqueue(struct os_wait_queue *queue, struct waiter *w)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (!w->queued) {
		list_add_tail(&w->link, &queue->waiters);
		w->queued = true;
		pthread_mutex_lock(&w->thread->mutex);
		w->thread->woken = false;
		pthread_mutex_unlock(&w->thread->mutex);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void dequeue(struct os_wait_queue *queue, struct waiter *w)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (w->queued)
		list_del(&w->link);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static u64 nr_sleeps; /* atomic */

u64 host_sleeps(void)
{
	return load_relaxed(&nr_sleeps);
}

static _Thread_local const bool *awaited; /* NULL: nothing */

void host_sleep_until(const bool *done)
{
	awaited = done;
}

static void wait_for_awaited(void)
{
	while (awaited && !load_acquire(awaited))
		usleep(100);
	awaited = NULL;
}

/* False: the time is over. */
static bool sleep_until_woken(struct os_thread *thread, u64 deadline_ns)
{
	struct timespec end = {.tv_sec = (time_t)(deadline_ns / NS_PER_SECOND),
			       .tv_nsec = (long)(deadline_ns % NS_PER_SECOND)};
	int error = 0;

	/* Relaxed: a figure. */
	__atomic_fetch_add(&nr_sleeps, 1, __ATOMIC_RELAXED);
	host_cpu_give();
	wait_for_awaited();
	pthread_mutex_lock(&thread->mutex);
	while (!thread->woken && error == 0)
		error = deadline_ns == OS_WAIT_FOREVER
				? pthread_cond_wait(&thread->wake, &thread->mutex)
				: pthread_cond_timedwait(&thread->wake, &thread->mutex, &end);
	pthread_mutex_unlock(&thread->mutex);
	host_cpu_take(&thread->task);
	return error == 0;
}

bool os_wait(struct os_wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 timeout_ns)
{
	u64 now = arch_timestamp_to_ns(arch_timestamp());
	/* As good as for ever, where the sum would wrap. */
	u64 deadline_ns = timeout_ns < OS_WAIT_FOREVER - now ? now + timeout_ns : OS_WAIT_FOREVER;
	struct waiter w = {.queued = false};
	bool answer, in_time = true;

	check_may_sleep(os_call_site());
	if (timeout_ns == 0)
		return ready(arg);
	w.thread = me_on_a_cpu();
	for (;;) {
		enqueue(queue, &w);
		answer = ready(arg);
		if (answer || !in_time)
			break;
		in_time = sleep_until_woken(w.thread, deadline_ns);
	}
	dequeue(queue, &w);
	return answer;
}

static u32 wake(struct os_wait_queue *queue, u32 max)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	u32 nr;

	for (nr = 0; nr < max && !list_empty(&queue->waiters); nr++) {
		struct waiter *w = list_first_entry(&queue->waiters, struct waiter, link);

		list_del(&w->link);
		w->queued = false;
		pthread_mutex_lock(&w->thread->mutex);
		w->thread->woken = true;
		pthread_cond_signal(&w->thread->wake);
		pthread_mutex_unlock(&w->thread->mutex);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return nr;
}

u32 os_wake_all(struct os_wait_queue *queue)
{
	return wake(queue, ~(u32)0);
}

u32 os_wake_one(struct os_wait_queue *queue)
{
	return wake(queue, 1);
}

/* --- Threads -------------------------------------------------------------------------------- */

static void *run_thread(void *arg)
{
	struct os_thread *thread = arg;

	self = thread;
	host_cpu = thread->cpu;
	host_cpu_take(&thread->task);
	thread->fn(thread->arg);
	ASSERT_MSG(os_may_sleep(),
		   "thread %s ends with preemption disabled %u times, interrupts %s", thread->name,
		   host_preempt_count, irqs_disabled() ? "off" : "on");
	host_cpu_give();
	return NULL;
}

struct os_thread *os_thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg)
{
	struct os_thread *thread;

	check_may_sleep(os_call_site());
	me_on_a_cpu();
	ASSERT_MSG(cpu < MAX_CPUS, "thread %s for CPU %u", name, cpu);
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread_init(thread, name, cpu);
	thread->fn = fn;
	thread->arg = arg;
	host_count_thread();
	if (pthread_create(&thread->pthread, NULL, run_thread, thread) != 0) {
		free(thread);
		return NULL;
	}
	return thread;
}

void os_thread_join(struct os_thread *thread)
{
	struct os_thread *joiner = me_on_a_cpu();

	check_may_sleep(os_call_site());
	host_cpu_give();
	pthread_join(thread->pthread, NULL);
	host_cpu_take(&joiner->task);
	free(thread);
}

int os_run_on_cpu(u32 cpu, void (*fn)(void *arg), void *arg)
{
	if (cpu >= MIN(numa_topology()->nr_cpus, (u32)MAX_CPUS))
		return -ENODEV;
	me_on_a_cpu();
	host_interrupt(cpu, fn, arg);
	return 0;
}
