/*
 * The benchmark (bench/, docs/bench.md).
 */
#ifndef KERNEL_BENCH_H
#define KERNEL_BENCH_H

#include <base/types.h>

/*
 * Runs the cases whose names match one of the globs ("" is all), on this CPU, and prints a line for
 * each; the last line is MMBENCH_DONE. False: a case failed, none matches, or something is on that
 * would be measured with them. May sleep.
 */
bool bench_run(const char *globs);

#endif
