/*
 * Locks that sleep, and completions: over the wait queues of <mm/os_task.h>.
 */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include <mm/os_task.h>

struct thread;

struct mutex {
	const struct thread
		*owner; /* atomic: NULL is free; by the holder back to NULL with release */
	struct os_wait_queue queue;
};
void mutex_init(struct mutex *mutex, const char *name);
void mutex_lock(struct mutex *mutex);    /* may sleep */
bool mutex_trylock(struct mutex *mutex); /* never sleeps */
void mutex_unlock(struct mutex *mutex);  /* by the owner only */

/* Something happened, once or so many times. */
struct completion {
	u32 done; /* guarded by queue.lock */
	struct os_wait_queue queue;
};
void completion_init(struct completion *completion, const char *name);
void complete(struct completion *completion);                            /* any context */
bool wait_for_completion(struct completion *completion, u64 timeout_ns); /* may sleep */

#endif
