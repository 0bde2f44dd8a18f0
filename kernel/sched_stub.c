/*
 * In place of a scheduler: what interrupts and the start of a CPU ask of one. Nothing runs but what
 * each CPU began with.
 */
#include <arch/preempt.h>
#include <kernel/thread.h>

void threads_init(void)
{
}

void threads_init_cpu(void)
{
}

void sched_tick(void)
{
}

void preempt_schedule(void)
{
}

void preempt_schedule_irq(void)
{
}

bool thread_describe(u32 i, struct thread_info *out)
{
	(void)i;
	(void)out;
	return false;
}
