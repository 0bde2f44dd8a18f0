/* How long does something take that can only be started and asked? Pure: runs on the host, too. */
#ifndef ARCH_X86_64_CALIBRATE_H
#define ARCH_X86_64_CALIBRATE_H

#include <base/types.h>

/* A counter of known rate, and a clock of unknown rate. */
struct one_shot {
	u64 (*now)(void *arg); /* the clock */
	void (*start)(void *arg, u32 count);
	bool (*ended)(void *arg); /* has it counted to the end? */
	void *arg;
};

/* What is certain: it took at least `least` ticks of the clock and at most `most`. most 0: it never ended. */
struct took {
	u64 least, most;
};

struct took one_shot_measure(const struct one_shot *shot, u32 count);

struct calibration {
	u64 ticks; /* of the clock, for `count` of the counter; 0: the counter does not work */
	u64 uncertainty; /* ticks may be wrong by as many, up or down */
	u32 count;
};

/* `count`: what the counter takes 10 ms for. May take a second on a host that has no time. */
struct calibration calibrate(const struct one_shot *shot, u32 count);

#endif
