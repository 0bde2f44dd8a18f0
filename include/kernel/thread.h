/*
 * Kernel threads: preemptive, bound to a CPU for life, round robin.
 *
 *	                 thread_start()
 *	                       |
 *	                       v      switched to
 *	   woken, or      RUNNABLE <---------------> RUNNING
 *	   time over   /            preempted, yields   |   \
 *	              /                                 |    \ thread_exit()
 *	        SLEEPING <------------------------------+     v
 *	                     os_wait(), thread_sleep_ns()    DEAD --> freed by thread_join()
 *
 * Invariants (check: THREAD-*), all under the run queue's lock:
 *   THREAD-1  a RUNNABLE thread is on its CPU's run queue exactly once, any other on none
 *   THREAD-2  each CPU has exactly one RUNNING thread, its current one; the idle thread is on no queue
 *   THREAD-3  a SLEEPING thread with a deadline is on its CPU's timer list, which is sorted
 *   THREAD-4  the canary at the lower end of each thread's stack stands
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <base/types.h>
#include <mm/os_task.h>

struct thread;

enum thread_state {
	THREAD_RUNNABLE,
	THREAD_RUNNING,
	THREAD_SLEEPING,
	THREAD_DEAD,
	NR_THREAD_STATES
};

/* The boot CPU's: makes what runs now its first thread, `main`, and starts the idle thread. */
void threads_init(void);
/* Any other CPU's: what runs now becomes its idle thread. */
void threads_init_cpu(void);

/* NULL: no memory, no stack slot, no such CPU. May sleep. The caller joins it, or detaches it. */
struct thread *thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg);
void thread_detach(struct thread *thread); /* nobody will join: it frees itself */
void thread_join(struct thread *thread);   /* may sleep */
_Noreturn void thread_exit(void);

struct thread *thread_current(void);
const char *thread_name(const struct thread *thread);
void thread_yield(void);
void thread_sleep_ns(u64 ns); /* at least; may sleep, as it says */

/*
 * Reports, with the caller's site, if this context must not sleep. In everything that may sleep,
 * also when it does not need to this time.
 */
void might_sleep(void);

/* --- For interrupts ------------------------------------------------------------------------ */

void sched_tick(void); /* each CPU's timer interrupt: time slice, sleepers */

struct thread_info {
	u32 id, cpu;
	enum thread_state state;
	bool idle;
	char name[24];
	u64 runs, ran_ns;    /* times switched to, time on the CPU */
	uintptr_t wait_site; /* SLEEPING: who called os_wait() */
	u64 deadline_ns;     /* SLEEPING: when it wakes by itself, 0: never */
};
/* The i-th thread by id; false past the end. */
bool thread_describe(u32 i, struct thread_info *out);

#endif
