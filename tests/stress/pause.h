/* Doing nothing for a while, in the kernel and on the host. */
#ifndef TESTS_PAUSE_H
#define TESTS_PAUSE_H

#include <base/types.h>

/* Sleeps so long; nobody wakes it. A thread. */
void pause_ns(u64 ns);

#endif
