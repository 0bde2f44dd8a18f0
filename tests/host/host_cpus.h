/*
 * Between the host's CPUs (cpus.c) and its threads (threads.c).
 */
#ifndef TESTS_HOST_CPUS_H
#define TESTS_HOST_CPUS_H

#include "host.h"

#include <mm/os_task.h>

/* This thread runs on CPU host_cpu from here on, alone; waits until it is its turn. */
void host_cpu_take(struct os_task *task);
/* Others may. */
void host_cpu_give(void);
/* Does this thread have a CPU? */
bool host_cpu_taken(void);
/* The task of the thread that has that CPU; NULL: it is idle. */
struct os_task *host_cpu_current(u32 cpu);

#endif
