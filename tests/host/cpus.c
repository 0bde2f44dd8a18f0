/*
 * The host's CPUs: who runs on one, and how interrupts get in.
 *
 * A pthread plays a thread of the kernel, and several may belong to one CPU. What makes them threads of
 * one CPU is its baton: only who has it runs. It goes round in the order of asking, and is given away
 *
 *	asleep       in os_wait() and its like, until woken
 *	preempted    at every SLICE-th end of a stretch with preemption disabled, if somebody waits
 *
 * so a switch comes only where preemption is enabled, which is all that code may rely on. In between
 * nothing is switched: that would take stopping a pthread anywhere.
 *
 * An interrupt is a function that another pthread runs in this CPU's name, with interrupts off. It
 * waits until the CPU is idle or the thread that has the baton comes to a place where it enables
 * interrupts, and that thread stands still meanwhile:
 *
 *	thread of CPU 1     irq_save() ... irq_restore()  | stands still |  goes on
 *	os_run_on_cpu(1)        waits .................... fn(arg) on CPU 1
 *
 * One such place is the end of a refill, in which the CPU's own page list is owned: an interrupt
 * there finds it busy. What happens between two instructions the kernel's own tests show.
 *
 * A pthread that never asked for a baton is a CPU by itself, as long as nobody else plays that number.
 *
 * Lock order: one CPU's mutex at a time, nothing under it.
 */
#define _GNU_SOURCE
#include "host_cpus.h"

#include <arch/preempt.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <pthread.h>
#include <sched.h>

/* Outermost preempt_enable()s between two that give the CPU away. */
#define SLICE 16

/* Guarded by mutex; what is marked as a hint is read without it by the CPU's own thread. */
struct host_cpu_state {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	u32 next, serving;   /* numbers of those who want the baton; hint */
	bool running;        /* a thread has it */
	bool open;           /* and lets interrupts in */
	bool in_irq;         /* one is at work */
	u32 nr_irqs_waiting; /* hint */
	u64 nr_irqs, nr_switches;
	struct os_task *current; /* of the thread that has the baton; NULL: idle */
};

static struct host_cpu_state cpus[MAX_CPUS] = {
	[0 ... MAX_CPUS - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER,
				.changed = PTHREAD_COND_INITIALIZER},
};

_Thread_local u32 host_preempt_count;
_Thread_local bool host_in_interrupt;
/* The CPU whose baton this thread has. */
static _Thread_local struct host_cpu_state *mine;
static _Thread_local u32 slice;

static void lock(struct host_cpu_state *cpu)
{
	pthread_mutex_lock(&cpu->mutex);
}

static void unlock(struct host_cpu_state *cpu)
{
	pthread_mutex_unlock(&cpu->mutex);
}

static void wait_for_change(struct host_cpu_state *cpu)
{
	pthread_cond_wait(&cpu->changed, &cpu->mutex);
}

/* --- The baton ------------------------------------------------------------------------------ */

static void take(struct host_cpu_state *cpu, struct os_task *task)
{
	u32 number = cpu->next;

	/* Relaxed, here and below: who reads it without the mutex takes it for a hint. */
	store_relaxed(&cpu->next, number + 1);
	while (cpu->serving != number || cpu->in_irq)
		wait_for_change(cpu);
	cpu->running = true;
	cpu->current = task;
	cpu->nr_switches++;
}

static void give(struct host_cpu_state *cpu)
{
	cpu->running = false;
	cpu->current = NULL;
	store_relaxed(&cpu->serving, cpu->serving + 1);
	pthread_cond_broadcast(&cpu->changed);
}

void host_cpu_take(struct os_task *task)
{
	ASSERT_MSG(!mine, "this thread runs on CPU %u already", host_cpu);
	ASSERT(host_cpu < MAX_CPUS);
	lock(&cpus[host_cpu]);
	take(&cpus[host_cpu], task);
	unlock(&cpus[host_cpu]);
	mine = &cpus[host_cpu];
}

void host_cpu_give(void)
{
	struct host_cpu_state *cpu = mine;

	ASSERT_MSG(cpu == &cpus[host_cpu], "the thread that runs is not one of CPU %u", host_cpu);
	mine = NULL;
	lock(cpu);
	give(cpu);
	unlock(cpu);
}

bool host_cpu_taken(void)
{
	return mine != NULL;
}

struct os_task *host_cpu_current(u32 cpu)
{
	struct os_task *task;

	lock(&cpus[cpu]);
	task = cpus[cpu].current;
	unlock(&cpus[cpu]);
	return task;
}

