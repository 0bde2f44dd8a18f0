/*
 * Waiting: queues of threads that wait for something, and what is made of them.
 *
 * A wait queue knows who waits, not for what: that is the waiter's ready(), which it asks again
 * whenever it is woken, since somebody else may have been faster, or the wake was for another reason.
 *
 *	os_wait(): on the queue -> ready()? --yes--> off the queue, done
 *	               ^              | no
 *	               |              v
 *	               +-- woken -- sleep         a wake between the look and the sleep ends the sleep
 *
 * A waker takes the waiters off the queue and wakes them under the queue's lock; the waiter takes
 * that lock before it returns, so it and what it has on its stack are there as long as a waker may
 * look at them.
 *
 * os_wake_one() is for what only one can have and whoever has it wakes the next: a mutex. A waiter may
 * be woken when it has found by itself what it waited for, and then the wake is used up; so where that
 * would leave another one asleep, wake all.
 *
 * A mutex is free or has an owner, in one word that is changed by compare-and-exchange: taking sees
 * (acquire) what the last owner did before giving it up (release). The woken do not get it, they try for it:
 * whoever comes by may be faster, which costs nobody a switch. Not for interrupts.
 *
 * Lock order: a wait queue's lock, then run queues.
 */
#include <kernel/sync.h>

#include <base/assert.h>
#include <base/atomic.h>
#include <kernel/lockcheck.h>
#include <mm/os.h>
#include <x86/time.h>

#include "sched_internal.h"

/* --- Wait queues ----------------------------------------------------------------------------- */

struct waiter {
	struct thread *thread;
	/* guarded by the queue's lock */
	struct list_head link;
	bool queued;
};

void os_wait_queue_init(struct os_wait_queue *queue, const char *name)
{
	spin_lock_init(&queue->lock, name);
	list_init(&queue->waiters);
}

static void enqueue(struct os_wait_queue *queue, struct waiter *waiter)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (!waiter->queued)
		list_add_tail(&waiter->link, &queue->waiters);
	waiter->queued = true;
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void dequeue(struct os_wait_queue *queue, struct waiter *waiter)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (waiter->queued)
		list_del(&waiter->link);
	waiter->queued = false;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* `site`: who asked, for people. */
static bool wait_at(struct os_wait_queue *queue, bool (*ready)(void *arg), void *arg,
		    u64 timeout_ns, uintptr_t site)
{
	struct waiter waiter = {.thread = thread_current()};
	u64 now_ns = time_since_entry_ns(), deadline_ns = now_ns + timeout_ns;
	bool done;

	sched_might_sleep(site);
	if (timeout_ns == 0)
		return ready(arg);
	if (deadline_ns < now_ns)
		deadline_ns = 0; /* farther than time goes: never */
	for (;;) {
		enqueue(queue, &waiter);
		done = ready(arg);
		if (done || (deadline_ns && time_since_entry_ns() >= deadline_ns))
			break;
		sched_sleep(deadline_ns, site);
	}
	dequeue(queue, &waiter);
	return done;
}

bool os_wait(struct os_wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 timeout_ns)
{
	return wait_at(queue, ready, arg, timeout_ns, os_call_site());
}

static u32 wake_locked(struct os_wait_queue *queue, u32 most)
{
	u32 nr = 0;

	while (nr < most && !list_empty(&queue->waiters)) {
		struct waiter *waiter = list_first_entry(&queue->waiters, struct waiter, link);

		list_del(&waiter->link);
		waiter->queued = false;
		sched_wake(waiter->thread);
		nr++;
	}
	return nr;
}

static u32 wake(struct os_wait_queue *queue, u32 most)
{
	unsigned long flags = spin_lock_irqsave(&queue->lock);
	u32 nr = wake_locked(queue, most);

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

/* --- Mutexes --------------------------------------------------------------------------------- */

void mutex_init(struct mutex *mutex, const char *name)
{
	mutex->owner = NULL;
	mutex->name = name;
	os_wait_queue_init(&mutex->queue, "mutex queue");
}

static bool try_to_own(void *arg)
{
	struct mutex *mutex = arg;
	struct thread *nobody = NULL;

	/* Relaxed where it fails: then nothing that it guards is looked at. */
	return __atomic_compare_exchange_n(&mutex->owner, &nobody, thread_current(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void mutex_lock(struct mutex *mutex)
{
	struct thread *self = thread_current();
	uintptr_t site = os_call_site();

	sched_might_sleep(site);
	/* Relaxed: only this thread ever writes its own name there. */
	ASSERT_MSG(load_relaxed(&mutex->owner) != self,
		   "thread '%s' waits for mutex '%s', which "
		   "it holds",
		   self->name, mutex->name);
	lockcheck_mutex_lock(mutex, mutex->name, site);
	if (!try_to_own(mutex))
		wait_at(&mutex->queue, try_to_own, mutex, OS_WAIT_FOREVER, site);
	self->nr_mutexes++;
}

bool mutex_trylock(struct mutex *mutex)
{
	if (!try_to_own(mutex))
		return false;
	lockcheck_mutex_trylocked(mutex, mutex->name, os_call_site());
	thread_current()->nr_mutexes++;
	return true;
}

void mutex_unlock(struct mutex *mutex)
{
	struct thread *self = thread_current();
	/* Relaxed: as above. Another's name is for the message. */
	const struct thread *owner = load_relaxed(&mutex->owner);

	ASSERT_MSG(owner == self, "thread '%s' gives up mutex '%s', which %s%s%s", self->name,
		   mutex->name, owner ? "'" : "nobody holds", owner ? owner->name : "",
		   owner ? "' holds" : "");
	lockcheck_mutex_unlock(mutex);
	self->nr_mutexes--;
	store_release(&mutex->owner, NULL);
	/* Whoever waits queued before it looked. It looks again with this lock, or after it. */
	os_wake_one(&mutex->queue);
}

/* --- Completions ------------------------------------------------------------------------------ */

void completion_init(struct completion *completion, const char *name)
{
	completion->done = 0;
	os_wait_queue_init(&completion->queue, name);
}

/* All in one: as soon as the lock is free again, the completion may be gone. */
void complete(struct completion *completion)
{
	unsigned long flags = spin_lock_irqsave(&completion->queue.lock);

	completion->done++;
	wake_locked(&completion->queue, 1);
	spin_unlock_irqrestore(&completion->queue.lock, flags);
}

static bool take_one(void *arg)
{
	struct completion *completion = arg;
	unsigned long flags = spin_lock_irqsave(&completion->queue.lock);
	bool done = completion->done > 0;

	completion->done -= done;
	spin_unlock_irqrestore(&completion->queue.lock, flags);
	return done;
}

/*
 * A wake that came to somebody who had found one by himself, or whose time was just over, is
 * somebody else's.
 */
static void pass_wake_on(struct completion *completion)
{
	unsigned long flags = spin_lock_irqsave(&completion->queue.lock);

	if (completion->done > 0)
		wake_locked(&completion->queue, 1);
	spin_unlock_irqrestore(&completion->queue.lock, flags);
}

bool wait_for_completion(struct completion *completion, u64 timeout_ns)
{
	bool done = wait_at(&completion->queue, take_one, completion, timeout_ns, os_call_site());

	pass_wake_on(completion);
	return done;
}
