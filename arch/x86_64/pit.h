/* The 8254 programmable interval timer: channel 0 is the tick, channel 2 measures the TSC. */
#ifndef ARCH_X86_64_PIT_H
#define ARCH_X86_64_PIT_H

#define PIT_INPUT_HZ 1193182UL

#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43

/* Commands: channel, both bytes of the count (low first), mode. */
#define PIT_CHANNEL0_RATE    0x34 /* mode 2, rate generator */
#define PIT_CHANNEL0_STOP    0x30 /* mode 0: waits for a count, which never comes */
#define PIT_CHANNEL2_ONESHOT 0xb0 /* mode 0, output goes high at zero */

#endif
