/*
 * The tick: TIMER_HZ on each CPU, from its own APIC's timer (on a machine without, from the PIT).
 *
 * It drives the scheduler, it is where whoever wants to be called regularly is called (by its handler and
 * its device on the boot CPU only: one watchdog over a test is enough; by its hook on each), and it finds CPUs that hang: each CPU watches the
 * heartbeat of the next one that is online, the last one that of the first.
 *
 *	CPU 0 --> CPU 1 --> CPU 2 --> CPU 3 --> CPU 0
 *
 * So one that loops with interrupts off is seen by exactly one other, which asks it by NMI where it
 * is; if that one hangs too, it is seen by the one before. Only if all hang is nobody left, and on
 * one CPU nobody ever is: then it is the launcher's time limit that ends the run.
 *
 * A CPU is not hung because the host does not run it: 64 of them may share two. Therefore both
 * must have passed, SILENCE_NS and SILENCE_TICKS of the watcher: time alone passes also while the
 * host is suspended, and a watcher that runs that often shares the host with one that should.
 * Whoever waits long with interrupts off, and knows for what, moves its heartbeat (cpu_is_alive()).
 */
#include "tick.h"

#include <arch/cpu.h>
#include <base/atomic.h>
#include <kernel/thread.h>
#include <x86/cpu_area.h>
#include <x86/smp.h>

#include "smp_internal.h"

/* Written by its own CPU only: what it has seen of the one it watches. */
static struct watch {
	u32 cpu;
	u64 heartbeat;
	struct patience patience; /* since that was new */
} watches[MAX_CPUS];

/* Relaxed everywhere: a hook that is set well before it matters. */
static void (*tick_handler)(const struct trap_frame *frame);
static void (*tick_hook)(void);
static void (*tick_device)(void);

void tick_set_handler(void (*fn)(const struct trap_frame *frame))
{
	store_relaxed(&tick_handler, fn);
}

void tick_set_hook(void (*fn)(void))
{
	store_relaxed(&tick_hook, fn);
}

void tick_set_device(void (*fn)(void))
{
	store_relaxed(&tick_device, fn);
}

void cpu_is_alive(void)
{
	struct cpu_area *area = this_cpu();

	/* Relaxed: this CPU alone writes it, with interrupts off; who reads it wants a change. */
	store_relaxed(&area->heartbeat, area->heartbeat + 1);
}

static u32 next_online(u32 cpu)
{
	u32 next = cpu;

	do {
		next = (next + 1) % MAX_CPUS;
	} while (!cpu_online(next));
	return next;
}

static void watch_next(u32 me)
{
	struct watch *watch = &watches[me];
	u32 next = next_online(me);
	u64 heartbeat;

	if (next == me)
		return;
	heartbeat = load_relaxed(&cpu_area(next)->heartbeat);
	if (next != watch->cpu || heartbeat != watch->heartbeat) {
		watch->cpu = next;
		watch->heartbeat = heartbeat;
		patience_begin(&watch->patience);
	} else if (patience_is_over(&watch->patience, SILENCE_NS, SILENCE_TICKS)) {
		u64 ns = arch_timestamp_to_ns(arch_timestamp() - watch->patience.start);

		smp_panic_silent(next, "no timer interrupt", ns);
	}
}

void tick(const struct trap_frame *frame)
{
	u32 me = smp_processor_id();
	void (*on_tick)(const struct trap_frame *frame);
	void (*hook)(void) = load_relaxed(&tick_hook), (*device)(void);

	cpu_is_alive();
	watch_next(me);
	sched_tick();
	if (hook)
		hook();
	if (me != 0)
		return;
	device = load_relaxed(&tick_device);
	if (device)
		device();
	on_tick = load_relaxed(&tick_handler);
	if (on_tick)
		on_tick(frame);
}
