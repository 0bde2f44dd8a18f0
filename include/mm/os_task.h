/*
 * Seam 2, second part: who is running, sleeping and waking, threads.
 *
 * A request asks who makes it, and waits where it may. A kernel without threads has one task that can
 * never sleep (examples/minimal/port.c). kernel/sched*.c implements it for ours, tests/host/threads.c
 * with pthreads, where a thread plays a CPU.
 */
#ifndef MM_OS_TASK_H
#define MM_OS_TASK_H

#include <arch/spinlock.h>
#include <base/atomic.h>
#include <base/list.h>
#include <base/types.h>
#include <mm/numa.h>

/* Linux's flags of a task; its own task alone writes them. */
#define PF_MEMALLOC 0x0800u /* it frees memory: may use the whole reserve */
#define PF_KSWAPD   0x20000u

enum mempolicy_mode {
	MPOL_LOCAL,      /* the CPU's node first: as without a policy */
	MPOL_PREFERRED,  /* that node first, then by distance from it */
	MPOL_BIND,       /* these nodes and no other */
	MPOL_INTERLEAVE, /* these in turn, a request each; any other if that one has none */
	NR_MEMPOLICY_MODES
};

/* <mm/mempolicy.h> says what it is for. */
struct mempolicy {
	enum mempolicy_mode mode;
	nodemask_t nodes; /* PREFERRED: one of them; LOCAL: none */
};

/* What of a task concerns memory: part of the kernel's own structure. */
struct os_task {
	u32 flags;               /* PF_*; its own task alone writes them */
	nodemask_t mems_allowed; /* its cpuset: one word, written by any task */
	u32 mems_generation;     /* atomic: counts the changes of the cpuset */
	u32 mems_changing;       /* atomic: changes under way */
	bool has_mempolicy;      /* its own; else it is as one of MPOL_LOCAL: */
	struct mempolicy mempolicy;
	u32 interleave_from; /* its own: the next interleaved request looks from here */
	u32 fault_rule;      /* atomic, relaxed: whose mark it has; fault_inject.h */
	bool limited;        /* any of these is not as a new task has it */
	bool oom_victim;     /* atomic: chosen to end, by mm/oom.c (Linux: TIF_MEMDIE) */
};

/* Then it may go lower, and leave its cpuset. Relaxed: who has not seen it yet asks once more. */
static inline bool task_is_oom_victim(const struct os_task *task)
{
	return load_relaxed(&task->oom_victim);
}

/* The task of the running thread; in an interrupt that of the interrupted one. Never NULL. */
struct os_task *os_current(void);
/* What people call it; for as long as it runs. */
const char *os_current_name(void);
bool os_in_interrupt(void);
/* task->limited is new: this_task_may_hit() must say so where the task runs. Any context. */
void os_limits_changed(struct os_task *task);
/* May this context sleep: a thread, preemptible, interrupts on? */
bool os_may_sleep(void);

/*
 * Sleeping until something is true.
 *
 *	waiter                                   waker
 *	os_wait(&q, is_ready, arg, timeout)      change what is_ready() looks at; os_wake_all(&q)
 *
 * The waiter puts itself on the queue before each look, so a wake between look and sleep is not
 * lost. The change must be visible before the wake: the queue's lock, taken by both, sees to it.
 */
struct os_wait_queue {
	struct spinlock lock;
	struct list_head waiters; /* guarded by lock */
};

#define OS_WAIT_FOREVER (~(u64)0)

void os_wait_queue_init(struct os_wait_queue *queue, const char *name);
/*
 * Sleeps until ready(arg) is true or the time is over; ready() is called without locks, must not
 * sleep, and may be called any number of times until it is true, but not after: some take what they waited
 * for. Returns its last answer. May sleep: anywhere else it is reported as a bug, with the call site. timeout_ns 0
 * only looks.
 */
bool os_wait(struct os_wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 timeout_ns);
/* Any context, also interrupts; not under a zone or list lock. The number woken. */
u32 os_wake_all(struct os_wait_queue *queue);
u32 os_wake_one(struct os_wait_queue *queue);

/* A thread on this CPU (a number that is online); NULL if there is no memory. May sleep. */
struct os_thread;
struct os_thread *os_thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg);
/* Waits for its end and frees it. May sleep. */
void os_thread_join(struct os_thread *thread);

/*
 * Runs fn on that CPU, in interrupt context there (on the caller's own: a call with interrupts off), and
 * returns when it is done: 0, or -ENODEV if there is no such CPU. Interrupts on.
 */
int os_run_on_cpu(u32 cpu, void (*fn)(void *arg), void *arg);

#endif
