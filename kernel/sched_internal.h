/*
 * Between the files of threads: what a thread and a run queue are. Theory in kernel/sched.c.
 */
#ifndef KERNEL_SCHED_INTERNAL_H
#define KERNEL_SCHED_INTERNAL_H

#include <arch/page.h>
#include <arch/spinlock.h>
#include <base/list.h>
#include <kernel/sync.h>
#include <kernel/thread.h>
#include <x86/cpu_area.h>

struct thread {
	/* constant once it is started */
	u32 id, cpu;
	char name[THREAD_NAME_BYTES];
	bool idle;
	void (*fn)(void *arg);
	void *arg;
	u64 *canary; /* the lowest word of its stack */
	/* Its memory, which outlives it. Of main and the other CPUs' idle threads, which have none: 0. */
	int nid;
	struct page *stack;
	u32 stack_slot; /* of the stack window */
	uintptr_t stack_top;

	/* guarded by its run queue's lock */
	enum thread_state state;
	bool wake_pending;           /* woken while it did not sleep: the next sleep is none */
	struct list_head run_link;   /* RUNNABLE: in run_queue.runnable */
	struct list_head sleep_link; /* SLEEPING with a deadline: in run_queue.sleepers */
	u64 deadline_ns;             /* 0: none */
	uintptr_t wait_site;
	u64 runs, ran_ticks;
	uintptr_t stack_pointer; /* while it does not run */

	/* its own */
	struct os_task task;
	u32 nr_mutexes; /* that it holds */

	struct completion exited;  /* it is off its stack for good */
	struct list_head all_link; /* guarded by the list's lock (thread.c) */
};

/*
 * A CPU's. It lies in the page of the CPU's area, so on the CPU's own node.
 */
struct run_queue {
	struct spinlock
		lock; /* taken in interrupts; across a switch held by both threads in turn */
	struct list_head runnable; /* first come, first served */
	u32 nr_runnable;
	struct list_head sleepers; /* with a deadline, the earliest first */
	struct thread *current, *idle;
	struct thread *previous; /* between two threads: who has just been left */
	u64 switched_at;         /* arch_timestamp() */
	u64 nr_switches;
	struct thread first; /* what the CPU began with: main, or its idle thread */
};
_Static_assert(sizeof(struct run_queue) <= CPU_AREA_KERNEL_BYTES, "there is room for it");

#define THREAD_CANARY 0x7468726561642e2eull /* "thread.." */

/* --- sched.c ----------------------------------------------------------------------------------- */

static inline struct run_queue *run_queue_of(u32 cpu)
{
	return cpu_area(cpu)->run_queue;
}

/* A thread that has never run becomes RUNNABLE. */
void sched_start(struct thread *thread);
/* Sleeps until woken, or `deadline_ns` since entry (0: never); also for no reason. */
void sched_sleep(u64 deadline_ns, uintptr_t site);
/* Any context. Under the lock of a wait queue, as a rule, which keeps the thread from going away. */
void sched_wake(struct thread *thread);
/* thread->task.limited has changed. Any context. */
void sched_limits_changed(struct thread *thread);
_Noreturn void sched_exit(void);
/* The first thing a new thread does: it comes from nowhere, so it ends the switch itself. */
void sched_finish_switch(void);
void sched_might_sleep(uintptr_t site);

/* --- thread.c ---------------------------------------------------------------------------------- */

/* The list of all, in order of id: stands still while it is locked. Not in an interrupt. */
void threads_lock(void);
bool threads_trylock(void);
void threads_unlock(void);
const struct thread *
thread_next(const struct thread *thread); /* of NULL: the first; NULL: no more */
/* Its memory and its place in the stack window, which is not mapped (any more). */
void thread_free(struct thread *thread);

/* --- thread_spares.c --------------------------------------------------------------------------- */

void thread_spares_init(void);
/* NULL: none of that node. All but its memory is cleared. */
struct thread *thread_take_spare(int nid);
/* A thread that is dead and off its stack. May sleep. */
void thread_become_spare(struct thread *thread);

#endif
