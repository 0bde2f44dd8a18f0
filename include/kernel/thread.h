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
 *   THREAD-2  each CPU has exactly one RUNNING thread, its current one; its idle thread is on no queue
 *   THREAD-3  a SLEEPING thread with a deadline is on its CPU's list of sleepers, which is sorted
 *   THREAD-4  the canary at the lower end of each thread's stack stands
 *   THREAD-5  no hit path for a running thread whose cpuset leaves out memory
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

#define THREAD_NAME_BYTES 24

/* The boot CPU's: what runs now becomes its first thread, `main`. Interrupts off. */
void threads_init(void);
/* And then, with interrupts on, what it runs when that sleeps. Before anybody may sleep. */
void threads_start_idle(void);
/* Any other CPU's: what runs now becomes its idle thread. Interrupts off. */
void threads_init_cpu(void);

/* NULL, and a line in the log: no memory, too many threads, no such CPU. May sleep. */
struct thread *thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg);
/* Waits for its end and frees it: each thread but main and the idle ones is joined once. May sleep. */
void thread_join(struct thread *thread);
/* Threads that have ended leave their memory to the next; gives it back to the allocator. May sleep. */
void threads_release_spares(void);
u32 threads_nr_spares(void);
u64 threads_stack_pages(void); /* those of spares, too */
/* As returning from the thread's function. No mutex may be held. */
_Noreturn void thread_exit(void);

/* NULL before there are threads. */
struct thread *thread_current(void);
const char *thread_name(const struct thread *thread);
void thread_yield(void);      /* to those who are runnable; may sleep, as it were */
void thread_sleep_ns(u64 ns); /* at least; a tick is as fine as it gets. May sleep, as it says */

/*
 * Panics, with the caller's site, if this context must not sleep: an interrupt, interrupts or
 * preemption disabled, a spinlock held. In everything that may sleep, also when it does not need to
 * this time.
 */
void might_sleep(void);

/* --- For interrupts and reports -------------------------------------------------------------- */

void sched_tick(void); /* each CPU's timer interrupt: time slice, sleepers */

struct thread_info {
	u32 id, cpu;
	enum thread_state state;
	bool idle;
	char name[THREAD_NAME_BYTES];
	u64 runs, ran_ns;    /* times switched to, time on the CPU */
	uintptr_t wait_site; /* SLEEPING: who called os_wait() */
	u64 deadline_ns;     /* SLEEPING: when it wakes by itself, since entry; 0: never */
	nodemask_t mems_allowed;
	struct mempolicy mempolicy; /* MPOL_LOCAL: none */
};
/* The i-th thread, by id; false past the end. Not in an interrupt. */
bool thread_describe(u32 i, struct thread_info *out);
/* The cpuset of the thread of that id: 0, -ENOENT: there is none, or as task_set_mems_allowed(). Any thread. */
int thread_set_mems_allowed(u32 id, nodemask_t nodes);
/* Marks the thread of that id for a rule of fault injection; false: there is none. Any thread. */
bool thread_mark_fault_rule(u32 id, u32 rule);
const char *thread_state_name(enum thread_state state);

/* For a panic, without locks: who runs on that CPU; whose stack this slot is. NULL: nobody known. */
const char *thread_name_on_cpu(u32 cpu);
const char *thread_name_of_stack(u32 slot);

#endif
