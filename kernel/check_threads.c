/*
 * Executing the invariants of threads, THREAD-* of <kernel/thread.h>.
 *
 * The list of all threads stands still, and each CPU's run queue is locked while its threads are
 * compared with it, so what is compared is of one moment. What is found is printed under these
 * locks, which is allowed under any.
 */
#include <arch/cpu.h>
#include <base/list.h>
#include <x86/smp.h>

#include "check_internal.h"
#include "sched_internal.h"

/* The CPU's next thread, in the list of all. */
static const struct thread *next_of(const struct run_queue *rq, const struct thread *thread)
{
	do {
		thread = thread_next(thread);
	} while (thread && thread->cpu != rq->current->cpu);
	return thread;
}

/* How many of the CPU's threads are in that state, the idle one left out. */
static u32 nr_in_state(const struct run_queue *rq, enum thread_state state, bool with_deadline)
{
	const struct thread *thread = NULL;
	u32 nr = 0;

	while ((thread = next_of(rq, thread)))
		nr += thread->state == state && !thread->idle &&
		      (!with_deadline || thread->deadline_ns);
	return nr;
}

/* Calls fn for each CPU, its run queue and the list of threads locked. */
static void for_each_run_queue(struct check_run *run,
			       void (*fn)(struct check_run *run, u32 cpu, struct run_queue *rq))
{
	u32 cpu;

	threads_lock();
	for_each_online_cpu(cpu) {
		struct run_queue *rq = run_queue_of(cpu);
		unsigned long flags = spin_lock_irqsave(&rq->lock);

		check_item(run);
		fn(run, cpu, rq);
		spin_unlock_irqrestore(&rq->lock, flags);
	}
	threads_unlock();
}

/* As many on the queue as there are: then none is there twice, and none is missing. */
static void check_queue(struct check_run *run, u32 cpu, struct run_queue *rq)
{
	u32 runnable = nr_in_state(rq, THREAD_RUNNABLE, false), queued = 0;
	const struct thread *thread;

	list_for_each_entry(thread, &rq->runnable, run_link) {
		if (thread->state != THREAD_RUNNABLE || thread->cpu != cpu || thread->idle)
			check_broken(run, "CPU %u: '%s' of CPU %u, %s, is on the queue", cpu,
				     thread->name, thread->cpu, thread_state_name(thread->state));
		if (++queued > runnable)
			break;
	}
	if (queued != runnable || rq->nr_runnable != runnable)
		check_broken(run, "CPU %u: %u runnable, %u of them on a queue that counts %u", cpu,
			     runnable, queued, rq->nr_runnable);
}

static void check_running(struct check_run *run, u32 cpu, struct run_queue *rq)
{
	const struct thread *thread = NULL;
	u32 running = 0;

	while ((thread = next_of(rq, thread)))
		running += thread->state == THREAD_RUNNING;
	if (running != 1 || rq->current->state != THREAD_RUNNING ||
	    cpu_area(cpu)->current != rq->current)
		check_broken(run, "CPU %u: %u threads run; '%s' is current, %s", cpu, running,
			     rq->current->name, thread_state_name(rq->current->state));
	if (!rq->idle || !rq->idle->idle ||
	    rq->idle->state != (rq->current == rq->idle ? THREAD_RUNNING : THREAD_RUNNABLE))
		check_broken(run, "CPU %u: its idle thread is not what it should be", cpu);
}

static void check_sleepers(struct check_run *run, u32 cpu, struct run_queue *rq)
{
	u32 sleeping = nr_in_state(rq, THREAD_SLEEPING, true), listed = 0;
	const struct thread *thread;
	u64 before_ns = 0;

	list_for_each_entry(thread, &rq->sleepers, sleep_link) {
		if (thread->state != THREAD_SLEEPING || thread->deadline_ns < before_ns)
			check_broken(run, "CPU %u: '%s', %s, until %llu, comes after %llu", cpu,
				     thread->name, thread_state_name(thread->state),
				     (unsigned long long)thread->deadline_ns,
				     (unsigned long long)before_ns);
		before_ns = thread->deadline_ns;
		if (++listed > sleeping)
			break;
	}
	if (listed != sleeping)
		check_broken(run, "CPU %u: %u sleep with a deadline, %u of them in the list", cpu,
			     sleeping, listed);
}

static void check_canaries(struct check_run *run, u32 cpu, struct run_queue *rq)
{
	const struct thread *thread = NULL;

	while ((thread = next_of(rq, thread))) {
		check_item(run);
		if (*thread->canary != THREAD_CANARY)
			check_broken(run, "CPU %u: '%s': 0x%llx at the lower end of its stack", cpu,
				     thread->name, (unsigned long long)*thread->canary);
	}
}

/*
 * While somebody changes the cpuset the word may be of either; so the one who runs is passed over then.
 * The other way round, a word that is 0 for nothing, costs only time.
 */
static void check_limits(struct check_run *run, u32 cpu, struct run_queue *rq)
{
	const struct os_task *task = &rq->current->task;
	u32 generation = load_acquire(&task->mems_generation);
	nodemask_t memory = node_memory_mask(),
		   left_out = memory & ~load_relaxed(&task->mems_allowed);
	bool open = !load_acquire(&task->limited) || load_acquire(&cpu_area(cpu)->hit_bound);

	/* Acquire, in this order: a change that began before the words were read is seen here. */
	if (load_acquire(&task->mems_changing) ||
	    load_relaxed(&task->mems_generation) != generation)
		return;
	if (left_out && open)
		check_broken(run, "CPU %u: '%s' may not use nodes 0x%llx, and its hit path is open",
			     cpu, rq->current->name, (unsigned long long)left_out);
}

static void check_all_queues(struct check_run *run)
{
	for_each_run_queue(run, check_queue);
}

static void check_all_running(struct check_run *run)
{
	for_each_run_queue(run, check_running);
}

static void check_all_sleepers(struct check_run *run)
{
	for_each_run_queue(run, check_sleepers);
}

static void check_all_canaries(struct check_run *run)
{
	for_each_run_queue(run, check_canaries);
}

static void check_all_limits(struct check_run *run)
{
	for_each_run_queue(run, check_limits);
}

const struct kernel_invariant thread_invariants[] = {
	{"THREAD-1", "a runnable thread is on its CPU's queue once, any other on none",
	 check_all_queues},
	{"THREAD-2", "each CPU has one running thread, its current one, and an idle one",
	 check_all_running},
	{"THREAD-3", "who sleeps with a deadline is in its CPU's list, the earliest first",
	 check_all_sleepers},
	{"THREAD-4", "the word at the lower end of each thread's stack stands", check_all_canaries},
	{"THREAD-5", "no hit path for a running thread whose cpuset leaves out memory",
	 check_all_limits},
	{NULL, NULL, NULL},
};
