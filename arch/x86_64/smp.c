/*
 * CPUs among each other: who is there, calling functions, flushing translations, stopping.
 *
 * Calls. Each CPU has one call that it may have in progress, and each a mask of who wants something
 * of it. No lock, so nobody waits for anybody but those he calls:
 *
 *	caller C                                 target T
 *	calls[C] = fn, arg, left = {T}
 *	wanted[T] |= {C}; interrupt T            take wanted[T], clearing it
 *	wait until calls[C].left is empty        for each C in it: fn(arg); calls[C].left -= {T}
 *
 * The caller keeps interrupts on while it waits, so two that call each other serve each other. It
 * disables preemption, so that no other thread of its CPU uses its call meanwhile. Order: setting the
 * bit in wanted[] is the release of the call's fields, taking it the acquire; clearing the bit in
 * left is the release of what fn() did, seeing it empty the caller's acquire.
 *
 * TLB. A CPU may use a translation that is no longer in the tables until it is told. The flush is a
 * call of its own vector: what it costs is seen in `irqs`. Up to FLUSH_MAX_PAGES pages are flushed
 * one by one, beyond that everything is, global pages included.
 *
 * Stopping. A panic must show where the others are, and some of them may have interrupts off: NMI.
 * asked[] says that an NMI is ours; the answer is the frame on the NMI's own stack, which stays as
 * it is since the CPU never goes on. The handler takes no lock and prints nothing. An NMI that was not
 * asked for is an exception like others, and ends in a panic. While that lasts no other NMI reaches the
 * CPU; so one that waits to be stopped looks at asked[] itself.
 *
 * A CPU that is silent is reported by a panic of whoever noticed: the caller of a function, or the
 * watchdog (tick.c). Only the CPU that owns the panic sends NMIs (panic_own()): two that accuse each
 * other would else both be silenced.
 *
 * Source: Intel SDM volume 3A, "Propagation of Page Table Changes to Multiple Processors".
 */
#include <x86/smp.h>

#include <arch/irq.h>
#include <arch/page.h>
#include <arch/preempt.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/errno.h>
#include <kernel/panic.h>
#include <x86/apic.h>
#include <x86/cpu_area.h>
#include <x86/regs.h>

#include "smp_internal.h"

#define FLUSH_MAX_PAGES 32

/* For a function to be done. Longer than silence: a CPU that hangs is the watchdog's to name. */
#define CALL_NS    15000000000ull
#define CALL_TICKS 150

/* For an NMI to be answered by CPUs that share few of the host's. */
#define STOP_NS      5000000000ull
#define STOP_TURNS   100000

#define CPU_BIT(cpu) ((u64)1 << (cpu))
_Static_assert(MAX_CPUS <= 64, "a mask of CPUs is one word");

static u64 online = CPU_BIT(0);

static struct call {
	void (*fn)(void *arg);
	void *arg;
	u64 left; /* who has still to do it */
} calls[MAX_CPUS];

static u64 wanted[MAX_CPUS];

static u64 asked;                                  /* who is to stop by NMI */
static const struct trap_frame *stopped[MAX_CPUS]; /* its answer */

bool cpu_online(u32 cpu)
{
	/* Acquire: whoever sees the CPU sees its area and run queue. */
	return cpu < MAX_CPUS && (load_acquire(&online) & CPU_BIT(cpu));
}

u32 nr_cpus_online(void)
{
	u32 nr = 0, cpu;

	for_each_online_cpu(cpu)
		nr++;
	return nr;
}

void smp_set_online(u32 cpu)
{
	store_release(&cpu_area(cpu)->online, true);
	__atomic_fetch_or(&online, CPU_BIT(cpu), __ATOMIC_RELEASE);
}

/* --- Waiting for another CPU ------------------------------------------------------------------- */

void patience_begin(struct patience *patience)
{
	patience->start = arch_timestamp();
	patience->heartbeat = this_cpu()->heartbeat;
}

bool patience_is_over(const struct patience *patience, u64 ns, u64 ticks)
{
	/* Relaxed: this CPU's own timer interrupt writes it. */
	return load_relaxed(&this_cpu()->heartbeat) - patience->heartbeat >= ticks &&
	       arch_timestamp_to_ns(arch_timestamp() - patience->start) >= ns;
}

/* --- Calls ------------------------------------------------------------------------------------- */

void smp_handle_calls(void)
{
	u32 me = smp_processor_id();
	u64 from = __atomic_exchange_n(&wanted[me], 0, __ATOMIC_ACQUIRE);

	for (; from; from &= from - 1) {
		struct call *call = &calls[__builtin_ctzll(from)];

		call->fn(call->arg);
		__atomic_fetch_and(&call->left, ~CPU_BIT(me), __ATOMIC_RELEASE);
	}
}

