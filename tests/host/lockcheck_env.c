/* The lock checker on the host: a context for each thread, since several may play one CPU. */
#include <arch/preempt.h>

#include "kernel/lockcheck_internal.h"

static _Thread_local struct lockcheck_context context;

struct lockcheck_context *lockcheck_context(void)
{
	return &context;
}

bool lockcheck_in_interrupt(void)
{
	return host_in_interrupt;
}

const void *lockcheck_thread(void)
{
	return &context;
}

void lockcheck_show_life(void)
{
}
