/*
 * Measuring a clock against a counter, on a machine that may be taken away at any instruction.
 *
 * A counter is started, and asked again and again whether it is at its end; the clock is read between all
 * of that. Nothing else is known, and another thread of the host, or a system management interrupt, may
 * have come anywhere. What is certain then:
 *
 *	clock   a       b             c          d          e
 *	        | start |   ...       | ended?   | ended?   |
 *	                                  no         yes
 *
 *	it began between a and b, and ended between c and e, so it took e - a at most, c - b at least
 *
 * It may have ended right after the last "no" was read, long before d: if the CPU was away just
 * then, c and d lie far apart, and d and e do not. So c counts.
 *
 * The measurement with the least doubt wins. The first ones are long, which makes them exact. A busy
 * host takes the CPU away every few ms, so that a long one begins or ends while it is away more often
 * than not; then short ones have better prospects.
 */
#include "calibrate.h"

#include <arch/cpu.h>

/* A wait ends at either: questions, or ticks of the clock (0.1 s at 10 GHz). */
#define MAX_QUESTIONS (1u << 24)
#define MAX_TICKS     (1ull << 30)

/* Shorter by `divisor`, so often, until the doubt is below one in `parts`. */
static const struct {
	u32 divisor, tries, parts;
} plan[] = {
	{1, 3, 1000},
	{10, 60, 200},
};

struct took one_shot_measure(const struct one_shot *shot, u32 count)
{
	u64 start_before, start_after, asked_before, asked_after, lower;
	bool ended = false;

	start_before = shot->now(shot->arg);
	shot->start(shot->arg, count);
	start_after = lower = asked_after = shot->now(shot->arg);
	for (u32 i = 0; i < MAX_QUESTIONS && asked_after - start_before < MAX_TICKS; i++) {
		cpu_relax();
		asked_before = asked_after;
		ended = shot->ended(shot->arg);
		asked_after = shot->now(shot->arg);
		if (ended)
			break;
		lower = asked_before;
	}
	if (!ended)
		return (struct took){0, 0};
	return (struct took){lower - start_after, asked_after - start_before};
}

struct calibration calibrate(const struct one_shot *shot, u32 count)
{
	struct calibration best = {0, 0, count};

	for (u32 p = 0; p < sizeof(plan) / sizeof(plan[0]); p++) {
		for (u32 i = 0; i < plan[p].tries; i++) {
			u32 part = count / plan[p].divisor;
			struct took took = one_shot_measure(shot, part);
			struct calibration c = {(took.least + took.most) / 2,
						(took.most - took.least + 1) / 2, part};

			/* a / b < c / d, without dividing. */
			if (c.ticks && (!best.ticks ||
					c.uncertainty * best.ticks < best.uncertainty * c.ticks))
				best = c;
			if (best.ticks && best.uncertainty < best.ticks / plan[p].parts)
				return best;
		}
	}
	return best;
}