u64 host_cpu_switches(u32 cpu)
{
	u64 nr;

	lock(&cpus[cpu]);
	nr = cpus[cpu].nr_switches;
	unlock(&cpus[cpu]);
	return nr;
}

/* --- Interrupts ----------------------------------------------------------------------------- */

/* The thread that has the baton stands still until nobody is at work in its CPU's name. */
static void close_to_interrupts(struct host_cpu_state *cpu)
{
	while (cpu->in_irq)
		wait_for_change(cpu);
	cpu->open = false;
}

static void open_to_interrupts(struct host_cpu_state *cpu)
{
	cpu->open = true;
	pthread_cond_broadcast(&cpu->changed);
}

/* Lets in one at least of those who wait; not all, or a thread might never come to anything. */
static __noinline void let_interrupts_in(struct host_cpu_state *cpu)
{
	u64 before;

	lock(cpu);
	before = cpu->nr_irqs;
	open_to_interrupts(cpu);
	while (cpu->nr_irqs_waiting > 0 && cpu->nr_irqs == before)
		wait_for_change(cpu);
	close_to_interrupts(cpu);
	unlock(cpu);
}

static void begin_interrupt(struct host_cpu_state *cpu)
{
	lock(cpu);
	store_relaxed(&cpu->nr_irqs_waiting, cpu->nr_irqs_waiting + 1);
	while (cpu->in_irq || (cpu->running && !cpu->open))
		wait_for_change(cpu);
	store_relaxed(&cpu->nr_irqs_waiting, cpu->nr_irqs_waiting - 1);
	cpu->in_irq = true;
	cpu->nr_irqs++;
	unlock(cpu);
}

static void end_interrupt(struct host_cpu_state *cpu)
{
	lock(cpu);
	cpu->in_irq = false;
	pthread_cond_broadcast(&cpu->changed);
	unlock(cpu);
}

/* This pthread is that CPU for a moment, and has no other. Interrupts are off. */
static void run_in_interrupt_of(u32 cpu, void (*fn)(void *arg), void *arg)
{
	struct host_cpu_state *mine_before = mine;
	u32 cpu_before = host_cpu;

	mine = NULL;
	host_cpu = cpu;
	host_in_interrupt = true;
	fn(arg);
	host_in_interrupt = false;
	host_cpu = cpu_before;
	mine = mine_before;
}

/*
 * Waits with its own CPU open, so two that interrupt each other are both served. It stays open until
 * the other CPU is done with: else a circle of callers could each wait for the next.
 */
static void interrupt_another(u32 cpu, void (*fn)(void *arg), void *arg)
{
	struct host_cpu_state *target = &cpus[cpu], *home = mine;

	if (home) {
		lock(home);
		open_to_interrupts(home);
		unlock(home);
	}
	begin_interrupt(target);
	run_in_interrupt_of(cpu, fn, arg);
	end_interrupt(target);
	if (home) {
		lock(home);
		close_to_interrupts(home);
		unlock(home);
	}
}

void host_interrupt(u32 cpu, void (*fn)(void *arg), void *arg)
{
	unsigned long flags;

	ASSERT(cpu < MAX_CPUS && !host_in_interrupt && !irqs_disabled());
	flags = irq_save();
	if (mine == &cpus[cpu])
		run_in_interrupt_of(cpu, fn, arg);
	else
		interrupt_another(cpu, fn, arg);
	irq_restore(flags);
}

/* --- Where a thread may lose its CPU -------------------------------------------------------- */

void host_irqs_came_on(void)
{
	if (mine && unlikely(load_relaxed(&mine->nr_irqs_waiting) > 0))
		let_interrupts_in(mine);
}

/* Preemption is enabled, interrupts are on. */
void host_preemption_came_on(void)
{
	struct host_cpu_state *cpu = mine;

	if (!cpu || ++slice % SLICE != 0 ||
	    load_relaxed(&cpu->next) - load_relaxed(&cpu->serving) == 1)
		return;
	lock(cpu);
	if (cpu->next - cpu->serving > 1) {
		struct os_task *task = cpu->current;

		give(cpu);
		take(cpu, task);
	}
	unlock(cpu);
}

void cpu_relax(void)
{
	/* Who is alone yields to nobody but what else the host has to do, thousands of times. */
	if (host_has_threads())
		sched_yield();
	if (irqs_disabled())
		return;
	host_irqs_came_on();
	if (host_preempt_count == 0)
		host_preemption_came_on();
}
