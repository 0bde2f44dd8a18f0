/*
 * Locks that sleep, and completions: over the wait queues of <mm/os_task.h>. See kernel/sync.c.
 */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include <mm/os_task.h>

struct thread;

struct mutex {
	struct thread *owner; /* atomic; NULL: free. Set by who takes it, cleared by who has it */
	const char *name;
	struct os_wait_queue queue;
};
void mutex_init(struct mutex *mutex, const char *name);
void mutex_lock(struct mutex *mutex);    /* may sleep */
bool mutex_trylock(struct mutex *mutex); /* never sleeps; by a thread */
void mutex_unlock(struct mutex *mutex);  /* by the owner only */

/* Something happened, once or so many times: each time lets one waiter go on. */
struct completion {
	u32 done; /* guarded by queue.lock */
	struct os_wait_queue queue;
};
void completion_init(struct completion *completion, const char *name);
/* Any context. The waiter may free the completion as soon as it has seen it: nothing is touched after. */
void complete(struct completion *completion);
/* False: the time was over before. May sleep. */
bool wait_for_completion(struct completion *completion, u64 timeout_ns);

#endif
