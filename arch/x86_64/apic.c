/*
 * The local APICs: one in each CPU, all at the same physical address, each CPU seeing its own.
 *
 * Used in xAPIC mode, whose registers are memory; x2APIC mode (registers are MSRs, ids of 32 bits)
 * is not needed for 64 CPUs. A machine whose firmware has switched to it, or that has no APIC, runs
 * with one CPU and the PIT's tick.
 *
 * What comes in (local vector table):
 *
 *	timer   VECTOR_TIMER, TIMER_HZ
 *	LINT0   on the boot CPU the legacy controllers (ExtINT: they give the vector), for COM1; masked
 *		on the others, since the line reaches all and one must answer
 *	LINT1   NMI, on all. MADT may say otherwise (entry type 4); no machine is known that does.
 *	error   VECTOR_APIC_ERROR
 *	others  masked
 *
 * The timer's rate is nobody's to know: it is measured against the TSC, which time.c has measured
 * against the PIT. As there, the readings at both ends are bracketed by readings of the TSC, and the
 * tightest of a few measurements counts. The rate is the bus's, so the other CPUs take it over.
 *
 * An interrupt to another CPU is two words in the command register, the destination first. Between
 * them an interrupt handler may not send its own: interrupts are off. A command is accepted within
 * microseconds; the wait for that is bounded, and then the command is sent regardless.
 *
 * Source: Intel SDM volume 3A, chapter "Advanced Programmable Interrupt Controller".
 */
#include <x86/apic.h>

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <kernel/printk.h>
#include <x86/cpu_features.h>
#include <x86/paging.h>
#include <x86/regs.h>

#include "apic_internal.h"

/* MSR_APIC_BASE */
#define BASE_X2APIC  (1ull << 10)
#define BASE_ENABLED (1ull << 11)
#define BASE_ADDRESS 0x000ffffffffff000ull

/* Registers, in bytes from the base. */
#define REG_ID              0x020
#define REG_VERSION         0x030
#define REG_TASK_PRIORITY   0x080
#define REG_EOI             0x0b0
#define REG_SPURIOUS        0x0f0
#define REG_IN_SERVICE      0x100 /* 8 words of 32 vectors, 16 bytes apart */
#define REG_ERROR           0x280
#define REG_COMMAND_LOW     0x300
#define REG_COMMAND_HIGH    0x310
#define REG_LVT_TIMER       0x320
#define REG_LVT_THERMAL     0x330
#define REG_LVT_PERFORMANCE 0x340
#define REG_LVT_LINT0       0x350
#define REG_LVT_LINT1       0x360
#define REG_LVT_ERROR       0x370
#define REG_TIMER_INITIAL   0x380
#define REG_TIMER_CURRENT   0x390
#define REG_TIMER_DIVIDE    0x3e0

#define SPURIOUS_ENABLE     (1u << 8)
#define LVT_NMI             (4u << 8)
#define LVT_EXTINT          (7u << 8)
#define LVT_MASKED          (1u << 16)
#define LVT_PERIODIC        (1u << 17)
#define DIVIDE_BY_16        0x3u

/* The highest entry of the local vector table, from the version register. */
#define MAX_LVT(version)    ((version) >> 16 & 0xff)
#define LVT_NR_PERFORMANCE  4
#define LVT_NR_THERMAL      5

#define COMMAND_FIXED       (0u << 8)
#define COMMAND_NMI         (4u << 8)
#define COMMAND_INIT        (5u << 8)
#define COMMAND_STARTUP     (6u << 8)
#define COMMAND_PENDING     (1u << 12)
#define COMMAND_ASSERT      (1u << 14)
#define COMMAND_DESTINATION 24

#define PENDING_WAIT_NS     10000000ull

#define NS_PER_SECOND       1000000000ull
#define CALIBRATION_NS      (NS_PER_SECOND / TIMER_HZ)
#define CALIBRATION_TRIES   20
#define CALIBRATION_GOOD_NS (CALIBRATION_NS / 1000)

/* Further errors are counted, not logged. */
#define MAX_ERRORS_LOGGED 8

static volatile u8 *registers; /* NULL: there is none to use */
static u32 timer_count;        /* of the timer in one tick */

static u32 read(u32 reg)
{
	return *(volatile u32 *)(registers + reg);
}

static void write(u32 reg, u32 value)
{
	*(volatile u32 *)(registers + reg) = value;
}

bool apic_usable(void)
{
	return registers;
}

/* Why not; NULL: nothing speaks against it. */
static const char *refusal(u64 base)
{
	if (!cpu_features().apic)
		return "the CPU has none that is switched on";
	if (base & BASE_X2APIC)
		return "the firmware has put it into x2APIC mode, which is not used";
	if (!(base & BASE_ENABLED))
		return "the firmware has switched it off";
	return NULL;
}

/* --- The timer's rate -------------------------------------------------------------------------- */

struct measurement {
	u64 count, ns;
	u64 uncertainty_ns;
};

static struct measurement measure_once(void)
{
	u64 start_before, start_after, end_before, end_after;
	u32 left;

	start_before = arch_timestamp();
	write(REG_TIMER_INITIAL, UINT32_MAX);
	start_after = arch_timestamp();
	while (arch_timestamp_to_ns(arch_timestamp() - start_after) < CALIBRATION_NS)
		cpu_relax();
	end_before = arch_timestamp();
	left = read(REG_TIMER_CURRENT);
	end_after = arch_timestamp();
	write(REG_TIMER_INITIAL, 0);
	return (struct measurement){
		.count = UINT32_MAX - left,
		.ns = arch_timestamp_to_ns((end_before + end_after) / 2 -
					   (start_before + start_after) / 2),
		.uncertainty_ns = arch_timestamp_to_ns((end_after - end_before) +
						       (start_after - start_before)),
	};
}

