/*
 * The scheduler: which thread a CPU runs.
 *
 * A thread is bound to its CPU, so each CPU decides alone: it has a run queue, takes the first of it,
 * lets it run for a tick, puts it at the end. Nothing is stolen or balanced; whoever starts a
 * thread says where. What is not there cannot be wrong in the midst of a page allocation, and this
 * kernel's subject is memory.
 *
 * When a CPU changes threads:
 *
 *	the running one sleeps, ends or yields        reschedule(), at once
 *	its tick is over and another is runnable      \  preempt_count loses its top bit ("wanted"):
 *	one is woken while the CPU is idle            /  at the end of the interrupt, or when the
 *	                                                 outermost preempt_enable() makes it zero
 *
 * The lock of the run queue is held across the switch: taken by the thread that leaves, released
 * by the one that comes (finish_switch()). So nobody sees a state between: a thread that is not RUNNING
 * is off its stack. A CPU that is idle is told of a thread that has become runnable by an interrupt.
 *
 *	thread A                            thread B
 *	lock, state = SLEEPING
 *	switch_stacks()  ----------------->  comes back from its own switch_stacks()
 *	                                     unlock
 *
 * Sleeping and waking. Who is to be woken makes that known first (a place on a wait queue), then looks
 * whether there is a reason to sleep, then sleeps. A wake that comes in between finds it running, and
 * leaves wake_pending: the sleep returns at once. So no wake is lost, and every sleeper looks again
 * when it comes back, since it may be for no reason.
 *
 * A thread's end: DEAD, and whoever comes after it on the CPU tells the joiner, since the stack is then
 * no longer in use.
 *
 * Deadlines are looked at by the tick: a sleep lasts up to a tick longer.
 *
 * Lock order: a wait queue's lock, then a run queue's; never two run queues. Interrupts are off while
 * one is held, as the tick and wakes from interrupts take it.
 *
 * Source: the hand-over of the lock is that of xv6 (Cox, Kaashoek, Morris), the count with the inverted bit
 * Linux's on x86.
 */
#include "sched_internal.h"

#include <arch/irq.h>
#include <arch/preempt.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/format.h>
#include <kernel/lockcheck.h>
#include <kernel/panic.h>
#include <mm/gfp.h>
#include <mm/os.h>
#include <mm/trace.h>
#include <x86/smp.h>
#include <x86/switch.h>
#include <x86/time.h>

static struct run_queue *this_run_queue(void)
{
	return this_cpu()->run_queue;
}

/* --- The queue ------------------------------------------------------------------------------- */

/* Its lock is held. An idle CPU does not look by itself. */
static void make_runnable(struct run_queue *rq, struct thread *thread)
{
	thread->state = THREAD_RUNNABLE;
	list_add_tail(&thread->run_link, &rq->runnable);
	rq->nr_runnable++;
	if (rq->current == rq->idle)
		smp_send_reschedule(thread->cpu);
}

/* Who comes next. The one that runs goes to the end, if it still wants to run. */
static struct thread *choose(struct run_queue *rq)
{
	struct thread *current = rq->current, *next;

	if (current->state == THREAD_RUNNING) {
		if (rq->nr_runnable == 0)
			return current;
		current->state = THREAD_RUNNABLE;
		if (!current->idle) {
			list_add_tail(&current->run_link, &rq->runnable);
			rq->nr_runnable++;
		}
	}
	if (rq->nr_runnable == 0)
		return rq->idle;
	next = list_first_entry(&rq->runnable, struct thread, run_link);
	list_del(&next->run_link);
	rq->nr_runnable--;
	return next;
}

/* --- The switch ------------------------------------------------------------------------------ */

static void finish_switch(struct run_queue *rq)
{
	struct thread *previous = rq->previous;
	bool ended = previous->state == THREAD_DEAD;

	spin_unlock(&rq->lock);
	if (ended)
		complete(&previous->exited);
}

void sched_finish_switch(void)
{
	finish_switch(this_run_queue());
}

static void check_canary(const struct thread *thread)
{
	if (*thread->canary != THREAD_CANARY)
		panic("thread '%s' has used up its stack: the word at its lower end is 0x%llx",
		      thread->name, (unsigned long long)*thread->canary);
}

/* What its CPU's word is while it runs: this_task_may_hit(). */
static u32 hit_bound(const struct thread *thread)
{
	return load_relaxed(&thread->task.limited) ? 0 : GFP_HIT_END;
}

/*
 * To whoever is to run now, and back. Interrupts off, the lock held; released on return. The state of
 * the running thread says what becomes of it.
 */
static void reschedule(struct run_queue *rq)
{
	struct thread *previous = rq->current, *next = choose(rq);
	u64 now = arch_timestamp();

	preempt_unwant();
	previous->ran_ticks += now - rq->switched_at;
	rq->switched_at = now;
	check_canary(previous);
	if (next == previous) {
		spin_unlock(&rq->lock);
		return;
	}
	next->state = THREAD_RUNNING;
	next->runs++;
	rq->nr_switches++;
	rq->current = next;
	rq->previous = previous;
	trace(TRACE_SCHED_SWITCH, .id = next->id, .arg = previous->id);
	/* Relaxed: a panic on another CPU may look; nobody else's business. */
	store_relaxed(&this_cpu()->current, next);
	store_relaxed(&this_cpu()->hit_bound, hit_bound(next));
	switch_stacks(&previous->stack_pointer, next->stack_pointer);
	/* Somebody has switched back: it is `previous` that runs, on the same CPU as ever. */
	finish_switch(rq);
}