/* `targets` are online and without this CPU. */
static void call_cpus(u64 targets, void (*fn)(void *arg), void *arg, u32 vector)
{
	struct patience patience;
	struct call *call;
	u64 left;

	preempt_disable();
	call = &calls[smp_processor_id()];
	call->fn = fn;
	call->arg = arg;
	store_relaxed(&call->left, targets); /* published with the bits below */
	for (left = targets; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		__atomic_fetch_or(&wanted[cpu], CPU_BIT(smp_processor_id()), __ATOMIC_RELEASE);
		apic_send_ipi(cpu_area(cpu)->apic_id, vector);
	}
	patience_begin(&patience);
	while ((left = load_acquire(&call->left))) {
		if (patience_is_over(&patience, CALL_NS, CALL_TICKS))
			smp_panic_silent((u32)__builtin_ctzll(left), "a call not answered",
					 CALL_NS);
		cpu_relax();
	}
	preempt_enable();
}

static void assert_may_call(void)
{
	ASSERT_MSG(!irqs_disabled() && !in_interrupt(),
		   "CPU %u calls others with interrupts off: two would wait for each other",
		   smp_processor_id());
}

int smp_call(u32 cpu, void (*fn)(void *arg), void *arg)
{
	assert_may_call();
	if (!cpu_online(cpu))
		return -ENODEV;
	if (cpu == smp_processor_id()) {
		unsigned long flags = irq_save();

		fn(arg);
		irq_restore(flags);
	} else {
		call_cpus(CPU_BIT(cpu), fn, arg, VECTOR_CALL);
	}
	return 0;
}

static u64 others(void)
{
	return load_acquire(&online) & ~CPU_BIT(smp_processor_id());
}

void smp_call_others(void (*fn)(void *arg), void *arg)
{
	assert_may_call();
	call_cpus(others(), fn, arg, VECTOR_CALL);
}

void smp_send_reschedule(u32 cpu)
{
	if (cpu == smp_processor_id())
		preempt_want();
	else if (cpu_online(cpu))
		apic_send_ipi(cpu_area(cpu)->apic_id, VECTOR_RESCHEDULE);
}

/* --- Translations ------------------------------------------------------------------------------ */

struct flush {
	uintptr_t virt;
	u64 size_bytes;
};

/* Global pages survive a load of CR3, but not this. */
static void flush_everything(void)
{
	unsigned long flags = irq_save();
	u64 cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
	write_cr3(read_cr3()); /* for a CPU without global pages */
	irq_restore(flags);
}

static void flush(void *arg)
{
	const struct flush *what = arg;

	if (what->size_bytes > FLUSH_MAX_PAGES * PAGE_SIZE) {
		flush_everything();
		return;
	}
	for (u64 done = 0; done < what->size_bytes; done += PAGE_SIZE)
		invlpg(what->virt + done);
}

void tlb_shootdown(uintptr_t virt, u64 size_bytes)
{
	struct flush what = {virt, size_bytes};

	assert_may_call();
	flush(&what);
	call_cpus(others(), flush, &what, VECTOR_SHOOTDOWN);
}

/* --- Stopping ---------------------------------------------------------------------------------- */

void smp_stop_if_asked(const struct trap_frame *frame)
{
	u32 me = smp_processor_id();

	if (!(load_acquire(&asked) & CPU_BIT(me)))
		return;
	store_release(&stopped[me], frame); /* with all that it stands for */
	for (;;)
		__asm__ volatile("cli; hlt");
}

bool smp_handle_nmi(const struct trap_frame *frame)
{
	cpu_count_irq(CPU_IRQ_NMI);
	smp_stop_if_asked(frame);
	return false;
}

const struct trap_frame *smp_stopped_frame(u32 cpu)
{
	return cpu < MAX_CPUS ? load_acquire(&stopped[cpu]) : NULL;
}

/* Interrupts may be off here, and this CPU's heartbeat with them: turns stand in for ticks. */
static void stop(u64 targets)
{
	u64 start = arch_timestamp(), left;
	u32 turns = 0;

	__atomic_fetch_or(&asked, targets, __ATOMIC_RELEASE);
	for (left = targets; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		if (!smp_stopped_frame(cpu))
			apic_send_nmi(cpu_area(cpu)->apic_id);
	}
	for (left = targets; left; left &= left - 1) {
		while (!smp_stopped_frame((u32)__builtin_ctzll(left))) {
			if (++turns >= STOP_TURNS &&
			    arch_timestamp_to_ns(arch_timestamp() - start) >= STOP_NS)
				return;
			cpu_relax();
		}
	}
}

void smp_stop_others(void)
{
	stop(others());
}

_Noreturn void smp_panic_silent(u32 cpu, const char *what, u64 ns)
{
	unsigned long long tenths = ns / 100000000;
	const struct trap_frame *frame;

	irq_save();
	panic_own("CPU %u hangs: %s for %llu.%llu s", cpu, what, tenths / 10, tenths % 10);
	stop(CPU_BIT(cpu));
	frame = smp_stopped_frame(cpu);
	if (!frame)
		panic("CPU %u hangs: %s for %llu.%llu s; it does not answer an NMI either", cpu,
		      what, tenths / 10, tenths % 10);
	panic_trap_of(cpu, frame, "CPU %u hangs: %s for %llu.%llu s", cpu, what, tenths / 10,
		      tenths % 10);
}
