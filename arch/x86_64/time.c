/*
 * The clock: the time stamp counter, calibrated against the PIT.
 *
 * Channel 2 of the PIT counts down 10 ms at a known frequency and its output can be read back at
 * port 0x61, without interrupts; the TSC is read just before and after both ends. If the CPU was
 * taken away around one end (another thread of the host, a system management interrupt) the
 * readings lie apart and the measurement is repeated; the tightest one counts.
 *
 * Conversion is one multiplication with a 32-bit fraction: ns = ticks * ns_per_tick >> 32, in 128
 * bits, so it cannot overflow for any number of ticks whose result fits 64.
 *
 * Limits: a TSC that stops or changes its rate (before 2008) makes the clock wrong, not the kernel.
 *
 * Source: Intel 8254 data sheet; ICH9 data sheet, NMI_SC register (port 0x61).
 */
#include <x86/io.h>
#include <x86/time.h>

#include <arch/cpu.h>
#include <kernel/printk.h>

#include "pit.h"

#define NMI_STATUS        0x61
#define STATUS_GATE2      0x01
#define STATUS_SPEAKER    0x02
#define STATUS_OUT2       0x20

#define CALIBRATION_MS    10
#define CALIBRATION_COUNT (PIT_INPUT_HZ * CALIBRATION_MS / 1000)
#define CALIBRATION_TRIES 20

/* The wait ends at either: reads of the port, or TSC ticks (0.1 s at 10 GHz). */
#define CALIBRATION_MAX_POLLS (1u << 24)
#define CALIBRATION_MAX_TICKS (1ull << 30)

/* Slower is no CPU with long mode but a port where nobody answers: it reads as "done" at once. */
#define MIN_KHZ       10000UL
#define DEFAULT_KHZ   1000000UL

#define FRACTION_BITS 32
#define NS_PER_MS     1000000UL

static u64 tsc_khz = DEFAULT_KHZ;
static u64 ns_per_tick = 1ull << FRACTION_BITS; /* fixed point */

struct measurement {
	u64 ticks;       /* of CALIBRATION_COUNT periods of the PIT; 0: failed */
	u64 uncertainty; /* in ticks */
};

static struct measurement measure_once(void)
{
	u64 start_before, start_after, end_before, end_after;
	u8 control = inb(NMI_STATUS) & ~(STATUS_GATE2 | STATUS_SPEAKER);
	bool done = false;

	outb(NMI_STATUS, control | STATUS_GATE2);
	outb(PIT_COMMAND, PIT_CHANNEL2_ONESHOT);
	outb(PIT_CHANNEL2, (u8)CALIBRATION_COUNT);
	start_before = arch_timestamp();
	outb(PIT_CHANNEL2, (u8)(CALIBRATION_COUNT >> 8)); /* starts the count */
	start_after = end_after = arch_timestamp();

	for (u32 i = 0; i < CALIBRATION_MAX_POLLS && !done; i++) {
		cpu_relax();
		end_before = end_after;
		done = inb(NMI_STATUS) & STATUS_OUT2;
		end_after = arch_timestamp();
		if (end_after - start_before > CALIBRATION_MAX_TICKS)
			break;
	}
	outb(NMI_STATUS, control);
	if (!done)
		return (struct measurement){0, ~0ull};
	return (struct measurement){
		.ticks = (end_before + end_after) / 2 - (start_before + start_after) / 2,
		.uncertainty = (end_after - end_before) + (start_after - start_before),
	};
}

void time_init(void)
{
	struct measurement best = {0, ~0ull};
	u64 khz;

	for (u32 i = 0; i < CALIBRATION_TRIES; i++) {
		struct measurement m = measure_once();

		if (m.ticks && m.uncertainty < best.uncertainty)
			best = m;
		if (best.uncertainty < best.ticks / 1000)
			break;
	}
	khz = best.ticks * PIT_INPUT_HZ / CALIBRATION_COUNT / 1000;
	if (khz < MIN_KHZ) {
		klog(LOG_WARN, "time", "the PIT does not answer: assuming a TSC of 1 GHz");
		return;
	}
	tsc_khz = khz;
	ns_per_tick = (NS_PER_MS << FRACTION_BITS) / tsc_khz;
	klog(LOG_INFO, "time", "TSC at %lu.%03lu MHz, from entry to here %lu us", tsc_khz / 1000,
	     tsc_khz % 1000, time_since_entry_ns() / 1000);
}

u64 time_tsc_khz(void)
{
	return tsc_khz;
}

u64 arch_timestamp_to_ns(u64 ticks)
{
	return (u64)((unsigned __int128)ticks * ns_per_tick >> FRACTION_BITS);
}

u64 time_since_entry_ns(void)
{
	return arch_timestamp_to_ns(arch_timestamp() - boot_entry_tsc);
}