/* Under the lock that a switch is made under: the CPU's word is then of whoever runs there. */
void sched_limits_changed(struct thread *thread)
{
	struct run_queue *rq = run_queue_of(thread->cpu);
	unsigned long flags = spin_lock_irqsave(&rq->lock);

	if (rq->current == thread)
		store_relaxed(&cpu_area(thread->cpu)->hit_bound, hit_bound(thread));
	spin_unlock_irqrestore(&rq->lock, flags);
}

void thread_yield(void)
{
	unsigned long flags;
	struct run_queue *rq;

	might_sleep();
	flags = irq_save();
	rq = this_run_queue();
	spin_lock(&rq->lock);
	reschedule(rq);
	irq_restore(flags);
}

_Noreturn void sched_exit(void)
{
	struct run_queue *rq;

	irq_save();
	rq = this_run_queue();
	spin_lock(&rq->lock);
	rq->current->state = THREAD_DEAD;
	reschedule(rq);
	panic("thread '%s' was dead, and runs", thread_current()->name);
}

/* --- Preemption ------------------------------------------------------------------------------- */

/*
 * At the end of an interrupt; see arch/x86_64/irq.c for when. Who comes back finishes the switch to
 * it, and may wake somebody by that, who joins the thread that has ended. For the idle thread there is
 * no other occasion: it would halt, and the woken one wait for the next tick.
 */
void preempt_schedule_irq(void)
{
	struct run_queue *rq = this_run_queue();

	do {
		spin_lock(&rq->lock);
		reschedule(rq);
	} while (preempt_is_due());
}

/* From preempt_enable(). Where a switch is not possible it stays wanted. */
void preempt_schedule(void)
{
	unsigned long flags;

	if (irqs_disabled() || in_interrupt())
		return;
	flags = irq_save();
	preempt_schedule_irq();
	irq_restore(flags);
}

/* --- Sleeping and waking ---------------------------------------------------------------------- */

/* Sorted, so that the tick looks at those only whose time has come. */
static void add_sleeper(struct run_queue *rq, struct thread *thread, u64 deadline_ns)
{
	struct list_head *before = rq->sleepers.prev;

	thread->deadline_ns = deadline_ns;
	if (!deadline_ns)
		return;
	while (before != &rq->sleepers &&
	       list_entry(before, struct thread, sleep_link)->deadline_ns > deadline_ns)
		before = before->prev;
	list_add(&thread->sleep_link, before);
}

static void end_sleep(struct run_queue *rq, struct thread *thread)
{
	if (thread->deadline_ns)
		list_del(&thread->sleep_link);
	thread->deadline_ns = 0;
	trace(TRACE_SCHED_WAKE, .id = thread->id, .arg = thread->cpu,
	      .call_site = thread->wait_site);
	make_runnable(rq, thread);
}

void sched_sleep(u64 deadline_ns, uintptr_t site)
{
	unsigned long flags = irq_save();
	struct run_queue *rq = this_run_queue();
	struct thread *thread;

	spin_lock(&rq->lock);
	thread = rq->current;
	if (thread->wake_pending) {
		thread->wake_pending = false;
		spin_unlock(&rq->lock);
	} else {
		thread->state = THREAD_SLEEPING;
		thread->wait_site = site;
		add_sleeper(rq, thread, deadline_ns);
		reschedule(rq);
	}
	irq_restore(flags);
}

void sched_wake(struct thread *thread)
{
	struct run_queue *rq = run_queue_of(thread->cpu);
	unsigned long flags = spin_lock_irqsave(&rq->lock);

	if (thread->state == THREAD_SLEEPING)
		end_sleep(rq, thread);
	else
		thread->wake_pending = true;
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_start(struct thread *thread)
{
	struct run_queue *rq = run_queue_of(thread->cpu);
	unsigned long flags = spin_lock_irqsave(&rq->lock);

	make_runnable(rq, thread);
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_tick(void)
{
	struct run_queue *rq = this_run_queue();
	u64 now_ns = time_since_entry_ns();

	spin_lock(&rq->lock);
	while (!list_empty(&rq->sleepers)) {
		struct thread *first = list_first_entry(&rq->sleepers, struct thread, sleep_link);

		if (first->deadline_ns > now_ns)
			break;
		end_sleep(rq, first);
	}
	if (rq->nr_runnable > 0)
		preempt_want();
	spin_unlock(&rq->lock);
}

void thread_sleep_ns(u64 ns)
{
	uintptr_t site = os_call_site();
	u64 now_ns = time_since_entry_ns(), deadline_ns = now_ns + ns;

	sched_might_sleep(site);
	if (deadline_ns < now_ns)
		deadline_ns = ~(u64)0;
	while (time_since_entry_ns() < deadline_ns)
		sched_sleep(deadline_ns, site);
}

/* --- Where one may not ------------------------------------------------------------------------ */

void sched_might_sleep(uintptr_t site)
{
	const struct thread *thread = thread_current();
	char why[64] = "", caller[OS_CALLER_BYTES];

	lockcheck_may_sleep(site); /* knows which lock is held */
	if (likely(preemptible() && thread && !thread->idle))
		return;
	if (in_interrupt())
		snprintf(why, sizeof(why), "in an interrupt");
	else if (irqs_disabled())
		snprintf(why, sizeof(why), "interrupts are off");
	else if (preempt_depth() > 0)
		snprintf(why, sizeof(why), "preemption is disabled, %u deep", preempt_depth());
	else
		snprintf(why, sizeof(why), thread ? "the idle thread" : "there are no threads yet");
	os_describe_caller(site, caller, sizeof(caller));
	panic("may sleep at %s, but must not: %s", caller, why);
}

void might_sleep(void)
{
	sched_might_sleep(os_call_site());
}
