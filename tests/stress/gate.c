/*
 * Threads that begin together.
 *
 *	main      start  start  start  gate_await(3) ....... gate_open()
 *	thread      gate_pass() ................................|  work
 *	thread             gate_pass() .........................|  work
 *	thread                    gate_pass() ..................|  work
 *
 * Whoever comes when others are at work already may find no memory for a stack, or nobody left to meet. All sleep
 * meanwhile, in bounds: a thread that cannot be started keeps nobody for ever.
 *
 * The gate must outlive its threads: who opens it joins them.
 */
#include "gate.h"

#include <base/atomic.h>

#define GATE_NS 120000000000ull /* for 64 CPUs on two of a busy host */

void gate_init(struct gate *gate)
{
	*gate = (struct gate){.open = false};
	os_wait_queue_init(&gate->threads, "gate");
	os_wait_queue_init(&gate->opener, "gate opener");
}

static bool all_are_here(void *arg)
{
	const struct gate *gate = arg;

	/* Relaxed: counts heads. */
	return load_relaxed(&gate->nr_here) >= gate->nr_awaited;
}

static bool is_open(void *arg)
{
	/* Acquire: pairs with gate_open(). */
	return load_acquire(&((struct gate *)arg)->open);
}

bool gate_await(struct gate *gate, u32 nr_threads)
{
	gate->nr_awaited = nr_threads;
	return os_wait(&gate->opener, all_are_here, gate, GATE_NS);
}

void gate_open(struct gate *gate)
{
	/* Release: who passes sees what was made ready. */
	store_release(&gate->open, true);
	os_wake_all(&gate->threads);
}

bool gate_pass(struct gate *gate)
{
	/* Relaxed: counts heads. */
	__atomic_fetch_add(&gate->nr_here, 1, __ATOMIC_RELAXED);
	os_wake_all(&gate->opener);
	if (os_wait(&gate->threads, is_open, gate, GATE_NS))
		return true;
	/* Relaxed: read when this thread was joined. */
	__atomic_fetch_add(&gate->nr_late, 1, __ATOMIC_RELAXED);
	return false;
}

u32 gate_nr_late(const struct gate *gate)
{
	return gate->nr_late;
}
