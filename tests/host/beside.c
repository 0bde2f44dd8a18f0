/*
 * A thread beside the CPUs: what happens to a machine from outside while its own threads run.
 *
 * It has no CPU, so what it does itself is an onlooker's. As a timer it goes from CPU to CPU and interrupts each:
 * what runs there stands still meanwhile, at a place where interrupts are enabled (cpus.c).
 */
#include "host.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <mm/os.h>
#include <pthread.h>
#include <unistd.h>

static struct {
	pthread_t thread;
	void (*step)(void *arg);
	void *arg;
	bool ends, ended; /* atomic */
} beside;

static struct {
	u32 nr_cpus, period_us, cpu;
	void (*fn)(void *arg);
} timer;

static void *run(void *arg)
{
	(void)arg;
	/* Relaxed, here and below: only when to end; who joins has the rest by that. */
	while (!load_relaxed(&beside.ends))
		beside.step(beside.arg);
	store_relaxed(&beside.ended, true);
	return NULL;
}

void host_beside_begin(void (*step)(void *arg), void *arg)
{
	beside.step = step;
	beside.arg = arg;
	beside.ends = beside.ended = false;
	host_count_thread();
	if (pthread_create(&beside.thread, NULL, run, NULL) != 0)
		os_panic("no thread");
}

void host_beside_end(void)
{
	store_relaxed(&beside.ends, true);
	/* Its last interrupt may be waiting for this very CPU. */
	while (!load_relaxed(&beside.ended))
		cpu_relax();
	pthread_join(beside.thread, NULL);
}

static void interrupt_next(void *arg)
{
	host_interrupt(timer.cpu, timer.fn, arg);
	timer.cpu = (timer.cpu + 1) % timer.nr_cpus;
	usleep(timer.period_us);
}

void host_timer_begin(u32 nr_cpus, u32 period_us, void (*fn)(void *arg), void *arg)
{
	timer.nr_cpus = nr_cpus;
	timer.period_us = period_us;
	timer.cpu = 0;
	timer.fn = fn;
	host_beside_begin(interrupt_next, arg);
}
