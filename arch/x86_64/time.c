/*
 * The clock: the time stamp counter, calibrated against the PIT.
 *
 * Channel 2 of the PIT counts down at a known frequency and its output can be read back at port 0x61,
 * without interrupts. How that becomes a figure on a machine that may be taken away meanwhile is
 * calibrate.c's.
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

#include "calibrate.h"
#include "pit.h"

#define NMI_STATUS        0x61
#define STATUS_GATE2      0x01
#define STATUS_SPEAKER    0x02
#define STATUS_OUT2       0x20

#define CALIBRATION_MS    10
#define CALIBRATION_COUNT (PIT_INPUT_HZ * CALIBRATION_MS / 1000)
/* Slower is no CPU with long mode but a port where nobody answers: it reads as "done" at once. */
#define MIN_KHZ       10000UL
#define DEFAULT_KHZ   1000000UL

#define MAX_DOUBT     50 /* one in so many is not worth a word */

#define FRACTION_BITS 32
#define NS_PER_MS     1000000UL

static u64 tsc_khz = DEFAULT_KHZ;
static u64 ns_per_tick = 1ull << FRACTION_BITS; /* fixed point */

static u64 now(void *arg)
{
	(void)arg;
	return arch_timestamp();
}

/* The gate is open; the second byte starts the count. */
static void start(void *arg, u32 count)
{
	(void)arg;
	outb(PIT_COMMAND, PIT_CHANNEL2_ONESHOT);
	outb(PIT_CHANNEL2, (u8)count);
	outb(PIT_CHANNEL2, (u8)(count >> 8));
}

static bool ended(void *arg)
{
	(void)arg;
	return inb(NMI_STATUS) & STATUS_OUT2;
}

void time_init(void)
{
	static const struct one_shot pit = {now, start, ended, NULL};
	u8 control = inb(NMI_STATUS) & ~(STATUS_GATE2 | STATUS_SPEAKER);
	struct calibration c;
	u64 khz;

	outb(NMI_STATUS, control | STATUS_GATE2);
	c = calibrate(&pit, CALIBRATION_COUNT);
	outb(NMI_STATUS, control);
	khz = c.ticks * PIT_INPUT_HZ / c.count / 1000;
	if (khz < MIN_KHZ) {
		klog(LOG_WARN, "time", "the PIT does not answer: assuming a TSC of 1 GHz");
		return;
	}
	tsc_khz = khz;
	ns_per_tick = (NS_PER_MS << FRACTION_BITS) / tsc_khz;
	klog(LOG_INFO, "time", "TSC at %lu.%03lu MHz, from entry to here %lu us", tsc_khz / 1000,
	     tsc_khz % 1000, time_since_entry_ns() / 1000);
	if (c.uncertainty > c.ticks / MAX_DOUBT)
		klog(LOG_WARN, "time", "the host was busy: that may be wrong by %llu %%",
		     (unsigned long long)(c.uncertainty * 100 / c.ticks));
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