/* Returns what the timer counts in one tick; 0: it does not. */
static u32 calibrate(void)
{
	struct measurement best = {.uncertainty_ns = UINT64_MAX};
	unsigned long flags = irq_save();

	write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
	write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	for (u32 i = 0; i < CALIBRATION_TRIES; i++) {
		struct measurement m = measure_once();

		if (m.uncertainty_ns < best.uncertainty_ns)
			best = m;
		if (best.uncertainty_ns < CALIBRATION_GOOD_NS)
			break;
	}
	irq_restore(flags);
	return (u32)(best.count * (NS_PER_SECOND / TIMER_HZ) / best.ns);
}

u64 apic_timer_hz(void)
{
	return (u64)timer_count * TIMER_HZ;
}

u32 apic_timer_initial(void)
{
	return read(REG_TIMER_INITIAL);
}

u32 apic_timer_left(void)
{
	return read(REG_TIMER_CURRENT);
}

void apic_start_timer(void)
{
	write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
	write(REG_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	write(REG_TIMER_INITIAL, timer_count);
}

/* --- Switching on ------------------------------------------------------------------------------ */

static void enable(bool boot_cpu)
{
	u32 max_lvt = MAX_LVT(read(REG_VERSION));

	write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	write(REG_TASK_PRIORITY, 0);
	write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	if (max_lvt >= LVT_NR_THERMAL)
		write(REG_LVT_THERMAL, LVT_MASKED);
	if (max_lvt >= LVT_NR_PERFORMANCE)
		write(REG_LVT_PERFORMANCE, LVT_MASKED);
	write(REG_LVT_LINT0, boot_cpu ? LVT_EXTINT : LVT_MASKED);
	write(REG_LVT_LINT1, LVT_NMI);
	write(REG_ERROR, 0);
	write(REG_LVT_ERROR, VECTOR_APIC_ERROR);
	apic_eoi(); /* of what the firmware may have left in service */
}

bool apic_init_boot(void)
{
	u64 base = read_msr(MSR_APIC_BASE);
	const char *why_not = refusal(base);

	if (!why_not) {
		registers = paging_map_device(base & BASE_ADDRESS, PAGE_SIZE);
		if (!registers)
			why_not = "its registers are in what the firmware calls RAM";
	}
	if (!why_not) {
		enable(true);
		timer_count = calibrate();
		if (!timer_count) {
			registers = NULL;
			why_not = "its timer stands still";
		}
	}
	if (why_not) {
		klog(LOG_WARN, "apic", "no local APIC to use, so one CPU and the PIT's tick: %s",
		     why_not);
		return false;
	}
	klog(LOG_INFO, "apic", "xAPIC at 0x%llx, timer at %llu.%03llu MHz",
	     (unsigned long long)(base & BASE_ADDRESS),
	     (unsigned long long)apic_timer_hz() / 1000000,
	     (unsigned long long)apic_timer_hz() / 1000 % 1000);
	return true;
}

void apic_init_cpu(void)
{
	enable(false);
}

u32 apic_id(void)
{
	return read(REG_ID) >> 24;
}

/* --- What has come in -------------------------------------------------------------------------- */

void apic_eoi(void)
{
	if (registers)
		write(REG_EOI, 0);
}

bool apic_in_service(u32 vector)
{
	return registers && (read(REG_IN_SERVICE + vector / 32 * 16) >> vector % 32 & 1);
}

void apic_log_error(void)
{
	static u32 nr_logged;
	u32 error;

	if (!registers)
		return;
	write(REG_ERROR, 0); /* lets the register show what has come up since the last time */
	error = read(REG_ERROR);
	/* Relaxed: a figure that keeps a log short. */
	if (__atomic_fetch_add(&nr_logged, 1, __ATOMIC_RELAXED) < MAX_ERRORS_LOGGED)
		klog(LOG_WARN, "apic", "CPU %u: error 0x%x%s", smp_processor_id(), error,
		     error & 0x20   ? ": an illegal vector was sent"
		     : error & 0x40 ? ": an illegal vector was received"
		     : error & 0x80 ? ": an illegal register"
				    : "");
}

/* --- Commands ---------------------------------------------------------------------------------- */

static void wait_for_acceptance(void)
{
	u64 start = arch_timestamp();

	while ((read(REG_COMMAND_LOW) & COMMAND_PENDING) &&
	       arch_timestamp_to_ns(arch_timestamp() - start) < PENDING_WAIT_NS)
		cpu_relax();
}

static void send(u32 id, u32 command)
{
	unsigned long flags = irq_save();

	if (registers) {
		wait_for_acceptance();
		write(REG_COMMAND_HIGH, id << COMMAND_DESTINATION);
		write(REG_COMMAND_LOW, command | COMMAND_ASSERT);
	}
	irq_restore(flags);
}

void apic_send_ipi(u32 id, u32 vector)
{
	send(id, COMMAND_FIXED | vector);
}

void apic_send_nmi(u32 id)
{
	send(id, COMMAND_NMI);
}

void apic_send_init(u32 id)
{
	send(id, COMMAND_INIT);
}

void apic_send_startup(u32 id, u32 page_number)
{
	send(id, COMMAND_STARTUP | page_number);
}
